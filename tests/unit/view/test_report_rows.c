/* Rows of a report in their three forms. */
#include "view/report_rows.h"

#include "tests/unit/check_main.h"
#include "tests/unit/view/report_lab.h"

#include <stdio.h>
#include <string.h>

static struct report_form form;
static struct text text;

static void set_up(void) {
    lab_set_up("sum(seconds) first");
    form = (struct report_form){.fields = &lab_fields, .report = &lab_report, .width = 1};
    text = (struct text){0};
}

static void tear_down(void) {
    text_free(&text);
    lab_tear_down();
}

static const struct report_window window = {LAB_START_US, WINDOW_CLOSED};

static const char *render(enum rows_format format, const struct report_row *row, size_t n) {
    form.format = format;
    text.len = 0;
    report_rows_begin(&form, &text);
    for (size_t i = 0; i < n; i++) {
        report_rows_add(&form, &window, &row[i], i == 0, &text);
    }
    report_rows_end(&form, "", &text);
    return lab_string(&text);
}

/* The same of one row. */
static const char *render_one(enum rows_format format, struct report_row row) {
    return render(format, &row, 1);
}

/* Two rows of one event each. */
static const char *render_two(enum rows_format format) {
    const struct report_row rows[] = {lab_row_of("AA1\x1f"
                                                 "7",
                                                 38),
                                      lab_row_of("AA2\x1f"
                                                 "8",
                                                 38)};
    return render(format, rows, 2);
}

START_TEST(text_is_a_line_a_row) {
    ck_assert_str_eq(
        render_two(ROWS_TEXT),
        "2016-05-28 11:11:00.000, flight=AA1 client=7, sum(seconds)=38 first=2016-05-28 "
        "11:11:02.100000\n"
        "2016-05-28 11:11:00.000, flight=AA2 client=8, sum(seconds)=38 first=2016-05-28 "
        "11:11:02.100000\n");
    ck_assert_str_eq(render(ROWS_TEXT, NULL, 0), "");
}
END_TEST

START_TEST(csv_has_a_header) {
    ck_assert_str_eq(render_two(ROWS_CSV),
                     "start,state,flight,client,sum(seconds),first\n"
                     "2016-05-28T11:11:00.000Z,closed,AA1,7,38,2016-05-28T11:11:02.100000Z\n"
                     "2016-05-28T11:11:00.000Z,closed,AA2,8,38,2016-05-28T11:11:02.100000Z\n");
    ck_assert_str_eq(render(ROWS_CSV, NULL, 0), "start,state,flight,client,sum(seconds),first\n");
}
END_TEST

START_TEST(json_is_one_object_with_a_row_a_line) {
    ck_assert_str_eq(
        render_two(ROWS_JSON),
        "{\"report\":\"billing\",\"window\":\"1min\",\"rows\":[\n"
        "{\"start\":\"2016-05-28T11:11:00.000Z\",\"state\":\"closed\",\"key\":{\"flight\":\"AA1\","
        "\"client\":7},\"values\":{\"sum(seconds)\":38,\"first\":\"2016-05-28T11:11:02.100000Z\"}"
        "},\n"
        "{\"start\":\"2016-05-28T11:11:00.000Z\",\"state\":\"closed\",\"key\":{\"flight\":\"AA2\","
        "\"client\":8},\"values\":{\"sum(seconds)\":38,\"first\":\"2016-05-28T11:11:02.100000Z\"}"
        "}\n]}\n");
    ck_assert_str_eq(render(ROWS_JSON, NULL, 0),
                     "{\"report\":\"billing\",\"window\":\"1min\",\"rows\":[\n]}\n");
}
END_TEST

START_TEST(the_overflow_row_is_named) {
    lab_report.figures = 1;
    ck_assert_str_eq(render_one(ROWS_TEXT, lab_row_of(NULL, 38)),
                     "2016-05-28 11:11:00.000, (other), sum(seconds)=38\n");
    ck_assert_str_eq(render_one(ROWS_CSV, lab_row_of(NULL, 38)),
                     "start,state,flight,client,sum(seconds)\n"
                     "2016-05-28T11:11:00.000Z,closed,(other),(other),38\n");
    ck_assert_str_eq(render_one(ROWS_JSON, lab_row_of(NULL, 38)),
                     "{\"report\":\"billing\",\"window\":\"1min\",\"rows\":[\n"
                     "{\"start\":\"2016-05-28T11:11:00.000Z\",\"state\":\"closed\",\"other\":true,"
                     "\"key\":{\"flight\":\"(other)\",\"client\":\"(other)\"},\"values\":{\"sum("
                     "seconds)\":38}}\n]}\n");
}
END_TEST

