/* One event a request that is a JSON object. */
#include "server/http/event.h"

#include "tests/unit/server/http/http_lab.h"

#include <string.h>

static unsigned send_event(const char *query, const char *body, size_t piece) {
    struct connection *connection = &client.connection;
    const size_t len = strlen(body);
    connection->request = (struct request){.content = CONTENT_JSON};
    connection->query = (struct request_query){.outcome = FORM_EMPTY};
    connection->why[0] = '\0';
    if (query) {
        connection->target.query = query;
        event_read_query(connection);
    }
    gather_clear(&connection->gather);
    event_begin(connection);
    for (size_t at = 0; at < len; at += piece) {
        const size_t n = len - at < piece ? len - at : piece;
        event_read_body(connection, body + at, n, n == len);
    }
    client.status = 0;
    ck_assert_int_eq(event_finish(connection), MHD_YES);
    return client.status;
}

START_TEST(the_time_is_in_the_query_or_in_the_object) {
    static const struct {
        const char *query, *body;
        unsigned status;
    } rows[] = {
        {NULL, "{\"value\":\"" TIME "\"}", 204},
        {NULL, " {\"a\":{\"value\":1},\"timestamp\":\"" TIME "\"}\n", 204},
        {NULL, "{\"@timestamp\":\"" TIME "\"}", 204},
        {NULL, "{\"time\":1464433871}", 204},
        {NULL, "{\"date\":\"" TIME "\"}", 204},
        {"a=b", "{\"value\":\"" TIME "\"}", 204},
        {"value=" IN_QUERY, "{\"a\":1}", 204},
        {"value=" IN_QUERY, "", 204},
        {"value=" IN_QUERY, "{\"value\":\"" TIME "\"}", 400},
        {"value=x", "{}", 400},
        {NULL, "{\"value\":\"x\"}", 400},
        {NULL, "{\"value\":\"" TIME "\",\"value\":\"" TIME "\"}", 400},
        {NULL, "{\"value\":\"" TIME "\"", 400},
        {NULL, "value=" TIME, 400},
        {NULL, "[{\"value\":\"" TIME "\"}]", 400},
        {NULL, "{\"value\":\"" LATE "\"}", 422},
        {NULL, "{\"value\":\"" AHEAD "\"}", 422},
    };
    uint64_t counted = 0, refused = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 1; piece <= 100; piece += 99) {
            const unsigned status = send_event(rows[i].query, rows[i].body, piece);
            ck_assert_msg(status == rows[i].status, "%zu: %u %s", i, status, client.body);
            counted += status == 204;
            refused += status != 204;
            ck_assert_uint_eq(read_one(server.counters, RESOLUTION_10MS, T0), counted);
            ck_assert(status == 204 || client.body[strlen(client.body) - 1] == '\n');
        }
    }
    const struct shard_tally sum = tally();
    ck_assert_uint_eq(sum.counted, counted);
    ck_assert_uint_eq(sum.received, counted + refused);
    ck_assert_uint_eq(sum.refused[REFUSAL_MALFORMED], refused - 4);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_events), counted);
}
END_TEST

START_TEST(without_a_time_it_counts_now_or_is_refused) {
    ck_assert_uint_eq(send_event(NULL, "", 1), 204);
    ck_assert_uint_eq(send_event(NULL, "{}", 1), 400);
    ck_assert_uint_eq(send_event(NULL, "{\"valeu\":1}", 1), 400);
    ck_assert_uint_eq(send_event("a=b", "{\"a\":1}", 1), 400);
    ck_assert_str_eq(client.body, "no time: one of value, timestamp, @timestamp, time, date "
                                  "(--time-field names others); --clock arrival needs none\n");
    ck_assert_uint_eq(tally().counted, 1);
    ck_assert_uint_eq(tally().refused[REFUSAL_MALFORMED], 3);
    server.clock_is_arrival = true;
    ck_assert_uint_eq(send_event(NULL, "{}", 1), 204);
    ck_assert_uint_eq(send_event(NULL, "{\"a\":1}", 1), 204);
    ck_assert_uint_eq(send_event(NULL, "{\"value\":\"x\"}", 1), 400);
    ck_assert_uint_eq(tally().counted, 3);
    ck_assert_uint_eq(read_one(server.counters, RESOLUTION_10MS, T0), 0);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_events), 0);
}
END_TEST

START_TEST(it_has_a_bound) {
    static char body[GATHER_MAX + 100];
    memset(body, ' ', sizeof body - 1);
    memcpy(body, "{\"value\":\"" TIME "\"}", strlen("{\"value\":\"" TIME "\"}"));
    body[GATHER_MAX] = '\0';
    ck_assert_uint_eq(send_event(NULL, body, 1000), 204);
    body[GATHER_MAX] = ' ';
    ck_assert_uint_eq(send_event(NULL, body, 1000), 400);
    ck_assert_str_eq(client.body, "body: an event is longer than 64 KiB\n");
    ck_assert_uint_eq(send_event(NULL, "{\"value\":\"" TIME "\"}", 1000), 204);
}
END_TEST

HTTP_LAB_MAIN("event_fields", the_time_is_in_the_query_or_in_the_object,
              without_a_time_it_counts_now_or_is_refused, it_has_a_bound)
