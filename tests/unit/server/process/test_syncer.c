/* A state file that is moved away under the server, and comes back, is noticed within a turn of the
 * syncer. */
#include "server/process/syncer.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <stdio.h>
#include <time.h>

#define STEP_NS 50000000 /* 50 ms */
#define STEPS_MAX 600

static _Atomic bool lost, unwritten;

static void wait_until_lost_is(bool wanted) {
    for (int i = 0; i < STEPS_MAX && atomic_load(&lost) != wanted; i++) {
        nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
    }
    ck_assert_int_eq(atomic_load(&lost), wanted);
}

START_TEST(a_file_that_goes_and_comes_back) {
    char path[PATH_MAX_TEST], away[PATH_MAX_TEST];
    state_dir_make();
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    state_path("counters.aforo", path);
    state_path("away", away);
    atomic_store(&lost, true); /* it is corrected in the first turn */
    atomic_store(&unwritten, true);
    struct syncer *syncer =
        syncer_start(&(struct syncer_config){counters, state_dir, &lost, NULL, &unwritten});
    ck_assert_ptr_nonnull(syncer);
    wait_until_lost_is(false);
    ck_assert_int_eq(rename(path, away), 0);
    wait_until_lost_is(true);
    ck_assert_int_eq(rename(away, path), 0);
    wait_until_lost_is(false);
    ck_assert(!atomic_load(&unwritten)); /* it wrote before it looked again */
    syncer_stop(syncer);
    counters_close(counters);
    state_dir_remove();
}
END_TEST

/* It does not wait for its next turn. */
START_TEST(it_stops_at_once) {
    state_dir_make();
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    for (int i = 0; i < 200; i++) { /* a second each would be beyond the time limit */
        struct syncer *syncer =
            syncer_start(&(struct syncer_config){counters, state_dir, &lost, NULL, &unwritten});
        ck_assert_ptr_nonnull(syncer);
        syncer_stop(syncer);
    }
    syncer_stop(NULL);
    counters_close(counters);
    state_dir_remove();
}
END_TEST

CHECK_MAIN("syncer", a_file_that_goes_and_comes_back, it_stops_at_once)
