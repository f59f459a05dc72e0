/* What is written of an event, byte by byte, and what is read of it again. */
#include "eventlog/line.h"
#include "tests/unit/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 INT64_C(1464433871123456) /* 2016-05-28 11:11:11.123456 */

#define TEXT(literal)                                                                              \
    { literal, sizeof(literal) - 1 }

static struct line_clock clock_of_test;

static void must_write(const struct line_event *event, const char *expected) {
    char line[4096];
    ck_assert_uint_le(line_max(event), sizeof line);
    const size_t len = line_write(&clock_of_test, event, line);
    ck_assert_uint_le(len, line_max(event));
    line[len] = '\0';
    ck_assert_str_eq(line, expected);
    struct line_info info;
    ck_assert(line_read(line, len, &info));
    ck_assert_int_eq(info.time_us, event->timed ? event->time_us : event->arrival_us);
    ck_assert_int_eq(info.refused, event->refused != NULL);
}

START_TEST(each_kind_of_event) {
    static const struct line_header headers[] = {{"X-Tenant", TEXT("a\"b")}, {"X-Two", TEXT("2")}};
    static const struct {
        struct line_event event;
        const char *line;
    } rows[] = {
        {{.timed = true, .time_us = T0, .arrival_us = T0 + 312},
         "{\"time\":\"2016-05-28T11:11:11.123456Z\",\"lag_us\":312}\n"},
        {{.timed = true, .time_us = T0, .arrival_us = T0 - 1},
         "{\"time\":\"2016-05-28T11:11:11.123456Z\",\"lag_us\":-1}\n"},
        {{.timed = true, .time_us = 0, .arrival_us = T0, .form = TEXT("value=1&route=%2Fpay")},
         "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"lag_us\":1464433871123456,"
         "\"form\":\"value=1&route=%2Fpay\"}\n"},
        {{.timed = true,
          .time_us = T0,
          .arrival_us = T0,
          .json = TEXT(" {\"a\":\n1,\r\n\"b\":2}\n ")},
         "{\"time\":\"2016-05-28T11:11:11.123456Z\",\"lag_us\":0,\"json\":{\"a\": 1,  \"b\":2}}\n"},
        {{.timed = true,
          .time_us = T0,
          .arrival_us = T0,
          .carries = true,
          .carried_us = T0 - 1000000,
          .query = TEXT("a=1"),
          .line = TEXT("x y=\"\t\""),
          .headers = 2,
          .header = headers},
         "{\"time\":\"2016-05-28T11:11:11.123456Z\",\"lag_us\":0,"
         "\"carried\":\"2016-05-28T11:11:10.123456Z\",\"query\":\"a=1\",\"line\":\"x "
         "y=\\\"\\u0009\\\"\",\"header\":{\"X-Tenant\":\"a\\\"b\",\"X-Two\":\"2\"}}\n"},
        {{.timed = true, .time_us = T0, .arrival_us = T0 + 9, .refused = "too_late"},
         "{\"time\":\"2016-05-28T11:11:11.123456Z\",\"lag_us\":9,\"refused\":\"too_late\"}\n"},
        {{.arrival_us = T0,
          .refused = "malformed",
          .why = "no time",
          .text = TEXT("{\\\x80\xc3\xa9")},
         "{\"arrival\":\"2016-05-28T11:11:11.123456Z\",\"refused\":\"malformed\",\"why\":\"no "
         "time\",\"text\":\"{\\\\\\udc80\xc3\xa9\"}\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        must_write(&rows[i].event, rows[i].line);
    }
}
END_TEST

START_TEST(the_short_way_writes_the_same) {
    for (int64_t i = 0; i < 4000; i++) {
        const int64_t us = i * i * i * 11 + 5, arrival_us = us + i % 7 * 100000 - 3;
        const struct line_event event = {.timed = true, .time_us = us, .arrival_us = arrival_us};
        char line[256], same[LINE_TIME_MAX];
        const size_t len = line_write(&clock_of_test, &event, line);
        ck_assert_uint_le(len, LINE_TIME_MAX);
        ck_assert_uint_eq(line_write_time(&clock_of_test, us, arrival_us, same), len);
        ck_assert(memcmp(line, same, len) == 0);
    }
    char line[LINE_TIME_MAX];
    ck_assert_uint_le(line_write_time(&clock_of_test, INT64_C(253402300799999999), 0, line),
                      LINE_TIME_MAX);
}
END_TEST

START_TEST(the_most_bytes_are_enough) {
    char text[300], line[4096];
    for (int c = 0; c < 256; c++) {
        memset(text, c, sizeof text);
        const struct line_event event = {.arrival_us = T0,
                                         .refused = "malformed",
                                         .why = "because",
                                         .query = {text, 100},
                                         .form = {text, 100},
                                         .text = {text, sizeof text}};
        ck_assert_uint_le(line_max(&event), sizeof line);
        ck_assert_uint_le(line_write(&clock_of_test, &event, line), line_max(&event));
    }
}
END_TEST

START_TEST(what_is_no_line_is_not_read) {
    static const char *const rows[] = {"",
                                       "{",
                                       "{}",
                                       "{\"time\":\"",
                                       "{\"time\":\"2016-05-28T11:11:11.123456Z",
                                       "{\"time\":\"2016-05-28T11:11:11.123456Z\"}",
                                       "{\"time\":\"2016-05-28T11:11:11.123456Z\",\"lag_us\":",
                                       "{\"time\":\"2016-13-28T11:11:11.123456Z\",\"lag_us\":1}",
                                       "{\"time\":\"2016-02-30T11:11:11.123456Z\",\"lag_us\":1}",
                                       "{\"time\":\"2016-05-28 11:11:11.123456Z\",\"lag_us\":1}",
                                       "{\"time\":\"2016-05-28T11:11:11.12345xZ\",\"lag_us\":1}",
                                       "{\"arrival\":\"2016-05-28T11:11:11.123456Z",
                                       "{\"arrival\":\"2016-05-28T11:11:11.123456Z\"",
                                       "{\"arrival\":\"2016-05-28T11:11:11.123456Z\"}"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct line_info info;
        char *exact = malloc(strlen(rows[i]) + 1); /* so that a sanitizer sees one byte too far */
        memcpy(exact, rows[i], strlen(rows[i]));
        ck_assert_msg(!line_read(exact, strlen(rows[i]), &info), "%s", rows[i]);
        free(exact);
    }
}
END_TEST

START_TEST(the_time_alone_is_read_as_the_whole_is) {
    struct line_clock clock = {0};
    struct line_second second = {.known = false};
    uint64_t random = 7;
    char line[256];
    for (int i = 0; i < 20000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        const uint64_t drawn = random >> 11;
        const struct line_event event = {.timed = drawn % 16 > 0,
                                         .refused = drawn % 16 < 2 ? "malformed" : NULL,
                                         .time_us = T0 + (int64_t)(drawn >> 20) % 3000000,
                                         .arrival_us = T0 + i};
        const size_t len = line_write(&clock, &event, line);
        line[drawn / 16 % 8 == 0 ? drawn / 128 % 36 : len] = '\0'; /* an eighth is spoilt */
        struct line_info info;
        int64_t us;
        if (line_read(line, len, &info)) {
            ck_assert(line_read_time(&second, line, len, &us));
            ck_assert_int_eq(us, info.time_us);
        } else {
            ck_assert(!line_read_time(&second, line, len, &us));
        }
    }
}
END_TEST

START_TEST(lines_of_a_text) {
    static const struct {
        const char *text;
        size_t len;
        uint64_t lines;
        size_t whole;
    } texts[] = {{"", 0, 0, 0},         {"a", 1, 0, 0},    {"\n", 1, 1, 1},
                 {"a\nb\n", 4, 2, 4},   {"a\nb", 3, 1, 2}, {"a\n\0\n", 4, 2, 2},
                 {"a\nb\0\n", 5, 2, 2}, {"\0\n", 2, 1, 0}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_uint_eq(line_count(texts[i].text, texts[i].len), texts[i].lines);
        ck_assert_uint_eq(line_find_whole(texts[i].text, texts[i].len), texts[i].whole);
    }
}
END_TEST

/* An object of any length, with a line end at any place of it, and blanks around it: no other byte
 * is read or changed. */
START_TEST(a_line_end_anywhere_in_an_object_is_a_blank) {
    for (size_t len = 2; len < 70; len++) {
        for (size_t at = 1; at < len; at++) { /* len - 1: none */
            char line[256], expected[256];
            char *text = malloc(len);
            memset(text, 'x', len);
            text[0] = '{';
            text[at] = at % 2 ? '\n' : '\r';
            text[len - 1] = '}';
            const struct line_event event = {.timed = true, .json = {text, len}};
            int n = sprintf(expected,
                            "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"lag_us\":0,\"json\":");
            for (size_t i = 0; i < len; i++) {
                expected[n++] = text[i] == '\n' || text[i] == '\r' ? ' ' : text[i];
            }
            const size_t written = line_write(&clock_of_test, &event, line);
            ck_assert_uint_eq(written, (size_t)n + 2);
            ck_assert(memcmp(line, expected, (size_t)n) == 0);
            ck_assert(memcmp(line + n, "}\n", 2) == 0);
            free(text);
        }
    }
}
END_TEST

static void check_lag(int64_t lag_us) {
    char line[LINE_TIME_MAX + 1], expected[64];
    snprintf(expected, sizeof expected, "\"lag_us\":%lld}\n", (long long)lag_us);
    line[line_write_time(&clock_of_test, T0, T0 + lag_us, line)] = '\0';
    ck_assert_str_eq(strstr(line, "\"lag_us\""), expected);
}

START_TEST(numbers_of_any_length) {
    for (int64_t power = 1; power <= INT64_C(100000000000000000); power *= 10) {
        for (int64_t by = -1; by <= 1; by++) {
            check_lag(power + by);
            check_lag(-(power + by));
            check_lag(power / 3 * by);
        }
    }
}
END_TEST

/* A time that is refused may be of any year. */
START_TEST(a_year_beyond_four_digits_stays_within_them) {
    static const int64_t days[] = {-719529, -719528 - 1000000, 3000000, 100000000};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        char line[LINE_TIME_MAX];
        struct line_clock clock = {0};
        const int64_t us = days[i] * 86400 * 1000000;
        line_write_time(&clock, us, us, line);
        ck_assert_uint_eq(strspn(line + 9, "0123456789"), 4);
    }
}
END_TEST

CHECK_MAIN("eventlog_line", a_line_end_anywhere_in_an_object_is_a_blank, numbers_of_any_length,
           a_year_beyond_four_digits_stays_within_them, the_time_alone_is_read_as_the_whole_is,
           each_kind_of_event, the_short_way_writes_the_same, the_most_bytes_are_enough,
           what_is_no_line_is_not_read, lines_of_a_text)
