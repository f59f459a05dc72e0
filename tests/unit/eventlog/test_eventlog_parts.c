/* What line_write has written, taken apart again; and what line_scan finds, as line_read does. */
#include "eventlog/parts.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <stdio.h>
#include <string.h>

#define SENT_US INT64_C(1464433871123456) /* 2016-05-28 11:11:11.123456 */
#define TEXT(literal)                                                                              \
    { literal, sizeof(literal) - 1 }

static struct line_clock clock_of_test;

static void must_be(const struct line_text *found, const struct line_text *expected) {
    ck_assert_int_eq(found->text != NULL, expected->text != NULL);
    ck_assert_uint_eq(found->len, expected->len);
    if (expected->len > 0) {
        ck_assert_mem_eq(found->text, expected->text, expected->len);
    }
}

/* What line_scan_object finds is what line_scan does; it finds no more than that. */
static void must_agree(const struct line_reader *reader, const char *line, size_t len) {
    struct line_reader same = *reader;
    struct line_found found, object;
    if (line_scan_object(reader, line, len, &object)) {
        line_scan(&same, line, len, &found);
        ck_assert_int_eq(found.kind, LINE_EVENT);
        ck_assert_int_eq(object.kind, LINE_EVENT);
        ck_assert_int_eq(object.time_us, found.time_us);
        ck_assert_int_eq(object.lag_us, found.lag_us);
        ck_assert_uint_eq(object.at, found.at + strlen(",\"json\":"));
    }
}

static void must_come_back(const struct line_event *event) {
    static char line[32768], room[32768];
    const size_t len = line_write(&clock_of_test, event, line);
    struct line_reader reader = {.known = false};
    struct line_found found;
    struct line_parts parts;
    for (int again = 0; again < 2; again++) { /* the second is known then */
        const bool object = line_scan_object(&reader, line, len, &found);
        ck_assert(object == (again && event->timed && event->json.text && !event->refused &&
                             !event->carries && !event->query.text && !event->form.text));
        must_agree(&reader, line, len);
        line_scan(&reader, line, len, &found);
        ck_assert_uint_eq(found.len, len);
        ck_assert_int_eq(found.time_us, event->timed ? event->time_us : event->arrival_us);
        ck_assert_int_eq(found.lag_us, event->timed ? event->arrival_us - event->time_us : 0);
        ck_assert(line_read_parts(line, len, found.at, room, &parts));
        must_be(&parts.query, &event->query);
        must_be(&parts.form, &event->form);
        must_be(&parts.json, &event->json);
        must_be(&parts.line, &event->line);
        ck_assert_uint_eq(parts.headers, event->headers);
        for (unsigned i = 0; i < event->headers; i++) {
            must_be(&parts.header[i].value, &event->header[i].value);
            ck_assert_uint_eq(parts.header[i].name.len, strlen(event->header[i].name));
        }
        const bool bare = event->timed && !event->refused && !event->query.text &&
                          !event->form.text && !event->json.text && !event->line.text &&
                          event->headers == 0;
        ck_assert_int_eq(found.kind, event->refused ? LINE_REFUSED : bare ? LINE_TIME : LINE_EVENT);
    }
}

