/* How far a long work is: a line on standard error, on a terminal only, and from its third second
 * on. Any thread adds to it. */
#ifndef AFORO_TOOLS_CONSOLE_PROGRESS_H
#define AFORO_TOOLS_CONSOLE_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool on;
    uint64_t whole;         /* bytes in all */
    int64_t started_us;     /* steady clock */
    _Atomic int64_t due_us; /* when it is to be written again */
    _Atomic uint64_t events, bytes;
    _Atomic bool written;
};

/* Begins anew. */
void progress_begin(struct progress *progress, uint64_t whole);
void progress_add(struct progress *progress, uint64_t events, uint64_t bytes);

/* Takes the line away, so that something else can be written there. */
void progress_clear(struct progress *progress);

/* The line: "replay  45 %  [####......]  5.2 M events/s  12 s left", into text. Pure. */
#define PROGRESS_LINE_MAX 96
void progress_format(const struct progress *progress, int64_t now_us, char text[PROGRESS_LINE_MAX]);

#endif
