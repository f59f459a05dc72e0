/* An answer, piece by piece. */
#include "view/report_answer.h"

#include "tests/unit/check_main.h"
#include "tests/unit/view/report_lab.h"

#include <stdlib.h>
#include <string.h>

/* ---- a source: windows 3, 4 and 6 from LAB_WINDOW on have two rows ---- */

static unsigned reads, open_rows;
static int64_t fails_at;

static bool holds(void *cls, int64_t window, bool *any) {
    (void)cls;
    const int64_t n = window - LAB_WINDOW;
    *any = n == 3 || n == 4 || n == 6;
    return true;
}

static bool read_rows(void *cls, int64_t window, struct report_rows *rows) {
    (void)cls;
    reads++;
    ck_assert_uint_eq(open_rows, 0);
    if (window == LAB_WINDOW + fails_at) {
        return false;
    }
    struct report_row *row = calloc(2, sizeof *row);
    row[0] = lab_row_of("AA1\x1f"
                        "7",
                        38);
    row[1] = lab_row_of("AA2\x1f"
                        "8",
                        40);
    *rows = (struct report_rows){.n = 2, .row = row};
    return true;
}

static struct report_question question;
static struct report_answer answer;
static struct text text;

static void set_up(void) {
    lab_set_up("sum(seconds)");
    fails_at = -1;
    text = (struct text){0};
    question = (struct report_question){
        .query = {.fields = &lab_fields, .report = &lab_report, .width = 1, .to_us = QUERY_TO_NONE},
        .reader = {holds, read_rows, NULL, LAB_WINDOW, LAB_WINDOW + 9},
        .now_us = LAB_START_US + 6 * LAB_WIDTH_US,
        .horizon_us = 2 * LAB_WIDTH_US};
}

static void tear_down(void) {
    report_answer_free(&answer);
    text_free(&text);
    lab_tear_down();
}

/* All of it, in pieces of at least so many bytes. */
static const char *write_all(size_t enough) {
    ck_assert(report_answer_begin(&answer, &question));
    enum report_answer_outcome outcome;
    do {
        const size_t before = text.len;
        outcome = report_answer_write(&answer, text.len + enough, &text);
        ck_assert_int_ne(outcome, REPORT_ANSWER_FAILED);
        ck_assert(outcome == REPORT_ANSWER_ENDED || text.len >= before + enough);
    } while (outcome == REPORT_ANSWER_MORE);
    ck_assert_int_eq(report_answer_write(&answer, SIZE_MAX, &text), REPORT_ANSWER_ENDED);
    return lab_string(&text);
}

static const char csv[] = "start,state,flight,client,sum(seconds)\n"
                          "2016-05-28T11:14:00.000Z,final,AA1,7,38\n"
                          "2016-05-28T11:14:00.000Z,final,AA2,8,40\n"
                          "2016-05-28T11:15:00.000Z,closed,AA1,7,38\n"
                          "2016-05-28T11:15:00.000Z,closed,AA2,8,40\n"
                          "2016-05-28T11:17:00.000Z,open,AA1,7,38\n"
                          "2016-05-28T11:17:00.000Z,open,AA2,8,40\n";

START_TEST(whatever_the_pieces) {
    question.format = ROWS_CSV;
    question.query.partial = true;
    question.now_us += 30 * US_PER_S; /* half a minute into window 6 */
    for (size_t enough = 1; enough < sizeof csv; enough += 7) {
        text.len = 0;
        ck_assert_str_eq(write_all(enough), csv);
        report_answer_free(&answer);
    }
}
END_TEST

START_TEST(rows_that_are_meant) {
    ck_assert(report_query_add_where(&question.query, "client=8", (char[REPORT_WHY_MAX]){0}));
    question.query.last = 1;
    ck_assert_str_eq(write_all(1),
                     "2016-05-28 11:15:00.000, flight=AA2 client=8, sum(seconds)=40\n");
    ck_assert_uint_eq(reads, 1);
    ck_assert_uint_eq(answer.written, 1);
}
END_TEST

/* However few rows are meant, one call does not look at all of them. */
START_TEST(a_pace) {
    ck_assert(report_query_add_where(&question.query, "client=9", (char[REPORT_WHY_MAX]){0}));
    question.pace = 3;
    ck_assert(report_answer_begin(&answer, &question));
    unsigned calls = 1;
    while (report_answer_write(&answer, SIZE_MAX, &text) == REPORT_ANSWER_MORE) {
        ck_assert_uint_eq(text.len, 0);
        calls++;
    }
    ck_assert_uint_eq(calls, 4); /* three empty windows, twice two rows, the end */
    ck_assert_uint_eq(reads, 2);
}
END_TEST

START_TEST(nothing_at_all) {
    question.query.to_us = LAB_START_US;
    question.format = ROWS_JSON;
    ck_assert_str_eq(write_all(1), "{\"report\":\"billing\",\"window\":\"1min\",\"rows\":[\n],"
                                   "\"why\":\"no rows in that span\"}\n");
    ck_assert_uint_eq(answer.written, 0);
    ck_assert_uint_eq(reads, 0);
}
END_TEST

START_TEST(json_of_several_windows) {
    question.format = ROWS_JSON;
    const char *json = write_all(10);
    ck_assert_ptr_nonnull(strstr(json, "\"rows\":[\n{\"start\":\"2016-05-28T11:14"));
    ck_assert_ptr_nonnull(strstr(json, "}},\n{\"start\":\"2016-05-28T11:15"));
    ck_assert_str_eq(json + strlen(json) - 6, "}}\n]}\n");
}
END_TEST

START_TEST(a_source_that_fails) {
    fails_at = 4;
    ck_assert(report_answer_begin(&answer, &question));
    ck_assert_int_eq(report_answer_write(&answer, SIZE_MAX, &text), REPORT_ANSWER_FAILED);
}
END_TEST

#define FIXTURE ((struct check_fixture){100, set_up, tear_down})
CHECK_MAIN_WITH(FIXTURE, "report_answer", whatever_the_pieces, rows_that_are_meant, a_pace,
                nothing_at_all, json_of_several_windows, a_source_that_fails)
