/* The cursor: a text file that says where a consumer of the event log continues. It is replaced as
 * a whole, and one process holds it at a time. One thread.
 *
 *   aforo event log cursor 1
 *   node-1 1 2201         node, shard, and the number of the record that is to be read next */
#ifndef AFORO_TOOLS_CONSOLE_LOG_CURSOR_H
#define AFORO_TOOLS_CONSOLE_LOG_CURSOR_H

#include "eventlog/follow.h"

#define LOG_CURSOR_WHY_MAX 1024

struct log_cursor {
    const char *path; /* the caller's */
    int fd;           /* the file of that name, locked; -1: none */
    bool begins;      /* the file was new, so there is no position yet */
    struct eventlog_position *position;
    size_t positions;
};

/* Locks and reads the file; makes it if it is missing. False fills why, which names the file. */
bool log_cursor_open(struct log_cursor *cursor, const char *path, char why[LOG_CURSOR_WHY_MAX]);

/* Replaces the file's positions; whatever happens, it has either the old or the new ones. False
 * fills why. */
bool log_cursor_write(struct log_cursor *cursor, const struct eventlog_position *position,
                      size_t positions, char why[LOG_CURSOR_WHY_MAX]);

/* Releases the lock and frees the positions. */
void log_cursor_close(struct log_cursor *cursor);

#endif
