/* The clock is set: a worker goes on as another writer, and no row is let go, hidden or counted
 * twice for it. */
#include "tests/unit/counters/rows/rows_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define US "\x1f"
#define STEPS 60
#define SECONDS 1200 /* that the walk of chance may come to, around T0 */

/* A worker, and its clock as the server's loop has it. */
struct clocked {
    struct lab lab;
    unsigned worker;
    int64_t now_us;
};

/* Time passes, or the clock is set by by_us. */
static enum tables_move turn(struct clocked *clocked, int64_t by_us, bool set) {
    const int64_t from_us = clocked->now_us;
    clocked->now_us += by_us;
    if (set) {
        tables_step_owner(clocked->lab.tables, clocked->worker, from_us, clocked->now_us);
    }
    const enum tables_move move =
        tables_set_now_owner(clocked->lab.tables, clocked->worker, clocked->now_us);
    const unsigned writer = tables_writer(clocked->lab.tables, clocked->worker);
    for (unsigned width = 0; width < clocked->lab.table->config.widths; width++) {
        table_set_now_owner(table_section(clocked->lab.table, writer, width), clocked->now_us);
    }
    return move;
}

static struct clocked open_clocked(unsigned workers, const struct table_config *config,
                                   int64_t now_us) {
    struct clocked clocked = {lab_open(workers, config), 1, now_us};
    turn(&clocked, 0, false);
    return clocked;
}

static bool add(const struct clocked *clocked, int64_t us, const char *text) {
    const struct lab *lab = &clocked->lab;
    const unsigned writer = tables_writer(lab->tables, clocked->worker);
    struct undo *undo = tables_undo(lab->tables, writer);
    bool ok = true;
    undo_begin_owner(undo);
    for (unsigned width = 0; width < lab->table->config.widths; width++) {
        ok = touch_width(table_section(lab->table, writer, width), undo, us, text, 1) && ok;
    }
    undo_commit_owner(undo, &(const struct undo_count){0, 0, 7});
    return ok;
}

/* An event in each second of the horizon. */
static void fill(const struct clocked *clocked) {
    for (int64_t us = clocked->now_us - LAB_HORIZON_US; us <= clocked->now_us; us += US_PER_S) {
        ck_assert(add(clocked, us, "AA1" US "1"));
    }
}

static uint64_t count_at(const struct clocked *clocked, int64_t us) {
    return lab_read(clocked->lab.table, 0, us, &(const struct seen){0}).count;
}

static void must_hold(const struct clocked *clocked, int64_t now_us, uint64_t each) {
    for (int64_t us = now_us - LAB_HORIZON_US; us <= now_us; us += US_PER_S) {
        const uint64_t count = count_at(clocked, us);
        DEMAND(count == each, "%lld s: %llu instead of %llu", (long long)((us - T0) / US_PER_S),
               (unsigned long long)count, (unsigned long long)each);
    }
}

static unsigned writer_of(const struct clocked *clocked) {
    return tables_writer(clocked->lab.tables, clocked->worker);
}

static void close_clocked(struct clocked *clocked) {
    table_must_verify(clocked->lab.table);
    lab_close(&clocked->lab);
}

START_TEST(a_clock_that_was_ahead_takes_no_places) {
    const struct table_config config = lab_config("billing");
    struct clocked clocked = open_clocked(1, &config, T0 + 60 * US_PER_S);
    fill(&clocked);
    ck_assert_int_eq(turn(&clocked, -60 * US_PER_S, true), TABLES_MOVED);
    fill(&clocked);
    must_hold(&clocked, T0, 1);
    must_hold(&clocked, T0 + 60 * US_PER_S, 1);
    ck_assert_uint_eq(table_workers(clocked.lab.table), 3);
    ck_assert_int_eq(turn(&clocked, US_PER_S, false), TABLES_STAYED);
    /* when that time comes, both are summed */
    ck_assert_int_eq(turn(&clocked, 59 * US_PER_S, false), TABLES_STAYED);
    fill(&clocked);
    must_hold(&clocked, T0 + 60 * US_PER_S, 2);
    close_clocked(&clocked);
}
END_TEST