START_TEST(a_field_that_is_other_is_named) {
    const struct report_row row = lab_row_of("%28other)\x1f"
                                             "(other)",
                                             38);
    lab_report.figures = 1;
    ck_assert_str_eq(
        render_one(ROWS_TEXT, row),
        "2016-05-28 11:11:00.000, flight=\"(other)\" client=(other), sum(seconds)=38\n");
    ck_assert_ptr_nonnull(strstr(render_one(ROWS_CSV, row), ",closed,\\x28other),(other),38\n"));
    ck_assert_ptr_nonnull(
        strstr(render_one(ROWS_JSON, row),
               "\"closed\",\"other\":[\"client\"],\"key\":{\"flight\":\"(other)\","
               "\"client\":\"(other)\"}"));
}
END_TEST

START_TEST(a_value_that_reads_other_is_told_from_it) {
    const struct report_row row = lab_row_of("%28other)\x1f"
                                             "1",
                                             38);
    lab_report.figures = 1;
    ck_assert_str_eq(render_one(ROWS_TEXT, row),
                     "2016-05-28 11:11:00.000, flight=\"(other)\" client=1, sum(seconds)=38\n");
    ck_assert_ptr_nonnull(strstr(render_one(ROWS_CSV, row), ",closed,\\x28other),1,38\n"));
    ck_assert_ptr_null(strstr(render_one(ROWS_JSON, row), "\"other\":true"));
}
END_TEST

START_TEST(a_report_without_keys) {
    const struct report_row row = lab_row_of("", 38);
    lab_report.by = 0;
    lab_report.figures = 1;
    ck_assert_str_eq(render_one(ROWS_TEXT, row), "2016-05-28 11:11:00.000, sum(seconds)=38\n");
    ck_assert_str_eq(render_one(ROWS_CSV, row), "start,state,sum(seconds)\n"
                                                "2016-05-28T11:11:00.000Z,closed,38\n");
    ck_assert_ptr_nonnull(strstr(render_one(ROWS_JSON, row), "\"key\":{},\"values\""));
}
END_TEST

START_TEST(keys_of_any_bytes) {
    const struct report_row row = lab_row_of("a \"b\",%1B[2J\xff\x1f"
                                             "12345678901234567890",
                                             38);
    lab_report.figures = 1;
    ck_assert_str_eq(render_one(ROWS_TEXT, row),
                     "2016-05-28 11:11:00.000, flight=\"a \\\"b\\\",\\x1b[2J\\xff\" "
                     "client=12345678901234567890, sum(seconds)=38\n");
    ck_assert_ptr_nonnull(
        strstr(render_one(ROWS_CSV, row),
               ",closed,\"a \"\"b\"\",\\x1b[2J\\xff\",12345678901234567890,38\n"));
    ck_assert_ptr_nonnull(strstr(render_one(ROWS_JSON, row),
                                 "\"key\":{\"flight\":\"a \\\"b\\\",\\u001b[2J\\\\xff\",\"client\":"
                                 "\"12345678901234567890\"}"));
}
END_TEST

START_TEST(figures_without_a_value) {
    lab_tear_down();
    lab_set_up("min(seconds) avg(seconds) last");
    const struct report_row row = lab_row("AA1\x1f"
                                          "7",
                                          NULL, 0);
    ck_assert_str_eq(render_one(ROWS_TEXT, row), "2016-05-28 11:11:00.000, flight=AA1 client=7, "
                                                 "min(seconds)=- avg(seconds)=- last=-\n");
    ck_assert_str_eq(render_one(ROWS_CSV, row),
                     "start,state,flight,client,min(seconds),avg(seconds),last\n"
                     "2016-05-28T11:11:00.000Z,closed,AA1,7,,,\n");
    ck_assert_ptr_nonnull(
        strstr(render_one(ROWS_JSON, row),
               "\"values\":{\"min(seconds)\":null,\"avg(seconds)\":null,\"last\":null}}"));
}
END_TEST

