#include "server/http/answers.h"

#include "server/http/pages.h"
#include "tests/unit/captured_log.h"
#include "tests/unit/server/http/http_lab.h"

#include <string.h>

#define TEXT "Content-Type: " ANSWERS_TYPE_TEXT "\n"

/* Status, more headers than the type, how the body begins, the reason of events refused. */
static const struct {
    enum answer answer;
    unsigned status;
    const char *headers, *begins;
    enum refusal reason;
} rows[] = {
    {ANSWER_COUNTED, 204, "", "", REFUSAL_MALFORMED},
    {ANSWER_TOO_LARGE, 413, TEXT, "the body is larger than --max-body; send less at once\n",
     REFUSAL_TOO_LARGE},
    {ANSWER_LENGTH_REQUIRED, 411, TEXT, "POST /events needs a Content-Length ", REFUSAL_MALFORMED},
    {ANSWER_BAD_FRAMING, 400, TEXT, "it is not clear where this request ends: ", REFUSAL_MALFORMED},
    {ANSWER_HEADERS_TOO_LARGE, 431, TEXT, "the request line and its headers are larger than ",
     REFUSAL_MALFORMED},
    {ANSWER_HEADERS_OF_BROWSER, 431, TEXT,
     "the request line and its headers are larger than --max-header; a browser ",
     REFUSAL_MALFORMED},
    {ANSWER_NOT_FOUND, 404, TEXT, "no such page; ", REFUSAL_MALFORMED},
    {ANSWER_NOT_ALLOWED_ROOT, 405, TEXT "Allow: GET, HEAD, POST\n", "use GET or POST\n",
     REFUSAL_MALFORMED},
    {ANSWER_NOT_ALLOWED_EVENTS, 405, TEXT "Allow: POST\n", "use POST\n", REFUSAL_MALFORMED},
    {ANSWER_NOT_ALLOWED_READ, 405, TEXT "Allow: GET, HEAD\n", "use GET\n", REFUSAL_MALFORMED},
    {ANSWER_NOT_ALLOWED_VALUE, 405, TEXT "Allow: GET, HEAD, POST\n",
     "value: an event is sent with POST, ", REFUSAL_MALFORMED},
    {ANSWER_VALUE_OF_EVENTS, 400, TEXT, "value: POST /events takes its times from the body, ",
     REFUSAL_MALFORMED},
    {ANSWER_ENCODED, 415, TEXT "Accept-Encoding: identity\n", "Content-Encoding: only identity ",
     REFUSAL_MALFORMED},
    {ANSWER_ARGUMENTS, 400, TEXT, "the query has more arguments than are read here; ",
     REFUSAL_MALFORMED},
    {ANSWER_ROOT_PAGE, 200, TEXT, PAGES_ROOT, REFUSAL_MALFORMED},
    {ANSWER_UNAUTHORISED, 401, TEXT "WWW-Authenticate: Bearer\n",
     "send a token: ", REFUSAL_UNAUTHORISED},
    {ANSWER_AUTHORISED_TWICE, 400, TEXT, "Authorization: given more than once, ",
     REFUSAL_MALFORMED},
    {ANSWER_THROTTLED, 429, TEXT "Retry-After: 1\n", "more requests a second ", REFUSAL_THROTTLED},
    {ANSWER_NOT_KEPT, 503, TEXT "Retry-After: 1\n", "the event log has no room; ",
     REFUSAL_NOT_KEPT},
};
#define ROWS (sizeof rows / sizeof *rows)

static uint64_t metric(enum metric of) {
    return metric_read(&worker.metrics, of);
}

START_TEST(each_prepared_answer) {
    ck_assert_uint_eq(ROWS, ANSWERS - 1);
    uint64_t refused = 0, impossible = 0;
    for (size_t i = 0; i < ROWS; i++) {
        const enum answer answer = rows[i].answer;
        ck_assert_int_eq(answers_reason(answer), rows[i].reason);
        ck_assert_int_eq(answers_queue(&client.connection, answer), MHD_YES);
        ck_assert_msg(client.status == rows[i].status, "%zu: %u", i, client.status);
        ck_assert_ptr_eq(client.response, worker.answers.response[answer]);
        ck_assert_str_eq(client.headers, rows[i].headers);
        const size_t len = strlen(client.body);
        ck_assert_msg(strncmp(client.body, rows[i].begins, strlen(rows[i].begins)) == 0, "%s",
                      client.body);
        ck_assert(len == 0 ? answer == ANSWER_COUNTED : client.body[len - 1] == '\n');
        refused += rows[i].status >= 400 && rows[i].status < 500;
        impossible += rows[i].status >= 500;
        ck_assert_uint_eq(metric(METRIC_requests), i + 1);
        ck_assert_uint_eq(metric(METRIC_responses_4xx), refused);
        ck_assert_uint_eq(metric(METRIC_responses_5xx), impossible);
        ck_assert_uint_eq(metric(METRIC_responses_2xx), i + 1 - refused - impossible);
    }
    ck_assert_uint_ge(impossible, 1); /* not_kept */
}
END_TEST

