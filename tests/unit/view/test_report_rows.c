/* Rows of a report in their three forms. The figures' values are given by the tests. */
#include "view/report_rows.h"

#include "tests/unit/check_main.h"

#include <string.h>

#define START_US INT64_C(1464433860000000) /* 2016-05-28 11:11:00 */
#define FIRST_US (START_US + 2100000)

/* ---- stand-ins ---- */

static struct figure_value given[REPORT_SHOW_MAX]; /* by the figure's parameter */

void figure_value(const struct figure *figure, const struct measure *measure, const uint64_t *state,
                  int64_t width_us, struct figure_value *value) {
    (void)measure;
    (void)state;
    ck_assert_int_eq(width_us, 60 * US_PER_S);
    *value = given[(int)figure->parameter];
}

size_t report_key_value(const char *key, size_t key_len, unsigned i, char *buf) {
    const char *at = key, *end = key + key_len;
    for (; i > 0; i--) {
        at = (const char *)memchr(at, REPORT_KEY_SEPARATOR, (size_t)(end - at)) + 1;
    }
    const char *stop = memchr(at, REPORT_KEY_SEPARATOR, (size_t)(end - at));
    const size_t len = (size_t)((stop ? stop : end) - at);
    memcpy(buf, at, len);
    return len;
}

void report_width_name(int64_t width_us, char name[16]) {
    ck_assert_int_eq(width_us, 60 * US_PER_S);
    strcpy(name, "1min");
}

/* ---- the report ---- */

static struct fields_config fields;
static struct report report;
static struct report_form form;
static struct text text;

static void add_figure(const char *name, enum figure_type type, const char *value) {
    const unsigned i = report.figures++;
    strcpy(report.figure[i].text, name);
    report.figure[i].parameter = i;
    given[i] = (struct figure_value){.type = type, .us = FIRST_US, .len = strlen(value)};
    strcpy(given[i].text, value);
}

static void set_up(void) {
    memset(&report, 0, sizeof report);
    fields = (struct fields_config){.n = 3,
                                    .field = {{.name = "seconds", .type = FIELD_INT},
                                              {.name = "flight", .type = FIELD_TEXT},
                                              {.name = "client", .type = FIELD_INT}}};
    strcpy(report.table.name, "billing");
    report.table.widths = 2;
    report.table.width_us[1] = 60 * US_PER_S;
    report.by = 2;
    report.by_field[0] = 1;
    report.by_field[1] = 2;
    add_figure("sum(seconds)", FIGURE_NUMBER, "38");
    add_figure("first", FIGURE_TIME, "");
    form = (struct report_form){.fields = &fields, .report = &report, .width = 1};
    text = (struct text){0};
}

static void tear_down(void) {
    text_free(&text);
}

static const struct report_window window = {START_US, WINDOW_CLOSED};

#define KEY(bytes) .key = bytes, .key_len = sizeof(bytes) - 1
static const struct report_row two_rows[] = {{KEY("AA1\x1f"
                                                  "7")},
                                             {KEY("AA2\x1f"
                                                  "8")}};
static const struct report_row other = {KEY(REPORT_OTHER), .other = true};

static const char *render(enum rows_format format, const struct report_row *row, size_t n) {
    form.format = format;
    text.len = 0;
    report_rows_begin(&form, &text);
    for (size_t i = 0; i < n; i++) {
        report_rows_add(&form, &window, &row[i], i == 0, &text);
    }
    report_rows_end(&form, &text);
    text_add(&text, "", 1);
    ck_assert(!text.failed);
    return text.bytes;
}

START_TEST(text_is_a_line_a_row) {
    ck_assert_str_eq(
        render(ROWS_TEXT, two_rows, 2),
        "2016-05-28 11:11:00.000, flight=AA1 client=7, sum(seconds)=38 first=2016-05-28 "
        "11:11:02.100000\n"
        "2016-05-28 11:11:00.000, flight=AA2 client=8, sum(seconds)=38 first=2016-05-28 "
        "11:11:02.100000\n");
    ck_assert_str_eq(render(ROWS_TEXT, NULL, 0), "");
}
END_TEST

START_TEST(csv_has_a_header) {
    ck_assert_str_eq(render(ROWS_CSV, two_rows, 2),
                     "start,state,flight,client,sum(seconds),first\n"
                     "2016-05-28T11:11:00.000Z,closed,AA1,7,38,2016-05-28T11:11:02.100000Z\n"
                     "2016-05-28T11:11:00.000Z,closed,AA2,8,38,2016-05-28T11:11:02.100000Z\n");
    ck_assert_str_eq(render(ROWS_CSV, NULL, 0), "start,state,flight,client,sum(seconds),first\n");
}
END_TEST

