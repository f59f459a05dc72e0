#include "server/http/event.h"

#include "server/http/tally.h"
#include "tests/unit/server/http/http_lab.h"

#include <string.h>

static uint64_t count_all(void) {
    uint64_t count[3], sum = 0;
    counters_read(server.counters, RESOLUTION_1S, window_at(RESOLUTION_1S, T0) - 1, 3, count);
    for (int i = 0; i < 3; i++) {
        sum += count[i];
    }
    return sum;
}

/* One request, its query (NULL: none) and its body in pieces. */
static unsigned send_event(const char *query, const char *body, size_t piece) {
    struct connection *connection = &client.connection;
    const size_t len = strlen(body);
    connection->request = (struct request){0};
    connection->query = (struct request_query){.outcome = FORM_EMPTY};
    connection->why[0] = '\0';
    if (query) {
        connection->target.query = query;
        event_read_query(connection);
    }
    event_begin(connection);
    for (size_t at = 0; at < len; at += piece) {
        const size_t n = len - at < piece ? len - at : piece;
        event_read_body(connection, body + at, n, n == len);
    }
    client.status = 0;
    ck_assert_int_eq(event_finish(connection), MHD_YES);
    return client.status;
}

START_TEST(a_query_is_read_before_the_body) {
    static const struct {
        const char *query;
        bool has_value;
        enum form_outcome outcome;
    } rows[] = {
        {"", false, FORM_EMPTY},
        {"a=b", false, FORM_EMPTY},
        {"value=" IN_QUERY, true, FORM_EVENT},
        {"a=b&value=" IN_QUERY, true, FORM_EVENT},
        {"value=x", true, FORM_MALFORMED},
        {"a=%zz", false, FORM_MALFORMED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct request_query *query = &client.connection.query;
        client.connection.query = (struct request_query){0};
        client.connection.target.query = rows[i].query;
        event_read_query(&client.connection);
        ck_assert(query->given);
        ck_assert_msg(query->has_value == rows[i].has_value && query->outcome == rows[i].outcome,
                      "%s", rows[i].query);
        if (query->outcome == FORM_EVENT) {
            ck_assert_int_eq(query->event_us, T0);
        }
    }
}
END_TEST

START_TEST(the_time_is_in_the_query_or_in_the_body) {
    static const struct {
        const char *query, *body;
        const char *why; /* NULL: counted */
    } rows[] = {
        {NULL, "value=" TIME, NULL},
        {NULL, "a=b&value=" TIME, NULL},
        {"a=b", "value=" TIME, NULL},
        {"value=" IN_QUERY, "", NULL},
        {"value=" IN_QUERY, "a=b", NULL},
        {NULL, "a=b", "value: missing, send value=<timestamp>\n"},
        {NULL, "value=", "value: empty, expected a timestamp\n"},
        {"value=" IN_QUERY, "value=" TIME, "value: given in the query and in the body, send one\n"},
        {"value=" IN_QUERY, "a=%zz",
         "body: % at byte 3 is not followed by two hexadecimal digits\n"},
        {"a=%zz", "value=" TIME, "query: % at byte 3 is not followed by two hexadecimal digits\n"},
        {"a=%zz", "", "query: % at byte 3 is not followed by two hexadecimal digits\n"},
    };
    uint64_t counted = 0, refused = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 1; piece <= 64; piece += 63) { /* byte by byte, and whole */
            const unsigned status = send_event(rows[i].query, rows[i].body, piece);
            ck_assert_msg(status == (rows[i].why ? 400 : 204), "%zu: %u %s", i, status,
                          client.body);
            ck_assert_str_eq(client.body, rows[i].why ? rows[i].why : "");
            counted += !rows[i].why;
            refused += rows[i].why != NULL;
            ck_assert_uint_eq(read_one(server.counters, RESOLUTION_10MS, T0), counted);
        }
    }
    const struct shard_tally sum = tally();
    ck_assert_uint_eq(sum.counted, counted);
    ck_assert_uint_eq(sum.refused[REFUSAL_MALFORMED], refused);
    ck_assert_uint_eq(sum.received, counted + refused);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_events), counted);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_us_sum), 500 * counted);
}
END_TEST

START_TEST(without_a_time_it_counts_now) {
    ck_assert_uint_eq(send_event(NULL, "", 1), 204);
    ck_assert_uint_eq(send_event("", "", 1), 204);
    ck_assert_uint_eq(send_event("a=b", "", 1), 204);
    ck_assert_uint_eq(tally().counted, 3);
    ck_assert_uint_eq(count_all(), 3);
    ck_assert_uint_eq(read_one(server.counters, RESOLUTION_10MS, T0), 0);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_events), 0);
}
END_TEST

START_TEST(with_the_clock_of_arrival_no_time_is_refused) {
    server.clock_is_arrival = true;
    ck_assert_uint_eq(send_event(NULL, "value=" TIME, 64), 204);
    ck_assert_uint_eq(send_event(NULL, "value=" LATE, 64), 204);
    ck_assert_uint_eq(send_event("value=2016-05-28T11:11:01", "", 64), 204);
    ck_assert_uint_eq(count_all(), 3);
    ck_assert_uint_eq(read_one(server.counters, RESOLUTION_10MS, T0), 0);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_events), 3);
    ck_assert_uint_eq(send_event(NULL, "value=x", 64), 400);
    ck_assert_uint_eq(tally().counted, 3);
}
END_TEST

START_TEST(outside_the_span_it_is_refused) {
    ck_assert_uint_eq(send_event(NULL, "value=" LATE, 64), 422);
    ck_assert_str_eq(client.body, "value: too late by 9 s: it is 10 s ago, the horizon is 1 s\n");
    ck_assert_uint_eq(tally().refused[REFUSAL_TOO_LATE], 1);
    ck_assert_uint_eq(send_event(NULL, "value=" AHEAD, 64), 422);
    ck_assert_str_eq(
        client.body,
        "value: too far ahead by 59 min 59 s: it is 59 min 59 s ahead of this server's clock, the "
        "most that is taken is 0 s; times are UTC, is this a local one?\n");
    const struct shard_tally sum = tally();
    ck_assert_uint_eq(sum.refused[REFUSAL_TOO_FAR_AHEAD], 1);
    ck_assert_uint_eq(sum.received, 2);
    ck_assert_uint_eq(sum.counted, 0);
    ck_assert_uint_eq(count_all(), 0);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_events), 0);
    ck_assert_str_eq(client.headers, "Content-Type: " ANSWERS_TYPE_TEXT "\n");
}
END_TEST

HTTP_LAB_MAIN("event", a_query_is_read_before_the_body, the_time_is_in_the_query_or_in_the_body,
              without_a_time_it_counts_now, with_the_clock_of_arrival_no_time_is_refused,
              outside_the_span_it_is_refused)
