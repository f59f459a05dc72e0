/* Which shard a worker goes on in when the clock is set: one with room for the present, in which
 * nothing is taken of what is protected. */
#include "counters/state/state_file.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#define AHEAD_S 60 /* what is protected keeps its places so far ahead */
#define HORIZON_S 10
#define FUTURE_S 2

static struct counters *counters;

static void open_file(void) {
    const struct counters_config config = {
        .dir = state_dir,
        .workers = 2,
        .horizon_us = HORIZON_S * US_PER_S,
        .future_us = FUTURE_S * US_PER_S,
        .keep_us = {200 * US_PER_S, 3600 * US_PER_S, 24 * 3600 * US_PER_S}};
    counters = open_or_fail(&config);
}

static void open_some(void) {
    state_dir_make();
    open_file();
}

static void close_some(void) {
    must_verify(counters);
    counters_close(counters);
    state_dir_remove();
}

static struct shard *holder_at(int64_t us) {
    struct shard *holder = counters_worker_shard(counters, 0);
    shard_set_now_owner(holder, us);
    return holder;
}

static void count(struct shard *holder, int64_t us) {
    ck_assert_int_eq(shard_add_owner(holder, us), SHARD_COUNTED);
}

/* The number in the file of the shard that it holds. */
static long home_of(const struct shard *holder) {
    return holder->home - counters->shard;
}

/* ---- room ---- */

START_TEST(a_shard_has_room_from_its_floor_on) {
    struct shard *holder = holder_at(T0);
    ck_assert(shard_has_room(holder, 0)); /* nothing is in it */
    count(holder, T0);
    const int64_t floor_us = T0 - (holder->ring[RESOLUTION_10MS].chunks - RING_MARGIN) * US_PER_S;
    ck_assert_int_eq(shard_floor_us(holder), floor_us);
    ck_assert(shard_has_room(holder, floor_us));
    ck_assert(!shard_has_room(holder, floor_us - 1));
}
END_TEST

START_TEST(a_window_without_its_parts_is_no_room) {
    struct shard *holder = holder_at(T0);
    count(holder, T0);
    count(holder, T0 - 2 * US_PER_S);
    /* The seconds of T0 - 2 s are gone; its minute has them still. */
    struct chunk *parts = ring_place(&holder->ring[RESOLUTION_10MS], T0 / US_PER_S - 2);
    const uint64_t epoch = atomic_load(&parts->epoch);
    atomic_store(&parts->epoch, EPOCH_NONE);
    ck_assert(!shard_has_room(holder, T0 - 10 * US_PER_S));
    ck_assert(!shard_has_room(holder, T0 - US_PER_S - 1));
    ck_assert(shard_has_room(holder, T0 - US_PER_S)); /* that window is over by then */
    atomic_store(&parts->epoch, epoch);
    ck_assert(shard_has_room(holder, T0 - 10 * US_PER_S));
    struct chunk *minute = ring_place(&holder->ring[RESOLUTION_1S],
                                      window_chunk(RESOLUTION_1S, window_at(RESOLUTION_1S, T0)));
    const uint64_t number = atomic_load(&minute->epoch);
    atomic_store(&minute->epoch, EPOCH_NONE);
    ck_assert(!shard_has_room(holder, T0 - 10 * US_PER_S));
    ck_assert(!shard_has_room(holder, ((int64_t)number + 1) * 60 * US_PER_S - 1));
    ck_assert(shard_has_room(holder, ((int64_t)number + 1) * 60 * US_PER_S));
    atomic_store(&minute->epoch, number);
}
END_TEST

