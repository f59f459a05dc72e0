/* A shard that was left half done, mended by its rings alone. Whole files: test_recover.c, and
 * test_crash.c with processes that are killed. */
#include "counters/state/state_file.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#define MINUTE_US (60 * US_PER_S)

static struct counters *counters;
static struct shard *shard; /* of the first worker, as it is in the file */

static void open_tiny(void) {
    state_dir_make();
    const struct counters_config config = tiny_config(1);
    counters = open_or_fail(&config);
    shard = &counters->shard[1];
}

static void close_tiny(void) {
    counters_close(counters);
    state_dir_remove();
}

static void count(int64_t us, unsigned times) {
    struct shard *holder = counters_worker_shard(counters, 0);
    shard_set_now_owner(holder, us);
    for (unsigned i = 0; i < times; i++) {
        ck_assert_int_eq(shard_add_owner(holder, us), SHARD_COUNTED);
    }
}

static struct chunk *chunk_of(enum resolution r, int64_t us) {
    return ring_place(&shard->ring[r], window_chunk(r, window_at(r, us)));
}

static counter *count_of(enum resolution r, int64_t us) {
    return &chunk_of(r, us)->count[window_slot(r, window_at(r, us))];
}

static void add(counter *c, int64_t by) {
    atomic_store(c, atomic_load(c) + (uint64_t)by);
}

/* Mends it, and how much; what is left is whole. */
static uint64_t repair(enum recovery recovery) {
    char why[COUNTERS_WHY_MAX] = "";
    uint64_t repaired = 0;
    shard_repair(shard, 1, recovery, &repaired);
    ck_assert_msg(shard_verify(shard, 1, why), "%s", why);
    ck_assert_msg(shard_verify_closed(shard, 1, why), "%s", why);
    shard_hold(counters_worker_shard(counters, 0), shard); /* it remembers no place of before */
    return repaired;
}

static void must_have(int64_t us, uint64_t fine, uint64_t second, uint64_t minute) {
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, us), fine);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, us), second);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, us), minute);
}

/* ---- nothing is wrong ---- */

START_TEST(what_is_whole_stays) {
    count(T0 - 2 * US_PER_S, 2);
    count(T0, 3);
    for (enum recovery recovery = RECOVERY_NONE; recovery <= RECOVERY_TORN; recovery++) {
        ck_assert_uint_eq(repair(recovery), 0);
        must_have(T0, 3, 3, 5);
        must_have(T0 - 2 * US_PER_S, 2, 2, 5);
    }
}
END_TEST

START_TEST(what_the_rings_hold_is_found_again) {
    count(T0 - 2 * US_PER_S, 1);
    count(T0, 1);
    for (enum recovery recovery = RECOVERY_NONE; recovery <= RECOVERY_TORN; recovery++) {
        for (int r = 0; r < RESOLUTIONS; r++) {
            atomic_store(&shard->page->newest[r], 1);
            atomic_store(&shard->page->oldest[r], 99);
        }
        repair(recovery);
        ck_assert_uint_eq(atomic_load(&shard->page->newest[0]), T0 / US_PER_S);
        ck_assert_uint_eq(atomic_load(&shard->page->oldest[0]), T0 / US_PER_S - 2);
        ck_assert_uint_eq(atomic_load(&shard->page->newest[1]), T0 / MINUTE_US);
        ck_assert_uint_eq(atomic_load(&shard->page->oldest[2]), T0 / (60 * MINUTE_US));
    }
}
END_TEST

START_TEST(a_file_closed_in_order_is_not_mended) {
    count(T0, 1);
    add(&chunk_of(RESOLUTION_10MS, T0)->total, 1);
    add(&shard->page->received, 5);
    atomic_store(&shard->page->sequence, 1);
    uint64_t repaired = 0;
    shard_repair(shard, 1, RECOVERY_NONE, &repaired);
    ck_assert_uint_eq(repaired, 0);
    ck_assert_uint_eq(atomic_load(&chunk_of(RESOLUTION_10MS, T0)->total), 2);
    ck_assert_uint_eq(atomic_load(&shard->page->received), 5);
    ck_assert_uint_eq(atomic_load(&shard->page->sequence), 0); /* no change that never ends */
}
END_TEST

/* ---- a killed thread ---- */

/* The six stores of an event; the thread died after so many of them. */
static void break_after(int stores, int64_t us, int64_t by) {
    for (int i = stores; i < 2 * RESOLUTIONS; i++) {
        const enum resolution r = (enum resolution)(i / 2);
        add(i % 2 ? &chunk_of(r, us)->total : count_of(r, us), -by);
    }
}

