#include "server/http/batch.h"

#include "tests/unit/captured_log.h"
#include "tests/unit/server/http/http_lab.h"

#include <string.h>

#define LINE 27 /* bytes of one with its digits and LF */

static void read_batch(const char *body, size_t piece) {
    const size_t len = strlen(body);
    client.connection.request = (struct request){0};
    gather_clear(&client.connection.gather);
    batch_begin(&client.connection);
    for (size_t at = 0; at < len; at += piece) {
        batch_read_body(&client.connection, body + at, len - at < piece ? len - at : piece);
    }
}

/* The whole of a batch, in pieces, with its report in client.body. */
static unsigned send_batch(const char *body, size_t piece) {
    read_batch(body, piece);
    client.status = 0;
    ck_assert_int_eq(batch_finish(&client.connection, true), MHD_YES);
    batch_release(&client.connection.request.batch);
    return client.status;
}

START_TEST(every_line_is_counted_or_refused) {
    static const char body[] = TIME "\nx\n" TIME "\r\n\n" LATE "\n" AHEAD "\n" TIME;
    for (size_t piece = 1; piece <= sizeof body; piece++) {
        const struct shard_tally before = tally();
        ck_assert_uint_eq(send_batch(body, piece), 200);
        ck_assert_str_eq(
            client.body,
            "{\"accepted\":3,\"rejected\":3,\"errors\":["
            "{\"line\":2,\"reason\":\"expected a digit at character 1, found 'x'; a line "
            "begins with its timestamp\"},"
            "{\"line\":5,\"reason\":\"too late by 9 s: it is 10 s ago, the horizon is 1 s\"},"
            "{\"line\":6,\"reason\":\"too far ahead by 59 min 59 s: it is 59 min 59 s ahead of "
            "this server's clock, the most that is taken is 0 s; times are UTC, is this a local "
            "one?\"}]}\n");
        ck_assert_str_eq(client.headers, "Content-Type: application/json\n");
        const struct shard_tally after = tally();
        ck_assert_uint_eq(after.received - before.received, 6);
        ck_assert_uint_eq(after.counted - before.counted, 3);
        for (int i = 0; i < REFUSALS; i++) {
            ck_assert_uint_eq(after.refused[i] - before.refused[i], i == REFUSAL_MALFORMED ||
                                                                        i == REFUSAL_TOO_LATE ||
                                                                        i == REFUSAL_TOO_FAR_AHEAD);
        }
    }
    ck_assert_uint_eq(read_one(server.counters, RESOLUTION_10MS, T0), 3 * sizeof body);
}
END_TEST

/* Lines of one window, of which the span has a part: each is told by itself. */
START_TEST(a_window_on_the_edge_of_the_span) {
    static const struct {
        int second;
        unsigned accepted;
        const char *told;
    } edges[] = {
        {10, 15,
         "{\"line\":5,\"reason\":\"too late by 100 us: it is 1 s ago, the horizon is 1 s\"}]"},
        {11, 6, "{\"line\":7,\"reason\":\"too far ahead by 100 us: it is 100 us ahead of"}};
    for (size_t e = 0; e < sizeof edges / sizeof *edges; e++) {
        char body[20 * LINE + 1];
        size_t len = 0;
        for (int i = 0; i < 20; i++) {
            len += (size_t)sprintf(body + len, "2016-05-28 11:11:%d.00%04d\n", edges[e].second,
                                   i * 100);
        }
        const struct shard_tally before = tally();
        ck_assert_uint_eq(send_batch(body, sizeof body), 200);
        ck_assert_msg(strstr(client.body, edges[e].told) != NULL, "%s", client.body);
        const struct shard_tally after = tally();
        ck_assert_uint_eq(after.received - before.received, 20);
        ck_assert_uint_eq(after.counted - before.counted, edges[e].accepted);
        ck_assert_uint_eq(
            read_one(server.counters, RESOLUTION_10MS, T0 + (edges[e].second - 11) * US_PER_S),
            edges[e].accepted);
    }
}
END_TEST

