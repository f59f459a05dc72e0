/* The progress of a long task: a line on standard error, only on a terminal and only from the third
 * second on. Any thread may add to it. */
#ifndef AFORO_TOOLS_CONSOLE_PROGRESS_H
#define AFORO_TOOLS_CONSOLE_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool on;
    uint64_t whole;         /* total bytes */
    int64_t started_us;     /* steady clock */
    _Atomic int64_t due_us; /* when to write the line again */
    _Atomic uint64_t events, bytes;
    _Atomic bool written;
};

/* Starts over. */
void progress_begin(struct progress *progress, uint64_t whole);
void progress_add(struct progress *progress, uint64_t events, uint64_t bytes);

/* Removes the line, so that something else can be written there. */
void progress_clear(struct progress *progress);

/* Writes the line "replay  45 %  [####......]  5.2 M events/s  12 s left" to text. Pure. */
#define PROGRESS_LINE_MAX 96
void progress_format(const struct progress *progress, int64_t now_us, char text[PROGRESS_LINE_MAX]);

#endif
