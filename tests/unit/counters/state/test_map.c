/* The blocks of the file: reserved, and as many as its shards need. */
#include "counters/state/map.h"
#include "tests/unit/counters/state/state_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

START_TEST(a_sparse_file_gets_its_blocks) {
    char path[PATH_MAX_TEST], command[5 * PATH_MAX_TEST];
    struct stat st;
    state_path(STATE_FILE_NAME, path);
    snprintf(command, sizeof command, "cp --sparse=always %s %s.sparse && mv %s.sparse %s", path,
             path, path, path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_lt(st.st_blocks * 512, st.st_size); /* or this test shows nothing */
    const struct counters_config config = tiny_config(1);
    const uint64_t expected = expected_reads();
    struct counters *counters = open_or_fail(&config);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_ge(st.st_blocks * 512, st.st_size);
    ck_assert_uint_eq(all_reads(counters), expected);
    counters_close(counters);
}
END_TEST

START_TEST(a_limit_of_file_sizes_is_named) {
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit small = {whole_bytes, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    const struct counters_config same = tiny_config(1), more = tiny_config(2);
    counters_close(open_or_fail(&same));
    must_refuse(&more, "ulimit -f", state_dir);
}
END_TEST

START_TEST(shards_grow_and_shrink_between_runs) {
    static const unsigned workers[] = {1, 4, 2, 16, 1, 17};
    uint64_t expected = 0;
    char path[PATH_MAX_TEST];
    state_path(STATE_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        const struct counters_config config = tiny_config(workers[i]);
        struct counters *counters = open_or_fail(&config);
        for (unsigned w = 0; w < workers[i]; w++) {
            struct shard *shard = counters_worker_shard(counters, w);
            shard_set_now_owner(shard, T0);
            ck_assert_int_eq(shard_add_owner(shard, T0), SHARD_COUNTED);
            expected++;
        }
        ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0), expected);
        ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, T0), expected);
        must_verify(counters);
        counters_close(counters);
    }
}
END_TEST

START_TEST(a_growth_that_was_cut_short) {
    static unsigned char longer[4 * FILE_MAX_BYTES];
    memcpy(longer, whole, whole_bytes);
    memset(longer + whole_bytes, 0xa5, sizeof longer - whole_bytes);
    store(STATE_FILE_NAME, longer, sizeof longer);
    const uint64_t expected = expected_reads();
    const struct counters_config same = tiny_config(1), more = tiny_config(3);
    struct counters *counters = open_or_fail(&same);
    ck_assert_uint_eq(all_reads(counters), expected);
    counters_close(counters);
    counters = open_or_fail(&more); /* what lies beyond is never taken for counts */
    ck_assert_uint_eq(counters_shards(counters), 4);
    ck_assert_uint_eq(all_reads(counters), expected);
    counters_close(counters);
}
END_TEST

/* Shards are added one by one, up to the most that a file may have. */
START_TEST(shards_are_added_up_to_the_limit) {
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    const uint64_t expected = all_reads(counters);
    for (unsigned n = counters_shards(counters); n < COUNTERS_SHARDS_MOST; n++) {
        struct shard *shard = state_add_shard(counters);
        DEMAND(shard == &counters->shard[n], "shard %u: %s", n, strerror(errno));
    }
    ck_assert_ptr_null(state_add_shard(counters));
    ck_assert_int_eq(errno, EMFILE);
    ck_assert_uint_eq(counters_shards(counters), COUNTERS_SHARDS_MOST);
    ck_assert_uint_eq(all_reads(counters), expected);
    counters_close(counters);
    counters = open_or_fail(&config);
    ck_assert_uint_eq(counters_shards(counters), COUNTERS_SHARDS_MOST);
    ck_assert_uint_eq(all_reads(counters), expected);
    counters_close(counters);
}
END_TEST

/* Each mapping is asked for: that of the file as it was opened, and one for each shard that was
 * added since. */
START_TEST(what_cannot_be_written_to_the_disk_is_told) {
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    const unsigned added = counters_shards(counters);
    ck_assert_ptr_nonnull(state_add_shard(counters));
    ck_assert_ptr_nonnull(state_add_shard(counters));
    ck_assert(counters_sync(counters));
    const size_t bytes = shard_bytes(counters->header.chunks);
    void *nothing = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(nothing != MAP_FAILED && munmap(nothing, bytes) == 0);
    for (unsigned i = 0; i < 2; i++) {
        struct shard_page *page = counters->shard[added + i].page;
        counters->shard[added + i].page = nothing;
        ck_assert(!counters_sync(counters));
        counters->shard[added + i].page = page;
    }
    ck_assert(counters_sync(counters));
    counters_close(counters);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_sparse_file_gets_its_blocks,       a_limit_of_file_sizes_is_named,
        shards_grow_and_shrink_between_runs, a_growth_that_was_cut_short,
        shards_are_added_up_to_the_limit,    what_cannot_be_written_to_the_disk_is_told};
    return check_main_in_state_dir("map", tests, sizeof tests / sizeof tests[0]);
}
