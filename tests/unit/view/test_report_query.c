/* Which rows of a report are meant. */
#include "view/report_query.h"

#include "tests/unit/check_main.h"
#include "tests/unit/view/report_lab.h"

#include <string.h>

static struct report_query query;
static char why[REPORT_WHY_MAX];

static void set_up(void) {
    lab_set_up("sum(seconds) first");
    query = (struct report_query){
        .fields = &lab_fields, .report = &lab_report, .width = 1, .to_us = QUERY_TO_NONE};
    why[0] = '\0';
}

/* ---- words ---- */

START_TEST(a_report_by_its_name) {
    static struct definitions definitions;
    ck_assert_ptr_null(report_find(&definitions, "x", why));
    ck_assert_str_eq(why, "no report x; there is none");
    definitions.reports = 2;
    strcpy(definitions.report[0].table.name, "billing");
    strcpy(definitions.report[1].table.name, "slow");
    ck_assert_ptr_eq(report_find(&definitions, "slow", why), &definitions.report[1]);
    strcpy(definitions.report[1].table.digest, "00000000000000ff");
    ck_assert_ptr_eq(report_find(&definitions, "slow.00000000000000ff", why),
                     &definitions.report[1]);
    ck_assert_ptr_null(report_find(&definitions, "slow.00000000000000fe", why));
    ck_assert_ptr_null(report_find(&definitions, "billin\x1b", why));
    ck_assert_str_eq(why, "no report billin?; there are: billing, slow");
}
END_TEST

START_TEST(a_window_by_its_name) {
    ck_assert(report_query_set_width(&query, "1min", why));
    ck_assert_uint_eq(query.width, 1);
    ck_assert(report_query_set_width(&query, NULL, why));
    ck_assert_uint_eq(query.width, 0);
    ck_assert(!report_query_set_width(&query, "1h", why));
    ck_assert_str_eq(why, "report billing has no window 1h; there are: 1s, 1min");
    ck_assert(!report_query_set_width(&query, "", why));
}
END_TEST

START_TEST(values_that_are_asked_for) {
    static const struct {
        const char *text, *why;
    } wrong[] = {
        {"", "where: is written FIELD=VALUE"},
        {"flight", "where: is written FIELD=VALUE"},
        {"=AA1", "where: is written FIELD=VALUE"},
        {"seconds=1",
         "where: report billing is not told apart by seconds; it is by: flight, client"},
        {"fligh=AA1", "where: report billing is not told apart by fligh; it is by: flight, client"},
        {"client=x", "where: client is a number"},
        {"client=", "where: client is a number"},
        {"client=7x", "where: client is a number"},
        {"client=inf", "where: client is a number"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert(!report_query_add_where(&query, wrong[i].text, why));
        ck_assert_str_eq(why, wrong[i].why);
    }
    ck_assert_uint_eq(query.wheres, 0);
    ck_assert(report_query_add_where(&query, "flight=A=\\x1b\\x5cx", why));
    ck_assert_uint_eq(query.where[0].len, 5);
    ck_assert_mem_eq(query.where[0].value, "A=\x1b\\x", 5);
    ck_assert(report_query_add_where(&query, "client=7", why));
    ck_assert_uint_eq(query.where[1].by, 1);
    ck_assert(!report_query_add_where(&query, "flight=AA1", why));
    ck_assert_str_eq(why, "where: flight is given twice, and a row has one value of it");
    lab_report.by = 0;
    ck_assert(!report_query_add_where(&query, "flight=AA1", why));
    ck_assert_str_eq(why, "where: report billing is not told apart by any field");
}
END_TEST

START_TEST(values_that_are_too_long) {
    static const char *const written[] = {"x", "\\x0a"}; /* a byte, as csv shows it */
    for (size_t w = 0; w < 2; w++) {
        char text[sizeof "flight=" + 4 * (FIELD_TEXT_MAX + 1)] = "flight=";
        for (int i = 0; i < FIELD_TEXT_MAX; i++)
            strcat(text, written[w]);
        query.wheres = 0;
        ck_assert_msg(report_query_add_where(&query, text, why), "%s", why);
        ck_assert_uint_eq(query.where[0].len, FIELD_TEXT_MAX);
        ck_assert_int_eq(query.where[0].value[FIELD_TEXT_MAX - 1], w == 0 ? 'x' : '\n');
        query.wheres = 0;
        ck_assert(!report_query_add_where(&query, strcat(text, written[w]), why));
        ck_assert_str_eq(why, "where: no value of flight has more than 1024 bytes");
    }
}
END_TEST

START_TEST(the_figure_that_is_largest) {
    ck_assert(report_query_set_by(&query, "first", why));
    ck_assert_uint_eq(query.by, 1);
    ck_assert(report_query_set_by(&query, NULL, why));
    ck_assert_uint_eq(query.by, 0);
    ck_assert(!report_query_set_by(&query, "sum", why));
    ck_assert_str_eq(
        why, "by: report billing shows no sum to be largest; there are: sum(seconds), first");
}
END_TEST

/* ---- windows ---- */

/* Windows with rows: bit i of it. */
static uint64_t holding;
static unsigned reads;
static bool fails;

static bool holds(void *cls, int64_t window, bool *any) {
    ck_assert_ptr_eq(cls, &holding);
    ck_assert_int_ge(window, 0);
    ck_assert_int_lt(window, 64);
    *any = holding >> window & 1;
    return !fails;
}

static bool read_rows(void *cls, int64_t window, struct report_rows *rows) {
    bool any;
    *rows = (struct report_rows){0};
    reads++;
    const bool held = holds(cls, window, &any);
    rows->n = any;
    return held;
}

START_TEST(windows_as_everywhere) {
    static const struct {
        int64_t from_us, to_us, last;
        bool partial;
        int64_t first, end; /* 0, 0: none */
    } rows[] = {
        {0, QUERY_TO_NONE, 0, false, 2, 8}, /* 9 is open */
        {0, QUERY_TO_NONE, 0, true, 2, 10},
        {0, QUERY_TO_NONE, 1, false, 7, 8},
        {0, QUERY_TO_NONE, 3, true, 7, 10},
        {0, QUERY_TO_NONE, 1000, true, 2, 10},
        {0, QUERY_TO_NONE, INT64_C(1000000000), true, 2, 10},
        {3 * LAB_WIDTH_US, QUERY_TO_NONE, 0, false, 3, 8},
        {3 * LAB_WIDTH_US + 1, 7 * LAB_WIDTH_US, 0, false, 4, 6},
        {3 * LAB_WIDTH_US, 7 * LAB_WIDTH_US + 1, 1, false, 7, 8},
        {8 * LAB_WIDTH_US, QUERY_TO_NONE, 0, false, 0, 0},
        {0, 2 * LAB_WIDTH_US, 0, false, 0, 0},
        {0, -1, 0, false, 0, 0},
    };
    holding = 1 << 2 | 1 << 5 | 1 << 7 | 1 << 9;
    const int64_t now_us = 9 * LAB_WIDTH_US + 1;
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
        const size_t r = i / 2;
        struct report_reader reader = {holds, read_rows, &holding, 2, 9};
        if (i % 2) {
            reader.holds = NULL;
        }
        query.from_us = rows[r].from_us;
        query.to_us = rows[r].to_us;
        query.last = rows[r].last;
        query.partial = rows[r].partial;
        int64_t first = 0, end = 0;
        const enum query_outcome outcome = report_query_find(&query, &reader, now_us, &first, &end);
        ck_assert_int_eq(outcome, rows[r].end > 0 ? QUERY_ROWS : QUERY_NOTHING);
        ck_assert_msg(first == rows[r].first && end == rows[r].end, "%zu: %lld %lld", i,
                      (long long)first, (long long)end);
    }
    ck_assert_uint_gt(reads, 0);
}
END_TEST