START_TEST(figures_that_are_numbers) {
    lab_tear_down();
    lab_set_up("count avg(seconds) min(seconds)");
    const struct lab_event events[] = {{LAB_START_US, -1}, {LAB_START_US, 4}};
    const struct report_row row = lab_row("AA1\x1f"
                                          "7",
                                          events, 2);
    ck_assert_str_eq(render_one(ROWS_TEXT, row), "2016-05-28 11:11:00.000, flight=AA1 client=7, "
                                                 "count=2 avg(seconds)=1.50 min(seconds)=-1\n");
    ck_assert_ptr_nonnull(
        strstr(render_one(ROWS_JSON, row),
               "\"values\":{\"count\":2,\"avg(seconds)\":1.50,\"min(seconds)\":-1}}"));
}
END_TEST

START_TEST(lists_of_values_that_came_often) {
    lab_tear_down();
    lab_set_up("top2(seconds) count");
    const struct lab_event events[] = {{LAB_START_US, 5}, {LAB_START_US, 7}, {LAB_START_US, 5}};
    const struct report_row row = lab_row("AA1\x1f"
                                          "7",
                                          events, 3),
                            none = lab_row("AA1\x1f"
                                           "7",
                                           NULL, 0);
    ck_assert_ptr_nonnull(
        strstr(render_one(ROWS_TEXT, row), ", top2(seconds)=[5=2 7=1] count=3\n"));
    ck_assert_ptr_nonnull(strstr(render_one(ROWS_CSV, row), ",AA1,7,5=2 7=1,3\n"));
    ck_assert_ptr_nonnull(strstr(render_one(ROWS_JSON, row),
                                 "{\"top2(seconds)\":[{\"value\":\"5\",\"count\":2,\"error\":0},"
                                 "{\"value\":\"7\",\"count\":1,\"error\":0}],\"count\":3}"));
    ck_assert_ptr_nonnull(strstr(render_one(ROWS_TEXT, none), ", top2(seconds)=- count=-\n"));
}
END_TEST

/* So many different values that the counters do not do: the bounds of a figure stand beside it. */
START_TEST(lists_with_bounds) {
    lab_tear_down();
    lab_set_up("top2(seconds)");
    static struct lab_event events[5000];
    for (int i = 0; i < 5000; i++) {
        events[i] = (struct lab_event){LAB_START_US, i % 2 == 0 ? 5 : i + 10};
    }
    const char *shown = render_one(ROWS_TEXT, lab_row("AA1\x1f"
                                                      "7",
                                                      events, 5000));
    const char *list = strstr(shown, "=[5=2500 ");
    unsigned value, least, most;
    ck_assert_msg(list != NULL, "%s", shown);
    ck_assert_msg(sscanf(list, "=[5=2500 %u=%u..%u]\n", &value, &least, &most) == 3, "%s", shown);
    ck_assert_uint_le(least, 1);
    ck_assert_uint_gt(most, 1);
}
END_TEST

/* Of a store that was tampered with: a year that no calendar has. */
START_TEST(times_of_no_calendar) {
    lab_tear_down();
    lab_set_up("last");
    const struct lab_event event = {INT64_C(253402300800000000), 1};
    ck_assert_ptr_nonnull(strstr(render_one(ROWS_TEXT, lab_row("AA1\x1f"
                                                               "7",
                                                               &event, 1)),
                                 "last=-\n"));
}
END_TEST

static int ahead_two_hours(int64_t t_us) {
    (void)t_us;
    return 120;
}

START_TEST(another_zone) {
    static const struct rows_zone zone = {"CEST", ahead_two_hours};
    form.zone = &zone;
    ck_assert_str_eq(render_one(ROWS_TEXT, lab_row_of("AA1\x1f"
                                                      "7",
                                                      38)),
                     "2016-05-28 13:11:00.000+02:00, flight=AA1 client=7, sum(seconds)=38 "
                     "first=2016-05-28 13:11:02.100000+02:00\n");
    ck_assert_ptr_nonnull(strstr(render_one(ROWS_CSV, lab_row_of("AA1\x1f"
                                                                 "7",
                                                                 38)),
                                 "\n2016-05-28T13:11:00.000+02:00,closed,AA1,7,38,"
                                 "2016-05-28T13:11:02.100000+02:00\n"));
}
END_TEST

#define FIXTURE ((struct check_fixture){100, set_up, tear_down})
CHECK_MAIN_WITH(FIXTURE, "report_rows", text_is_a_line_a_row, csv_has_a_header,
                json_is_one_object_with_a_row_a_line, the_overflow_row_is_named,
                a_field_that_is_other_is_named, a_value_that_reads_other_is_told_from_it,
                a_report_without_keys, keys_of_any_bytes, figures_without_a_value,
                figures_that_are_numbers, times_of_no_calendar, lists_of_values_that_came_often,
                lists_with_bounds, another_zone)
