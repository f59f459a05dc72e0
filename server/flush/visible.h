/* How long until an event is visible: from its arrival until the store has acknowledged the windows
 * that it is counted in.
 *
 * A worker notes one event a turn, or one in several turns when there are many, once it is counted:
 * when it arrived, and its time. The flush takes what was noted before each pass, with the totals
 * that the windows' chunks then have, and after the pass looks which of these totals the store has.
 * So nothing is added to an event's way but a flag that is looked at, and every event has the same
 * chance, whenever it comes within the flush interval. */
#ifndef AFORO_SERVER_FLUSH_VISIBLE_H
#define AFORO_SERVER_FLUSH_VISIBLE_H

#include "counters/time/durations.h"
#include "counters/time/window.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define VISIBLE_SLOTS 256        /* of a worker, between two passes; a power of two */
#define VISIBLE_WAITING_MAX 1024 /* of all workers, not acknowledged yet */

struct visible_event {
    int64_t arrived_us; /* steady clock */
    int64_t event_us;   /* the time that it is counted at */
};

/* One worker's; it writes, the flush reads. Zeros are an empty one. */
struct visible_queue {
    _Alignas(64) _Atomic uint32_t head; /* events noted, ever; the worker's */
    uint32_t turns;                     /* the worker's own */
    struct visible_event event[VISIBLE_SLOTS];
    _Alignas(64) _Atomic uint32_t tail; /* events taken; the flush's */
    _Atomic uint32_t mask;              /* a turn is noted when these bits of its number are 0 */
};

/* An event that was taken and is not acknowledged yet. */
struct visible_waiting {
    int64_t arrived_us;
    int64_t chunk[RESOLUTIONS];
    uint64_t total[RESOLUTIONS]; /* of the chunk, with the event */
};

/* The flush's own. */
struct visible {
    struct visible_queue *queue; /* [queues]; NULL: nobody notes any */
    unsigned queues;
    unsigned waiting;
    struct visible_waiting wait[VISIBLE_WAITING_MAX];
};

/* What had been seen as the last two spans of half a minute began, older first. */
struct visible_recent {
    struct durations_total before[2];
    int64_t begun_us; /* steady clock: the younger; 0: none yet */
};

/* To be called between passes, with all that was seen until now. */
void visible_turn(struct visible_recent *recent, const struct durations_total *seen,
                  int64_t steady_us);

/* By the worker, as a turn begins: whether an event of it is to be noted. */
static inline bool visible_is_due_owner(struct visible_queue *queue) {
    return (++queue->turns & atomic_load_explicit(&queue->mask, memory_order_relaxed)) == 0;
}

/* By the worker, after the event is counted. Without room it is not noted. */
void visible_add_owner(struct visible_queue *queue, int64_t arrived_us, int64_t event_us);

#endif
