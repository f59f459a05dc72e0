/* Batches of JSON objects, and of lines with fields, without reports: each is counted at its time
 * or refused, in whatever pieces the body comes. */
#include "server/http/batch.h"

#include "tests/unit/server/http/http_lab.h"

#include <string.h>

static unsigned send_batch(enum content content, const char *body, size_t piece) {
    const size_t len = strlen(body);
    struct request *request = &client.connection.request;
    *request = (struct request){.content = content};
    gather_clear(&client.connection.gather);
    batch_begin(&client.connection);
    for (size_t at = 0; at < len; at += piece) {
        const size_t n = len - at < piece ? len - at : piece;
        request->body_bytes += n;
        batch_read_body(&client.connection, body + at, n);
    }
    client.status = 0;
    ck_assert_int_eq(batch_finish(&client.connection, true), MHD_YES);
    batch_release(&request->batch);
    return client.status;
}

#define OBJECT "{\"value\":\"" TIME "\",\"a\":\"x\\ny\"}"
#define LATE_OBJECT "{\"a\":[1,2],\"time\":\"" LATE "\"}"

static void must_count(enum content content, const char *body) {
    for (size_t piece = 1; piece <= strlen(body) + 1; piece++) {
        const struct shard_tally before = tally();
        ck_assert_uint_eq(send_batch(content, body, piece), 200);
        ck_assert_msg(strncmp(client.body, "{\"accepted\":3,\"rejected\":2,\"errors\":[", 37) == 0,
                      "pieces of %zu: %s", piece, client.body);
        ck_assert_ptr_nonnull(strstr(client.body, "[{\"line\":2,\"reason\":\""));
        ck_assert_ptr_nonnull(strstr(client.body, "{\"line\":4,\"reason\":\"too late by 9 s: it is "
                                                  "10 s ago, the horizon is 1 s\"}]}\n"));
        const struct shard_tally after = tally();
        ck_assert_uint_eq(after.received - before.received, 5);
        ck_assert_uint_eq(after.counted - before.counted, 3);
        ck_assert_uint_eq(after.refused[REFUSAL_MALFORMED] - before.refused[REFUSAL_MALFORMED], 1);
        ck_assert_uint_eq(after.refused[REFUSAL_TOO_LATE] - before.refused[REFUSAL_TOO_LATE], 1);
    }
    ck_assert_uint_eq(read_one(server.counters, RESOLUTION_10MS, T0), 3 * (strlen(body) + 1));
}

START_TEST(an_object_a_line) {
    must_count(CONTENT_JSON_LINES, OBJECT "\n{\"value\":1\n" OBJECT "\r\n" LATE_OBJECT "\n" OBJECT);
}
END_TEST

START_TEST(an_array_of_objects) {
    must_count(CONTENT_JSON,
               " [" OBJECT ",{\"value\":\"x\"},\n" OBJECT " , " LATE_OBJECT "," OBJECT "]\n");
}
END_TEST

START_TEST(lines_with_fields) {
    must_count(CONTENT_USUAL,
               TIME " a=1 b=\"x y\"\n" TIME " a=\"1\n" TIME "\n" LATE " a=1\r\n" TIME " a=2");
}
END_TEST

START_TEST(empty_lines_have_a_number) {
    ck_assert_uint_eq(send_batch(CONTENT_JSON_LINES, "\n\r\n" OBJECT "\n\n x\n", 3), 200);
    ck_assert_msg(
        strncmp(client.body, "{\"accepted\":1,\"rejected\":1,\"errors\":[{\"line\":5,", 47) == 0,
        "%s", client.body);
    ck_assert_uint_eq(tally().received, 2);
}
END_TEST

START_TEST(nothing_at_all) {
    static const enum content kinds[] = {CONTENT_USUAL, CONTENT_JSON, CONTENT_JSON_LINES};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(send_batch(kinds[i], "", 1), 200);
        ck_assert_str_eq(client.body, "{\"accepted\":0,\"rejected\":0,\"errors\":[]}\n");
    }
    ck_assert_uint_eq(send_batch(CONTENT_JSON, " [ ]", 1), 200);
    ck_assert_str_eq(client.body, "{\"accepted\":0,\"rejected\":0,\"errors\":[]}\n");
    ck_assert_uint_eq(tally().received, 0);
}
END_TEST