START_TEST(a_step_ahead_lets_go_nothing_of_the_present) {
    struct table_config config = lab_config("billing");
    const struct table_span span = {1, LAB_HORIZON_US, 0};
    config.memory = table_bytes_min(&config, &span); /* the circle soon goes round */
    struct clocked clocked = open_clocked(1, &config, T0);
    fill(&clocked);
    ck_assert_int_eq(turn(&clocked, 3600 * US_PER_S, true), TABLES_MOVED);
    char text[2048];
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "%01500d" US "1", i);
        ck_assert(add(&clocked, clocked.now_us, text));
        turn(&clocked, US_PER_S / 10, false);
    }
    must_hold(&clocked, T0, 1);
    ck_assert_int_eq(turn(&clocked, T0 + 4 * US_PER_S - clocked.now_us, true), TABLES_MOVED);
    ck_assert_uint_eq(writer_of(&clocked), 1); /* where it was before */
    for (int64_t us = T0 - 5 * US_PER_S; us <= T0; us += US_PER_S) {
        ck_assert(add(&clocked, us, "AA1" US "1"));
        ck_assert_uint_eq(count_at(&clocked, us), 2);
    }
    ck_assert_int_eq(turn(&clocked, 3600 * US_PER_S, true), TABLES_MOVED);
    ck_assert_uint_eq(writer_of(&clocked), 2);
    ck_assert_uint_eq(table_workers(clocked.lab.table), 3);
    close_clocked(&clocked);
}
END_TEST

/* The present is kept for the horizon that it had, by a clock that goes on ahead. */
START_TEST(a_small_step_ahead_keeps_what_it_must) {
    const struct table_config config = lab_config("billing");
    struct clocked clocked = open_clocked(1, &config, T0);
    fill(&clocked);
    turn(&clocked, 8 * US_PER_S, true);
    for (int i = 0; i < 9; i++) {
        ck_assert(add(&clocked, clocked.now_us, "AA1" US "1"));
        turn(&clocked, US_PER_S, false);
    }
    for (int64_t us = T0 - US_PER_S; us <= T0; us += US_PER_S) {
        ck_assert_uint_eq(count_at(&clocked, us), 1);
    }
    turn(&clocked, -8 * US_PER_S, true);
    ck_assert(add(&clocked, T0, "AA1" US "1"));
    ck_assert_uint_eq(count_at(&clocked, T0), 2);
    close_clocked(&clocked);
}
END_TEST

START_TEST(a_clock_that_is_put_right_takes_two) {
    const struct table_config config = lab_config("billing");
    struct clocked clocked = open_clocked(1, &config, T0);
    for (int i = 0; i < 20; i++) {
        fill(&clocked);
        turn(&clocked, -60 * US_PER_S, true);
        fill(&clocked);
        turn(&clocked, 60 * US_PER_S, true);
        ck_assert_uint_eq(writer_of(&clocked), 1);
    }
    ck_assert_uint_eq(table_workers(clocked.lab.table), 3);
    must_hold(&clocked, T0, 20);
    must_hold(&clocked, T0 - 60 * US_PER_S, 20);
    close_clocked(&clocked);
}
END_TEST

START_TEST(a_restart_goes_on_where_the_newest_rows_are) {
    const struct table_config config = lab_config("billing");
    struct clocked clocked = open_clocked(1, &config, T0);
    fill(&clocked);
    turn(&clocked, 60 * US_PER_S, true);
    fill(&clocked);
    close_clocked(&clocked);
    clocked = open_clocked(1, &config, T0 + 61 * US_PER_S);
    ck_assert_uint_eq(writer_of(&clocked), 2);
    fill(&clocked);
    turn(&clocked, -60 * US_PER_S, true);
    ck_assert_uint_eq(writer_of(&clocked), 1);
    fill(&clocked);
    for (int64_t us = T0 - LAB_HORIZON_US + US_PER_S; us <= T0; us += US_PER_S) {
        ck_assert_uint_eq(count_at(&clocked, us), 2);
        ck_assert_uint_eq(count_at(&clocked, us + 60 * US_PER_S), 2);
    }
    close_clocked(&clocked);
    clocked = open_clocked(1, &config, T0 + 2 * US_PER_S); /* and so does an orderly one */
    ck_assert_uint_eq(writer_of(&clocked), 1);
    ck_assert_uint_eq(table_workers(clocked.lab.table), 3);
    close_clocked(&clocked);
}
END_TEST

/* The clock is set while the server is down: where a writer is free, rows are kept for it. */
START_TEST(a_restart_with_a_clock_that_was_set_keeps_rows) {
    const struct table_config config = lab_config("billing");
    struct clocked clocked = open_clocked(1, &config, T0);
    fill(&clocked);
    turn(&clocked, 60 * US_PER_S, true); /* nothing is counted there */
    close_clocked(&clocked);
    clocked = open_clocked(1, &config, T0 + 60 * US_PER_S);
    ck_assert_uint_eq(writer_of(&clocked), 2);
    fill(&clocked);
    close_clocked(&clocked);
    clocked = open_clocked(1, &config, T0);
    must_hold(&clocked, T0, 1);
    fill(&clocked);
    must_hold(&clocked, T0, 2);
    close_clocked(&clocked);
}
END_TEST

