/* A turn of a worker: from one wake-up to the next. The clock is read once per turn, and what a
 * reload has changed takes effect between two turns. The wait for the next turn is inside the
 * library, so the library's first callback after the wait begins the turn. */
#ifndef AFORO_SERVER_HTTP_TURN_H
#define AFORO_SERVER_HTTP_TURN_H

#include "server/http/context.h"

/* Sets a worker's time for the first time. By main, before the worker's thread starts. */
void turn_init(struct worker *worker);

/* Begins the turn that is due: reads the clocks, moves the shard to the present, adopts what was
 * reloaded. By the worker. */
void turn_begin_owner(struct worker *worker);

/* The same unless this turn has already begun. Every callback of the library begins with this. */
static inline void turn_enter(struct worker *worker) {
    if (worker->turn_due) {
        turn_begin_owner(worker);
    }
}

#endif
