/* Which reports are in force: read at start and again, taken over by a worker, removed when over.
 */
#include "server/reports/report_sets.h"

#include "tests/unit/captured_log.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define FIELDS "fields: {a: form.a, n: {from: form.n, type: int}}\nreports:\n"
#define ONE "  - {name: one, by: [a], windows: [1s], show: [count], memory: 1MiB}\n"
#define TWO "  - {name: two, windows: [1s, 1min], show: [sum(n)], memory: 1MiB}\n"
#define ALL "  - {name: all, windows: [1s], show: [count], memory: 1MiB}\n"

static struct counters *counters;
static char path[PATH_MAX_TEST];

static void set_up(void) {
    state_dir_make();
    const struct counters_config config = tiny_config(2);
    counters = open_or_fail(&config);
    state_path("reports.yaml", path);
}

static void tear_down(void) {
    counters_close(counters);
    state_dir_remove();
}

static void define(const char *text) {
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static struct report_sets with_path(const char *its) {
    return (struct report_sets){.path = its, .span = {.workers = 2, .horizon_us = US_PER_S}};
}

static void open_sets(struct report_sets *sets) {
    *sets = with_path(path);
    ck_assert(report_sets_load(sets));
    ck_assert(report_sets_open(sets, counters));
}

static const struct report_set *in_force(struct report_sets *sets) {
    return atomic_load(&sets->in_force);
}

START_TEST(without_reports_there_is_nothing) {
    struct report_sets sets = with_path(NULL);
    struct report_view view = {0};
    ck_assert(report_sets_load(&sets) && report_sets_open(&sets, counters));
    ck_assert_ptr_null(sets.tables);
    report_sets_join(&sets, &view);
    report_sets_refresh_owner(&sets, &view, 0);
    ck_assert(!view.set && !view.adder);
    report_sets_reload(&sets);
    report_sets_tidy(&sets, T0);
    report_sets_close(&sets);
}
END_TEST

START_TEST(a_worker_has_an_adder_and_the_reader_none) {
    struct report_sets sets;
    struct report_view view[3] = {{0}};
    define(FIELDS ONE TWO);
    open_sets(&sets);
    for (unsigned w = 0; w < 3; w++) {
        report_sets_join(&sets, &view[w]);
        report_sets_refresh_owner(&sets, &view[w], w);
        ck_assert_ptr_eq(view[w].set, in_force(&sets));
        ck_assert_int_eq(view[w].adder != NULL, w < 2);
    }
    ck_assert_ptr_ne(view[0].adder, view[1].adder);
    report_sets_close(&sets);
}
END_TEST

START_TEST(definitions_without_reports_leave_the_way_of_events_alone) {
    struct report_sets sets;
    struct report_view view = {0};
    define("fields: {a: form.a}\nreports: []\n");
    sets = with_path(path);
    if (!report_sets_load(&sets)) {
        return; /* refused as a mistake: that is as good */
    }
    ck_assert(report_sets_open(&sets, counters));
    report_sets_join(&sets, &view);
    report_sets_refresh_owner(&sets, &view, 0);
    ck_assert_ptr_null(view.adder);
    report_sets_close(&sets);
}
END_TEST

START_TEST(a_mistake_is_no_start) {
    struct report_sets sets = with_path(path);
    ck_assert(!report_sets_load(&sets)); /* there is no such file */
    define(FIELDS "  - {name: one, windows: [7s], show: [count]}\n");
    ck_assert(!report_sets_load(&sets));
    report_sets_close(&sets);
}
END_TEST

START_TEST(what_is_the_same_keeps_its_table) {
    struct report_sets sets;
    define(FIELDS ONE);
    open_sets(&sets);
    const struct table *one = in_force(&sets)->reports.table[0];
    define(FIELDS TWO ONE);
    report_sets_reload(&sets);
    const struct report_set *set = in_force(&sets);
    ck_assert_uint_eq(set->definitions->reports, 2);
    ck_assert_ptr_eq(set->reports.table[1], one);
    ck_assert_ptr_ne(set->reports.table[0], one);
    define(FIELDS "  - {name: one, by: [a], windows: [10s], show: [count], memory: 1MiB}\n");
    report_sets_reload(&sets);
    ck_assert_ptr_ne(in_force(&sets)->reports.table[0], one);
    ck_assert_uint_eq(tables_count(sets.tables), 3); /* those of before stay readable */
    report_sets_close(&sets);
}
END_TEST

START_TEST(a_mistake_leaves_the_old_ones_in_force) {
    struct report_sets sets;
    define(FIELDS ONE);
    open_sets(&sets);
    const struct report_set *before = in_force(&sets);
    const uint64_t generation = sets.generation;
    define(FIELDS "  - {name: one, by: [b], windows: [1s], show: [count]}\n");
    log_begin_capture();
    report_sets_reload(&sets);
    const char *said = log_end_capture();
    ck_assert_ptr_eq(in_force(&sets), before);
    ck_assert_uint_eq(sets.generation, generation);
    ck_assert_ptr_nonnull(strstr(said, "level=error"));
    ck_assert_ptr_nonnull(strstr(said, "reports.yaml:3:"));
    report_sets_close(&sets);
}
END_TEST

struct turns {
    struct report_sets *sets;
    struct report_view view;
    _Atomic bool stop;
    unsigned taken; /* sets that were not the one before */
};

/* A worker that turns, and looks at what it has taken: it must not be freed under it. */
static void *turn(void *cls) {
    struct turns *turns = cls;
    const struct report_set *before = NULL;
    while (!atomic_load(&turns->stop)) {
        report_sets_refresh_owner(turns->sets, &turns->view, 0);
        const struct report_set *set = turns->view.set;
        turns->taken += set != before;
        before = set;
        ck_assert_uint_ge(set->definitions->reports, 1);
        ck_assert_uint_eq(report_set_unfit(set, 0, 0), 0);
        adder_set_now_owner(turns->view.adder, T0);
    }
    return NULL;
}

START_TEST(a_worker_takes_each_at_its_next_turn) {
    struct report_sets sets;
    struct turns turns = {.sets = &sets};
    pthread_t thread;
    define(FIELDS ONE);
    open_sets(&sets);
    report_sets_join(&sets, &turns.view);
    ck_assert_int_eq(pthread_create(&thread, NULL, turn, &turns), 0);
    for (int i = 0; i < 20; i++) {
        define(i % 2 ? FIELDS ONE : FIELDS TWO ONE);
        report_sets_reload(&sets);
        ck_assert_ptr_eq(turns.view.set, in_force(&sets));
    }
    atomic_store(&turns.stop, true);
    pthread_join(thread, NULL);
    ck_assert_uint_ge(turns.taken, 20); /* the first may be gone before it turns */
    report_sets_close(&sets);
}
END_TEST

/* One event without the field n. */
static void add_unfit(struct report_sets *sets, struct report_view *view) {
    struct record record = {.timed = true, .us = T0};
    uint64_t unfit;
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, T0);
    report_sets_refresh_owner(sets, view, 0);
    adder_set_now_owner(view->adder, T0);
    ck_assert_int_eq(adder_add_owner(view->adder, shard, &record, &unfit), SHARD_COUNTED);
    ck_assert_uint_ne(unfit, 0);
}

