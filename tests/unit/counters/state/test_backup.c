/* Copies of a file that is counted in. */
#include "tests/unit/counters/state/state_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static _Atomic int64_t counted_until_us; /* every event before it is counted */
static _Atomic bool counts;

static void *count_on(void *cls) {
    struct shard *shard = counters_worker_shard(cls, 0);
    for (int64_t t_us = T0; atomic_load(&counts); t_us += 1000) {
        shard_set_now_owner(shard, t_us);
        ck_assert_int_eq(shard_add_owner(shard, t_us), SHARD_COUNTED);
        shard_tally_counted_owner(shard);
        atomic_store(&counted_until_us, t_us + 1000);
    }
    return NULL;
}

/* 1,000 events a second of event time, in rings that go round every few seconds: each copy
 * verifies, is of this node, and holds each second that was counted before it began, and that its
 * rings still have, whole. */
START_TEST(copies_of_a_file_that_is_counted_in) {
    struct counters_config config = tiny_config(1);
    config.horizon_us = 20 * US_PER_S;
    char path[PATH_MAX_TEST], copy[PATH_MAX_TEST], why[COUNTERS_WHY_MAX] = "";
    state_path(STATE_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    struct counters *counters = open_or_fail(&config);
    pthread_t thread;
    atomic_store(&counts, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, count_on, counters), 0);
    while (atomic_load(&counted_until_us) < T0 + 60 * US_PER_S) {
        sched_yield();
    }
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "copy%d", i);
        state_path(name, copy);
        const int64_t before_s = atomic_load(&counted_until_us) / US_PER_S;
        ck_assert_msg(counters_backup(state_dir, copy, why), "%s", why);
        struct counters_config asked = config;
        asked.dir = copy;
        asked.node_id = counters_node_id(counters);
        uint64_t repaired = 9;
        struct counters *opened = counters_open(&asked, &repaired, why);
        ck_assert_msg(opened != NULL && repaired == 0, "%s", why);
        must_verify(opened);
        int64_t oldest, newest;
        ck_assert(counters_span(opened, RESOLUTION_10MS, &oldest, &newest));
        DEMAND(newest >= before_s - 1, "the copy ends before it began");
        for (int64_t s = oldest + 1; s < before_s; s++) {
            DEMAND(counters_chunk_total(opened, RESOLUTION_10MS, s) == 1000,
                   "copy %d, second %lld of %lld: %llu", i, (long long)s, (long long)before_s,
                   (unsigned long long)counters_chunk_total(opened, RESOLUTION_10MS, s));
        }
        counters_close(opened);
        ck_assert(!counters_backup(state_dir, copy, why) && strstr(why, "is there already"));
    }
    atomic_store(&counts, false);
    pthread_join(thread, NULL);
    counters_close(counters);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {copies_of_a_file_that_is_counted_in};
    return check_main_in_state_dir("backup", tests, sizeof tests / sizeof tests[0]);
}
