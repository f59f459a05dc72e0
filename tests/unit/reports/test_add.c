#include "tests/unit/reports/reports_fixture.h"

#include <signal.h>
#include <sys/resource.h>

#define US "\x1f"

static const char billing[] = "fields: {flight: , client: {type: int}, seconds: {type: int}}\n"
                              "reports:\n"
                              "  - name: billing\n"
                              "    by: [flight, client]\n"
                              "    windows: [1s, 1min]\n"
                              "    show: [sum(seconds), first, last, count]\n"
                              "  - {name: all, windows: 1s, show: count}\n"
                              "  - {name: long, when: seconds > 100, windows: 1s, show: count}\n";
enum { BILLING, ALL, LONG };
enum { FLIGHT, CLIENT, SECONDS };

static void count(const struct lab *lab, unsigned worker, const struct lab_event *event) {
    uint64_t unfit;
    ck_assert_int_eq(lab_add(lab, worker, event, &unfit), SHARD_COUNTED);
    ck_assert_uint_eq(unfit, 0);
}

static void expect_row(const struct lab *lab, const struct report_rows *rows, size_t i,
                       const char *key) {
    (void)lab;
    ck_assert_uint_lt(i, rows->n);
    ck_assert_uint_eq(rows->row[i].key_len, strlen(key));
    ck_assert_mem_eq(rows->row[i].key, key, strlen(key));
}

static uint64_t count_all(const struct lab *lab, unsigned report, unsigned width, int64_t us) {
    struct report_rows rows = lab_read(lab, report, width, us);
    uint64_t n = 0;
    for (size_t i = 0; i < rows.n; i++)
        n += rows.row[i].state[0];
    report_rows_free(&rows);
    return n;
}

START_TEST(an_event_is_in_all_its_reports) {
    struct lab *lab = lab_open(billing);
    count(lab, 0, &(struct lab_event){T0 + 1, {"AA1", "07", "38"}});
    count(lab, 1, &(struct lab_event){T0 + 2, {"AA1", "7", "2"}});
    count(lab, 1, &(struct lab_event){T0 + 3, {"AA1", "7.0", "102"}});
    count(lab, 0, &(struct lab_event){T0 + US_PER_S * 0, {"(x" US "%", "-1", "0"}});
    for (unsigned width = 0; width < 2; width++) {
        struct report_rows rows = lab_read(lab, BILLING, width, T0);
        ck_assert_uint_eq(rows.n, 2);
        expect_row(lab, &rows, 0, "%28x%1F%25" US "-1");
        expect_row(lab, &rows, 1, "AA1" US "7");
        ck_assert_str_eq(lab_figure(lab, BILLING, width, &rows.row[1], 0), "142");
        ck_assert_str_eq(lab_figure(lab, BILLING, width, &rows.row[1], 1), "1464433871000001");
        ck_assert_str_eq(lab_figure(lab, BILLING, width, &rows.row[1], 2), "1464433871000003");
        ck_assert_str_eq(lab_figure(lab, BILLING, width, &rows.row[1], 3), "3");
        report_rows_free(&rows);
    }
    ck_assert_uint_eq(count_all(lab, ALL, 0, T0), 4);
    ck_assert_uint_eq(count_all(lab, LONG, 0, T0), 1);
    ck_assert_uint_eq(count_all(lab, ALL, 0, T0 + US_PER_S), 0);
    ck_assert_uint_eq(read_one(lab->counters, RESOLUTION_1S, T0), 4);
    lab_close(lab);
}
END_TEST

START_TEST(what_is_refused_is_nowhere) {
    struct lab *lab = lab_open(billing);
    uint64_t unfit;
    const struct lab_event late = {T0 - 2 * LAB_HORIZON_US, {"AA1", "7", "x"}},
                           early = {T0 + 10 * US_PER_S, {"AA1", "7", "x"}};
    ck_assert_int_eq(lab_add(lab, 0, &late, &unfit), SHARD_TOO_LATE);
    ck_assert_uint_eq(unfit, 0);
    ck_assert_int_eq(lab_add(lab, 0, &early, &unfit), SHARD_TOO_FAR_AHEAD);
    ck_assert_uint_eq(unfit, 0);
    ck_assert_uint_eq(count_all(lab, ALL, 0, early.us), 0);
    ck_assert_uint_eq(adder_unfit(lab->adder[0], BILLING, SECONDS), 0);
    lab_close(lab);
}
END_TEST

