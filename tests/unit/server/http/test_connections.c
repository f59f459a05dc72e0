/* What the acceptor is told is kept here. */
#include "server/http/connections.h"

#include "tests/unit/captured_log.h"
#include "tests/unit/server/http/http_lab.h"

#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>

static unsigned started, closed;

void acceptor_note_started(struct acceptor *acceptor) {
    ck_assert_ptr_eq(acceptor, worker.acceptor);
    started++;
}

void acceptor_count_closed(struct acceptor *acceptor, const struct sockaddr *address) {
    ck_assert_ptr_eq(acceptor, worker.acceptor);
    ck_assert_ptr_eq(address, &client.address);
    closed++;
}

void gnutls_db_set_ptr(gnutls_session_t session, void *ptr) {
    (void)session;
    (void)ptr;
}

void gnutls_handshake_set_hook_function(gnutls_session_t session, unsigned int htype, int when,
                                        gnutls_handshake_hook_func func) {
    (void)session;
    (void)htype;
    (void)when;
    (void)func;
}

static void *socket_context;

static struct connection *open_one(void) {
    socket_context = NULL;
    connections_notify(&worker, NULL, &socket_context, MHD_CONNECTION_NOTIFY_STARTED);
    ck_assert_ptr_nonnull(socket_context);
    return socket_context;
}

/* Closes the one opened last; what is logged of it. */
static const char *close_one(void) {
    log_begin_capture();
    connections_notify(&worker, NULL, &socket_context, MHD_CONNECTION_NOTIFY_CLOSED);
    return log_end_capture();
}

START_TEST(what_is_kept_of_a_connection) {
    worker.acceptor = (struct acceptor *)&worker;
    const struct connection *connection = open_one();
    ck_assert_uint_eq(started, 1);
    ck_assert_ptr_eq(connection->worker, &worker);
    ck_assert_int_eq(connection->fd, client.fd);
    ck_assert_uint_eq(connection->client, 0);
    ck_assert_ptr_null(connection->closing);
    ck_assert_int_eq(connection->deadline.phase, PHASE_IDLE);
    ck_assert_int_eq(connection->deadline.since_us, worker.woke_us);
    ck_assert_ptr_eq(LIST_FIRST(&worker.opened), connection);
    ck_assert_uint_eq(closed, 0);
    ck_assert_str_eq(close_one(), ""); /* only --log-level debug tells */
    ck_assert_uint_eq(closed, 1);
    ck_assert(LIST_EMPTY(&worker.opened));
    /* one for which there was no memory */
    void *none = NULL;
    connections_notify(&worker, NULL, &none, MHD_CONNECTION_NOTIFY_CLOSED);
    ck_assert_uint_eq(closed, 2);
}
END_TEST

START_TEST(with_a_throttle_the_client_is_known) {
    server.throttle = throttle_new(1);
    const uint64_t expected =
        throttle_find_client(server.throttle, (const struct sockaddr *)&client.address);
    ck_assert_uint_eq(open_one()->client, expected);
    close_one();
    throttle_free(server.throttle);
}
END_TEST

START_TEST(with_tls_the_handshake_is_watched) {
    char session;
    client.session = &session;
    open_one();
    ck_assert_uint_eq(worker.handshakes.n, 0); /* no certificate is in force */
    close_one();
    server.access.identity = (struct tls_identity *)(void *)&session;
    const struct connection *connection = open_one();
    ck_assert_uint_eq(worker.handshakes.n, 1);
    ck_assert_ptr_eq(connection->handshake.session, &session);
    ck_assert_int_eq(connection->handshake.since_us, worker.woke_us);
    close_one();
    ck_assert_uint_eq(worker.handshakes.n, 0);
}
END_TEST

START_TEST(whether_a_first_request_is_awaited) {
    ck_assert(!connections_expect_first(&worker, 0));
    struct connection *first = open_one();
    void *first_context = socket_context;
    const int64_t opened_us = worker.woke_us;
    ck_assert(connections_expect_first(&worker, opened_us - 1));
    ck_assert(!connections_expect_first(&worker, opened_us));
    worker.woke_us += 5;
    struct connection *second = open_one();
    ck_assert(connections_expect_first(&worker, opened_us + 4));
    ck_assert(!connections_expect_first(&worker, opened_us + 5));
    second->deadline.served = true;
    ck_assert(!connections_expect_first(&worker, opened_us));
    ck_assert(connections_expect_first(&worker, opened_us - 1));
    first->deadline.served = true;
    ck_assert(!connections_expect_first(&worker, 0));
    close_one();
    socket_context = first_context;
    close_one();
}
END_TEST

/* ---- slow clients ---- */

