/* What a worker's requests add to the statistics. By the worker's thread. */
#ifndef AFORO_SERVER_HTTP_TALLY_H
#define AFORO_SERVER_HTTP_TALLY_H

#include "server/http/context.h"
#include "server/refusals.h"

#include <stdint.h>

/* One event was received and refused, or one batch of which nothing was read. */
void tally_add_refusal(struct worker *worker, enum refusal refusal);

/* An event of that time was counted: how late it came, unless it is ahead of the clock. */
void tally_add_lag(struct worker *worker, int64_t event_us);

#endif