/* The first window of a chunk in the first place of the ring, and the last of one in the last. */
START_TEST(every_window_of_every_place_counts_for_room) {
    const int64_t chunks = counters->shard[1].ring[RESOLUTION_1S].chunks;
    const int64_t minute = (T0 / US_PER_S / 60 / chunks + 1) * chunks;
    const int64_t seconds[] = {minute * 60, (minute + chunks) * 60 - 1};
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        const int64_t t_us = seconds[i] * US_PER_S;
        struct shard *holder = holder_at(t_us);
        count(holder, t_us);
        struct chunk *parts = ring_place(&holder->ring[RESOLUTION_10MS], seconds[i]);
        const uint64_t epoch = atomic_load(&parts->epoch);
        atomic_store(&parts->epoch, EPOCH_NONE);
        ck_assert(!shard_has_room(holder, t_us));
        ck_assert(!shard_has_room(holder, t_us + US_PER_S - 1));
        ck_assert(shard_has_room(holder, t_us + US_PER_S));
        atomic_store(&parts->epoch, epoch);
    }
}
END_TEST

/* ---- which shard ---- */

START_TEST(the_read_back_shard_stays) {
    ck_assert(!shard_move_owner(counters_readback_shard(counters)));
    ck_assert_uint_eq(counters_shards(counters), 3);
}
END_TEST

START_TEST(one_that_has_room_is_gone_on_in) {
    struct shard *holder = holder_at(T0);
    count(holder, T0);
    for (int i = 0; i < 3; i++) {
        ck_assert(shard_move_owner(holder));
        ck_assert_int_eq(home_of(holder), 1);
    }
    ck_assert_uint_eq(counters_shards(counters), 3);
}
END_TEST

START_TEST(a_clock_set_back_and_forth_takes_two) {
    struct shard *holder = holder_at(T0);
    const int64_t ahead_us = T0 + 7200 * US_PER_S;
    count(holder, T0);
    for (int i = 0; i < 3; i++) {
        shard_step_ahead_owner(holder, T0, ahead_us);
        ck_assert_int_eq(home_of(holder), 3);
        ck_assert(counters->held[3] && !counters->held[1]);
        count(holder, ahead_us);
        ck_assert_int_eq(shard_set_now_owner(holder, T0), SHARD_MOVED);
        ck_assert_int_eq(home_of(holder), 1);
        ck_assert(counters->held[1] && !counters->held[3]);
        count(holder, T0);
    }
    ck_assert_uint_eq(counters_shards(counters), 4);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0), 4);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, ahead_us), 3);
}
END_TEST

START_TEST(nobodys_shard_is_taken_by_two) {
    struct shard *one = holder_at(T0), *two = counters_worker_shard(counters, 1);
    const int64_t ahead_us = T0 + 7200 * US_PER_S;
    shard_set_now_owner(two, T0);
    count(one, T0);
    count(two, T0);
    shard_step_ahead_owner(one, T0, ahead_us);
    shard_step_ahead_owner(two, T0, ahead_us);
    ck_assert_int_eq(home_of(one), 3);
    ck_assert_int_eq(home_of(two), 4);
    ck_assert_uint_eq(counters_shards(counters), 5);
    count(one, ahead_us);
    count(two, ahead_us);
    ck_assert_int_eq(shard_set_now_owner(two, T0), SHARD_MOVED);
    ck_assert_int_eq(shard_set_now_owner(one, T0), SHARD_MOVED);
    ck_assert_int_ne(home_of(one), home_of(two));
    ck_assert_uint_eq(counters_shards(counters), 5);
}
END_TEST

