#include "view/windows.h"

#include "tests/unit/check_main.h"

#include <string.h>

#define START_US INT64_C(1464433871120000) /* 2016-05-28 11:11:11.120 */

static const struct rows_zone *zone; /* of what is rendered */

/* Writes `n` rows whole into `out` (NUL-terminated); each call's result must keep its promised
 * bound. */
static void render(enum rows_format format, enum resolution r, const struct row *rows, size_t n,
                   char *out) {
    char buf[ROWS_ROW_MAX + 1];
    const struct rows_form form = {format, r, zone};
    size_t used = rows_begin(&form, out);
    for (size_t i = 0; i < n; i++) {
        buf[ROWS_ROW_MAX] = '!';
        const size_t len = rows_row(&form, &rows[i], i == 0, buf);
        ck_assert_uint_le(len, ROWS_ROW_MAX);
        ck_assert_int_eq(buf[ROWS_ROW_MAX], '!');
        memcpy(out + used, buf, len);
        used += len;
    }
    used += rows_end(&form, out + used);
    out[used] = '\0';
}

static const struct row two_rows[] = {
    {START_US / 10000, 122, WINDOW_CLOSED},
    {START_US / 10000 + 1, 0, WINDOW_OPEN},
};

START_TEST(text_is_the_line_of_the_issue) {
    char out[1024];
    render(ROWS_TEXT, RESOLUTION_10MS, two_rows, 2, out);
    ck_assert_str_eq(out, "2016-05-28 11:11:11.120, 122\n2016-05-28 11:11:11.130, 0\n");
}
END_TEST

START_TEST(csv_has_a_header_and_the_state) {
    char out[1024];
    render(ROWS_CSV, RESOLUTION_10MS, two_rows, 2, out);
    ck_assert_str_eq(out, "start "
                          "(UTC),count,state\n2016-05-28T11:11:11.120Z,122,closed\n2016-05-28T11:"
                          "11:11.130Z,0,open\n");
    render(ROWS_CSV, RESOLUTION_1S, NULL, 0, out);
    ck_assert_str_eq(out, "start (UTC),count,state\n");
}
END_TEST

START_TEST(json_is_one_object_with_a_window_a_line) {
    char out[1024];
    render(ROWS_JSON, RESOLUTION_10MS, two_rows, 2, out);
    ck_assert_str_eq(
        out, "{\"resolution\":\"10ms\",\"zone\":\"UTC\",\"windows\":[\n"
             "{\"start\":\"2016-05-28T11:11:11.120Z\",\"count\":122,\"state\":\"closed\"},\n"
             "{\"start\":\"2016-05-28T11:11:11.130Z\",\"count\":0,\"state\":\"open\"}\n]}\n");
    render(ROWS_JSON, RESOLUTION_1MIN, NULL, 0, out);
    ck_assert_str_eq(out, "{\"resolution\":\"1min\",\"zone\":\"UTC\",\"windows\":[\n]}\n");
}
END_TEST

#define OPENMETRICS_HEAD                                                                           \
    "# HELP aforo_window_events Events counted in a window, at its start.\n"                       \
    "# TYPE aforo_window_events gauge\n"

START_TEST(openmetrics_has_final_windows_alone) {
    char out[1024];
    const struct row rows[] = {{START_US / 10000 - 1, 0, WINDOW_FINAL},
                               {START_US / 10000, UINT64_MAX, WINDOW_FINAL},
                               {START_US / 10000 + 1, 7, WINDOW_CLOSED},
                               {START_US / 10000 + 2, 8, WINDOW_OPEN}};
    render(ROWS_OPENMETRICS, RESOLUTION_10MS, rows, 4, out);
    ck_assert_str_eq(
        out, OPENMETRICS_HEAD
        "aforo_window_events{resolution=\"10ms\"} 0 1464433871.110\n"
        "aforo_window_events{resolution=\"10ms\"} 18446744073709551615 1464433871.120\n# EOF\n");
    render(ROWS_OPENMETRICS, RESOLUTION_1MIN, NULL, 0, out);
    ck_assert_str_eq(out, OPENMETRICS_HEAD "# EOF\n");
}
END_TEST

START_TEST(every_resolution_and_the_extremes_fit) {
    char out[1024];
    const struct row most = {INT64_C(253402300799) / 60, UINT64_MAX, WINDOW_CLOSED};
    render(ROWS_TEXT, RESOLUTION_1MIN, &most, 1, out);
    ck_assert_str_eq(out, "9999-12-31 23:59:00.000, 18446744073709551615\n");
    for (int f = ROWS_TEXT; f <= ROWS_JSON; f++)
        render((enum rows_format)f, RESOLUTION_1MIN, &most, 1, out);
    const struct row least = {0, 1, WINDOW_FINAL};
    render(ROWS_TEXT, RESOLUTION_1S, &least, 1, out);
    ck_assert_str_eq(out, "1970-01-01 00:00:00.000, 1\n");
    const struct row leap_day = {INT64_C(1709251199), 7, WINDOW_FINAL};
    render(ROWS_CSV, RESOLUTION_1S, &leap_day, 1, out);
    ck_assert_str_eq(out, "start (UTC),count,state\n2024-02-29T23:59:59.000Z,7,final\n");
}
END_TEST