START_TEST(a_source_that_fails_or_is_empty) {
    struct report_reader reader = {holds, read_rows, &holding, 0, -1};
    int64_t first, end;
    query.partial = true;
    ck_assert_int_eq(report_query_find(&query, &reader, 0, &first, &end), QUERY_NOTHING);
    fails = true;
    reader.newest = 3;
    ck_assert_int_eq(report_query_find(&query, &reader, 0, &first, &end), QUERY_FAILED);
    reader.holds = NULL;
    ck_assert_int_eq(report_query_find(&query, &reader, 0, &first, &end), QUERY_FAILED);
}
END_TEST

/* ---- rows ---- */

static struct report_row row[8];
static struct report_rows rows;

/* What is left, as the first letters of the keys. */
static const char *choose(void) {
    static char letters[9];
    ck_assert(report_query_choose(&query, &rows));
    size_t i = 0;
    for (; i < rows.n; i++) {
        letters[i] = rows.row[i].key[0];
    }
    letters[i] = '\0';
    return letters;
}

static void make_rows(void) {
    row[0] = lab_row_of("A\x1f"
                        "7",
                        5);
    row[1] = lab_row_of("B\x1f"
                        "007",
                        9);
    row[2] = lab_row_of("C\x1f"
                        "70",
                        -1);
    row[3] = lab_row_of("D\x1f"
                        "7",
                        9);
    row[4] = lab_row("E\x1f"
                     "7",
                     NULL, 0); /* no events: no sum */
    row[5] = lab_row_of(NULL, 100);
    rows = (struct report_rows){.n = 6, .row = row};
}

START_TEST(all_rows) {
    make_rows();
    ck_assert_str_eq(choose(), "ABCDE(");
}
END_TEST

START_TEST(rows_with_a_value) {
    make_rows();
    ck_assert(report_query_add_where(&query, "client=7", why));
    ck_assert_str_eq(choose(), "ABDE");
    ck_assert(report_query_add_where(&query, "flight=D", why));
    ck_assert_str_eq(choose(), "D");
    query.wheres = 0;
    make_rows();
    ck_assert(report_query_add_where(&query, "flight=(other)", why));
    ck_assert_str_eq(choose(), "");
}
END_TEST