/* Of those that have room, the one with the newest counts: that is where it was before. */
START_TEST(the_newest_counts_are_gone_on_with) {
    struct shard *holder = holder_at(T0);
    count(holder, T0);
    shard_step_ahead_owner(holder, T0, T0 + 200 * US_PER_S);
    ck_assert_int_eq(home_of(holder), 3);
    count(holder, T0 + 200 * US_PER_S);
    holder->protect_until_us = 0;
    shard_set_now_owner(holder, T0 + 201 * US_PER_S);
    ck_assert(shard_move_owner(holder));
    ck_assert_int_eq(home_of(holder), 3); /* both have room, this one is newer */
    counters->held[1] = true;
    ck_assert(shard_move_owner(holder));
    ck_assert_int_eq(home_of(holder), 3);
    counters->held[1] = false;
    counters->held[3] = false;
    shard_hold(holder, &counters->shard[1]); /* by another way: it was in the first */
    ck_assert(shard_move_owner(holder));
    ck_assert_int_eq(home_of(holder), 3);
    counters->held[3] = false; /* and the other way round: the first is newer */
    shard_hold(holder, &counters->shard[1]);
    count(holder, T0 + 201 * US_PER_S);
    shard_hold(holder, &counters->shard[3]);
    ck_assert(shard_move_owner(holder));
    ck_assert_int_eq(home_of(holder), 1);
    ck_assert_uint_eq(counters_shards(counters), 4);
}
END_TEST

/* ---- what is protected ---- */

/* Where a worker goes on that has counted at T0 and accepts events up to hi_us, when [from_us,
 * to_us] is protected as long as now is before until_us. */
static long move_with(int64_t hi_us, int64_t from_us, int64_t to_us, int64_t until_us) {
    struct shard *holder = counters_worker_shard(counters, 0);
    holder->hi_us = hi_us;
    holder->protect_from_us = from_us;
    holder->protect_to_us = to_us;
    holder->protect_until_us = until_us;
    ck_assert(shard_move_owner(holder));
    const long home = home_of(holder);
    counters->held[home] = false;
    counters->held[1] = true;
    shard_hold(holder, &counters->shard[1]);
    return home;
}

START_TEST(what_is_protected_keeps_its_places) {
    const int64_t chunks = counters->shard[1].ring[RESOLUTION_10MS].chunks;
    const int64_t t_us = (T0 / US_PER_S / chunks + 1) * chunks * US_PER_S; /* the first place */
    count(holder_at(t_us), t_us);
    counters->held[2] = true;
    /* so far that the place of t_us is taken within a minute, and not yet */
    const int64_t hi_us = t_us + (chunks - AHEAD_S) * US_PER_S, s = US_PER_S;
    ck_assert_int_eq(move_with(hi_us, t_us - s, t_us + s, INT64_MAX), 3);
    ck_assert_int_eq(move_with(hi_us - 1, t_us - s, t_us + s, INT64_MAX), 1);
    ck_assert_int_eq(move_with(hi_us + 5 * s, t_us, t_us, INT64_MAX), 3);
    ck_assert_int_eq(move_with(hi_us + 5 * s, t_us + s, t_us + 5 * s, INT64_MAX), 1);
    ck_assert_int_eq(move_with(hi_us + 5 * s, t_us - 5 * s, t_us - 1, INT64_MAX), 1);
    ck_assert_int_eq(move_with(hi_us, t_us, t_us, hi_us - FUTURE_S * s), 1); /* long enough */
    ck_assert_int_eq(move_with(hi_us, t_us, t_us, hi_us - FUTURE_S * s + 1), 3);
    ck_assert_uint_eq(counters_shards(counters), 4);
}
END_TEST

static void open_again(void) {
    counters_close(counters);
    open_file();
}

/* The server is killed while its clock is ahead, and the clock is right again after. */
START_TEST(what_is_protected_stays_so_over_restarts) {
    const int64_t ahead_us = T0 + 1000 * US_PER_S; /* each place is taken by then */
    struct shard *holder = holder_at(T0);
    count(holder, T0);
    shard_step_ahead_owner(holder, T0, ahead_us);
    for (int i = 0; i < 3; i++) {
        open_again();
        holder = holder_at(ahead_us + i);
        ck_assert_int_eq(home_of(holder), 3);
        count(holder, ahead_us);
    }
    ck_assert_int_eq(holder->protect_from_us, T0 - HORIZON_S * US_PER_S);
    ck_assert_int_eq(holder->protect_to_us, T0 + FUTURE_S * US_PER_S);
    ck_assert_int_eq(holder->protect_until_us, ahead_us + HORIZON_S * US_PER_S);
    uint64_t rest;
    counters_read_rest(counters, RESOLUTION_10MS, window_at(RESOLUTION_10MS, T0), 1, &rest);
    ck_assert_uint_eq(rest, 1);
    ck_assert_uint_eq(counters_shards(counters), 4);
    open_again();
    holder = holder_at(ahead_us + HORIZON_S * US_PER_S); /* for as long as the horizon */
    ck_assert_int_eq(home_of(holder), 1);
}
END_TEST