/* As many lines of one window as times[] can tell, inside the span. */
START_TEST(a_window_of_many_lines) {
    enum { LINES = 700 };
    static char body[LINES * LINE + 1];
    for (size_t i = 0; i < LINES; i++) {
        sprintf(body + i * LINE, "2016-05-28 11:11:10.50%04zu\n", i);
    }
    ck_assert_uint_eq(send_batch(body, sizeof body), 200);
    ck_assert_str_eq(client.body, "{\"accepted\":700,\"rejected\":0,\"errors\":[]}\n");
    ck_assert_uint_eq(tally().counted, LINES);
    ck_assert_uint_eq(read_one(server.counters, RESOLUTION_10MS, T0 - US_PER_S / 2), LINES);
}
END_TEST

START_TEST(a_batch_without_lines) {
    ck_assert_uint_eq(send_batch("", 1), 200);
    ck_assert_str_eq(client.body, "{\"accepted\":0,\"rejected\":0,\"errors\":[]}\n");
    ck_assert_uint_eq(send_batch("\n\r\n\n", 1), 200);
    ck_assert_str_eq(client.body, "{\"accepted\":0,\"rejected\":0,\"errors\":[]}\n");
    ck_assert_uint_eq(tally().received, 0);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_events), 0);
}
END_TEST

START_TEST(a_report_names_ten_lines) {
    ck_assert_uint_eq(send_batch("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n" TIME "\nk\nl\n", 1000), 200);
    ck_assert_ptr_nonnull(strstr(client.body, "{\"accepted\":1,\"rejected\":12,"));
    ck_assert_ptr_nonnull(strstr(client.body, "{\"line\":10,"));
    ck_assert_uint_eq(count_text(client.body, "{\"line\":"), 10);
    ck_assert_ptr_nonnull(strstr(client.body, "\"}]}\n"));
    ck_assert_uint_eq(tally().refused[REFUSAL_MALFORMED], 12);
    ck_assert_uint_eq(tally().received, 13);
}
END_TEST

START_TEST(lag_is_added_once_a_read) {
    static const char lines[] = TIME "\n2016-05-28 11:11:11.000400\n";
    ck_assert_uint_eq(send_batch(lines, sizeof lines), 200);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_events), 1);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_us_sum), 100); /* the last one's */
    ck_assert_uint_eq(send_batch("x\n", 2), 200);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_events), 1);
}
END_TEST

START_TEST(with_the_clock_of_arrival_no_time_is_refused) {
    server.clock_is_arrival = true;
    ck_assert_uint_eq(send_batch(LATE "\n" AHEAD "\nx\n", 1000), 200);
    ck_assert_ptr_nonnull(
        strstr(client.body, "{\"accepted\":2,\"rejected\":1,\"errors\":[{\"line\":3,"));
    ck_assert_uint_eq(read_one(server.counters, RESOLUTION_10MS, NOW_US), 2);
    const struct shard_tally sum = tally();
    ck_assert_uint_eq(sum.received, 3);
    ck_assert_uint_eq(sum.counted, 2);
    ck_assert_uint_eq(sum.refused[REFUSAL_MALFORMED], 1);
}
END_TEST

START_TEST(of_a_batch_too_large_the_report_says_where_to_go_on) {
    read_batch(TIME "\nx\n" TIME "\n2016-05", 1000);
    client.connection.request.too_large = true;
    ck_assert_int_eq(batch_finish(&client.connection, true), MHD_YES);
    batch_release(&client.connection.request.batch);
    ck_assert_uint_eq(client.status, 200);
    ck_assert_ptr_nonnull(
        strstr(client.body, "{\"accepted\":2,\"rejected\":1,\"errors\":[{\"line\":2,"));
    ck_assert_ptr_nonnull(strstr(client.body,
                                 "\"}],\"truncated\":{\"from_line\":4,"
                                 "\"reason\":\"the body is larger than --max-body\"}}\n"));
    struct shard_tally sum = tally();
    ck_assert_uint_eq(sum.refused[REFUSAL_TOO_LARGE], 1);
    ck_assert_uint_eq(sum.refused[REFUSAL_MALFORMED], 1); /* not of the line that was cut off */
    ck_assert_uint_eq(sum.received, 4);
    read_batch("x\n", 1000); /* nothing was accepted: its status is a refusal, too */
    log_begin_capture();
    client.connection.request.too_large = true;
    ck_assert_int_eq(batch_finish(&client.connection, true), MHD_YES);
    batch_release(&client.connection.request.batch);
    log_end_capture();
    ck_assert_uint_eq(client.status, 413);
}
END_TEST