START_TEST(a_noted_event_is_whole_or_was_never_there) {
    for (unsigned by = 1; by <= 3; by += 2) {
        for (int stores = 0; stores <= 2 * RESOLUTIONS; stores++) {
            const int64_t t_us = T0 + stores * 20 * US_PER_MS;
            const uint64_t before = read_one(counters, RESOLUTION_1MIN, T0);
            count(t_us, by);
            atomic_store(&shard->page->adding_by, by); /* all of them in one batch */
            const uint64_t there = read_one(counters, RESOLUTION_10MS, t_us);
            break_after(stores, t_us, by);
            const uint64_t repaired = repair(RECOVERY_KILLED);
            ck_assert_uint_eq(repaired, stores ? (uint64_t)(2 * RESOLUTIONS - stores) : 0);
            const uint64_t lost = stores ? 0 : by;
            ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, t_us), there - lost);
            ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, T0), before + by - lost);
        }
    }
}
END_TEST

START_TEST(the_first_event_of_a_chunk_leaves_nothing_behind) {
    count(T0, 1);
    break_after(0, T0, 1); /* the places were claimed, and nothing was counted there */
    ck_assert_uint_eq(repair(RECOVERY_KILLED), 0);
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(atomic_load(&chunk_of((enum resolution)r, T0)->epoch), EPOCH_NONE);
        ck_assert_uint_eq(atomic_load(&shard->page->newest[r]), 0);
    }
}
END_TEST

START_TEST(only_the_note_is_believed) {
    char why[COUNTERS_WHY_MAX];
    uint64_t repaired = 0;
    count(T0, 4);
    add(&chunk_of(RESOLUTION_1S, T0)->total, -2); /* the note says 1 */
    shard_repair(shard, 1, RECOVERY_KILLED, &repaired);
    ck_assert_uint_eq(repaired, 0);
    ck_assert(!shard_verify(shard, 1, why));
    atomic_store(&shard->page->adding_by, 0); /* nothing was ever added */
    add(&chunk_of(RESOLUTION_1S, T0)->total, 1);
    shard_repair(shard, 1, RECOVERY_KILLED, &repaired);
    ck_assert_uint_eq(repaired, 0);
    atomic_store(&shard->page->adding_by, 1);
    ck_assert_uint_eq(repair(RECOVERY_KILLED), 0 + 1);
}
END_TEST

START_TEST(a_place_that_was_being_recycled_is_emptied) {
    count(T0 - US_PER_S, 2);
    count(T0, 1);
    struct chunk *chunk = ring_place(&shard->ring[RESOLUTION_10MS], T0 / US_PER_S + 3);
    chunk->total = 3; /* counts of an older one, whose epoch is gone */
    chunk->count[99] = 3;
    struct chunk *claimed = ring_place(&shard->ring[RESOLUTION_10MS], T0 / US_PER_S + 4);
    claimed->epoch = (uint64_t)T0 / US_PER_S + 4;
    repair(RECOVERY_KILLED);
    ck_assert_uint_eq(chunk->total + chunk->count[99] + chunk->epoch, 0);
    ck_assert_uint_eq(claimed->epoch, EPOCH_NONE);
    must_have(T0, 1, 1, 3);
    chunk->count[0] = 3; /* half emptied: the total first */
    repair(RECOVERY_KILLED);
    ck_assert_uint_eq(chunk->count[0], 0);
}
END_TEST

START_TEST(in_the_read_back_shard_only_totals_are_completed) {
    struct shard *back = &counters->shard[0];
    const int64_t window = window_at(RESOLUTION_10MS, T0);
    shard_raise_owner(counters_readback_shard(counters), RESOLUTION_1S, window / 100, 2);
    shard_raise_owner(counters_readback_shard(counters), RESOLUTION_10MS, window, 5);
    struct chunk *chunk = ring_place(&back->ring[RESOLUTION_10MS], window / 100);
    chunk->total -= 5;
    uint64_t repaired = 0;
    shard_repair(back, 0, RECOVERY_KILLED, &repaired);
    ck_assert_uint_eq(repaired, 1);
    ck_assert_uint_eq(chunk->total, 5);
    must_have(T0, 5, 2, 0);
    chunk->total -= 1;
    shard_repair(back, 0, RECOVERY_TORN, &repaired);
    ck_assert_uint_eq(repaired, 2);
    must_have(T0, 5, 2, 0);
}
END_TEST