START_TEST(unfit_is_told_on) {
    struct report_sets sets;
    struct report_view view = {0};
    define(FIELDS TWO);
    open_sets(&sets);
    add_unfit(&sets, &view);
    ck_assert_uint_eq(report_set_unfit(in_force(&sets), 0, 1), 1);
    define("fields: {n: {from: form.n, type: int}, a: form.a}\nreports:\n" ONE TWO);
    report_sets_reload(&sets);
    ck_assert_uint_eq(report_set_unfit(in_force(&sets), 1, 0), 1); /* other numbers, one name */
    add_unfit(&sets, &view);
    ck_assert_uint_eq(report_set_unfit(in_force(&sets), 1, 0), 2);
    ck_assert_uint_eq(report_set_unfit(in_force(&sets), 0, 1), 1);
    report_sets_close(&sets);
}
END_TEST

static void add_at(const struct report_view *view, int64_t us) {
    const struct record record = {.timed = true, .us = us};
    uint64_t unfit = 0;
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, us);
    adder_set_now_owner(view->adder, us);
    ck_assert_int_eq(adder_add_owner(view->adder, shard, &record, &unfit), SHARD_COUNTED);
}

static const char *tidy_and_read(struct report_sets *sets) {
    log_begin_capture();
    report_sets_tidy(sets, T0);
    return log_end_capture();
}

