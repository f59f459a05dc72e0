/* A turn of a worker: from one wake-up to the next. The clock is read once a turn, and what a
 * reload has put in place is taken over between two of them. The wait for the next turn is inside
 * the library, so it is the library's first call after it that begins the turn. */
#ifndef AFORO_SERVER_HTTP_TURN_H
#define AFORO_SERVER_HTTP_TURN_H

#include "server/http/context.h"

/* Sets the first time of a worker, before its thread starts. */
void turn_init(struct worker *worker);

/* Begins the turn that is due: reads the clocks, moves the shard on, takes over what was reloaded.
 * By the worker. */
void turn_begin_owner(struct worker *worker);

/* The same unless this turn has begun. Whatever the library calls begins with this. */
static inline void turn_enter(struct worker *worker) {
    if (worker->turn_due) {
        turn_begin_owner(worker);
    }
}

#endif