START_TEST(the_last_answers_end_the_connection) {
    char headers[512];
    for (int draining = 0; draining < 2; draining++) {
        worker.draining = draining;
        worker.answers_last = !draining;
        for (size_t i = 0; i < ROWS; i++) {
            answers_queue(&client.connection, rows[i].answer);
            ck_assert_uint_eq(client.status, rows[i].status);
            ck_assert_ptr_eq(client.response, worker.answers.last_response[rows[i].answer]);
            snprintf(headers, sizeof headers, "%sConnection: close\n", rows[i].headers);
            ck_assert_str_eq(client.headers, headers);
        }
        answers_queue_text(&client.connection, 200, "x", "a/b");
        ck_assert_str_eq(client.headers, "Content-Type: a/b\nConnection: close\n");
    }
}
END_TEST

START_TEST(answers_made_for_one_request) {
    const unsigned living = lab_responses;
    char *text = strdup("{}\n");
    ck_assert_int_eq(answers_queue_text(&client.connection, 200, text, ANSWERS_TYPE_JSON), MHD_YES);
    free(text);
    ck_assert_uint_eq(client.status, 200);
    ck_assert_str_eq(client.body, "{}\n");
    ck_assert_str_eq(client.headers, "Content-Type: application/json\n");
    ck_assert_int_eq(answers_queue_sentence(&client.connection, 400, "a: is wrong"), MHD_YES);
    ck_assert_uint_eq(client.status, 400);
    ck_assert_str_eq(client.body, "a: is wrong\n");
    ck_assert_str_eq(client.headers, TEXT);
    ck_assert_uint_eq(lab_responses, living);
    ck_assert_uint_eq(metric(METRIC_requests), 2);
    ck_assert_uint_eq(metric(METRIC_responses_2xx), 1);
    ck_assert_uint_eq(metric(METRIC_responses_4xx), 1);
}
END_TEST

START_TEST(a_sentence_is_sent_whole) {
    char sentence[FORM_WHY_MAX];
    memset(sentence, 'x', sizeof sentence);
    sentence[sizeof sentence - 1] = '\0';
    answers_queue_sentence(&client.connection, 400, sentence);
    ck_assert_uint_eq(strlen(client.body), FORM_WHY_MAX);
    ck_assert_int_eq(client.body[FORM_WHY_MAX - 1], '\n');
}
END_TEST

START_TEST(out_of_memory_the_connection_is_closed) {
    lab_out_of_memory = true;
    ck_assert_int_eq(answers_queue_text(&client.connection, 200, "x", "a/b"), MHD_NO);
    ck_assert_uint_eq(client.answers, 0);
    ck_assert_uint_eq(metric(METRIC_requests), 0);
    struct answers answers = {0};
    ck_assert(!answers_make(&answers));
    answers_free(&answers);
}
END_TEST

/* ---- before the end of the body ---- */

START_TEST(a_farewell_is_sent_without_the_library) {
    struct connection *connection = &client.connection;
    connection->request.body_bytes = 77;
    ck_assert_int_eq(answers_send_prepared_farewell(connection, ANSWER_THROTTLED), MHD_YES);
    ck_assert_str_eq(receive(), "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n"
                                "Content-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\n"
                                "Content-Length: 60\r\n\r\n"
                                "more requests a second than this server takes of one client\n");
    ck_assert_uint_eq(client.answers, 0);
    ck_assert(connection->request.farewell);
    ck_assert_uint_eq(connection->request.farewell_at, 77);
    ck_assert_str_eq(connection->closing, "answered before the end of the body");
    ck_assert_int_eq(connection->deadline.phase, PHASE_FAREWELL);
    ck_assert_int_eq(connection->deadline.since_us, worker.woke_us);
    ck_assert_uint_eq(metric(METRIC_requests), 1);
    ck_assert_uint_eq(metric(METRIC_responses_4xx), 1);
}
END_TEST

