/* The bytes of a reference: large counts, damage, and something else of that name. */
#include "tests/unit/counters/state/reference_fixture.h"

START_TEST(it_holds_all_resolutions_and_large_counts) {
    struct counters *counters = open_tiny();
    const uint64_t many = (UINT64_C(1) << 53) - 1;
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, T0);
    for (int r = 0; r < RESOLUTIONS; r++) { /* the worker's own: only the test may raise it */
        shard_raise_owner(shard, (enum resolution)r, window_at((enum resolution)r, T0), many);
    }
    ck_assert(counters_set_read_back_owner(counters));
    counters_close(counters);
    counters = open_tiny();
    must_hold(counters, many);
    counters_close(counters);
}
END_TEST

static void must_refuse(const char *name, const char *word) {
    const struct counters_config config = tiny_config(1);
    char why[COUNTERS_WHY_MAX] = "", path[PATH_MAX_TEST];
    state_path(name, path);
    struct counters *counters = counters_open(&config, NULL, why);
    DEMAND(counters == NULL, "it was taken");
    DEMAND(strstr(why, path) && strstr(why, word) && !strchr(why, '\n'),
           "\"%s\" does not say %s and %s", why, path, word);
}

START_TEST(a_damaged_one_is_refused_and_may_be_moved_away) {
    static unsigned char whole[BYTES_MAX];
    struct counters *counters = open_tiny();
    count(counters, T0, 300);
    ck_assert(counters_set_read_back_owner(counters));
    counters_close(counters);
    counters_close(open_tiny());
    const size_t n = load(OPENED, whole);
    for (size_t bit = 0; bit < 8 * n; bit += bit < 200 ? 1 : 7) {
        whole[bit / 8] ^= (unsigned char)(1 << bit % 8);
        store(OPENED, whole, n);
        must_refuse(OPENED, "move it away");
        whole[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < n; cut += cut < 150 ? 1 : 7) {
        store(OPENED, whole, cut);
        must_refuse(OPENED, "move it away");
    }
    memset(whole + n, 0, 8);
    store(OPENED, whole, n + 8);
    must_refuse(OPENED, "move it away");
    char path[PATH_MAX_TEST];
    state_path(OPENED, path);
    ck_assert_int_eq(unlink(path), 0);
    counters = open_tiny();
    must_hold(counters, 300);
    counters_close(counters);
}
END_TEST

START_TEST(something_else_of_that_name_is_refused) {
    char path[PATH_MAX_TEST];
    counters_close(open_tiny());
    state_path(OPENED, path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    must_refuse(OPENED, "cannot be read");
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* nobody writes: opening it must not wait */
    must_refuse(OPENED, "cannot be read");
    ck_assert_int_eq(unlink(path), 0);
    state_path(OPENED ".new", path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    must_refuse(OPENED, "cannot write");
    ck_assert_int_eq(rmdir(path), 0);
    counters_close(open_tiny());
    ck_assert(there(OPENED));
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){100, state_dir_make, state_dir_remove}), "reference_file",
                it_holds_all_resolutions_and_large_counts,
                a_damaged_one_is_refused_and_may_be_moved_away,
                something_else_of_that_name_is_refused)