START_TEST(each_part_comes_back_as_it_was_sent) {
    static const struct line_header headers[] = {{"X-Tenant", TEXT("a\"}}b\\")},
                                                 {"X-Two", TEXT("")}};
    static const struct line_event rows[] = {
        {.timed = true, .time_us = SENT_US, .arrival_us = SENT_US + 312},
        {.timed = true, .time_us = SENT_US, .arrival_us = SENT_US - 7},
        {.timed = true,
         .time_us = 5,
         .arrival_us = SENT_US,
         .form = TEXT("value=1&a=%2F\"\\\n\x01\x7f")},
        {.timed = true,
         .time_us = SENT_US,
         .arrival_us = SENT_US,
         .form = TEXT("\x80\xff\xc3\xa9\xed\xa0\x80")},
        {.timed = true,
         .time_us = SENT_US,
         .arrival_us = SENT_US,
         .json = TEXT("{\"a\":\"}\\\"{\",\"b\":2}")},
        {.timed = true, .time_us = SENT_US, .arrival_us = SENT_US, .json = TEXT("{\"a\":\"b\"}")},
        {.timed = true,
         .time_us = SENT_US,
         .arrival_us = SENT_US,
         .json = TEXT("{\"a\":1,\"header\":{\"a\":\"b\"}}")},
        {.timed = true,
         .time_us = SENT_US,
         .arrival_us = SENT_US,
         .json = TEXT("{\"a\":1,\"header\":{\"a\":\"b\"}}"),
         .headers = 2,
         .header = headers},
        {.timed = true, .time_us = SENT_US, .arrival_us = SENT_US, .headers = 1, .header = headers},
        {.timed = true,
         .time_us = SENT_US,
         .arrival_us = SENT_US,
         .carries = true,
         .carried_us = SENT_US - 1,
         .query = TEXT("a=1&b=%20"),
         .line = TEXT("x y=\"\t\""),
         .headers = 2,
         .header = headers},
        {.timed = true,
         .time_us = SENT_US,
         .arrival_us = SENT_US + 9,
         .refused = "too_late",
         .json = TEXT("{\"time\":1}")},
        {.arrival_us = SENT_US,
         .refused = "malformed",
         .why = "no \"time\"",
         .form = TEXT("value=x")},
        {.arrival_us = SENT_US, .refused = "malformed", .why = "bytes", .text = TEXT("{\\\x80")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        must_come_back(&rows[i]);
    }
}
END_TEST

START_TEST(any_bytes_come_back) {
    uint64_t random = 11;
    for (int i = 0; i < 20000; i++) {
        char bytes[64];
        const size_t len = next_random(&random) % sizeof bytes;
        for (size_t k = 0; k < len; k++) {
            bytes[k] = (char)(next_random(&random) >> 8);
        }
        const struct line_event event = {.timed = true,
                                         .time_us = SENT_US + i,
                                         .arrival_us = SENT_US,
                                         .query = {bytes, len},
                                         .form = {bytes, len / 2},
                                         .line = {bytes, len / 3}};
        must_come_back(&event);
    }
}
END_TEST

/* Whatever a byte is changed to: the same as line_read, and nothing beyond the line is read. */
START_TEST(what_is_no_line_is_found_to_be_none) {
    const struct line_event event = {.timed = true,
                                     .time_us = SENT_US,
                                     .arrival_us = SENT_US + 312,
                                     .json = TEXT("{\"a\":[{}]}")};
    const struct line_event bare = {.timed = true, .time_us = SENT_US, .arrival_us = SENT_US + 312};
    struct line_reader known = {.known = false};
    struct line_found found;
    char line[256];
    size_t len = line_write(&clock_of_test, &bare, line);
    line_scan(&known, line, len, &found);
    len = line_write(&clock_of_test, &event, line);
    for (size_t at = 0; at + 1 < len; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char changed[256], room[256];
            struct line_info info;
            struct line_parts parts;
            memcpy(changed, line, len);
            changed[at] = (char)byte;
            const bool read = line_read(changed, byte == '\n' ? at : len - 1, &info);
            struct line_reader fresh = {.known = false}, same = known;
            line_scan(&fresh, changed, len, &found);
            ck_assert_msg((found.kind != LINE_WRONG) == read, "byte %zu: %u", at, byte);
            if (read) {
                ck_assert_int_eq(found.time_us, info.time_us);
                line_read_parts(changed, found.len, found.at, room, &parts);
            }
            must_agree(&same, changed, len);
            line_scan(&same, changed, len, &found);
            ck_assert_msg(read ? found.kind != LINE_WRONG && found.time_us == info.time_us
                               : found.kind == LINE_WRONG,
                          "known second, byte %zu: %u", at, byte);
        }
    }
}
END_TEST

START_TEST(a_line_that_is_cut_anywhere_is_no_harm) {
    const struct line_event event = {.timed = true,
                                     .time_us = SENT_US,
                                     .arrival_us = SENT_US + 312,
                                     .query = TEXT("a\"b"),
                                     .json = TEXT("{\"a\":[{}]}")};
    char line[256];
    const size_t len = line_write(&clock_of_test, &event, line);
    for (size_t cut = 1; cut < len; cut++) {
        char *exact = malloc(cut), *room = malloc(cut);
        struct line_reader reader = {.known = false};
        struct line_found found;
        struct line_parts parts;
        memcpy(exact, line, cut);
        line_scan(&reader, exact, cut, &found);
        ck_assert_uint_eq(found.len, cut);
        if (found.kind != LINE_WRONG) {
            const bool read = line_read_parts(exact, cut, found.at, room, &parts);
            ck_assert(read || cut < len - 1);
        }
        free(exact);
        free(room);
    }
}
END_TEST

START_TEST(as_many_headers_as_there_can_be) {
    static char names[LINE_HEADERS_MAX][16];
    static struct line_header headers[LINE_HEADERS_MAX];
    for (unsigned i = 0; i < LINE_HEADERS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "X-%u", i);
        headers[i] = (struct line_header){names[i], {names[i], strlen(names[i])}};
    }
    must_come_back(&(const struct line_event){.timed = true,
                                              .time_us = SENT_US,
                                              .arrival_us = SENT_US,
                                              .headers = LINE_HEADERS_MAX,
                                              .header = headers});
}
END_TEST

CHECK_MAIN("eventlog_parts", each_part_comes_back_as_it_was_sent, as_many_headers_as_there_can_be,
           any_bytes_come_back, what_is_no_line_is_found_to_be_none,
           a_line_that_is_cut_anywhere_is_no_harm)