START_TEST(a_farewell_that_cannot_be_sent_closes) {
    struct connection *connection = &client.connection;
    close(client.other_end);
    ck_assert_int_eq(answers_send_prepared_farewell(connection, ANSWER_TOO_LARGE), MHD_NO);
    client.other_end = -1;
    ck_assert(!connection->request.farewell);
    ck_assert_ptr_null(connection->closing);
    ck_assert_int_eq(connection->deadline.phase, PHASE_IDLE);
    ck_assert_uint_eq(metric(METRIC_requests), 0);
}
END_TEST

START_TEST(who_waits_for_100_continue_is_answered_by_the_library) {
    set_field(MHD_HEADER_KIND, "Expect", "100-continue");
    ck_assert_int_eq(answers_send_before_body(&client.connection, ANSWER_TOO_LARGE), MHD_YES);
    ck_assert_int_eq(client.connection.request.answer, ANSWER_TOO_LARGE);
    ck_assert_uint_eq(client.status, 413);
    ck_assert_str_eq(receive(), "");
    client.fields = 0;
    client.connection.request.answer = ANSWER_NONE;
    ck_assert_int_eq(answers_send_before_body(&client.connection, ANSWER_TOO_LARGE), MHD_YES);
    ck_assert_int_eq(client.connection.request.answer, ANSWER_TOO_LARGE);
    ck_assert_uint_eq(client.answers, 1);
    ck_assert_ptr_nonnull(strstr(receive(), "HTTP/1.1 413 "));
}
END_TEST

/* ---- the log ---- */

START_TEST(refusals_are_in_the_log_of_debug) {
    log_begin_capture();
    answers_queue(&client.connection, ANSWER_NOT_FOUND);
    ck_assert_str_eq(log_end_capture(), "");
    log_set_level(LOG_DEBUG);
    worker.index = 3;
    log_begin_capture();
    answers_queue(&client.connection, ANSWER_COUNTED);
    answers_queue(&client.connection, ANSWER_ROOT_PAGE);
    answers_queue_text(&client.connection, 399, "x", "a/b");
    ck_assert_str_eq(log_end_capture(), "");
    log_begin_capture();
    answers_queue(&client.connection, ANSWER_NOT_ALLOWED_EVENTS);
    answers_queue_text(&client.connection, 400, "say \"it\"\nin two lines\n", "a/b");
    answers_send_prepared_farewell(&client.connection, ANSWER_TOO_LARGE);
    const char *log = log_end_capture();
    ck_assert_uint_eq(
        count_text(log, " level=debug msg=\"refused\" worker=3 client=192.0.2.1:4711 "), 3);
    ck_assert_ptr_nonnull(strstr(log, " status=405 text=\"use POST\"\n"));
    ck_assert_ptr_nonnull(strstr(log, " status=400 text=\"say \\\"it\\\"\"\n"));
    ck_assert_ptr_nonnull(strstr(log, " status=413 text=\"the body is larger than "));
    ck_assert_uint_eq(count_text(log, "\n"), 3);
}
END_TEST

START_TEST(of_a_flood_twenty_a_second_are_logged) {
    log_set_level(LOG_DEBUG);
    log_begin_capture();
    for (int i = 0; i < 50; i++) {
        answers_queue(&client.connection, ANSWER_NOT_FOUND);
    }
    ck_assert_uint_eq(count_text(log_end_capture(), "\n"), 20);
    ck_assert_uint_eq(worker.refusals.left_out, 30);
    ck_assert_uint_eq(log_limit_left_out(&worker.refusals, worker.woke_us + US_PER_S, US_PER_S),
                      30);
    worker.woke_us += US_PER_S;
    log_begin_capture();
    answers_queue(&client.connection, ANSWER_NOT_FOUND);
    ck_assert_uint_eq(count_text(log_end_capture(), "\n"), 1);
}
END_TEST

HTTP_LAB_MAIN("answers", each_prepared_answer, the_last_answers_end_the_connection,
              answers_made_for_one_request, a_sentence_is_sent_whole,
              out_of_memory_the_connection_is_closed, a_farewell_is_sent_without_the_library,
              a_farewell_that_cannot_be_sent_closes,
              who_waits_for_100_continue_is_answered_by_the_library,
              refusals_are_in_the_log_of_debug, of_a_flood_twenty_a_second_are_logged)
