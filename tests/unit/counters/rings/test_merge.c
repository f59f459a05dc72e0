/* What is summed over the shards, and of what nothing is said because a part of it is gone. */
#include "counters/state/state_file.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <string.h>

#define DAY_US (24 * 3600 * US_PER_S)
#define SLACK_US (2 * US_PER_S) /* workers may be that far apart */

static struct counters *counters;

static void open_tiny(void) {
    state_dir_make();
    const struct counters_config config = tiny_config(2);
    counters = open_or_fail(&config);
}

static void close_tiny(void) {
    counters_close(counters);
    state_dir_remove();
}

/* Events of one worker, whose clock then shows that time. */
static void count(unsigned worker, int64_t us, unsigned times) {
    struct shard *shard = counters_worker_shard(counters, worker);
    shard_set_now_owner(shard, us);
    for (unsigned i = 0; i < times; i++) {
        ck_assert_int_eq(shard_add_owner(shard, us), SHARD_COUNTED);
    }
}

static uint64_t rest_at(enum resolution r, int64_t us) {
    uint64_t count_there;
    counters_read_rest(counters, r, window_at(r, us), 1, &count_there);
    return count_there;
}

static int64_t chunk_at(enum resolution r, int64_t us) {
    return window_chunk(r, window_at(r, us));
}

static void must_span(enum resolution r, int64_t oldest_us, int64_t newest_us) {
    int64_t oldest, newest;
    ck_assert(counters_span(counters, r, &oldest, &newest));
    ck_assert_int_eq(oldest, chunk_at(r, oldest_us));
    ck_assert_int_eq(newest, chunk_at(r, newest_us));
}

/* ---- sums ---- */

START_TEST(nothing_counted_is_nothing) {
    int64_t oldest, newest;
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert(!counters_span(counters, (enum resolution)r, &oldest, &newest));
        ck_assert(!counters_span_ahead(counters, (enum resolution)r, &oldest, &newest));
        ck_assert_uint_eq(read_one(counters, (enum resolution)r, T0), 0);
        ck_assert_uint_eq(
            counters_chunk_total(counters, (enum resolution)r, chunk_at((enum resolution)r, T0)),
            0);
        ck_assert_int_eq(counters_oldest_kept(counters, (enum resolution)r), 0);
    }
    ck_assert_int_eq(counters_ahead_us(counters), 0);
    ck_assert_uint_eq(counters_shards(counters), 3);
    ck_assert_int_eq(counters_horizon_us(counters), US_PER_S);
    ck_assert_int_eq(counters_future_us(counters), 0);
}
END_TEST

START_TEST(all_shards_are_summed_in_every_window) {
    count(0, T0, 1);
    count(1, T0, 2);
    for (int r = 0; r < RESOLUTIONS; r++) {
        const int64_t window = window_at((enum resolution)r, T0);
        shard_raise_owner(counters_readback_shard(counters), (enum resolution)r, window, 4);
        uint64_t back;
        counters_read_back_shard(counters, (enum resolution)r, window, 1, &back);
        ck_assert_uint_eq(back, 4);
        ck_assert_uint_eq(read_one(counters, (enum resolution)r, T0), 7);
        ck_assert_uint_eq(rest_at((enum resolution)r, T0), 7);
        const int64_t chunk = chunk_at((enum resolution)r, T0);
        ck_assert_uint_eq(counters_chunk_total(counters, (enum resolution)r, chunk), 7);
        ck_assert_uint_eq(counters_chunk_total_rest(counters, (enum resolution)r, chunk), 7);
        ck_assert_uint_eq(counters_chunk_total(counters, (enum resolution)r, chunk + 1), 0);
    }
}
END_TEST

/* Any part of three chunks, against what was counted there. */
START_TEST(windows_are_read_across_chunks) {
    enum { WINDOWS = 300 };
    uint64_t expected[WINDOWS] = {0}, got[WINDOWS];
    const int64_t first = window_at(RESOLUTION_10MS, T0);
    for (unsigned i = 0; i < WINDOWS; i++) {
        expected[i] = i % 7;
        count(i % 2, T0 + i * 10 * US_PER_MS, i % 7);
    }
    for (uint32_t from = 0; from < WINDOWS; from += 33) {
        for (uint32_t n = 0; n <= WINDOWS - from; n += 19) {
            memset(got, 0xff, sizeof got);
            counters_read(counters, RESOLUTION_10MS, first + from, n, got);
            ck_assert_mem_eq(got, expected + from, n * sizeof *got);
            ck_assert(n == WINDOWS || got[n] == UINT64_MAX);
        }
    }
}
END_TEST