START_TEST(statistics_are_completed_where_they_were_changing) {
    static const struct {
        enum recovery recovery;
        uint64_t sequence, received;
    } rows[] = {{RECOVERY_KILLED, 9, 10},
                {RECOVERY_KILLED, 10, 4},
                {RECOVERY_TORN, 8, 10},
                {RECOVERY_NONE, 7, 4}};
    atomic_store(&shard->page->counted, 7);
    atomic_store(&shard->page->refused[0], 1);
    atomic_store(&shard->page->refused[COUNTERS_REASONS - 1], 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t repaired = 0;
        atomic_store(&shard->page->received, 4);
        atomic_store(&shard->page->sequence, rows[i].sequence);
        shard_repair(shard, 1, rows[i].recovery, &repaired);
        ck_assert_uint_eq(atomic_load(&shard->page->received), rows[i].received);
        ck_assert_uint_eq(atomic_load(&shard->page->sequence), 0);
        ck_assert_uint_eq(repaired, rows[i].received == 10);
    }
}
END_TEST

/* ---- a power loss ---- */

START_TEST(the_finest_windows_are_the_truth) {
    count(T0 - US_PER_S, 2);
    count(T0, 3);
    add(count_of(RESOLUTION_10MS, T0 + 50 * US_PER_MS), 4);
    add(count_of(RESOLUTION_1MIN, T0), 100);
    ck_assert_uint_eq(repair(RECOVERY_TORN), 5);
    must_have(T0, 3, 7, 9);
    must_have(T0 - US_PER_S, 2, 2, 9);
}
END_TEST

START_TEST(a_coarser_chunk_that_never_reached_the_disk_is_made) {
    count(T0, 3);
    for (int r = RESOLUTION_1S; r < RESOLUTIONS; r++) {
        struct chunk *chunk = chunk_of((enum resolution)r, T0);
        const uint64_t older = atomic_load(&chunk->epoch) - 7;
        for (int i = 0; i < 2; i++) {
            /* the place is empty, or holds what was there before */
            atomic_store(&chunk->epoch, i ? older : EPOCH_NONE);
            repair(RECOVERY_TORN);
            must_have(T0, 3, 3, 3);
        }
    }
}
END_TEST

START_TEST(a_newer_chunk_is_not_given_up_for_it) {
    count(T0, 3);
    struct chunk *minutes = chunk_of(RESOLUTION_1MIN, T0);
    const uint64_t newer = atomic_load(&minutes->epoch) + 7;
    atomic_store(&minutes->epoch, newer);
    atomic_store(&minutes->count[0], 0);
    repair(RECOVERY_TORN);
    ck_assert_uint_eq(atomic_load(&chunk_of(RESOLUTION_1S, T0)->total), 3);
}
END_TEST

/* Eight seconds in seven places: the first is gone in good order, the second was lost. */
START_TEST(a_window_whose_parts_never_reached_the_disk_is_dropped) {
    for (int i = 0; i < 8; i++) {
        count(T0 + i * US_PER_S, 1);
    }
    atomic_store(&chunk_of(RESOLUTION_10MS, T0 + US_PER_S)->epoch, EPOCH_NONE);
    repair(RECOVERY_TORN);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0), 1);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0 + US_PER_S), 0);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0 + 2 * US_PER_S), 1);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, T0), 7);
}
END_TEST

START_TEST(a_misplaced_chunk_is_emptied_in_every_place) {
    for (int i = 0; i < shard->ring[RESOLUTION_10MS].chunks; i++) {
        const int64_t t_us = T0 + i * MINUTE_US;
        count(t_us - US_PER_S, 2);
        count(t_us, 3);
        struct chunk *chunk = chunk_of(RESOLUTION_10MS, t_us);
        atomic_store(&chunk->epoch, atomic_load(&chunk->epoch) + 1);
        ck_assert_uint_ge(repair(RECOVERY_TORN), 1);
        ck_assert_uint_eq(atomic_load(&chunk->epoch), EPOCH_NONE);
        must_have(t_us, 0, 0, 2);
        must_have(t_us - US_PER_S, 2, 2, 2);
    }
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){100, open_tiny, close_tiny}), "repair", what_is_whole_stays,
                what_the_rings_hold_is_found_again, a_file_closed_in_order_is_not_mended,
                a_noted_event_is_whole_or_was_never_there,
                the_first_event_of_a_chunk_leaves_nothing_behind, only_the_note_is_believed,
                a_place_that_was_being_recycled_is_emptied,
                in_the_read_back_shard_only_totals_are_completed,
                statistics_are_completed_where_they_were_changing, the_finest_windows_are_the_truth,
                a_coarser_chunk_that_never_reached_the_disk_is_made,
                a_newer_chunk_is_not_given_up_for_it,
                a_window_whose_parts_never_reached_the_disk_is_dropped,
                a_misplaced_chunk_is_emptied_in_every_place)
