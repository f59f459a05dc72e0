#include "server/http/tally.h"

#include "counters/counters.h"
#include "server/metrics.h"

void tally_add_refusal(struct worker *worker, enum refusal refusal) {
    struct shard_tally delta = {.received = 1};
    delta.refused[refusal] = 1;
    shard_tally_owner(worker->shard, &delta);
}

void tally_add_lag(struct worker *worker, int64_t event_us) {
    const int64_t lag_us = worker->now_us - event_us;
    if (lag_us >= 0) {
        metric_add_owner(&worker->metrics, METRIC_lag_us_sum, (uint64_t)lag_us);
        metric_add_owner(&worker->metrics, METRIC_lag_events, 1);
        metric_max_owner(&worker->metrics, METRIC_lag_us_max, (uint64_t)lag_us);
        durations_add_owner(&worker->metrics.event_lag, (uint64_t)lag_us);
    }
}