static int ahead_two_hours_in_may(int64_t t_us) {
    return t_us < START_US + 10000 ? 120 : -(3 * 60 + 30);
}

START_TEST(another_zone_is_named_and_every_time_has_its_offset) {
    static const struct rows_zone there = {"CET/CEST", ahead_two_hours_in_may};
    char out[1024], time[ROWS_TIME_MAX];
    zone = &there;
    render(ROWS_TEXT, RESOLUTION_10MS, two_rows, 2, out);
    ck_assert_str_eq(out, "2016-05-28 13:11:11.120+02:00, 122\n2016-05-28 07:41:11.130-03:30, 0\n");
    render(ROWS_CSV, RESOLUTION_10MS, two_rows, 1, out);
    ck_assert_str_eq(out,
                     "start (CET/CEST),count,state\n2016-05-28T13:11:11.120+02:00,122,closed\n");
    render(ROWS_JSON, RESOLUTION_10MS, two_rows, 1, out);
    ck_assert_str_eq(
        out,
        "{\"resolution\":\"10ms\",\"zone\":\"CET/CEST\",\"windows\":[\n"
        "{\"start\":\"2016-05-28T13:11:11.120+02:00\",\"count\":122,\"state\":\"closed\"}\n]}\n");
    const struct rows_form form = {ROWS_JSON, RESOLUTION_10MS, &there};
    rows_time(&form, START_US, time);
    ck_assert_str_eq(time, "2016-05-28 13:11:11.120+02:00"); /* whatever the format */
    const struct rows_zone widest = {"1234567890123456789012345678901", ahead_two_hours_in_may};
    const struct row most = {INT64_C(253402300799) / 60, UINT64_MAX, WINDOW_CLOSED};
    zone = &widest;
    for (int f = ROWS_TEXT; f <= ROWS_JSON; f++)
        render((enum rows_format)f, RESOLUTION_1MIN, &most, 1, out);
    zone = NULL;
}
END_TEST

START_TEST(formats_are_found_by_name) {
    enum rows_format format = ROWS_TEXT;
    ck_assert(rows_format_by_name("json", &format));
    ck_assert_int_eq(format, ROWS_JSON);
    ck_assert(rows_format_by_name("csv", &format));
    ck_assert_int_eq(format, ROWS_CSV);
    ck_assert(rows_format_by_name("text", &format));
    ck_assert_int_eq(format, ROWS_TEXT);
    ck_assert(!rows_format_by_name("CSV", &format));
    ck_assert(!rows_format_by_name("", &format));
    ck_assert(!rows_format_by_name("jsonl", &format));
}
END_TEST

/* A window is open up to its end, closed while now - horizon still lies before its end, and final
 * from then on. */
START_TEST(states_change_at_the_microsecond) {
    const int64_t horizon_us = 3600 * US_PER_S;
    const int64_t width_us = resolution_table[_i].width_us;
    const int64_t window = START_US / width_us;
    const int64_t end_us = (window + 1) * width_us;
    const enum resolution r = (enum resolution)_i;
    ck_assert_int_eq(window_state_at(r, window, end_us - width_us - 1, horizon_us), WINDOW_OPEN);
    ck_assert_int_eq(window_state_at(r, window, end_us - 1, horizon_us), WINDOW_OPEN);
    ck_assert_int_eq(window_state_at(r, window, end_us, horizon_us), WINDOW_CLOSED);
    ck_assert_int_eq(window_state_at(r, window, end_us + horizon_us - 1, horizon_us),
                     WINDOW_CLOSED);
    ck_assert_int_eq(window_state_at(r, window, end_us + horizon_us, horizon_us), WINDOW_FINAL);
    ck_assert_str_eq(window_state_name(WINDOW_OPEN), "open");
    ck_assert_str_eq(window_state_name(WINDOW_CLOSED), "closed");
    ck_assert_str_eq(window_state_name(WINDOW_FINAL), "final");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("windows");
    TCase *tcase = tcase_create("windows");
    tcase_add_test(tcase, text_is_the_line_of_the_issue);
    tcase_add_test(tcase, csv_has_a_header_and_the_state);
    tcase_add_test(tcase, json_is_one_object_with_a_window_a_line);
    tcase_add_test(tcase, openmetrics_has_final_windows_alone);
    tcase_add_test(tcase, every_resolution_and_the_extremes_fit);
    tcase_add_test(tcase, another_zone_is_named_and_every_time_has_its_offset);
    tcase_add_test(tcase, formats_are_found_by_name);
    tcase_add_loop_test(tcase, states_change_at_the_microsecond, 0, RESOLUTIONS);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