START_TEST(json_is_one_object_with_a_row_a_line) {
    ck_assert_str_eq(
        render(ROWS_JSON, two_rows, 2),
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
    report.figures = 1;
    ck_assert_str_eq(render(ROWS_TEXT, &other, 1),
                     "2016-05-28 11:11:00.000, (other), sum(seconds)=38\n");
    ck_assert_str_eq(render(ROWS_CSV, &other, 1),
                     "start,state,flight,client,sum(seconds)\n"
                     "2016-05-28T11:11:00.000Z,closed,(other),(other),38\n");
    ck_assert_str_eq(render(ROWS_JSON, &other, 1),
                     "{\"report\":\"billing\",\"window\":\"1min\",\"rows\":[\n"
                     "{\"start\":\"2016-05-28T11:11:00.000Z\",\"state\":\"closed\",\"other\":true,"
                     "\"key\":{\"flight\":\"(other)\",\"client\":\"(other)\"},\"values\":{\"sum("
                     "seconds)\":38}}\n]}\n");
}
END_TEST

START_TEST(a_value_that_reads_other_is_told_from_it) {
    const struct report_row row = {KEY("(other)\x1f"
                                       "1")};
    report.figures = 1;
    ck_assert_str_eq(render(ROWS_TEXT, &row, 1),
                     "2016-05-28 11:11:00.000, flight=\"(other)\" client=1, sum(seconds)=38\n");
    ck_assert_ptr_nonnull(strstr(render(ROWS_CSV, &row, 1), ",closed,\\x28other),1,38\n"));
    ck_assert_ptr_null(strstr(render(ROWS_JSON, &row, 1), "\"other\":true"));
}
END_TEST

START_TEST(a_report_without_keys) {
    const struct report_row row = {.key = NULL};
    report.by = 0;
    report.figures = 1;
    ck_assert_str_eq(render(ROWS_TEXT, &row, 1), "2016-05-28 11:11:00.000, sum(seconds)=38\n");
    ck_assert_str_eq(render(ROWS_CSV, &row, 1), "start,state,sum(seconds)\n"
                                                "2016-05-28T11:11:00.000Z,closed,38\n");
    ck_assert_ptr_nonnull(strstr(render(ROWS_JSON, &row, 1), "\"key\":{},\"values\""));
}
END_TEST

START_TEST(keys_of_any_bytes) {
    const struct report_row row = {KEY("a \"b\",\x1b[2J\xff\x1f"
                                       "12345678901234567890")};
    report.figures = 1;
    ck_assert_str_eq(render(ROWS_TEXT, &row, 1),
                     "2016-05-28 11:11:00.000, flight=\"a \\\"b\\\",\\x1b[2J\\xff\" "
                     "client=12345678901234567890, sum(seconds)=38\n");
    ck_assert_ptr_nonnull(
        strstr(render(ROWS_CSV, &row, 1),
               ",closed,\"a \"\"b\"\",\\x1b[2J\\xff\",12345678901234567890,38\n"));
    ck_assert_ptr_nonnull(strstr(render(ROWS_JSON, &row, 1),
                                 "\"key\":{\"flight\":\"a \\\"b\\\",\\u001b[2J\\\\xff\",\"client\":"
                                 "\"12345678901234567890\"}"));
}
END_TEST

START_TEST(figures_of_every_type) {
    report.figures = 0;
    add_figure("min(x,y)", FIGURE_NONE, "");
    add_figure("digest", FIGURE_TEXT, "00ff");
    add_figure("mine(x)", FIGURE_TEXT, "a b\n");
    add_figure("last", FIGURE_TIME, "");
    given[3].us = -1;
    ck_assert_str_eq(render(ROWS_TEXT, two_rows, 1),
                     "2016-05-28 11:11:00.000, flight=AA1 client=7, min(x,y)=- digest=00ff "
                     "mine(x)=\"a b\\x0a\" last=-\n");
    ck_assert_str_eq(render(ROWS_CSV, two_rows, 1),
                     "start,state,flight,client,\"min(x,y)\",digest,mine(x),last\n"
                     "2016-05-28T11:11:00.000Z,closed,AA1,7,,00ff,\"a b\n\",\n");
    ck_assert_ptr_nonnull(strstr(render(ROWS_JSON, two_rows, 1),
                                 "\"values\":{\"min(x,y)\":null,\"digest\":\"00ff\",\"mine(x)\":"
                                 "\"a b\\u000a\",\"last\":null}}"));
}
END_TEST

static int ahead_two_hours(int64_t t_us) {
    (void)t_us;
    return 120;
}

START_TEST(another_zone) {
    static const struct rows_zone zone = {"CEST", ahead_two_hours};
    form.zone = &zone;
    ck_assert_str_eq(render(ROWS_TEXT, two_rows, 1),
                     "2016-05-28 13:11:00.000+02:00, flight=AA1 client=7, sum(seconds)=38 "
                     "first=2016-05-28 13:11:02.100000+02:00\n");
    ck_assert_ptr_nonnull(strstr(render(ROWS_CSV, two_rows, 1),
                                 "\n2016-05-28T13:11:00.000+02:00,closed,AA1,7,38,"
                                 "2016-05-28T13:11:02.100000+02:00\n"));
}
END_TEST

#define FIXTURE ((struct check_fixture){100, set_up, tear_down})
CHECK_MAIN_WITH(FIXTURE, "report_rows", text_is_a_line_a_row, csv_has_a_header,
                json_is_one_object_with_a_row_a_line, the_overflow_row_is_named,
                a_value_that_reads_other_is_told_from_it, a_report_without_keys, keys_of_any_bytes,
                figures_of_every_type, another_zone)