START_TEST(missing_and_unfit_fields_keep_it_out_of_the_reports_that_need_them) {
    struct lab *lab = lab_open(billing);
    uint64_t unfit;
    const struct lab_event wrong = {T0, {"AA1", "seven", NULL}};
    ck_assert_int_eq(lab_add(lab, 0, &wrong, &unfit), SHARD_COUNTED);
    ck_assert_uint_eq(unfit, 1 << CLIENT | 1 << SECONDS);
    ck_assert_uint_eq(adder_unfit(lab->adder[0], BILLING, FLIGHT), 0);
    ck_assert_uint_eq(adder_unfit(lab->adder[0], BILLING, CLIENT), 1);
    ck_assert_uint_eq(adder_unfit(lab->adder[0], BILLING, SECONDS), 1);
    ck_assert_uint_eq(adder_unfit(lab->adder[1], BILLING, SECONDS), 0);
    ck_assert_uint_eq(adder_unfit(lab->adder[0], LONG, SECONDS), 0); /* it does not match */
    ck_assert_uint_eq(adder_left_out_owner(lab->adder[0], BILLING)->fields,
                      1 << CLIENT | 1 << SECONDS);
    ck_assert_ptr_null(adder_left_out_owner(lab->adder[0], ALL));
    ck_assert_uint_eq(count_all(lab, BILLING, 0, T0), 0);
    ck_assert_uint_eq(count_all(lab, ALL, 0, T0), 1);
    ck_assert_uint_eq(read_one(lab->counters, RESOLUTION_1S, T0), 1);
    lab_close(lab);
}
END_TEST

/* Whether it belongs there nobody can tell: it is neither left out nor counted silently. */
START_TEST(a_field_of_when_that_is_not_of_its_type_is_unfit) {
    struct lab *lab = lab_open(billing);
    uint64_t unfit;
    const struct lab_event wrong = {T0, {"AA1", "7", "abc"}}, missing = {T0, {"AA1", "7", NULL}};
    ck_assert_int_eq(lab_add(lab, 0, &wrong, &unfit), SHARD_COUNTED);
    ck_assert_uint_eq(unfit, 1 << SECONDS);
    ck_assert_uint_eq(adder_unfit(lab->adder[0], LONG, SECONDS), 1);
    ck_assert_uint_eq(adder_left_out_owner(lab->adder[0], LONG)->fields, 1 << SECONDS);
    ck_assert_int_eq(lab_add(lab, 0, &missing, &unfit), SHARD_COUNTED);
    ck_assert_uint_eq(adder_unfit(lab->adder[0], LONG, SECONDS), 1);
    ck_assert_ptr_null(adder_left_out_owner(lab->adder[0], LONG));
    ck_assert_uint_eq(count_all(lab, LONG, 0, T0), 0);
    ck_assert_uint_eq(count_all(lab, ALL, 0, T0), 2);
    lab_close(lab);
}
END_TEST

START_TEST(spellings_of_a_number_are_one_value) {
    static const char text[] = "fields: {n: {type: int}, d: {type: decimal2}, t: }\n"
                               "reports: [{name: r, windows: 1s, show: [distinct(n), top3(n), "
                               "distinct(d), top3(d), distinct(t)]},\n"
                               "  {name: s, windows: 1s, show: digest}]\n";
    static const char *const spelled[][2] = {{"7", "1.00"},    {"07", "1"},      {"7.0", "1.0"},
                                             {"7e0", "01.00"}, {"0.7e1", "1e0"}, {"70e-1", "10e-1"},
                                             {"007", "1.000"}, {"7", "100e-2"}};
    const size_t n = sizeof spelled / sizeof *spelled;
    struct lab *lab = lab_open(text);
    for (size_t i = 0; i < n; i++)
        count(lab, 0, &(struct lab_event){T0, {spelled[i][0], spelled[i][1], spelled[i][0]}});
    count(lab, 0, &(struct lab_event){T0, {"-0", "-0.00", "-0"}});
    count(lab, 0, &(struct lab_event){T0, {"0", "0", "0"}});
    count(lab, 0, &(struct lab_event){T0, {"-0012", "-12.5", "x"}});
    struct report_rows rows = lab_read(lab, 0, 0, T0);
    ck_assert_str_eq(lab_figure(lab, 0, 0, &rows.row[0], 0), "3");
    ck_assert_str_eq(lab_figure(lab, 0, 0, &rows.row[0], 2), "3");
    report_rows_free(&rows);
    lab_close(lab);
}
END_TEST

