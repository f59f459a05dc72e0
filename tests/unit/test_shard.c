#include "counters/counters.h"

#include "tests/unit/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define T0 INT64_C(1464433871123456)

static char dir[64];

static void setup(void) {
    char template[] = "/tmp/aforo-shard-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(template));
    snprintf(dir, sizeof dir, "%s", template);
}

static void teardown(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static struct counters *open_counters(unsigned workers) {
    char why[COUNTERS_WHY_MAX] = "";
    const struct counters_config config = {
        .dir = dir, .workers = workers, .horizon_us = 10 * US_PER_S, .future_us = 2 * US_PER_S};
    struct counters *counters = counters_open(&config, NULL, why);
    ck_assert_msg(counters != NULL, "%s", why);
    return counters;
}

static uint64_t read_one(const struct counters *counters, enum resolution r, int64_t t_us) {
    uint64_t count;
    counters_read(counters, r, window_at(r, t_us), 1, &count);
    return count;
}

START_TEST(an_event_is_in_all_three_rings) {
    struct counters *counters = open_counters(2);
    struct shard *shard = counters_worker_shard(counters, 1);
    shard_set_now_owner(shard, T0);
    ck_assert_int_eq(shard_add_owner(shard, T0), SHARD_COUNTED);
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(read_one(counters, (enum resolution)r, T0), 1);
    }
    char why[COUNTERS_WHY_MAX];
    ck_assert_msg(counters_verify(counters, why), "%s", why);
    counters_close(counters);
}
END_TEST

START_TEST(the_edges_of_the_span_are_inside) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, T0);
    ck_assert_int_eq(shard_add_owner(shard, T0 - 10 * US_PER_S), SHARD_COUNTED);
    ck_assert_int_eq(shard_add_owner(shard, T0 - 10 * US_PER_S - 1), SHARD_TOO_LATE);
    ck_assert_int_eq(shard_add_owner(shard, T0 + 2 * US_PER_S), SHARD_COUNTED);
    ck_assert_int_eq(shard_add_owner(shard, T0 + 2 * US_PER_S + 1), SHARD_TOO_FAR_AHEAD);
    counters_close(counters);
}
END_TEST

START_TEST(counts_survive_a_reopen_with_other_threads) {
    struct counters *counters = open_counters(3);
    for (unsigned i = 0; i < 3; i++) {
        struct shard *shard = counters_worker_shard(counters, i);
        shard_set_now_owner(shard, T0);
        ck_assert_int_eq(shard_add_owner(shard, T0), SHARD_COUNTED);
    }
    counters_close(counters);
    counters = open_counters(1);
    ck_assert_uint_eq(counters_shards(counters), 4);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0), 3);
    counters_close(counters);
    counters = open_counters(5);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0), 3);
    counters_close(counters);
}
END_TEST

/* A wake-up's events against plain arrays: one by one, in batches and by arrival, in one window again and again, seconds
 * that share a place in the shard's cache, on both edges of the span and beyond them. */
START_TEST(a_wake_up_of_events_in_any_order) {
    enum { SECONDS = 400 };
    static uint64_t model[SECONDS * 100];
    const int64_t base_us = T0 / (60 * US_PER_S) * (60 * US_PER_S);
    char why[COUNTERS_WHY_MAX] = "";
    const struct counters_config config = {
        .dir = dir, .workers = 1, .horizon_us = 200 * US_PER_S, .future_us = 2 * US_PER_S};
    struct counters *counters = counters_open(&config, NULL, why);
    ck_assert_msg(counters != NULL, "%s", why);
    struct shard *shard = counters_worker_shard(counters, 0);
    srandom(20261121);
    for (int turn = 0; turn < 2000; turn++) {
        const int64_t now_us = base_us + 210 * US_PER_S + turn * 90 * INT64_C(1000) + random() % 10000;
        const int64_t lo_us = now_us - config.horizon_us, hi_us = now_us + config.future_us;
        shard_set_now_owner(shard, now_us);
        int64_t t_us = now_us;
        for (int i = 0; i < 100; i++) {
            static const int64_t steps_us[] = {0, 1, -1, 9999, -10000, 64 * US_PER_S, -64 * US_PER_S, US_PER_S};
            const long choice = random() % 12;
            t_us = choice < 8 ? t_us + steps_us[choice] : choice == 8 ? lo_us : choice == 9 ? hi_us : t_us;
            int64_t us[8];
            size_t n = 1 + (size_t)random() % 8, inside = 0;
            for (size_t j = 0; j < n; j++) {
                us[j] = t_us + (int64_t)j * (choice == 10 ? 4000 : choice == 11 ? 0 : 1);
                inside += inside == j && us[j] >= lo_us && us[j] <= hi_us;
            }
            enum shard_verdict verdict = SHARD_COUNTED;
            if (choice % 3 == 0) {
                ck_assert_uint_eq(shard_add_batch_owner(shard, us, n, &verdict), inside);
            } else {
                n = 1;
                inside = inside > 0;
                verdict = shard_add_owner(shard, us[0]);
            }
            const int64_t *out = us + inside;
            ck_assert_int_eq(verdict, inside == n     ? SHARD_COUNTED
                                      : *out < lo_us ? SHARD_TOO_LATE
                                                     : SHARD_TOO_FAR_AHEAD);
            for (size_t j = 0; j < inside; j++) {
                model[(us[j] - base_us) / 10000]++;
            }
            if (choice == 7) {
                shard_add_arrival_owner(shard, now_us);
                model[(now_us - base_us) / 10000]++;
            }
        }
    }
    for (int64_t s = 215; s < SECONDS; s++) { /* older ones have left the ring */
        uint64_t count[100], sum = 0;
        counters_read(counters, RESOLUTION_10MS, (base_us / US_PER_S + s) * 100, 100, count);
        for (int i = 0; i < 100; i++) {
            ck_assert_uint_eq(count[i], model[s * 100 + i]);
            sum += count[i];
        }
        ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, base_us + s * US_PER_S), sum);
    }
    ck_assert_msg(counters_verify(counters, why), "%s", why);
    counters_close(counters);
}
END_TEST

START_TEST(a_clock_that_was_never_set) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    char why[COUNTERS_WHY_MAX];
    shard_set_now_owner(shard, 5 * US_PER_S); /* 1970-01-01 00:00:05 */
    ck_assert_int_eq(shard_add_owner(shard, 4 * US_PER_S), SHARD_TOO_LATE);
    shard_add_arrival_owner(shard, 5 * US_PER_S);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, 3600 * US_PER_S), 1);
    ck_assert_msg(counters_verify(counters, why), "%s", why);
    shard_set_now_owner(shard, T0);
    ck_assert_int_eq(shard_add_owner(shard, T0), SHARD_COUNTED);
    counters_close(counters);
    counters_close(open_counters(1));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("shard");
    TCase *tcase = tcase_create("shard");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_event_is_in_all_three_rings);
    tcase_add_test(tcase, the_edges_of_the_span_are_inside);
    tcase_add_test(tcase, counts_survive_a_reopen_with_other_threads);
    tcase_add_test(tcase, a_wake_up_of_events_in_any_order);
    tcase_add_test(tcase, a_clock_that_was_never_set);
    tcase_set_timeout(tcase, 100);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
