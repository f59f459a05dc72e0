/* Requests that are refused for who sends them, how, or how slowly. */
#include "server/http/connections.h"
#include "tests/unit/server/http/request_lab.h"

#include <check.h>
#include <sys/socket.h>

START_TEST(headers_that_are_refused) {
    static const struct {
        const char *target, *header;
        unsigned status;
    } rows[] = {
        {"/", "Content-Encoding: gzip", 415},
        {"/", "Content-Encoding: identity", 204},
        {"/", "Content-Length: 0", 400}, /* twice */
        {"/", "Host: y", 400},
        {"/", "Authorization: Bearer x", 204}, /* nobody asks for it */
        {"/events?value=" IN_QUERY, "A: b", 400},
        {"/nowhere", "A: b", 404},
        {"/stats", "A: b", 405},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_msg(post(rows[i].target, "", 1, rows[i].header) == rows[i].status, "%zu: %u", i,
                      client.status);
    }
    set_headers((const char *const[]){"Content-Length: 0", "Authorization: a", "Authorization: a"},
                3);
    ck_assert_uint_eq(request("POST", "/", "", 1), 400);
    ck_assert_str_eq(client.body, "Authorization: given more than once, send one\n");
    ck_assert_uint_eq(request("GET", "/", "", 1), 400);
    set_headers(NULL, 0);
    ck_assert_uint_eq(request("POST", "/events", "", 1), 411);
    ck_assert_uint_eq(request("GET", "/?value=" IN_QUERY, "", 1), 405);
    ck_assert_uint_eq(request("GET", "/", "", 1), 200);
    ck_assert_uint_eq(request("PUT", "/", "", 1), 405);
    ck_assert_uint_eq(request("POST", "/#", "", 1), 400);
    options.max_header = 99;
    ck_assert_uint_eq(request("GET", "/", "", 1), 431);
    options.max_header = 3072;
    const struct shard_tally sum = tally();
    ck_assert_uint_eq(sum.counted, 2);
    ck_assert_uint_eq(sum.refused[REFUSAL_MALFORMED], 6);
    ck_assert_uint_eq(sum.received, 8);
}
END_TEST

START_TEST(the_access_check) {
    char why[TOKENS_WHY_MAX];
    struct tokens *ingest = tokens_parse("ingest-0123456789\n", 18, why);
    struct tokens *read = tokens_parse("read-0123456789ab\n", 18, why);
    ck_assert(ingest && read);
    worker.access.ingest = ingest;
    worker.access.read = read;
    ck_assert_uint_eq(post("/", "", 1, NULL), 401);
    ck_assert_str_eq(client.body, "send a token: Authorization: Bearer ...\n");
    ck_assert_uint_eq(post("/", "", 1, "Authorization: Bearer read-0123456789ab"), 401);
    ck_assert_uint_eq(post("/", "", 1, "Authorization: Bearer ingest-0123456789"), 204);
    ck_assert_uint_eq(tally().refused[REFUSAL_UNAUTHORISED], 2);
    set_headers(NULL, 0);
    ck_assert_uint_eq(request("GET", "/", "", 1), 401);
    ck_assert_uint_eq(request("GET", "/nowhere", "", 1), 404);
    set_headers((const char *const[]){"Authorization: Bearer read-0123456789ab"}, 1);
    ck_assert_uint_eq(request("GET", "/", "", 1), 200);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_reads_refused), 1);
    ck_assert_uint_eq(tally().received, 3);
    tokens_free(ingest);
    tokens_free(read);
}
END_TEST

START_TEST(a_client_over_its_rate) {
    server.throttle = throttle_new(2);
    ck_assert_uint_eq(post("/", "", 1, NULL), 204);
    set_headers(NULL, 0);
    ck_assert_uint_eq(request("GET", "/", "", 1), 200);
    ck_assert_uint_eq(post("/", "", 1, NULL), 429);
    ck_assert_str_eq(client.body, "more requests a second than this server takes of one client\n");
    ck_assert_uint_eq(tally().refused[REFUSAL_THROTTLED], 1);
    worker.woke_us += US_PER_S;
    ck_assert_uint_eq(post("/", "", 1, NULL), 204);
    throttle_free(server.throttle);
    server.throttle = NULL;
}
END_TEST

START_TEST(slow_clients_are_cut) {
    void *con_cls = NULL;
    size_t none = 0;
    struct deadline *deadline = &connected->deadline;
    const int64_t begun_us = worker.woke_us;
    ck_assert_int_eq(deadline->since_us, begun_us);
    ck_assert(connections_expect_first(&worker, begun_us - 1));
    ck_assert(!connections_expect_first(&worker, begun_us));
    set_headers((const char *const[]){"Content-Length: 100"}, 1);
    request_read_target(&worker, "/", NULL);
    ck_assert_int_eq(deadline->phase, PHASE_HEADERS);
    worker.woke_us += 5;
    request_handle(&worker, NULL, "/", "POST", "HTTP/1.1", NULL, &none, &con_cls);
    ck_assert_int_eq(deadline->phase, PHASE_BODY);
    ck_assert_int_eq(deadline->since_us, begun_us + 5); /* the wake-up that brought the headers */
    connections_close_slow(&worker, begun_us + 5 + options.body_timeout);
    ck_assert_ptr_null(connected->closing);
    connections_close_slow(&worker, begun_us + 6 + options.body_timeout);
    ck_assert_str_eq(connected->closing, "its body took longer than --body-timeout");
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_connections_too_slow), 1);
    char byte;
    ck_assert_int_eq(recv(client.other_end, &byte, 1, 0), 0);
    request_complete(&worker, NULL, &con_cls, MHD_REQUEST_TERMINATED_CLIENT_ABORT);
    ck_assert_int_eq(deadline->phase, PHASE_IDLE);
    ck_assert_str_eq(connected->closing, "its body took longer than --body-timeout");
}
END_TEST

START_TEST(a_client_that_left_is_seen) {
    ck_assert_int_eq(shutdown(client.other_end, SHUT_WR), 0);
    connections_close_slow(&worker, worker.woke_us + US_PER_S / 2);
    ck_assert_ptr_null(connected->closing); /* the library may see it by itself */
    connections_close_slow(&worker, worker.woke_us + 2 * US_PER_S);
    ck_assert_str_eq(connected->closing, "the client left");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {headers_that_are_refused, the_access_check,
                                  a_client_over_its_rate, slow_clients_are_cut,
                                  a_client_that_left_is_seen};
    return request_lab_run("request_refused", tests, sizeof tests / sizeof *tests);
}