/* The same event once more doubles both halves of the digest, however its numbers are written. */
START_TEST(a_digest_does_not_tell_spellings_apart) {
    static const char text[] = "fields: {n: {type: int}, d: {type: decimal2}}\n"
                               "reports: [{name: r, windows: 1s, show: digest}]\n";
    static const struct lab_event spelled[] = {{T0, {"1000", "-1.50"}}, {T0, {"1e3", "-1.5"}}};
    struct lab *lab = lab_open(text);
    unsigned long long digest[2];
    for (int i = 0; i < 2; i++) {
        count(lab, 0, &spelled[i]);
        struct report_rows rows = lab_read(lab, 0, 0, T0);
        digest[i] = strtoull(lab_figure(lab, 0, 0, &rows.row[0], 0), NULL, 16);
        report_rows_free(&rows);
    }
    ck_assert_uint_eq(digest[1] >> 32, (digest[0] >> 31 & ~1ULL & 0xffffffff));
    ck_assert_uint_eq(digest[1] & 0xffffffff, digest[0] << 1 & 0xffffffff);
    lab_close(lab);
}
END_TEST

START_TEST(a_sum_stays_below_its_bound) {
    struct lab *lab = lab_open(billing);
    uint64_t unfit;
    const struct lab_event most = {T0, {"AA1", "7", "9007199254740991"}};
    count(lab, 0, &most);
    /* In the same second both rows are there; in the next one a new row is made and taken back. */
    for (int i = 0; i < 2; i++) {
        const struct lab_event more = {T0 - i * US_PER_S, {"AA1", "7", "1"}};
        ck_assert_int_eq(lab_add(lab, 0, &more, &unfit), SHARD_COUNTED);
        ck_assert_uint_eq(unfit, 1 << SECONDS);
        ck_assert_uint_eq(count_all(lab, BILLING, 0, more.us), i == 0);
    }
    ck_assert_uint_eq(adder_unfit(lab->adder[0], BILLING, SECONDS), 2);
    ck_assert_uint_eq(count_all(lab, BILLING, 1, T0), 1);
    ck_assert_uint_eq(count_all(lab, ALL, 0, T0), 2);
    ck_assert_uint_eq(read_one(lab->counters, RESOLUTION_1MIN, T0), 3);
    count(lab, 0, &(struct lab_event){T0 - US_PER_S, {"AA1", "8", "1"}});
    ck_assert_uint_eq(count_all(lab, BILLING, 1, T0), 2);
    lab_close(lab);
}
END_TEST

START_TEST(a_key_that_is_too_long_is_unfit_by_the_field_that_makes_it_so) {
    static const char text[] = "fields: {a: , b: , c: }\n"
                               "reports:\n"
                               "  - {name: r, by: [a, b, c], windows: 1s, show: count}\n";
    struct lab *lab = lab_open(text);
    static char controls[FIELD_TEXT_MAX + 1], plain[FIELD_TEXT_MAX + 1];
    uint64_t unfit;
    memset(controls, '\n', FIELD_TEXT_MAX);
    memset(plain, 'x', FIELD_TEXT_MAX);
    const struct lab_event fits = {T0, {controls, plain + 2, ""}},
                           too_long = {T0, {controls, plain, ""}},
                           full = {T0, {controls, plain + 1, ""}};
    count(lab, 0, &fits);
    ck_assert_int_eq(lab_add(lab, 0, &too_long, &unfit), SHARD_COUNTED);
    ck_assert_uint_eq(unfit, 1 << 1);
    ck_assert_int_eq(lab_add(lab, 0, &full, &unfit), SHARD_COUNTED);
    ck_assert_uint_eq(unfit, 1 << 2);
    struct report_rows rows = lab_read(lab, 0, 0, T0);
    char value[FIELD_TEXT_MAX];
    ck_assert_uint_eq(rows.n, 1);
    ck_assert_uint_eq(rows.row[0].key_len, TABLE_KEY_MAX);
    ck_assert_uint_eq(report_key_value(rows.row[0].key, rows.row[0].key_len, 0, value),
                      FIELD_TEXT_MAX);
    ck_assert_mem_eq(value, controls, FIELD_TEXT_MAX);
    report_rows_free(&rows);
    lab_close(lab);
}
END_TEST

