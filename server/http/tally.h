/* Adds what a worker's requests contribute to the statistics. By the worker's thread. */
#ifndef AFORO_SERVER_HTTP_TALLY_H
#define AFORO_SERVER_HTTP_TALLY_H

#include "server/http/context.h"
#include "server/refusals.h"

#include <stdint.h>

/* One event, or one batch of which nothing was read, was received and refused. */
void tally_add_refusal(struct worker *worker, enum refusal refusal);

/* An event of that time was counted: adds how late it came, unless it is ahead of the clock. */
void tally_add_lag(struct worker *worker, int64_t event_us);

/* An event was counted at that time. If this turn's first event is to be noted for the flush
 * (visible.h), notes it. */
static inline void tally_note_counted(struct worker *worker, int64_t event_us) {
    if (__builtin_expect(worker->visible_due, 0)) {
        worker->visible_due = false;
        visible_add_owner(worker->visible, worker_woke_us(worker), event_us);
    }
}

#endif
