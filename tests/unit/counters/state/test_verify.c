/* Flipped bits are found, wherever they are. */
#include "tests/unit/counters/state/state_fixture.h"

/* A sanitizer looks at how a flipped file is read and not at what is read, and makes each opening
 * six times as slow: one bit of a byte shows it what all eight do to the release build. */
#ifdef __SANITIZE_ADDRESS__
#define FLIPS 5000
#define BITS_OF(i) (1 << ((i) % 8))
#else
#define FLIPS 20000
#define BITS_OF(i) 0xff
#endif

/* Each epoch, in places that hold a chunk and in those that do not, each bit; and each bit of a
 * shard's own page. */
START_TEST(each_bit_of_each_epoch_and_statistic) {
    const uint64_t expected = expected_reads();
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    static size_t bytes[4096];
    size_t n = 0;
    for (unsigned i = 0; i < counters->shards; i++) {
        const struct shard *shard = &counters->shard[i];
        for (int r = 0; r < RESOLUTIONS; r++) {
            for (int64_t place = 0; place < shard->ring[r].chunks; place++) {
                const size_t at =
                    (size_t)((unsigned char *)ring_place(&shard->ring[r], place) - counters->map);
                for (size_t b = 0; b < 2 * sizeof(counter); b++) { /* and the total */
                    bytes[n++] = at + b;
                }
            }
        }
        for (size_t b = 0; b < sizeof(struct shard_page); b++) {
            bytes[n++] = (size_t)((unsigned char *)shard->page - counters->map) + b;
        }
    }
    counters_close(counters);
    uint64_t refused = 0, flips = 0;
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            if (BITS_OF(i) & 1 << bit) {
                flip_and_look(bytes[i], bit, expected, &refused);
                flips++;
            }
        }
    }
    ck_assert_uint_gt(refused, 2 * 21 * 16 * flips / n - 1);
}
END_TEST

START_TEST(any_bit) {
    const uint64_t expected = expected_reads();
    uint64_t random = 20261122, refused = 0;
    for (int i = 0; i < FLIPS; i++) {
        const uint64_t at = next_random(&random) % (whole_bytes * 8);
        flip_and_look(at / 8, (int)(at % 8), expected, &refused);
    }
    ck_assert_uint_gt(refused, FLIPS / 2); /* most of the file is counts */
}
END_TEST

START_TEST(a_reader_takes_a_file_whose_rings_went_round) {
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    struct shard *shard = counters_worker_shard(counters, 0);
    for (int64_t s = 0; s < 1000; s++) {
        shard_set_now_owner(shard, T0 + s * 60 * US_PER_S);
        shard_add_arrival_owner(shard, T0 + s * 60 * US_PER_S);
    }
    const uint64_t expected = all_reads(counters);
    char why[COUNTERS_WHY_MAX] = "";
    /* while it is open: taken as it is */
    struct counters *reader = counters_open_readonly(state_dir, why);
    ck_assert_msg(reader != NULL, "%s", why);
    ck_assert_uint_eq(all_reads(reader), expected);
    counters_close(reader);
    counters_close(counters);
    ck_assert_uint_eq(expected_reads(), expected);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {each_bit_of_each_epoch_and_statistic, any_bit,
                                  a_reader_takes_a_file_whose_rings_went_round};
    return check_main_in_state_dir("verify", tests, sizeof tests / sizeof tests[0]);
}
