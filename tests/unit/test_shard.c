#include "counters/counters.h"

#include <check.h>
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

int main(void) {
    Suite *suite = suite_create("shard");
    TCase *tcase = tcase_create("shard");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_event_is_in_all_three_rings);
    tcase_add_test(tcase, the_edges_of_the_span_are_inside);
    tcase_add_test(tcase, counts_survive_a_reopen_with_other_threads);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
