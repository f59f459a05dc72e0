/* How long it takes until an event is visible: from its arrival until the store has acknowledged
 * the windows in which it is counted.
 *
 * A worker notes the arrival and the event time of one counted event per turn, or per several turns
 * when there are many. Before each pass the flush takes these notes, with the totals that the
 * windows' chunks have at that moment; after the pass it checks which of these totals the store has
 * reached. This adds only the test of a flag to an event's path, and samples events evenly over the
 * flush interval. */
#ifndef AFORO_SERVER_FLUSH_VISIBLE_H
#define AFORO_SERVER_FLUSH_VISIBLE_H

#include "counters/time/durations.h"
#include "counters/time/window.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define VISIBLE_SLOTS 256        /* per worker, between two passes; a power of two */
#define VISIBLE_WAITING_MAX 1024 /* of all workers, not acknowledged yet */

struct visible_event {
    int64_t arrived_us; /* steady clock */
    int64_t event_us;   /* the time at which it is counted */
};

/* One worker's notes: the worker writes, the flush reads. All zeros is an empty queue. */
struct visible_queue {
    _Alignas(64) _Atomic uint32_t head; /* events ever noted; written by the worker */
    uint32_t turns;                     /* the worker's own */
    struct visible_event event[VISIBLE_SLOTS];
    _Alignas(64) _Atomic uint32_t tail; /* events ever taken; written by the flush */
    _Atomic uint32_t mask;              /* a turn is noted when these bits of its number are 0 */
};

/* An event that was taken and is not yet visible. */
struct visible_waiting {
    int64_t arrived_us;
    int64_t chunk[RESOLUTIONS];
    uint64_t total[RESOLUTIONS]; /* of the chunk, with the event */
};

/* Belongs to the flush thread. */
struct visible {
    struct visible_queue *queue; /* [queues]; NULL: nobody notes any */
    unsigned queues;
    unsigned waiting;
    struct visible_waiting wait[VISIBLE_WAITING_MAX];
};

/* The durations as they stood when the last two spans of 30 s began, older first. */
struct visible_recent {
    struct durations_total before[2];
    int64_t begun_us; /* steady clock: the younger; 0: none yet */
};

/* Begins a new span when one is over. To be called between passes, with all durations noted so far;
 * steady_us: now. */
void visible_turn(struct visible_recent *recent, const struct durations_total *seen,
                  int64_t steady_us);

/* By the worker, at the beginning of a turn: whether to note an event of this turn. */
static inline bool visible_is_due_owner(struct visible_queue *queue) {
    return (++queue->turns & atomic_load_explicit(&queue->mask, memory_order_relaxed)) == 0;
}

/* By the worker, after the event is counted. If the queue is full, the event is not noted. */
void visible_add_owner(struct visible_queue *queue, int64_t arrived_us, int64_t event_us);

#endif