START_TEST(an_array_that_breaks_off) {
    static const struct {
        const char *body, *answer;
    } rows[] = {
        {"[" OBJECT " " OBJECT "]",
         "{\"accepted\":1,\"rejected\":1,\"errors\":[{\"line\":2,\"reason\":\"expected ',' or ']' "
         "after an object; nothing is counted from here on\"}]}\n"},
        {"[" OBJECT ",",
         "{\"accepted\":1,\"rejected\":1,\"errors\":[{\"line\":2,\"reason\":\"expected an object; "
         "nothing is counted from here on\"}]}\n"},
        {"[" OBJECT ",{\"value\":",
         "{\"accepted\":1,\"rejected\":1,\"errors\":[{\"line\":2,\"reason\":\"an object does not "
         "end; nothing is counted from here on\"}]}\n"},
        {OBJECT "\n" OBJECT,
         "{\"accepted\":0,\"rejected\":1,\"errors\":[{\"line\":1,\"reason\":\"expected '[', the "
         "beginning of an array of objects; nothing is counted from here on\"}]}\n"},
        {"[" OBJECT "] x",
         "{\"accepted\":1,\"rejected\":1,\"errors\":[{\"line\":2,\"reason\":\"something follows "
         "the array's ']'; nothing is counted from here on\"}]}\n"},
        {"[" OBJECT "]]",
         "{\"accepted\":1,\"rejected\":1,\"errors\":[{\"line\":2,\"reason\":\"something follows "
         "the array's ']'; nothing is counted from here on\"}]}\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 1; piece < 100; piece += 7) {
            const struct shard_tally before = tally();
            send_batch(CONTENT_JSON, rows[i].body, piece);
            ck_assert_str_eq(client.body, rows[i].answer);
            const struct shard_tally after = tally();
            ck_assert_uint_eq(after.received - before.received, after.counted - before.counted + 1);
        }
    }
}
END_TEST

static char much[2 * GATHER_MAX];

START_TEST(too_long_for_an_event) {
    static const char *const ends[] = {"\"}\n" OBJECT "\n", "\"}," OBJECT "]",
                                       "\"\n" TIME " a=1\n"};
    static const char *const begins[] = {"{\"a\":\"", "[{\"a\":\"", TIME " a=\""};
    static const enum content kinds[] = {CONTENT_JSON_LINES, CONTENT_JSON, CONTENT_USUAL};
    for (size_t i = 0; i < 3; i++) {
        const size_t begin = strlen(begins[i]);
        memset(much, 'x', sizeof much);
        memcpy(much, begins[i], begin);
        memcpy(much + GATHER_MAX + 10, ends[i], strlen(ends[i]) + 1);
        for (size_t piece = 1000; piece < sizeof much; piece += sizeof much - 2000) {
            ck_assert_uint_eq(send_batch(kinds[i], much, piece), 200);
            ck_assert_msg(strncmp(client.body,
                                  "{\"accepted\":1,\"rejected\":1,\"errors\":[{\"line\":1,",
                                  47) == 0,
                          "%zu: %s", i, client.body);
            ck_assert_ptr_nonnull(strstr(client.body, "longer than 64 KiB"));
        }
    }
}
END_TEST

START_TEST(without_a_time_it_is_refused_unless_arrival_counts) {
    ck_assert_uint_eq(send_batch(CONTENT_JSON_LINES, "{}\n{\"a\":1}", 4), 200);
    ck_assert_ptr_nonnull(strstr(client.body, "{\"accepted\":0,\"rejected\":2,\"errors\":[{"
                                              "\"line\":1,\"reason\":\"no time: one of value, "));
    ck_assert_uint_eq(tally().refused[REFUSAL_MALFORMED], 2);
    server.clock_is_arrival = true;
    ck_assert_uint_eq(send_batch(CONTENT_JSON_LINES, "{}\n{\"a\":1}", 4), 200);
    ck_assert_str_eq(client.body, "{\"accepted\":2,\"rejected\":0,\"errors\":[]}\n");
    ck_assert_uint_eq(read_one(server.counters, RESOLUTION_10MS, NOW_US), 2);
    ck_assert_uint_eq(send_batch(CONTENT_JSON_LINES, LATE_OBJECT "\n{\"value\":\"x\"}\n", 100),
                      200);
    ck_assert_ptr_nonnull(strstr(client.body, "{\"accepted\":1,\"rejected\":1,"));
    ck_assert_uint_eq(read_one(server.counters, RESOLUTION_10MS, NOW_US), 3);
}
END_TEST

START_TEST(of_a_batch_too_large_the_report_says_where_to_go_on) {
    struct request *request = &client.connection.request;
    *request = (struct request){.content = CONTENT_JSON_LINES};
    gather_clear(&client.connection.gather);
    batch_begin(&client.connection);
    static const char body[] = OBJECT "\n" OBJECT "\n{\"val";
    batch_read_body(&client.connection, body, strlen(body));
    request->too_large = true;
    ck_assert_int_eq(batch_finish(&client.connection, true), MHD_YES);
    batch_release(&request->batch);
    ck_assert_str_eq(client.body,
                     "{\"accepted\":2,\"rejected\":0,\"errors\":[],\"truncated\":{\"from_line\":3,"
                     "\"reason\":\"the body is larger than --max-body\"}}\n");
}
END_TEST

HTTP_LAB_MAIN("batch_records", an_object_a_line, an_array_of_objects, lines_with_fields,
              empty_lines_have_a_number, nothing_at_all, an_array_that_breaks_off,
              too_long_for_an_event, without_a_time_it_is_refused_unless_arrival_counts,
              of_a_batch_too_large_the_report_says_where_to_go_on)
