/* Rows from a state directory: of a server that runs, that has ended, that was started anew. */
#include "tools/console/source.h"

#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <fcntl.h>
#include <string.h>

static char why[SOURCE_WHY_MAX];
static struct row rows[8];
static unsigned taken, wanted;

static bool take(void *cls, const struct row *row) {
    (void)cls;
    ck_assert_uint_lt(taken, sizeof rows / sizeof *rows);
    rows[taken++] = *row;
    return taken < wanted;
}

static struct source *open_source(void) {
    const struct source_config config = {.place = state_dir, .horizon_us = 5 * US_PER_S};
    return source_state_open(&config, why);
}

static enum source_outcome ask(struct source *source, int64_t now_us) {
    static const struct row_taker taker = {take, NULL};
    const struct query query = {RESOLUTION_1S, 0, QUERY_TO_NONE, 0, false};
    taken = 0;
    return source->ops->rows(source, &query, now_us, &taker, why);
}

/* A server that has counted one event at each of the n seconds before t_us. */
static struct counters *count(int64_t t_us, int n) {
    const struct counters_config config = {
        .dir = state_dir,
        .workers = 1,
        .horizon_us = 10 * US_PER_S,
        .keep_us = {20 * US_PER_S, 60 * US_PER_S, 3600 * US_PER_S}};
    struct counters *counters = open_or_fail(&config);
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, t_us);
    for (int i = 1; i <= n; i++)
        ck_assert_int_eq(shard_add_owner(shard, t_us - i * US_PER_S), SHARD_COUNTED);
    return counters;
}

static unsigned count_files(void) {
    unsigned n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void begin(void) {
    state_dir_make();
    wanted = 100;
    why[0] = '\0';
}

START_TEST(rows_of_a_server_that_runs_and_has_ended) {
    struct counters *counters = count(T0, 3);
    struct source *source = open_source();
    ck_assert_msg(source != NULL, "%s", why);
    ck_assert_int_eq(source->horizon_us, 5 * US_PER_S); /* until the file says */
    ck_assert_int_eq(source->settle_us, 100 * US_PER_MS);
    for (int ended = 0; ended < 2; ended++) {
        ck_assert_msg(ask(source, T0) == SOURCE_DONE, "%s", why);
        ck_assert_uint_eq(taken, 3);
        ck_assert_int_eq(rows[0].window, T0 / US_PER_S - 3);
        ck_assert_int_eq(rows[2].window, T0 / US_PER_S - 1);
        ck_assert_uint_eq(rows[1].count, 1);
        ck_assert_int_eq(rows[0].state, WINDOW_CLOSED);
        ck_assert_int_eq(source->horizon_us, 10 * US_PER_S);
        ck_assert(source->ops->ready(source, why));
        if (!ended)
            counters_close(counters);
    }
    ck_assert_int_eq(ask(source, T0 + 20 * US_PER_S), SOURCE_DONE);
    ck_assert_int_eq(rows[2].state, WINDOW_FINAL);
    wanted = 2;
    ck_assert_int_eq(ask(source, T0), SOURCE_STOPPED);
    ck_assert_uint_eq(taken, 2);
    ck_assert_ptr_null(source->ops->audit);
    source->ops->close(source);
}
END_TEST

/* A window that the file let go is no window without events. */
START_TEST(windows_are_asked_back_to_what_is_kept) {
    counters_close(count(T0, 1));
    struct source *source = open_source();
    ck_assert_ptr_nonnull(source);
    const struct query last = {RESOLUTION_1MIN, 0, QUERY_TO_NONE, 5, true};
    const struct row_taker taker = {take, NULL};
    taken = 0;
    ck_assert_int_eq(source->ops->rows(source, &last, T0, &taker, why), SOURCE_DONE);
    ck_assert_uint_eq(taken, 5);
    ck_assert_uint_eq(rows[0].count, 0);
    ck_assert_uint_eq(rows[4].count, 1);
    const struct query early = {RESOLUTION_1S, 0, (T0 / US_PER_S - 30) * US_PER_S, 0, false};
    taken = 0;
    ck_assert_int_eq(source->ops->rows(source, &early, T0, &taker, why), SOURCE_DONE);
    ck_assert_uint_eq(taken, 0);
    source->ops->close(source);
}
END_TEST

START_TEST(a_file_without_events) {
    char nothing[SOURCE_WHY_MAX];
    counters_close(count(T0, 0));
    struct source *source = open_source();
    ck_assert_msg(source != NULL, "%s", why);
    const unsigned files = count_files();
    ck_assert_int_eq(ask(source, T0), SOURCE_DONE);
    ck_assert_uint_eq(taken, 0);
    ck_assert(source->ops->ready(source, why));
    ck_assert_uint_eq(count_files(), files); /* each look closes the file again */
    snprintf(nothing, sizeof nothing, "state %s holds no events", state_dir);
    ck_assert_str_eq(source->nothing, nothing);
    source->ops->close(source);
}
END_TEST

START_TEST(a_directory_without_a_file) {
    ck_assert_ptr_null(open_source());
    ck_assert_msg(strstr(why, state_dir), "%s", why);
    counters_close(count(T0, 1));
    struct source *source = open_source();
    ck_assert_ptr_nonnull(source);
    state_dir_remove();
    ck_assert_int_eq(ask(source, T0), SOURCE_AWAY);
    ck_assert_msg(strstr(why, state_dir), "%s", why);
    ck_assert(!source->ops->ready(source, why));
    counters_close(count(T0, 2)); /* another file of that name */
    ck_assert(source->ops->ready(source, why));
    ck_assert_int_eq(ask(source, T0), SOURCE_DONE);
    ck_assert_uint_eq(taken, 2);
    source->ops->close(source);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, begin, state_dir_remove}), "source_state",
                rows_of_a_server_that_runs_and_has_ended, windows_are_asked_back_to_what_is_kept,
                a_file_without_events, a_directory_without_a_file)
