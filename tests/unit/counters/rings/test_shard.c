/* One shard, case by case: the edges of the span, other numbers of threads, and clocks that are
 * set. Many events against a model: test_shard_model.c; with threads: test_shard_threads.c. */
#include "counters/state/state_file.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <signal.h>
#include <sys/resource.h>

#define NOW (T0 + 123456)

static struct counters *open_counters(unsigned workers) {
    const struct counters_config config = {.dir = state_dir,
                                           .workers = workers,
                                           .horizon_us = 10 * US_PER_S,
                                           .future_us = 2 * US_PER_S};
    return open_or_fail(&config);
}

START_TEST(an_event_is_in_all_three_rings) {
    struct counters *counters = open_counters(2);
    struct shard *shard = counters_worker_shard(counters, 1);
    shard_set_now_owner(shard, NOW);
    ck_assert_int_eq(shard_add_owner(shard, NOW), SHARD_COUNTED);
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(read_one(counters, (enum resolution)r, NOW), 1);
    }
    must_verify(counters);
    counters_close(counters);
}
END_TEST

START_TEST(the_edges_of_the_span_are_inside) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, NOW);
    ck_assert_int_eq(shard_add_owner(shard, NOW - 10 * US_PER_S), SHARD_COUNTED);
    ck_assert_int_eq(shard_add_owner(shard, NOW - 10 * US_PER_S - 1), SHARD_TOO_LATE);
    ck_assert_int_eq(shard_add_owner(shard, NOW + 2 * US_PER_S), SHARD_COUNTED);
    ck_assert_int_eq(shard_add_owner(shard, NOW + 2 * US_PER_S + 1), SHARD_TOO_FAR_AHEAD);
    counters_close(counters);
}
END_TEST

/* Their sequence is odd while they change, and goes on by two: else a reader takes numbers of two
 * moments for those of one. */
START_TEST(statistics_are_closed_when_they_are_written) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    const struct shard_tally three = {.received = 3, .counted = 1, .refused = {2}};
    const uint64_t before = atomic_load(&shard->page->sequence);
    ck_assert_uint_eq(before % 2, 0);
    shard_tally_counted_owner(shard);
    ck_assert_uint_eq(atomic_load(&shard->page->sequence), before + 2);
    shard_tally_owner(shard, &three);
    ck_assert_uint_eq(atomic_load(&shard->page->sequence), before + 4);
    ck_assert_uint_eq(atomic_load(&shard->page->received), 4);
    ck_assert_uint_eq(atomic_load(&shard->page->counted), 2);
    ck_assert_uint_eq(atomic_load(&shard->page->refused[0]), 2);
    counters_close(counters);
}
END_TEST

START_TEST(what_is_raised_is_in_its_window_alone) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_readback_shard(counters);
    const int64_t window = window_at(RESOLUTION_1S, NOW);
    shard_raise_owner(shard, RESOLUTION_1S, window, 5);
    shard_raise_owner(shard, RESOLUTION_1S, window, 0);
    shard_raise_owner(shard, RESOLUTION_1S, window, 2);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, NOW), 7);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, NOW), 0);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, NOW), 0);
    ck_assert_uint_eq(
        counters_chunk_total(counters, RESOLUTION_1S, window_chunk(RESOLUTION_1S, window)), 7);
    must_verify(counters);
    counters_close(counters);
}
END_TEST

START_TEST(counts_survive_a_reopen_with_other_threads) {
    struct counters *counters = open_counters(3);
    for (unsigned i = 0; i < 3; i++) {
        struct shard *shard = counters_worker_shard(counters, i);
        shard_set_now_owner(shard, NOW);
        ck_assert_int_eq(shard_add_owner(shard, NOW), SHARD_COUNTED);
    }
    counters_close(counters);
    counters = open_counters(1);
    ck_assert_uint_eq(counters_shards(counters), 4);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, NOW), 3);
    counters_close(counters);
    counters = open_counters(5);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, NOW), 3);
    counters_close(counters);
}
END_TEST

/* ---- a clock that is set ---- */

/* The one event of a clock that was an hour ahead: it stays counted, and nothing of the present is
 * refused for it. */