/* Whether a connection is cut whose phase has lasted so long. */
static bool is_cut(struct connection *connection, enum phase phase, int64_t age_us) {
    connection->closing = NULL;
    deadline_enter(&connection->deadline, phase, worker.woke_us);
    connection->deadline.served = false;
    connections_close_slow(&worker, worker.woke_us + age_us);
    return connection->closing != NULL;
}

START_TEST(each_phase_has_its_limit) {
    static const struct {
        enum phase phase;
        int64_t limit_s;
        const char *why;
    } rows[] = {{PHASE_IDLE, 10, "its headers took longer than --header-timeout"},
                {PHASE_HEADERS, 10, "its headers took longer than --header-timeout"},
                {PHASE_BODY, 30, "its body took longer than --body-timeout"},
                {PHASE_ANSWER, 30, "took its answer more slowly than --body-timeout permits"}};
    struct connection *connection = open_one();
    char byte;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int64_t limit_us = rows[i].limit_s * US_PER_S;
        ck_assert(!is_cut(connection, rows[i].phase, limit_us));
        ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_connections_too_slow), i);
        ck_assert(is_cut(connection, rows[i].phase, limit_us + 1));
        ck_assert_str_eq(connection->closing, rows[i].why);
        ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_connections_too_slow), i + 1);
        ck_assert_int_eq(connection->deadline.since_us, worker.woke_us + limit_us + 1);
    }
    ck_assert_int_eq(recv(client.other_end, &byte, 1, MSG_DONTWAIT), 0);
    close_one();
}
END_TEST

START_TEST(it_is_not_cut_again_in_the_next_second) {
    struct connection *connection = open_one();
    ck_assert(is_cut(connection, PHASE_HEADERS, 11 * US_PER_S));
    connections_close_slow(&worker, worker.woke_us + 12 * US_PER_S);
    connections_close_slow(&worker, worker.woke_us + 21 * US_PER_S);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_connections_too_slow), 1);
    close_one();
}
END_TEST

START_TEST(what_came_of_a_body_gives_it_time) {
    struct connection *connection = open_one();
    connection->request.body_bytes = 3 * 1024;
    ck_assert(!is_cut(connection, PHASE_BODY, 33 * US_PER_S));
    ck_assert_uint_eq(connection->deadline.bytes, 3 * 1024);
    ck_assert(is_cut(connection, PHASE_BODY, 33 * US_PER_S + 1));
    close_one();
}
END_TEST

/* Puts a TCP connection, of which something is known of what was taken, in the place of the
 * client's socket. */
static void connect_by_tcp(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    const int listening = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listening, 1), 0);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&at, &len), 0);
    close(client.fd);
    close(client.other_end);
    client.other_end = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(client.other_end, (struct sockaddr *)&at, sizeof at), 0);
    client.fd = accept(listening, NULL, NULL);
    ck_assert_int_ge(client.fd, 0);
    close(listening);
}

START_TEST(the_time_of_an_answer_runs_from_the_first_look) {
    connect_by_tcp();
    struct connection *connection = open_one();
    ck_assert(!is_cut(connection, PHASE_ANSWER, 40 * US_PER_S));
    ck_assert_int_eq(connection->deadline.since_us, worker.woke_us + 40 * US_PER_S);
    connections_close_slow(&worker, worker.woke_us + 70 * US_PER_S);
    ck_assert_ptr_null(connection->closing);
    connections_close_slow(&worker, worker.woke_us + 70 * US_PER_S + 1);
    ck_assert_ptr_nonnull(connection->closing);
    close_one();
}
END_TEST

START_TEST(who_is_silent_between_requests_is_not_called_slow) {
    struct connection *connection = open_one();
    char byte;
    connection->deadline = (struct deadline){.since_us = worker.woke_us, .served = true};
    connections_close_slow(&worker, worker.woke_us + 60 * US_PER_S - 1);
    ck_assert_ptr_null(connection->closing);
    connections_close_slow(&worker, worker.woke_us + 60 * US_PER_S);
    ck_assert_str_eq(connection->closing, "silent for --idle-timeout");
    ck_assert_int_eq(recv(client.other_end, &byte, 1, MSG_DONTWAIT), 0);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_connections_too_slow), 0);
    close_one();
}
END_TEST

/* TCP tells of bytes that the library has read and nobody else has seen. */
START_TEST(who_has_begun_a_request_line_is_not_silent) {
    connect_by_tcp();
    struct connection *connection = open_one();
    char byte;
    ck_assert_int_eq(send(client.other_end, "P", 1, 0), 1);
    ck_assert_int_eq(recv(client.fd, &byte, 1, 0), 1);
    connection->deadline = (struct deadline){.since_us = worker.woke_us, .served = true};
    connections_close_slow(&worker, worker.woke_us + 70 * US_PER_S);
    ck_assert_ptr_null(connection->closing);
    connections_close_slow(&worker, worker.woke_us + 70 * US_PER_S + 1);
    ck_assert_str_eq(connection->closing, "its headers took longer than --header-timeout");
    close_one();
}
END_TEST

