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
    struct durations_total total = {{0}, 0};
    durations_sum(&worker.metrics.event_lag, &total);
    ck_assert_uint_eq(total.sum_us, 800);
    ck_assert_uint_eq(total.bucket[durations_bucket(0)], 1);
    ck_assert_uint_eq(total.bucket[durations_bucket(300)], 2); /* 300 and 500 us */
}
END_TEST

/* Of one event a turn that is due, with the time that the turn began. */
START_TEST(the_flush_is_told_of_one_event) {
    static struct visible_queue queue;
    worker.visible = &queue;
    tally_note_counted(&worker, NOW_US);
    ck_assert_uint_eq(queue.head, 0);
    worker.visible_due = true;
    tally_note_counted(&worker, NOW_US - 1);
    tally_note_counted(&worker, NOW_US - 2);
    ck_assert_uint_eq(queue.head, 1);
    ck_assert_int_eq(queue.event[0].event_us, NOW_US - 1);
    ck_assert_int_eq(queue.event[0].arrived_us, worker.woke_us);
}
END_TEST

HTTP_LAB_MAIN("tally", the_flush_is_told_of_one_event, a_refusal_is_received_and_not_counted,
              lag_is_how_late_an_event_came)