START_TEST(one_event_far_ahead_is_in_nobodys_way) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    const int64_t ahead_us = NOW + 3700 * US_PER_S;
    shard_set_now_owner(shard, ahead_us); /* no step is seen: the server was started so */
    ck_assert_int_eq(shard_add_owner(shard, ahead_us), SHARD_COUNTED);
    for (int restart = 0; restart < 3; restart++) {
        const enum shard_move move = shard_set_now_owner(shard, NOW);
        ck_assert_int_eq(move, SHARD_MOVED);
        ck_assert_int_eq(shard_set_now_owner(shard, NOW), SHARD_STAYED);
        ck_assert_int_eq(shard_add_owner(shard, NOW - 10 * US_PER_S), SHARD_COUNTED);
        ck_assert_int_eq(shard_add_owner(shard, NOW), SHARD_COUNTED);
        shard_add_arrival_owner(shard, NOW + US_PER_S);
        for (int r = 0; r < RESOLUTIONS; r++) {
            int64_t oldest, newest;
            ck_assert(counters_span(counters, (enum resolution)r, &oldest, &newest));
            ck_assert_int_le(chunk_start_us((enum resolution)r, newest), NOW + 4 * US_PER_S);
        }
        ck_assert_int_gt(counters_ahead_us(counters), 3600 * US_PER_S);
        ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, NOW), (unsigned)restart + 1);
        ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, NOW + US_PER_S),
                          (unsigned)restart + 1);
        ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, ahead_us), 1);
        counters_close(counters);
        counters = open_counters(1);
        shard = counters_worker_shard(counters, 0);
    }
    ck_assert_uint_eq(counters_shards(counters), 3);
    shard_set_now_owner(shard, ahead_us + 5 * US_PER_S); /* its time has come */
    ck_assert_int_eq(shard_add_owner(shard, ahead_us), SHARD_COUNTED);
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(read_one(counters, (enum resolution)r, ahead_us), 2);
    }
    ck_assert_int_eq(counters_ahead_us(counters), 0);
    counters_close(counters);
}
END_TEST

START_TEST(no_space_for_another_shard_is_said) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, NOW + 3700 * US_PER_S);
    ck_assert_int_eq(shard_add_owner(shard, NOW + 3700 * US_PER_S), SHARD_COUNTED);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit none = {4096, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    ck_assert_int_eq(shard_set_now_owner(shard, NOW), SHARD_STUCK);
    ck_assert_int_eq(shard_add_owner(shard, NOW), SHARD_TOO_LATE);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
    /* not asked again at once */
    ck_assert_int_eq(shard_set_now_owner(shard, NOW + US_PER_S / 2), SHARD_STUCK);
    ck_assert_int_eq(shard_set_now_owner(shard, NOW + US_PER_S), SHARD_MOVED);
    ck_assert_int_eq(shard_add_owner(shard, NOW), SHARD_COUNTED);
    counters_close(counters);
}
END_TEST

START_TEST(a_clock_that_was_never_set) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, 5 * US_PER_S); /* 1970-01-01 00:00:05 */
    ck_assert_int_eq(shard_add_owner(shard, 4 * US_PER_S), SHARD_TOO_LATE);
    shard_add_arrival_owner(shard, 5 * US_PER_S);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, 3600 * US_PER_S), 1);
    must_verify(counters);
    shard_set_now_owner(shard, NOW);
    ck_assert_int_eq(shard_add_owner(shard, NOW), SHARD_COUNTED);
    counters_close(counters);
    counters_close(open_counters(1));
}
END_TEST

START_TEST(a_clock_set_back_loses_no_arrival) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    const int64_t day_us = 24 * 3600 * US_PER_S;
    const int64_t steps_us[] = {0, day_us,  40 * day_us, 40 * day_us - 3600 * US_PER_S,
                                0, -day_us, 41 * day_us, 5};
    uint64_t seen = 0;
    for (size_t i = 0; i < sizeof steps_us / sizeof *steps_us; i++) {
        shard_set_now_owner(shard, NOW + steps_us[i]);
        shard_add_arrival_owner(shard, NOW + steps_us[i]);
        must_verify(counters);
        int64_t oldest, newest;
        ck_assert(counters_span(counters, RESOLUTION_1S, &oldest, &newest));
        uint64_t in_rings = 0;
        for (int64_t chunk = oldest; chunk <= newest; chunk++) {
            in_rings += counters_chunk_total(counters, RESOLUTION_1S, chunk);
        }
        ck_assert_uint_ge(in_rings, 1);
        seen++;
    }
    ck_assert_uint_eq(seen, 8);
    counters_close(counters);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){100, state_dir_make, state_dir_remove}), "shard",
                an_event_is_in_all_three_rings, the_edges_of_the_span_are_inside,
                statistics_are_closed_when_they_are_written, what_is_raised_is_in_its_window_alone,
                counts_survive_a_reopen_with_other_threads, one_event_far_ahead_is_in_nobodys_way,
                no_space_for_another_shard_is_said, a_clock_that_was_never_set,
                a_clock_set_back_loses_no_arrival)
