#include "server/http/tally.h"

#include "tests/unit/server/http/http_lab.h"

START_TEST(a_refusal_is_received_and_not_counted) {
    for (int refusal = 0; refusal < REFUSALS; refusal++) {
        const struct shard_tally before = tally();
        tally_add_refusal(&worker, (enum refusal)refusal);
        const struct shard_tally after = tally();
        ck_assert_uint_eq(after.received, before.received + 1);
        ck_assert_uint_eq(after.counted, 0);
        for (int other = 0; other < COUNTERS_REASONS; other++) {
            ck_assert_uint_eq(after.refused[other], before.refused[other] + (other == refusal));
        }
    }
}
END_TEST

static void lag_is(uint64_t sum, uint64_t events, uint64_t max) {
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_us_sum), sum);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_events), events);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_us_max), max);
}

START_TEST(lag_is_how_late_an_event_came) {
    tally_add_lag(&worker, NOW_US);
    lag_is(0, 1, 0);
    tally_add_lag(&worker, NOW_US + 1); /* ahead of the clock: no lag */
    lag_is(0, 1, 0);
    tally_add_lag(&worker, NOW_US - 500);
    lag_is(500, 2, 500);
    tally_add_lag(&worker, NOW_US - 300);
    lag_is(800, 3, 500);
}
END_TEST

HTTP_LAB_MAIN("tally", a_refusal_is_received_and_not_counted, lag_is_how_late_an_event_came)