START_TEST(statistics_are_summed) {
    const struct shard_tally one = {
        .received = 9, .counted = 4, .refused = {1, 2, 0, 0, 0, 0, 0, 2}};
    const struct shard_tally two = {.received = 5, .counted = 5};
    struct shard_tally sum;
    shard_tally_owner(counters_worker_shard(counters, 0), &one);
    shard_tally_owner(counters_worker_shard(counters, 1), &two);
    counters_tally(counters, &sum);
    ck_assert_uint_eq(sum.received, 14);
    ck_assert_uint_eq(sum.counted, 9);
    ck_assert_uint_eq(sum.refused[0], 1);
    ck_assert_uint_eq(sum.refused[1], 2);
    ck_assert_uint_eq(sum.refused[7], 2);
    counters_tally_shard(counters, 2, &sum);
    ck_assert_uint_eq(sum.received, 5);
    ck_assert_uint_eq(sum.refused[1], 0);
}
END_TEST

/* ---- what is gone ---- */

/* The rings have 7 places; two of them are between what is shown and what is taken next. */
START_TEST(what_a_ring_may_take_next_is_not_shown) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        const int64_t width_us = chunk_width_us((enum resolution)r);
        ck_assert_int_eq(counters->shard[1].ring[r].chunks, 7);
        shard_raise_owner(counters_readback_shard(counters), (enum resolution)r,
                          window_at((enum resolution)r, T0), 3);
        for (int64_t step = 1; step <= 7; step++) {
            const int64_t now_us = T0 + step * width_us;
            shard_raise_owner(counters_readback_shard(counters), (enum resolution)r,
                              window_at((enum resolution)r, now_us), 1);
            const uint64_t kept = step <= 5 ? 3 : 0, there = step <= 6 ? 3 : 0;
            const int64_t chunk = chunk_at((enum resolution)r, T0);
            uint64_t back;
            counters_read_back_shard(counters, (enum resolution)r,
                                     window_at((enum resolution)r, T0), 1, &back);
            ck_assert_uint_eq(back, there);
            ck_assert_uint_eq(read_one(counters, (enum resolution)r, T0), kept);
            ck_assert_uint_eq(rest_at((enum resolution)r, T0), there);
            ck_assert_uint_eq(counters_chunk_total(counters, (enum resolution)r, chunk), kept);
            ck_assert_uint_eq(counters_chunk_total_rest(counters, (enum resolution)r, chunk),
                              there);
            must_span((enum resolution)r, step <= 5 ? T0 : now_us - 5 * width_us, now_us);
            ck_assert_int_eq(counters_oldest_kept(counters, (enum resolution)r),
                             chunk_at((enum resolution)r, now_us) - 5);
        }
    }
}
END_TEST

/* A part of a chunk that another has taken, by a clock that was ahead, makes the sum a part only:
 * nothing is shown of it, but what is there may be told to the store. */
START_TEST(a_chunk_that_lost_a_part_is_not_shown) {
    count(0, T0, 2);
    count(1, T0, 4);
    count(0, T0 + 7 * US_PER_S, 1); /* the same place of 10 ms windows, and the same minute */
    for (unsigned worker = 0; worker < 2; worker++) {
        shard_set_now_owner(counters_worker_shard(counters, worker), T0 + US_PER_S);
    }
    const int64_t chunk = chunk_at(RESOLUTION_10MS, T0);
    ck_assert_int_le(counters_oldest_kept(counters, RESOLUTION_10MS), chunk);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0), 0);
    ck_assert_uint_eq(counters_chunk_total(counters, RESOLUTION_10MS, chunk), 0);
    ck_assert_uint_eq(rest_at(RESOLUTION_10MS, T0), 4);
    ck_assert_uint_eq(counters_chunk_total_rest(counters, RESOLUTION_10MS, chunk), 4);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0), 6);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, T0), 7);
}
END_TEST

START_TEST(the_newest_that_is_held_up_to_a_chunk_is_found) {
    const int64_t chunk = chunk_at(RESOLUTION_10MS, T0), ahead = chunk + 1000;
    ck_assert_int_eq(counters_find_held(counters, RESOLUTION_10MS, INT64_MAX), 0);
    count(0, T0, 1);
    count(1, T0 + 1000 * US_PER_S, 1);
    ck_assert_int_eq(counters_find_held(counters, RESOLUTION_10MS, INT64_MAX), ahead);
    ck_assert_int_eq(counters_find_held(counters, RESOLUTION_10MS, ahead), ahead);
    ck_assert_int_eq(counters_find_held(counters, RESOLUTION_10MS, ahead - 1), chunk);
    ck_assert_int_eq(counters_find_held(counters, RESOLUTION_10MS, chunk), chunk);
    ck_assert_int_eq(counters_find_held(counters, RESOLUTION_10MS, chunk - 1), 0);
}
END_TEST