START_TEST(what_is_protected_is_so_for_one_horizon_after_the_clock_is_set_back) {
    const int64_t ahead_us = T0 + 1000 * US_PER_S, until_us = T0 + HORIZON_S * US_PER_S;
    struct shard *holder = holder_at(T0);
    shard_step_ahead_owner(holder, T0, ahead_us);
    shard_set_now_owner(holder, ahead_us + 1);
    ck_assert_int_eq(holder->protect_until_us, ahead_us + HORIZON_S * US_PER_S);
    shard_set_now_owner(holder, T0);
    ck_assert_int_eq(holder->protect_until_us, until_us);
    shard_set_now_owner(holder, T0 + 1);
    ck_assert_int_eq(holder->protect_until_us, until_us);
    open_again();
    ck_assert_int_eq(counters_worker_shard(counters, 0)->protect_until_us, until_us);
    /* a worker that was not there before does as the first */
    ck_assert_int_eq(counters_worker_shard(counters, 1)->protect_until_us, until_us);
}
END_TEST

START_TEST(coarser_windows_are_protected_as_well) {
    struct shard *holder = holder_at(T0);
    count(holder, T0);
    counters->held[2] = true;
    const int64_t minute_us = 60 * US_PER_S, chunks = holder->ring[RESOLUTION_1S].chunks;
    /* The second of T0 is long recycled, and its minute is about to be. */
    const int64_t hi_us = (T0 / minute_us + chunks) * minute_us - AHEAD_S * US_PER_S;
    struct chunk *parts = ring_place(&holder->ring[RESOLUTION_10MS], T0 / US_PER_S);
    const uint64_t epoch = atomic_load(&parts->epoch);
    atomic_store(&parts->epoch, EPOCH_NONE);
    ck_assert_int_eq(move_with(hi_us - 1, T0, T0, INT64_MAX), 1);
    ck_assert_int_eq(move_with(hi_us, T0, T0, INT64_MAX), 3);
    atomic_store(&parts->epoch, epoch);
}
END_TEST

START_TEST(nothing_is_protected_in_a_shard_that_is_empty) {
    holder_at(T0);
    counters->held[2] = true;
    ck_assert_int_eq(move_with(T0 + 3600 * US_PER_S, 0, INT64_MAX / 2, INT64_MAX), 1);
}
END_TEST

START_TEST(a_file_that_is_only_read_adds_none) {
    struct shard *holder = holder_at(T0);
    counters->writable = false;
    ck_assert(!shard_move_owner(holder));
    counters->writable = true;
    ck_assert(shard_move_owner(holder));
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){100, open_some, close_some}), "move",
                a_shard_has_room_from_its_floor_on, a_window_without_its_parts_is_no_room,
                every_window_of_every_place_counts_for_room, the_read_back_shard_stays,
                one_that_has_room_is_gone_on_in, a_clock_set_back_and_forth_takes_two,
                nobodys_shard_is_taken_by_two, the_newest_counts_are_gone_on_with,
                what_is_protected_keeps_its_places, what_is_protected_stays_so_over_restarts,
                what_is_protected_is_so_for_one_horizon_after_the_clock_is_set_back,
                coarser_windows_are_protected_as_well,
                nothing_is_protected_in_a_shard_that_is_empty, a_file_that_is_only_read_adds_none)