START_TEST(keys_without_room_are_counted_together) {
    static const char text[] =
        "fields: {a: , b: {type: int}}\n"
        "reports:\n"
        "  - {name: r, by: [a, b], windows: 1s, show: count, keys: {max: 10, per_field: {b: 4}}}\n";
    struct lab *lab = lab_open(text);
    char a[16], b[16];
    for (int i = 0; i < 200; i++) {
        snprintf(a, sizeof a, "a%d", i % 20);
        snprintf(b, sizeof b, "%d", i % 5);
        count(lab, 0, &(struct lab_event){T0, {a, b}});
    }
    struct report_rows rows = lab_read(lab, 0, 0, T0);
    ck_assert_uint_eq(rows.n, 11);
    ck_assert(rows.row[10].other);
    expect_row(lab, &rows, 10, "(other)");
    ck_assert_uint_gt(rows.row[10].state[0], 0);
    bool by_field = false;
    for (size_t i = 0; i < 10; i++) {
        char value[FIELD_TEXT_MAX];
        ck_assert(!rows.row[i].other);
        const size_t len = report_key_value(rows.row[i].key, rows.row[i].key_len, 1, value);
        by_field = by_field || (len == 7 && memcmp(value, "(other)", 7) == 0);
    }
    ck_assert(by_field);
    report_rows_free(&rows);
    ck_assert_uint_eq(count_all(lab, 0, 0, T0), 200);
    lab_close(lab);
}
END_TEST

/* Keys that come again, long and short ones, that differ in nothing but where a field ends; some
 * of them find no room; in between are events that do not fit. */
START_TEST(a_key_that_comes_again_is_in_its_row) {
    struct lab *lab = lab_open("fields: {a: , b: , n: {type: int}}\n"
                               "reports:\n"
                               "  - {name: wide, by: [a, b], windows: [1s, 1min],\n"
                               "     show: [count, p50(n)]}\n"
                               "  - {name: tight, by: [a, b], windows: [1s, 1min], show: count,\n"
                               "     keys: {max: 60, per_field: {b: 3}}}\n");
    char text[64];
    uint64_t unfit;
    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < 6000; i++) {
        char a[64], b[64];
        const unsigned len = i % 60, cut = i % 7 < len ? i % 7 : len;
        snprintf(a, sizeof a, "%.*s", (int)(len - cut), text);
        snprintf(b, sizeof b, "%.*s", (int)cut, text);
        const struct lab_event event = {T0 - i / 2000 * US_PER_S, {a, b, i % 5 ? "7" : "-1"}};
        ck_assert_int_eq(lab_add(lab, 0, &event, &unfit), SHARD_COUNTED);
        ck_assert_uint_eq(unfit, i % 5 ? 0 : 4);
    }
    struct report_rows rows = lab_read(lab, 0, 1, T0);
    for (size_t i = 0; i < rows.n; i++) {
        char *separator = memchr(rows.row[i].key, REPORT_KEY_SEPARATOR, rows.row[i].key_len);
        const unsigned long cut =
            (unsigned long)(rows.row[i].key + rows.row[i].key_len - separator - 1);
        uint64_t expected = 0;
        for (unsigned n = 0; n < 6000; n++) {
            const unsigned len = n % 60;
            expected +=
                n % 5 && len + 1 == rows.row[i].key_len && (n % 7 < len ? n % 7 : len) == cut;
        }
        ck_assert_uint_eq(rows.row[i].state[0], expected);
    }
    report_rows_free(&rows);
    ck_assert_uint_eq(count_all(lab, 0, 1, T0), 4800);
    ck_assert_uint_eq(count_all(lab, 1, 1, T0), 6000);
    rows = lab_read(lab, 1, 1, T0);
    uint64_t values = 0; /* bit n: a value of b with n bytes */
    for (size_t i = 0; i < rows.n; i++) {
        const size_t len = rows.row[i].key_len;
        const char *separator = memchr(rows.row[i].key, REPORT_KEY_SEPARATOR, len);
        if (!report_key_is_other(rows.row[i].key, len, 1))
            values |= UINT64_C(1) << (rows.row[i].key + len - separator - 1);
    }
    ck_assert_uint_le(rows.n, 61);
    ck_assert_int_eq(__builtin_popcountll(values), 3);
    report_rows_free(&rows);
    lab_close(lab);
}
END_TEST