START_TEST(rows_with_the_largest_figure) {
    static const char *const expected[] = {"", "B(", "BD(", "BDA(", "BDAC(", "BDACE(", "BDACE("};
    ck_assert(report_query_set_by(&query, "sum(seconds)", why));
    for (int top = 1; top <= 6; top++) {
        make_rows();
        query.top = top;
        ck_assert_str_eq(choose(), expected[top]);
    }
    query.top = 2;
    ck_assert(report_query_add_where(&query, "client=7", why));
    make_rows();
    ck_assert_str_eq(choose(), "BD");
    rows.n = 0;
    ck_assert_str_eq(choose(), "");
}
END_TEST

/* A row that is `(other)` in a field has no value there, and does not compete. */
START_TEST(rows_that_are_other_in_a_field) {
    for (int top = 0; top <= 2; top++) {
        row[0] = lab_row_of("A\x1f"
                            "7",
                            1);
        row[1] = lab_row_of("B\x1f(other)", 9);
        row[2] = lab_row_of("C\x1f(other)", 8);
        row[3] = lab_row_of(NULL, 10);
        rows = (struct report_rows){.n = 4, .row = row};
        query.top = top;
        ck_assert(report_query_set_by(&query, "sum(seconds)", why));
        ck_assert_str_eq(choose(), top == 0 ? "ABC(" : top == 1 ? "AB(" : "ABC(");
    }
    query.top = 0;
    ck_assert(report_query_add_where(&query, "client=0", why));
    rows = (struct report_rows){.n = 2, .row = row + 1};
    ck_assert_str_eq(choose(), "");
}
END_TEST

START_TEST(a_window_by_its_length) {
    ck_assert(report_query_set_width(&query, "60s", why));
    ck_assert_uint_eq(query.width, 1);
    ck_assert(report_query_set_width(&query, "1000ms", why));
    ck_assert_uint_eq(query.width, 0);
    ck_assert(!report_query_set_width(&query, "60", why));
    ck_assert(!report_query_set_width(&query, "61s", why));
}
END_TEST

START_TEST(rows_with_the_latest_time) {
    const struct lab_event early = {LAB_START_US, 1}, late = {LAB_START_US + 1, 1};
    row[0] = lab_row("A\x1f"
                     "7",
                     &early, 1);
    row[1] = lab_row("B\x1f"
                     "7",
                     &late, 1);
    rows = (struct report_rows){.n = 2, .row = row};
    query.top = 1;
    ck_assert(report_query_set_by(&query, "first", why));
    ck_assert_str_eq(choose(), "B");
}
END_TEST

/* Rows A and B, which show the same and are not: B has the larger figure. */
static void expect_larger(const char *figure, const struct lab_event *a, size_t as,
                          const struct lab_event *b, size_t bs) {
    static struct figure_value shown[2];
    lab_tear_down();
    lab_set_up(figure);
    row[0] = lab_row("A\x1f"
                     "7",
                     a, as);
    row[1] = lab_row("B\x1f"
                     "7",
                     b, bs);
    for (int i = 0; i < 2; i++) {
        figure_value(&lab_report.figure[0], lab_report.measure, row[i].state,
                     lab_report.table.width_us[1], &shown[i]);
    }
    ck_assert_str_eq(shown[0].text, shown[1].text);
    rows = (struct report_rows){.n = 2, .row = row};
    query.top = 1;
    ck_assert(report_query_set_by(&query, figure, why));
    ck_assert_str_eq(choose(), "B");
}

START_TEST(rows_that_differ_by_less_than_is_shown) {
    static struct lab_event event[1001] = {{.seconds = 1}}; /* the others are 0 */
    expect_larger("avg(seconds)", event, 1001, event, 1000);
    expect_larger("stddev(seconds)", event, 1001, event, 1000);
}
END_TEST

START_TEST(rates_that_are_shown_as_zero) {
    static const struct lab_event event[40];
    lab_tear_down();
    lab_set_up("rate");
    lab_report.table.width_us[1] = 86400 * US_PER_S;
    row[0] = lab_row("A\x1f"
                     "7",
                     event, 1);
    row[1] = lab_row("B\x1f"
                     "7",
                     event, 40);
    row[2] = lab_row("C\x1f"
                     "7",
                     event, 40);
    rows = (struct report_rows){.n = 3, .row = row};
    query.top = 2;
    ck_assert(report_query_set_by(&query, "rate", why));
    ck_assert_str_eq(choose(), "BC");
}
END_TEST

#define FIXTURE ((struct check_fixture){100, set_up, lab_tear_down})
CHECK_MAIN_WITH(FIXTURE, "report_query", a_report_by_its_name, a_window_by_its_name,
                values_that_are_asked_for, values_that_are_too_long, the_figure_that_is_largest,
                windows_as_everywhere, a_source_that_fails_or_is_empty, all_rows, rows_with_a_value,
                rows_with_the_largest_figure, rows_that_are_other_in_a_field,
                a_window_by_its_length, rows_with_the_latest_time,
                rows_that_differ_by_less_than_is_shown, rates_that_are_shown_as_zero)