START_TEST(a_farewell_ends_without_being_called_slow) {
    struct connection *connection = open_one();
    char byte;
    connection->closing = "x";
    deadline_enter(&connection->deadline, PHASE_FAREWELL, worker.woke_us);
    connections_close_slow(&worker, worker.woke_us + 2 * US_PER_S);
    ck_assert_int_eq(recv(client.other_end, &byte, 1, MSG_DONTWAIT), -1);
    connections_close_slow(&worker, worker.woke_us + 2 * US_PER_S + 1);
    ck_assert_int_eq(recv(client.other_end, &byte, 1, MSG_DONTWAIT), 0);
    ck_assert_str_eq(connection->closing, "x");
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_connections_too_slow), 0);
    close_one();
}
END_TEST

START_TEST(a_client_that_left_is_seen_while_its_phase_is_young) {
    struct connection *connection = open_one();
    ck_assert_int_eq(shutdown(client.other_end, SHUT_WR), 0);
    ck_assert(!is_cut(connection, PHASE_IDLE, US_PER_S - 1)); /* the library may see it itself */
    ck_assert(!is_cut(connection, PHASE_IDLE, 4 * US_PER_S));
    ck_assert(!is_cut(connection, PHASE_ANSWER, 2 * US_PER_S)); /* it may have ended its side */
    ck_assert(is_cut(connection, PHASE_IDLE, US_PER_S));
    ck_assert_str_eq(connection->closing, "the client left");
    ck_assert(is_cut(connection, PHASE_BODY, 4 * US_PER_S - 1));
    connection->closing = "x";
    connections_close_slow(&worker, worker.woke_us + 2 * US_PER_S);
    ck_assert_str_eq(connection->closing, "x");
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_connections_too_slow), 0);
    char byte;
    ck_assert_int_eq(recv(client.other_end, &byte, 1, MSG_DONTWAIT), 0);
    close_one();
}
END_TEST

START_TEST(with_bytes_unread_it_has_not_ended) {
    struct connection *connection = open_one();
    ck_assert_int_eq(send(client.other_end, "xy", 2, 0), 2);
    shutdown(client.other_end, SHUT_WR);
    ck_assert(!is_cut(connection, PHASE_HEADERS, 2 * US_PER_S));
    close_one();
}
END_TEST

/* ---- the log ---- */

static void closing_is(const char *why) {
    char expected[160];
    snprintf(expected, sizeof expected,
             " level=debug msg=\"connection closed\" worker=2 client=192.0.2.1:4711 why=\"%s\"\n",
             why);
    const char *log = close_one();
    ck_assert_msg(strstr(log, expected) != NULL, "%s: %s", why, log);
}

START_TEST(why_a_connection_was_closed) {
    log_set_level(LOG_DEBUG);
    worker.index = 2;
    open_one();
    closing_is("closed after its answer");
    worker.draining = true;
    open_one();
    closing_is("the server stops");
    shutdown(client.other_end, SHUT_WR);
    open_one();
    closing_is("the client closed it");
    open_one()->closing = "its reason";
    closing_is("its reason");
}
END_TEST

START_TEST(how_many_refusals_were_not_logged) {
    log_set_level(LOG_DEBUG);
    worker.index = 2;
    worker.refusals = (struct log_limit){.since_us = worker.woke_us, .said = 20, .left_out = 7};
    log_begin_capture();
    connections_close_slow(&worker, worker.woke_us + US_PER_S - 1);
    ck_assert_str_eq(log_end_capture(), "");
    log_begin_capture();
    connections_close_slow(&worker, worker.woke_us + US_PER_S);
    connections_close_slow(&worker, worker.woke_us + 2 * US_PER_S);
    const char *log = log_end_capture();
    ck_assert_ptr_nonnull(strstr(log, " level=debug msg=\"more was refused\" worker=2 n=7\n"));
    ck_assert_uint_eq(count_text(log, "\n"), 1);
}
END_TEST

HTTP_LAB_MAIN("connections", what_is_kept_of_a_connection, with_a_throttle_the_client_is_known,
              with_tls_the_handshake_is_watched, whether_a_first_request_is_awaited,
              each_phase_has_its_limit, it_is_not_cut_again_in_the_next_second,
              what_came_of_a_body_gives_it_time, the_time_of_an_answer_runs_from_the_first_look,
              who_is_silent_between_requests_is_not_called_slow,
              who_has_begun_a_request_line_is_not_silent, a_farewell_ends_without_being_called_slow,
              a_client_that_left_is_seen_while_its_phase_is_young,
              with_bytes_unread_it_has_not_ended, why_a_connection_was_closed,
              how_many_refusals_were_not_logged)