/* Puts the clock right, and lets there be no disk space for other sections meanwhile. */
static void put_right_without_space(const struct report_view *view) {
    const struct rlimit none = {0, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    shard_set_now_owner(counters_worker_shard(counters, 0), T0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    ck_assert_int_eq(adder_set_now_owner(view->adder, T0), TABLES_STUCK);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
}

/* A window is gone when its place holds one that is ahead, and no other can be made: told in
 * numbers, and once in the log. */
START_TEST(what_is_gone_is_told) {
    struct report_sets sets;
    struct report_view view = {0};
    define(FIELDS ALL);
    open_sets(&sets);
    report_sets_refresh_owner(&sets, &view, 0);
    for (int64_t us = T0 + 3600 * US_PER_S; us < T0 + 3660 * US_PER_S; us += US_PER_S) {
        add_at(&view, us);
    }
    ck_assert_uint_eq(report_set_gone(in_force(&sets), 0), 0);
    ck_assert_str_eq(tidy_and_read(&sets), "");
    put_right_without_space(&view);
    add_at(&view, T0);
    ck_assert_uint_eq(report_set_gone(in_force(&sets), 0), 1);
    const char *said = tidy_and_read(&sets);
    ck_assert_ptr_nonnull(strstr(said, "not in this report"));
    ck_assert_ptr_nonnull(strstr(said, "report=all events=1"));
    ck_assert_str_eq(tidy_and_read(&sets), "");
    define(FIELDS ONE ALL);
    report_sets_reload(&sets);
    ck_assert_uint_eq(report_set_gone(in_force(&sets), 0), 0);
    ck_assert_uint_eq(report_set_gone(in_force(&sets), 1), 1);
    ck_assert_str_eq(tidy_and_read(&sets), "");
    report_sets_close(&sets);
}
END_TEST

/* At the start and when they are read again; what has room for enough keys is not named. */
START_TEST(what_has_little_room_is_told) {
    static const char small[] = "  - {name: small, by: [a], windows: [10ms, 1d], show: [p50(n)]}\n";
    struct report_sets sets;
    define(FIELDS ONE);
    log_begin_capture();
    open_sets(&sets);
    ck_assert_uint_eq(count_text(log_end_capture(), "few keys"), 0);
    char text[500];
    snprintf(text, sizeof text, FIELDS ONE TWO "%s", small);
    define(text);
    for (int i = 0; i < 2; i++) {
        log_begin_capture();
        if (i == 0) {
            report_sets_reload(&sets);
        } else {
            report_sets_close(&sets);
            open_sets(&sets);
        }
        const char *said = log_end_capture();
        ck_assert_uint_eq(count_text(said, "few keys"), 1);
        ck_assert_ptr_nonnull(strstr(said, "report=small window=10ms keys="));
    }
    report_sets_close(&sets);
}
END_TEST

/* Bytes of reports/ that are there: files. */
static unsigned count_files(void) {
    char command[2 * PATH_MAX_TEST], line[32];
    snprintf(command, sizeof command, "ls %s/reports/*.*.aforo 2>/dev/null | wc -l", state_dir);
    FILE *found = popen(command, "r");
    ck_assert_ptr_nonnull(fgets(line, sizeof line, found));
    pclose(found);
    return (unsigned)strtoul(line, NULL, 10);
}

START_TEST(what_is_over_is_removed) {
    struct report_sets sets;
    struct report_view view = {0};
    define(FIELDS TWO);
    open_sets(&sets);
    add_unfit(&sets, &view);
    const unsigned files = count_files();
    ck_assert_uint_ge(files, 1);
    define(FIELDS ONE);
    report_sets_reload(&sets);
    ck_assert_uint_eq(count_files(), files + 1);
    report_sets_tidy(&sets, T0 + 3600 * US_PER_S);
    ck_assert_uint_eq(count_files(), files); /* the one in force stays, however old */
    report_sets_tidy(&sets, T0 + 7200 * US_PER_S);
    ck_assert_uint_eq(count_files(), files);
    report_sets_close(&sets);
    sets = with_path(NULL); /* and goes when it is not asked for any more */
    ck_assert(report_sets_load(&sets) && report_sets_open(&sets, counters));
    ck_assert_ptr_nonnull(sets.tables);
    report_sets_tidy(&sets, T0 + 7200 * US_PER_S);
    ck_assert_uint_eq(count_files(), files - 1);
    report_sets_close(&sets);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, set_up, tear_down}), "report_sets",
                without_reports_there_is_nothing, a_worker_has_an_adder_and_the_reader_none,
                definitions_without_reports_leave_the_way_of_events_alone, a_mistake_is_no_start,
                what_is_the_same_keeps_its_table, a_mistake_leaves_the_old_ones_in_force,
                a_worker_takes_each_at_its_next_turn, unfit_is_told_on, what_is_gone_is_told,
                what_has_little_room_is_told, what_is_over_is_removed)
