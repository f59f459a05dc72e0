/* Where a consumer of the event log goes on: a file of text, which is replaced as a whole. One
 * process holds it at a time. One thread.
 *
 *   aforo event log cursor 1
 *   node-1 1 2201         node, shard, and the number of the record that is to be read next */
#ifndef AFORO_TOOLS_CONSOLE_LOG_CURSOR_H
#define AFORO_TOOLS_CONSOLE_LOG_CURSOR_H

#include "eventlog/follow.h"

#define LOG_CURSOR_WHY_MAX 1024

struct log_cursor {
    const char *path; /* the caller's */
    int fd;           /* of the file that has that name, locked; -1: none */
    bool begins;      /* it has no position yet: there was no such file */
    struct eventlog_position *position;
    size_t positions;
};

/* Makes the file when it is missing, locks and reads it. False fills why, with the file's name. */
bool log_cursor_open(struct log_cursor *cursor, const char *path, char why[LOG_CURSOR_WHY_MAX]);

/* Puts positions in the place of those that the file has: it has either, whatever happens. False
 * fills why. */
bool log_cursor_write(struct log_cursor *cursor, const struct eventlog_position *position,
                      size_t positions, char why[LOG_CURSOR_WHY_MAX]);

void log_cursor_close(struct log_cursor *cursor);

#endif
