/* The walk over what worker threads have counted: each chunk once, with the counts of all shards.
 */
#include "counters/state/held.h"

#include "counters/state/map.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

static void count(struct counters *counters, unsigned worker, int64_t t_us, unsigned times) {
    struct shard *shard = counters_worker_shard(counters, worker);
    shard_set_now_owner(shard, t_us);
    for (unsigned i = 0; i < times; i++) {
        ck_assert_int_eq(shard_add_owner(shard, t_us), SHARD_COUNTED);
    }
}

START_TEST(nothing_is_held_of_a_new_file) {
    const struct counters_config config = tiny_config(2);
    struct counters *counters = open_or_fail(&config);
    ck_assert(!held_has_any(counters));
    shard_raise_owner(counters_readback_shard(counters), RESOLUTION_10MS,
                      window_at(RESOLUTION_10MS, T0), 5);
    ck_assert(!held_has_any(counters)); /* what was read back is not among it */
    count(counters, 1, T0, 1);
    ck_assert(held_has_any(counters));
    counters_close(counters);
}
END_TEST

START_TEST(each_chunk_comes_once_with_all_shards) {
    const struct counters_config config = tiny_config(2);
    struct counters *counters = open_or_fail(&config);
    count(counters, 0, T0, 3);
    count(counters, 1, T0, 4);                 /* the same chunks */
    count(counters, 1, T0 + US_PER_S, 5);      /* another chunk of 10 ms windows */
    count(counters, 0, T0 + 90 * US_PER_S, 6); /* and another of seconds, too */
    struct held_walk walk = {.counters = counters};
    enum resolution r;
    int64_t chunk;
    uint64_t counts[SLOTS_MAX], sum[RESOLUTIONS] = {0};
    unsigned chunks[RESOLUTIONS] = {0};
    while (held_next(&walk, &r, &chunk, counts)) {
        uint64_t again[SLOTS_MAX];
        held_read_chunk(counters, r, chunk, again);
        chunks[r]++;
        for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
            sum[r] += counts[slot];
            ck_assert_uint_eq(counts[slot], again[slot]);
        }
    }
    ck_assert_uint_eq(chunks[RESOLUTION_10MS], 3);
    ck_assert_uint_eq(chunks[RESOLUTION_1S], 2);
    ck_assert_uint_eq(chunks[RESOLUTION_1MIN], 1);
    for (int i = 0; i < RESOLUTIONS; i++) {
        ck_assert_uint_eq(sum[i], 18);
    }
    counters_close(counters);
}
END_TEST

/* As many chunks as the rings of both workers have places: the first and the last ones, too. */
START_TEST(every_place_is_walked_through) {
    const struct counters_config config = tiny_config(2);
    struct counters *counters = open_or_fail(&config);
    for (unsigned i = 0; i < 14; i++) {
        count(counters, i / 7, T0 + i * chunk_width_us(RESOLUTION_1MIN), 1);
    }
    struct held_walk walk = {.counters = counters};
    enum resolution r;
    int64_t chunk;
    uint64_t counts[SLOTS_MAX], seen[RESOLUTIONS] = {0};
    while (held_next(&walk, &r, &chunk, counts)) {
        const int64_t us = chunk_start_us(r, chunk - T0 / chunk_width_us(r));
        seen[r] |= UINT64_C(1) << us / chunk_width_us(RESOLUTION_1MIN);
    }
    for (int i = 0; i < RESOLUTIONS; i++) {
        ck_assert_uint_eq(seen[i], 0x3fff);
    }
    counters_close(counters);
}
END_TEST

/* AddressSanitizer sees whether the walk ends with the last shard. */
START_TEST(as_many_shards_as_a_file_may_have) {
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    while (counters_shards(counters) < COUNTERS_SHARDS_MOST) {
        ck_assert_ptr_nonnull(state_add_shard(counters));
    }
    ck_assert(!held_has_any(counters));
    ck_assert(!held_may_lack(counters, RESOLUTION_1S, T0 / chunk_width_us(RESOLUTION_1S)));
    counters_close(counters);
}
END_TEST

START_TEST(a_chunk_may_lack_what_a_ring_has_moved_past) {
    const struct counters_config config = tiny_config(2);
    struct counters *counters = open_or_fail(&config);
    const int64_t chunk = T0 / US_PER_S;
    count(counters, 0, T0, 1);
    ck_assert(!held_may_lack(counters, RESOLUTION_10MS, chunk));
    ck_assert(!held_may_lack(counters, RESOLUTION_10MS, chunk + 7)); /* newer than what is there */
    count(counters, 1, T0 + 7 * US_PER_S, 1); /* 7 places: the same one, in the other shard */
    ck_assert(held_may_lack(counters, RESOLUTION_10MS, chunk));
    ck_assert(!held_may_lack(counters, RESOLUTION_10MS, chunk + 7));
    ck_assert(!held_may_lack(counters, RESOLUTION_10MS, chunk + 1));
    count(counters, 0, T0 + 8 * US_PER_S, 1); /* and the first shard, past the next one */
    ck_assert(held_may_lack(counters, RESOLUTION_10MS, chunk + 1));
    counters_close(counters);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, state_dir_make, state_dir_remove}), "held",
                nothing_is_held_of_a_new_file, each_chunk_comes_once_with_all_shards,
                every_place_is_walked_through, as_many_shards_as_a_file_may_have,
                a_chunk_may_lack_what_a_ring_has_moved_past)
