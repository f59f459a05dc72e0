/* Selects the windows meant by "the last 60", "from here to there", "the open one too": one rule
 * for the server's /counts and for the console program, over any source of counts. No state, no
 * allocation, any thread.
 *
 *   from_us                                   to_us, or now when `partial` is not set
 *      |  0  0  3  0  0  7  1  0  0  0  0  2  0  |
 *               ^              <----------->  < the last window with events: where rows end
 *               |                  `last` windows, those before the first event included
 *               the first window with events: where rows begin without `last`
 *
 * Rows end with the last window inside the span that has events. They begin with the first one;
 * with `last`, that many windows before the end, zeros included, but not before the oldest window
 * that the source keeps: a window it dropped would look like 0. A window is inside the span when
 * its start is, so adjacent spans share no row and miss none. */
#ifndef AFORO_COUNTERS_QUERY_H
#define AFORO_COUNTERS_QUERY_H

#include "counters/time/window.h"

#define QUERY_LAST_DEFAULT 60
#define QUERY_BLOCK 4096 /* most windows requested from a reader at once */
#define QUERY_TO_NONE INT64_MAX

struct query {
    enum resolution resolution;
    int64_t from_us; /* windows that start here or later; 0 or less: no bound */
    int64_t to_us;   /* windows that start before this; QUERY_TO_NONE: no bound */
    /* this many windows up to the last with events; 0: from the first with events */
    int64_t last;
    bool partial; /* include windows that are not over yet */
};

/* A source of counts. */
struct query_reader {
    /* Reads windows [first, first + n), n <= QUERY_BLOCK, into out. False: the source failed. */
    bool (*read)(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out);
    void *cls;
    /* no window outside these holds events; oldest > newest: there are none */
    int64_t oldest, newest;
    /* from here on, a window that reads 0 really had no events; `read` may be asked for it */
    int64_t kept;
};

enum query_outcome {
    QUERY_ROWS,    /* *first and *n (at least 1) say which */
    QUERY_NOTHING, /* no window with events in the span */
    QUERY_FAILED   /* the reader failed */
};

/* Finds the windows that `query` means at time now_us. Reads in blocks from both ends towards the
 * events and keeps nothing of what it reads, so a span of any length takes the same memory: 8 x
 * QUERY_BLOCK bytes of stack. */
enum query_outcome query_find(const struct query *query, const struct query_reader *reader,
                              int64_t now_us, int64_t *first, int64_t *n);

#endif