START_TEST(before_the_end_of_the_body_the_report_is_a_farewell) {
    read_batch(TIME "\n", 1000);
    client.connection.request.too_large = true;
    ck_assert_int_eq(batch_finish(&client.connection, false), MHD_YES);
    ck_assert_uint_eq(client.answers, 0);
    ck_assert(client.connection.request.farewell);
    const char *got = receive();
    ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                                      "Content-Type: application/json\r\nContent-Length: "));
    ck_assert_ptr_nonnull(strstr(got, "\r\n\r\n{\"accepted\":1,\"rejected\":0,\"errors\":[],"
                                      "\"truncated\":{\"from_line\":2,"));
}
END_TEST

START_TEST(what_was_allocated_is_freed_once) {
    struct batch *batch = &client.connection.request.batch;
    read_batch(TIME "\n", 1000);
    ck_assert_ptr_null(batch->refused); /* nothing is, without a refusal */
    read_batch("x\n", 1000);
    ck_assert_ptr_nonnull(batch->refused);
    batch_release(batch);
    ck_assert_ptr_null(batch->refused);
    batch_release(batch);
}
END_TEST

/* What is logged of a batch. */
static const char *log_of(const char *body, bool too_large) {
    read_batch(body, 1000);
    client.connection.request.too_large = too_large;
    log_begin_capture();
    ck_assert_int_eq(batch_finish(&client.connection, true), MHD_YES);
    batch_release(&client.connection.request.batch);
    return log_end_capture();
}

START_TEST(a_batch_of_which_nothing_was_counted_is_warned_of) {
    ck_assert_str_eq(log_of("", false), "");
    ck_assert_str_eq(log_of(TIME "\nx\n", false), "");
    ck_assert_ptr_nonnull(strstr(
        log_of("\nx\ny\n", false),
        " level=warn msg=\"every line of a batch was refused\" client=192.0.2.1:4711 lines=2 "
        "first_line=2 reason=\"expected a digit at character 1, found 'x'; a line begins with its "
        "timestamp\" batches=1\n"));
    worker.woke_us += 60 * US_PER_S - 1;
    ck_assert_str_eq(log_of("x\n", false), ""); /* once a minute */
    worker.woke_us += 1;
    ck_assert_ptr_nonnull(strstr(log_of("x\n", false), " lines=1 first_line=1 "));
    worker.woke_us += 60 * US_PER_S;
    log_of("x\n", false);
    worker.woke_us += 1;
    log_of("x\n", false);
    log_of("x\n", false);
    worker.woke_us += 60 * US_PER_S;
    ck_assert_ptr_nonnull(strstr(log_of("x\n", false), " batches=3\n"));
}
END_TEST

START_TEST(what_a_report_says_is_in_the_log_of_debug) {
    log_set_level(LOG_DEBUG);
    ck_assert_str_eq(log_of(TIME "\n", false), "");
    ck_assert_ptr_nonnull(
        strstr(log_of(TIME "\nx\n" TIME "\ny\n", false),
               " msg=\"refused\" worker=0 client=192.0.2.1:4711 status=422 "
               "text=\"2 of 4 lines, the first is line 2: expected a digit at character 1, found "
               "'x'; a line begins with its timestamp\"\n"));
    const char *log = log_of(TIME "\n" TIME "\n", true);
    ck_assert_ptr_nonnull(strstr(log, " status=413 text=\"the body is larger than --max-body: not "
                                      "counted from line 3 on\"\n"));
    ck_assert_uint_eq(count_text(log, "\n"), 1);
    log = log_of("", true); /* its answer is a refusal, and logged as one */
    ck_assert_uint_eq(count_text(log, "status=413"), 1);
    ck_assert_ptr_null(strstr(log, "not counted from line"));
}
END_TEST

HTTP_LAB_MAIN("batch", every_line_is_counted_or_refused, a_window_on_the_edge_of_the_span,
              a_window_of_many_lines, a_batch_without_lines, a_report_names_ten_lines,
              lag_is_added_once_a_read, with_the_clock_of_arrival_no_time_is_refused,
              of_a_batch_too_large_the_report_says_where_to_go_on,
              before_the_end_of_the_body_the_report_is_a_farewell, what_was_allocated_is_freed_once,
              a_batch_of_which_nothing_was_counted_is_warned_of,
              what_a_report_says_is_in_the_log_of_debug)