START_TEST(an_event_without_a_time_is_counted_at_its_arrival) {
    struct lab *lab = lab_open(billing);
    uint64_t unfit = 0;
    const struct lab_event event = {0, {"AA1", "7", "1"}};
    const struct record record = lab_record(lab, &event);
    adder_add_arrival_owner(lab->adder[0], lab->shard[0], &record, T0, &unfit);
    adder_add_arrival_owner(lab->adder[0], lab->shard[0], &record, T0 + 3600 * US_PER_S, &unfit);
    ck_assert_uint_eq(unfit, 0);
    uint64_t in_rows = 0, in_windows = 0;
    for (int64_t us = T0; us <= T0 + 4 * US_PER_S; us += US_PER_S) { /* the second one is held */
        in_rows += count_all(lab, BILLING, 0, us);
        in_windows += read_one(lab->counters, RESOLUTION_1S, us);
    }
    ck_assert_uint_eq(in_rows, 2);
    ck_assert_uint_eq(in_windows, 2);
    lab_close(lab);
}
END_TEST

#define LATER_US                                                                                   \
    (T0 + 140 * US_PER_S) /* the windows of the minute before have the places of T0's */

static void count_ahead(const struct lab *lab) {
    lab_set_now(lab, LATER_US);
    for (int64_t us = LATER_US - 60 * US_PER_S; us <= LATER_US; us += US_PER_S)
        count(lab, 0, &(struct lab_event){us, {"AA1", "7", "1"}});
}

START_TEST(a_clock_that_is_set_back_leaves_out_nothing) {
    struct lab *lab = lab_open(billing);
    count_ahead(lab);
    lab_set_now(lab, T0);
    for (int64_t us = T0 - 60 * US_PER_S; us <= T0; us += US_PER_S)
        count(lab, 0, &(struct lab_event){us, {"AA1", "7", "1"}});
    for (unsigned report = 0; report < lab->definitions->reports; report++)
        ck_assert_uint_eq(adder_gone(lab->adder[0], report), 0);
    for (int64_t us = T0 - 60 * US_PER_S; us <= LATER_US; us += US_PER_S) {
        const uint64_t expected = us <= T0 || us >= LATER_US - 60 * US_PER_S;
        ck_assert_uint_eq(count_all(lab, BILLING, 0, us), expected);
        ck_assert_uint_eq(count_all(lab, ALL, 0, us), expected);
    }
    lab_close(lab);
}
END_TEST

START_TEST(what_no_section_can_be_made_for_is_gone) {
    struct lab *lab = lab_open(billing);
    count_ahead(lab);
    const struct rlimit none = {0, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    shard_set_now_owner(lab->shard[0], T0); /* for the windows there was room */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    ck_assert_int_eq(adder_set_now_owner(lab->adder[0], T0), TABLES_STUCK);
    count(lab, 0, &(struct lab_event){T0, {"AA1", "7", "1"}});
    ck_assert_int_eq(adder_set_now_owner(lab->adder[0], T0), TABLES_STUCK);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
    ck_assert_uint_eq(adder_gone(lab->adder[0], BILLING), 1);
    ck_assert_uint_eq(adder_gone(lab->adder[0], ALL), 1);
    ck_assert_uint_eq(adder_gone(lab->adder[1], ALL), 0);
    ck_assert_uint_eq(read_one(lab->counters, RESOLUTION_1S, T0), 1);
    ck_assert_int_eq(adder_set_now_owner(lab->adder[0], T0 + US_PER_S), TABLES_MOVED);
    count(lab, 0, &(struct lab_event){T0, {"AA1", "7", "1"}});
    ck_assert_uint_eq(adder_gone(lab->adder[0], ALL), 1);
    ck_assert_uint_eq(count_all(lab, ALL, 0, T0), 1);
    lab_close(lab);
}
END_TEST

CHECK_MAIN_WITH(in_state_dir, "an event into its reports", an_event_is_in_all_its_reports,
                what_is_refused_is_nowhere,
                missing_and_unfit_fields_keep_it_out_of_the_reports_that_need_them,
                a_field_of_when_that_is_not_of_its_type_is_unfit,
                spellings_of_a_number_are_one_value, a_digest_does_not_tell_spellings_apart,
                a_sum_stays_below_its_bound,
                a_key_that_is_too_long_is_unfit_by_the_field_that_makes_it_so,
                keys_without_room_are_counted_together, a_key_that_comes_again_is_in_its_row,
                an_event_without_a_time_is_counted_at_its_arrival,
                a_clock_that_is_set_back_leaves_out_nothing,
                what_no_section_can_be_made_for_is_gone)