/* Time that passes while a server is down, or idle, costs no other sections. */
START_TEST(time_that_passes_takes_one) {
    const struct table_config config = lab_config("billing");
    int64_t now_us = T0;
    for (int i = 0; i < 10; i++) {
        struct clocked clocked = open_clocked(1, &config, now_us);
        ck_assert_uint_eq(writer_of(&clocked), 1);
        for (int j = 0; j < 30; j++) {
            fill(&clocked);
            ck_assert_int_eq(turn(&clocked, i * US_PER_S, false), TABLES_STAYED);
        }
        ck_assert_uint_eq(table_workers(clocked.lab.table), 2);
        now_us = clocked.now_us + (i % 3 ? 5 : 500) * US_PER_S;
        close_clocked(&clocked);
    }
}
END_TEST

START_TEST(two_workers_are_never_one_writer) {
    const struct table_config config = lab_config("billing");
    struct clocked one = open_clocked(2, &config, T0 + 60 * US_PER_S);
    struct clocked other = one;
    other.worker = 2;
    turn(&other, 0, false);
    fill(&one);
    fill(&other);
    ck_assert_int_eq(turn(&one, -60 * US_PER_S, true), TABLES_MOVED);
    ck_assert_int_eq(turn(&other, -60 * US_PER_S, true), TABLES_MOVED);
    ck_assert_uint_ne(writer_of(&one), writer_of(&other));
    fill(&one);
    fill(&other);
    must_hold(&one, T0, 2);
    ck_assert_int_eq(turn(&other, 60 * US_PER_S, true), TABLES_MOVED);
    ck_assert_int_eq(turn(&one, 60 * US_PER_S, true), TABLES_MOVED);
    ck_assert_uint_ne(writer_of(&one), writer_of(&other));
    ck_assert_uint_le(writer_of(&one), 2);
    fill(&one);
    fill(&other);
    must_hold(&one, T0 + 60 * US_PER_S, 4);
    ck_assert_uint_eq(table_workers(one.lab.table), 5);
    close_clocked(&one);
}
END_TEST

/* A report that is read again later has sections where its workers are, and its rows ahead are in
 * nobody's way. */
START_TEST(a_table_that_comes_later_has_places_too) {
    const struct table_config config = lab_config("billing"), later = lab_config("later");
    struct clocked clocked = open_clocked(1, &config, T0 + 60 * US_PER_S);
    fill(&clocked);
    turn(&clocked, -60 * US_PER_S, true);
    struct clocked second = clocked;
    second.lab.table = table_or_fail(clocked.lab.tables, &later);
    ck_assert_int_eq(turn(&second, 0, false), TABLES_STAYED);
    fill(&second);
    must_hold(&second, T0, 1);
    table_must_verify(second.lab.table);
    close_clocked(&clocked);
    clocked = open_clocked(1, &config, T0);
    turn(&clocked, -200 * US_PER_S, true);
    fill(&clocked);
    second = clocked;
    second.lab.table = table_or_fail(clocked.lab.tables, &later);
    turn(&second, 0, false);
    fill(&second);
    must_hold(&second, T0 - 200 * US_PER_S, 1);
    table_must_verify(second.lab.table);
    close_clocked(&clocked);
}
END_TEST

START_TEST(who_reads_and_who_copies_sees_all) {
    const struct table_config config = lab_config("billing");
    struct clocked clocked = open_clocked(1, &config, T0 + 60 * US_PER_S);
    char why[COUNTERS_WHY_MAX] = "", to[PATH_MAX_TEST];
    bool none;
    fill(&clocked);
    turn(&clocked, -60 * US_PER_S, true);
    fill(&clocked);
    state_path("copy", to);
    ck_assert_int_eq(mkdir(to, 0700), 0);
    ck_assert_msg(tables_backup(state_dir, to, why), "%s", why);
    const char *dir[] = {state_dir, to};
    for (int i = 0; i < 2; i++) {
        struct clocked read = clocked;
        read.lab.tables = tables_open_readonly(dir[i], &none, why);
        ck_assert_msg(read.lab.tables != NULL, "%s", why);
        read.lab.table = tables_at(read.lab.tables, 0);
        must_hold(&read, T0, 1);
        must_hold(&read, T0 + 60 * US_PER_S, 1);
        table_must_verify(read.lab.table);
        int64_t oldest, newest;
        ck_assert(table_span_windows(read.lab.table, 0, &oldest, &newest));
        ck_assert_int_eq(newest - oldest, 60 + LAB_HORIZON_US / US_PER_S);
        tables_close(read.lab.tables);
    }
    ck_assert(tables_sync(clocked.lab.tables));
    close_clocked(&clocked);
}
END_TEST

