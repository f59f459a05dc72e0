/* What may stand in a state directory at start, and what is said to it: taken as it was, or refused
 * with a sentence; never a crash, never a wrong number. */
#include "tests/unit/counters/state/state_fixture.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

START_TEST(a_second_server_is_refused) {
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    must_refuse(&config, "another server", state_dir);
    char why[COUNTERS_WHY_MAX] = "";
    struct counters *reader = counters_open_readonly(state_dir, why);
    ck_assert_msg(reader != NULL, "%s", why);
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, T0 + US_PER_S);
    ck_assert_int_eq(shard_add_owner(shard, T0 + US_PER_S), SHARD_COUNTED);
    counters_set_now(reader, T0 + US_PER_S); /* what this process knows from its workers */
    ck_assert_uint_eq(all_reads(reader), all_reads(counters)); /* live */
    counters_close(reader);
    counters_close(counters);
    counters = open_or_fail(&config);
    counters_close(counters);
}
END_TEST

/* Runs `refused` as a user who may not do everything. */
static void as_nobody(void (*refused)(void)) {
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(65534) || setuid(65534))) {
            _exit(EXIT_FAILURE);
        }
        refused();
        _exit(EXIT_SUCCESS);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

static void refused_in(const char *dir, const char *word) {
    struct counters_config config = tiny_config(1);
    char why[COUNTERS_WHY_MAX] = "";
    config.dir = dir;
    if (counters_open(&config, NULL, why) != NULL || !strstr(why, word) || !strstr(why, dir)) {
        fprintf(stderr, "\"%s\" does not say %s, %s\n", why, dir, word);
        _exit(EXIT_FAILURE);
    }
}

static void refused_read_only(void) {
    refused_in(state_dir, strerror(EACCES));
}

static void refused_below(void) {
    char below[PATH_MAX_TEST];
    state_path("below", below);
    refused_in(below, "cannot make the state directory");
}

START_TEST(directories_that_will_not_do) {
    char path[PATH_MAX_TEST];
    state_path(STATE_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(chmod(state_dir, 0555), 0);
    as_nobody(refused_read_only);
    as_nobody(refused_below);
    ck_assert_int_eq(chmod(state_dir, 0755), 0);
    state_path("missing/state", path);
    refused_in(path, "cannot make the state directory");
    store("file", "x", 1);
    state_path("file", path);
    refused_in(path, strerror(ENOTDIR));
    state_path("made", path);
    struct counters_config config = tiny_config(1);
    config.dir = path;
    counters_close(open_or_fail(&config)); /* one level is made */
    state_path("made/" STATE_FILE_NAME ".new", path);
    ck_assert_int_ne(access(path, F_OK), 0);
    char why[COUNTERS_WHY_MAX] = "";
    ck_assert_ptr_null(counters_open_readonly("/nonexistent/aforo", why));
    ck_assert_ptr_nonnull(strstr(why, "/nonexistent/aforo"));
}
END_TEST

START_TEST(not_a_regular_file) {
    char path[PATH_MAX_TEST];
    state_path(STATE_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    const struct counters_config config = tiny_config(1);
    must_refuse(&config, state_dir, strerror(EISDIR));
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(a_fifo_is_refused_and_waited_for_by_nobody) {
    char path[PATH_MAX_TEST], why[COUNTERS_WHY_MAX] = "";
    state_path(STATE_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    const struct counters_config config = tiny_config(1);
    must_refuse(&config, state_dir, "is not a regular file");
    ck_assert_ptr_null(counters_open_readonly(state_dir, why));
    ck_assert_ptr_nonnull(strstr(why, "is not a regular file"));
}
END_TEST

START_TEST(a_file_that_is_gone_is_noticed) {
    char path[PATH_MAX_TEST], elsewhere[PATH_MAX_TEST], why[COUNTERS_WHY_MAX] = "";
    const struct counters_config config = tiny_config(1);
    state_path(STATE_FILE_NAME, path);
    state_path("elsewhere", elsewhere);
    struct counters *counters = open_or_fail(&config);
    ck_assert_msg(counters_is_in_place(counters, why), "%s", why);
    ck_assert_int_eq(rename(path, elsewhere), 0);
    ck_assert(!counters_is_in_place(counters, why) && strstr(why, path));
    store(STATE_FILE_NAME, whole, whole_bytes);
    ck_assert(!counters_is_in_place(counters, why) && strstr(why, "another file"));
    ck_assert_int_eq(rename(elsewhere, path), 0);
    ck_assert(counters_is_in_place(counters, why));
    ck_assert_int_eq(unlink(path), 0);
    ck_assert(!counters_is_in_place(counters, why) && strstr(why, "deleted"));
    counters_close(counters);
}
END_TEST

START_TEST(a_half_made_file_is_made_again) {
    char path[PATH_MAX_TEST];
    state_path(STATE_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    store(STATE_FILE_NAME ".new", whole, 100);
    const struct counters_config config = tiny_config(1);
    struct counters *counters = open_or_fail(&config);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0), 0);
    must_verify(counters);
    counters_close(counters);
    state_path(STATE_FILE_NAME ".new", path);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(format_version_1_is_read) {
    static unsigned char bytes[FILE_MAX_BYTES];
    const int fd = open(AFORO_TESTS_FORMATS "/state_v1.aforo", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    const ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    ck_assert_int_eq(n, 11 * RING_PAGE);
    store(STATE_FILE_NAME, bytes, (size_t)n);
    struct counters_config config = tiny_config(1);
    config.node_id = "fixture";
    struct counters *counters = open_or_fail(&config);
    must_verify(counters);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0), 7);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0 + 10000), 5);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0 + 1990000), 11);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0), 12);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0 + 3 * US_PER_S), 300);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, T0), 324);
    struct shard_tally tally;
    counters_tally(counters, &tally);
    ck_assert_uint_eq(tally.received, 324);
    counters_close(counters);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_second_server_is_refused,
                                  directories_that_will_not_do,
                                  not_a_regular_file,
                                  a_fifo_is_refused_and_waited_for_by_nobody,
                                  a_file_that_is_gone_is_noticed,
                                  a_half_made_file_is_made_again,
                                  format_version_1_is_read};
    return check_main_in_state_dir("state_file", tests, sizeof tests / sizeof tests[0]);
}