START_TEST(in_the_read_back_shard_each_resolution_stands_for_itself) {
    count(0, T0, 2);
    shard_raise_owner(counters_readback_shard(counters), RESOLUTION_1S, T0 / US_PER_S, 9);
    shard_raise_owner(counters_readback_shard(counters), RESOLUTION_10MS,
                      window_at(RESOLUTION_10MS, T0 - US_PER_S), 1);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0), 2);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0), 11);
}
END_TEST

/* ---- the present ---- */

START_TEST(who_only_reads_says_what_the_present_is) {
    close_tiny();
    state_dir_make();
    const struct counters_config config = {.dir = state_dir,
                                           .workers = 1,
                                           .horizon_us = US_PER_S,
                                           .future_us = 3 * US_PER_S,
                                           .keep_us = {US_PER_S, US_PER_S, US_PER_S}};
    counters = open_or_fail(&config);
    const int64_t ahead_us = T0 + 9 * US_PER_S;
    count(0, ahead_us, 1);
    counters_set_now(counters, T0); /* the worker says another thing, and counts */
    ck_assert_int_eq(counters_ahead_us(counters), 0);
    must_span(RESOLUTION_10MS, ahead_us, ahead_us);
    counters_close(counters);
    counters = open_or_fail(&config);
    must_span(RESOLUTION_10MS, ahead_us, ahead_us); /* nobody has said */
    ck_assert_int_eq(counters_ahead_us(counters), 0);
    counters_set_now(counters, T0);
    ck_assert_int_eq(counters_ahead_us(counters), 6 * US_PER_S);
    int64_t oldest, newest;
    ck_assert(counters_span(counters, RESOLUTION_10MS, &oldest, &newest));
    ck_assert_int_eq(newest, chunk_at(RESOLUTION_10MS, T0 + 3 * US_PER_S + SLACK_US));
    counters_set_now(counters, ahead_us - 3 * US_PER_S - SLACK_US - 1);
    ck_assert(counters_span(counters, RESOLUTION_10MS, &oldest, &newest));
    ck_assert_int_eq(newest, chunk_at(RESOLUTION_10MS, ahead_us) - 1);
    counters_set_now(counters, ahead_us - 3 * US_PER_S - SLACK_US);
    must_span(RESOLUTION_10MS, ahead_us, ahead_us);
    ck_assert_int_eq(counters_ahead_us(counters), SLACK_US);
}
END_TEST

START_TEST(the_present_is_the_newest_of_all_workers) {
    count(0, T0 + 100 * US_PER_S, 1);
    shard_set_now_owner(counters_worker_shard(counters, 0), T0);
    shard_set_now_owner(counters_worker_shard(counters, 1), T0 + 40 * US_PER_S);
    ck_assert_int_eq(counters_ahead_us(counters), 60 * US_PER_S);
    shard_set_now_owner(counters_worker_shard(counters, 1), T0 - 40 * US_PER_S);
    ck_assert_int_eq(counters_ahead_us(counters), 100 * US_PER_S);
}
END_TEST

START_TEST(what_is_ahead_is_shown_for_a_day) {
    static const int64_t ahead_us[] = {3600 * US_PER_S, DAY_US, 9 * DAY_US};
    count(0, T0, 1);
    for (size_t i = 0; i < sizeof ahead_us / sizeof *ahead_us; i++) {
        count(0, T0 + ahead_us[i], 1);
        shard_set_now_owner(counters_worker_shard(counters, 0), T0);
        for (int r = 0; r < RESOLUTIONS; r++) {
            int64_t oldest, newest, first, last;
            const int64_t width_us = chunk_width_us((enum resolution)r);
            ck_assert(counters_span(counters, (enum resolution)r, &oldest, &newest));
            ck_assert(counters_span_ahead(counters, (enum resolution)r, &first, &last));
            const int64_t most = newest + DAY_US / width_us,
                          there = chunk_at((enum resolution)r, T0 + ahead_us[i]);
            ck_assert_int_eq(first, oldest);
            ck_assert_int_eq(last, there < most ? there : most);
        }
    }
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){100, open_tiny, close_tiny}), "merge",
                nothing_counted_is_nothing, all_shards_are_summed_in_every_window,
                windows_are_read_across_chunks, statistics_are_summed,
                what_a_ring_may_take_next_is_not_shown, a_chunk_that_lost_a_part_is_not_shown,
                the_newest_that_is_held_up_to_a_chunk_is_found,
                in_the_read_back_shard_each_resolution_stands_for_itself,
                who_only_reads_says_what_the_present_is, the_present_is_the_newest_of_all_workers,
                what_is_ahead_is_shown_for_a_day)