START_TEST(what_was_committed_before_is_complete) {
    const struct table_config config = lab_config("billing");
    struct clocked clocked = open_clocked(1, &config, T0 + 60 * US_PER_S);
    fill(&clocked);
    ck_assert_uint_eq(atomic_load(&tables_undo(clocked.lab.tables, 1)->record->count), 7);
    turn(&clocked, -60 * US_PER_S, true);
    ck_assert_uint_eq(atomic_load(&tables_undo(clocked.lab.tables, 1)->record->count), 0);
    close_clocked(&clocked);
}
END_TEST

START_TEST(no_space_is_said_and_tried_again) {
    const struct table_config config = lab_config("billing");
    struct clocked clocked = open_clocked(1, &config, T0 + 60 * US_PER_S);
    const struct rlimit none = {0, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    fill(&clocked);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    ck_assert_int_eq(turn(&clocked, -60 * US_PER_S, true), TABLES_STUCK);
    ck_assert_int_eq(errno, EFBIG);
    ck_assert(!add(&clocked, T0, "AA1" US "1"));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
    ck_assert_int_eq(turn(&clocked, US_PER_S / 2, false), TABLES_STUCK); /* not at once */
    ck_assert_int_eq(turn(&clocked, US_PER_S / 2, false), TABLES_MOVED);
    ck_assert(add(&clocked, T0, "AA1" US "1"));
    must_hold(&clocked, T0 + 60 * US_PER_S, 1);
    table_must_verify(clocked.lab.table);
    lab_close(&clocked.lab);
}
END_TEST

/* A clock that goes where it wants: what was counted less than a horizon ago is there, and nothing
 * ever counts more. */
START_TEST(steps_of_chance) {
    struct table_config config = lab_config("billing");
    config.fields = 0;
    uint64_t random = 20261122 + (uint64_t)_i;
    static uint64_t counted[SECONDS]; /* of each second */
    static int64_t kept_us[SECONDS];  /* so long all of them are, by a clock that is never set */
    memset(counted, 0, sizeof counted);
    struct clocked clocked = open_clocked(1, &config, T0 + SECONDS / 2 * US_PER_S);
    int64_t steady_us = 0;
    for (int i = 0; i < STEPS; i++) {
        const int64_t to = (int64_t)(next_random(&random) % (SECONDS - 100)) + 50;
        turn(&clocked, T0 + to * US_PER_S - clocked.now_us, true);
        for (uint64_t n = next_random(&random) % 20; n > 0; n--) {
            const int64_t us = clocked.now_us - (int64_t)(next_random(&random) % 10) * US_PER_S;
            const int64_t second = (us - T0) / US_PER_S;
            ck_assert(add(&clocked, us, "AA1" US "1"));
            const int64_t until_us = steady_us + us + LAB_HORIZON_US - clocked.now_us;
            kept_us[second] =
                counted[second]++ && kept_us[second] < until_us ? kept_us[second] : until_us;
            turn(&clocked, 50 * US_PER_MS, false);
            steady_us += 50 * US_PER_MS;
        }
        for (int64_t second = 0; second < SECONDS; second++) {
            const uint64_t there = count_at(&clocked, T0 + second * US_PER_S);
            DEMAND(there <= counted[second] &&
                       (there == counted[second] || steady_us >= kept_us[second]),
                   "step %d, second %d: %llu of %llu", i, (int)second, (unsigned long long)there,
                   (unsigned long long)counted[second]);
        }
    }
    ck_assert_uint_le(table_workers(clocked.lab.table), STEPS * 2 / 3);
    close_clocked(&clocked);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("rows move");
    TCase *tcase = tcase_create("rows move");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, state_dir_make, state_dir_remove);
    tcase_add_test(tcase, a_clock_that_was_ahead_takes_no_places);
    tcase_add_test(tcase, a_step_ahead_lets_go_nothing_of_the_present);
    tcase_add_test(tcase, a_small_step_ahead_keeps_what_it_must);
    tcase_add_test(tcase, a_clock_that_is_put_right_takes_two);
    tcase_add_test(tcase, a_restart_goes_on_where_the_newest_rows_are);
    tcase_add_test(tcase, a_restart_with_a_clock_that_was_set_keeps_rows);
    tcase_add_test(tcase, time_that_passes_takes_one);
    tcase_add_test(tcase, two_workers_are_never_one_writer);
    tcase_add_test(tcase, a_table_that_comes_later_has_places_too);
    tcase_add_test(tcase, who_reads_and_who_copies_sees_all);
    tcase_add_test(tcase, what_was_committed_before_is_complete);
    tcase_add_test(tcase, no_space_is_said_and_tried_again);
    tcase_add_loop_test(tcase, steps_of_chance, 0, 8);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
