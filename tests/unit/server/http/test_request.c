/* Requests from the first call of the library to the answer, with real counters. The library's
 * calls are our own here: they hand out what a test has put into `client`, and keep what is
 * answered. */
#include "server/http/request.h"

#include "server/http/connection.h"
#include "server/http/connections.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define NOW_US (T0 + 500)

/* ---- the library ---- */

struct MHD_Response {
    char body[4096];
};

static struct client {
    struct sockaddr_in address;
    int fd;
    struct connection *connection;
    const char *authorization, *expect;
    struct {
        const char *name, *value;
    } header[8];
    char text[8][128];
    size_t headers;
    unsigned status; /* of the last answer; 0: none yet */
    unsigned answers;
    char body[4096];
    bool last;
} client;

static union MHD_ConnectionInfo told;

const char *MHD_get_version(void) {
    return "0.9.77"; /* framing_check looks at headers alone, not at the library's buffer */
}

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *mhd,
                                                        enum MHD_ConnectionInfoType type, ...) {
    (void)mhd;
    switch (type) {
    case MHD_CONNECTION_INFO_CLIENT_ADDRESS:
        told.client_addr = (struct sockaddr *)&client.address;
        return &told;
    case MHD_CONNECTION_INFO_CONNECTION_FD:
        told.connect_fd = client.fd;
        return &told;
    case MHD_CONNECTION_INFO_SOCKET_CONTEXT:
        told.socket_context = client.connection;
        return &told;
    case MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE:
        told.header_size = 100;
        return &told;
    default:
        return NULL;
    }
}

int MHD_get_connection_values_n(struct MHD_Connection *mhd, enum MHD_ValueKind kind,
                                MHD_KeyValueIteratorN iterator, void *cls) {
    (void)mhd;
    for (size_t i = 0; i < client.headers; i++) {
        iterator(cls, kind, client.header[i].name, strlen(client.header[i].name),
                 client.header[i].value, strlen(client.header[i].value));
    }
    return (int)client.headers;
}

const char *MHD_lookup_connection_value(struct MHD_Connection *mhd, enum MHD_ValueKind kind,
                                        const char *key) {
    (void)mhd;
    (void)kind;
    for (size_t i = 0; i < client.headers; i++) {
        if (strcasecmp(client.header[i].name, key) == 0) {
            return client.header[i].value;
        }
    }
    return NULL;
}

struct MHD_Response *MHD_create_response_from_buffer(size_t size, void *buffer,
                                                     enum MHD_ResponseMemoryMode mode) {
    (void)mode;
    struct MHD_Response *response = calloc(1, sizeof *response);
    ck_assert_uint_lt(size, sizeof response->body);
    memcpy(response->body, buffer, size);
    return response;
}

enum MHD_Result MHD_add_response_header(struct MHD_Response *response, const char *header,
                                        const char *content) {
    (void)response;
    (void)header;
    (void)content;
    return MHD_YES;
}

void MHD_destroy_response(struct MHD_Response *response) {
    free(response);
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *mhd, unsigned status,
                                   struct MHD_Response *response) {
    (void)mhd;
    client.status = status;
    client.answers++;
    snprintf(client.body, sizeof client.body, "%s", response->body);
    return MHD_YES;
}

/* ---- a worker ---- */

static struct options options = {.max_header = 3072,
                                 .max_body = 200,
                                 .idle_timeout = 60 * US_PER_S,
                                 .header_timeout = 10 * US_PER_S,
                                 .body_timeout = 30 * US_PER_S};
static struct server server;
static struct worker worker;
static void *socket_context;

static void begin_server(void) {
    state_dir_make();
    const struct counters_config config = tiny_config(1);
    memset(&server, 0, sizeof server);
    memset(&worker, 0, sizeof worker);
    server.options = &options;
    server.counters = open_or_fail(&config);
    server.worker = &worker;
    server.workers = 1;
    worker.server = &server;
    worker.now_us = NOW_US;
    worker.woke_us = 1000 * US_PER_S;
    worker.shard = counters_worker_shard(server.counters, 0);
    shard_set_now_owner(worker.shard, NOW_US);
    tls_handshakes_init(&worker.handshakes);
    ck_assert(answers_make(&worker.answers));
    listener_init(&server.listener, &options, false, NULL);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    const struct acceptor_worker accepts_for = {
        .metrics = &worker.metrics, .connections = &worker.connections, .woke_us = &worker.woke_us};
    worker.acceptor = acceptor_new(&accepts_for, &server.listener, fd);
    ck_assert_ptr_nonnull(worker.acceptor);
    close(fd);
}

static int other_end;

static void connect_client(void) {
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    memset(&client, 0, sizeof client);
    client.fd = pair[0];
    other_end = pair[1];
    client.address.sin_family = AF_INET;
    worker.connections = server.listener.limits.open = 1;
    connections_notify(&worker, NULL, &socket_context, MHD_CONNECTION_NOTIFY_STARTED);
    client.connection = socket_context;
    ck_assert_ptr_nonnull(client.connection);
}

static void disconnect_client(void) {
    connections_notify(&worker, NULL, &socket_context, MHD_CONNECTION_NOTIFY_CLOSED);
    close(client.fd);
    close(other_end);
    ck_assert_uint_eq(worker.connections, 0);
    ck_assert_uint_eq(server.listener.limits.open, 0);
    ck_assert(LIST_EMPTY(&worker.opened));
}

static void end_server(void) {
    acceptor_close(worker.acceptor);
    acceptor_free(worker.acceptor);
    answers_free(&worker.answers);
    counters_close(server.counters);
    state_dir_remove();
}

static void set_up(void) {
    begin_server();
    connect_client();
}

static void tear_down(void) {
    disconnect_client();
    end_server();
}

/* "Name: value" lines of the requests that follow; Host is there already. */
static void set_headers(const char *const *lines, size_t n) {
    client.headers = 0;
    client.header[client.headers].name = "Host";
    client.header[client.headers++].value = "x";
    for (size_t i = 0; i < n; i++) {
        char *text = client.text[i];
        snprintf(text, sizeof client.text[i], "%s", lines[i]);
        char *colon = strchr(text, ':');
        *colon = '\0';
        client.header[client.headers].name = text;
        client.header[client.headers++].value = colon + 2;
    }
}

/* One request with the headers set before; a body comes in pieces of at most `piece` bytes. Returns
 * the status; 0: none was queued, and the connection ends. */
static unsigned request(const char *method, const char *target, const char *body, size_t piece) {
    void *con_cls = NULL;
    char url[256];
    snprintf(url, sizeof url, "%.*s", (int)strcspn(target, "?"), target);
    client.status = 0;
    request_read_target(&worker, target, NULL);
    size_t none = 0;
    enum MHD_Result result =
        request_handle(&worker, NULL, url, method, "HTTP/1.1", NULL, &none, &con_cls);
    for (size_t left = strlen(body); left && result == MHD_YES && !client.status;) {
        size_t n = left < piece ? left : piece;
        result = request_handle(&worker, NULL, url, method, "HTTP/1.1", body + strlen(body) - left,
                                &n, &con_cls);
        left -= left < piece ? left : piece;
    }
    if (result == MHD_YES && !client.status) {
        result = request_handle(&worker, NULL, url, method, "HTTP/1.1", NULL, &none, &con_cls);
    }
    ck_assert(client.status || result == MHD_NO);
    ck_assert_uint_eq(worker.in_flight, 1);
    request_complete(&worker, NULL, &con_cls, MHD_REQUEST_TERMINATED_COMPLETED_OK);
    ck_assert_uint_eq(worker.in_flight, 0);
    ck_assert_ptr_null(con_cls);
    return client.status;
}

/* The same with the Content-Length of the body and up to one more header. */
static unsigned post(const char *target, const char *body, size_t piece, const char *header) {
    char length[64];
    snprintf(length, sizeof length, "Content-Length: %zu", strlen(body));
    set_headers((const char *const[]){length, header}, header ? 2 : 1);
    return request("POST", target, body, piece);
}

static struct shard_tally tally(void) {
    struct shard_tally sum;
    counters_tally(server.counters, &sum);
    return sum;
}

/* ---- tests ---- */

#define TIME "2016-05-28 11:11:11"
#define IN_QUERY "2016-05-28T11:11:11" /* a target has no blank */
#define LATE "2016-05-28 11:11:01"
#define AHEAD "2016-05-28 12:11:11"

START_TEST(single_events) {
    static const struct {
        const char *target, *body;
        unsigned status;
        int refusal; /* -1: counted */
    } rows[] = {
        {"/", "value=" TIME, 204, -1},
        {"/", "", 204, -1},
        {"/?value=" IN_QUERY, "", 204, -1},
        {"/?a=b", "value=" TIME, 204, -1},
        {"/?value=" IN_QUERY, "a=b", 204, -1},
        {"/?value=" IN_QUERY, "value=" TIME, 400, REFUSAL_MALFORMED},
        {"/?value=x", "", 400, REFUSAL_MALFORMED},
        {"/?value=" IN_QUERY, "a=%zz", 400, REFUSAL_MALFORMED},
        {"/", "value=x", 400, REFUSAL_MALFORMED},
        {"/", "other=" TIME, 400, REFUSAL_MALFORMED},
        {"/", "value=" LATE, 422, REFUSAL_TOO_LATE},
        {"/", "value=" AHEAD, 422, REFUSAL_TOO_FAR_AHEAD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 1; piece <= 64; piece += 63) { /* byte by byte, and at once */
            const struct shard_tally before = tally();
            ck_assert_msg(post(rows[i].target, rows[i].body, piece, NULL) == rows[i].status,
                          "%zu: %u %s", i, client.status, client.body);
            const struct shard_tally after = tally();
            ck_assert_uint_eq(after.received, before.received + 1);
            ck_assert_uint_eq(after.counted, before.counted + (rows[i].refusal < 0));
            if (rows[i].refusal >= 0) {
                ck_assert_uint_eq(after.refused[rows[i].refusal],
                                  before.refused[rows[i].refusal] + 1);
            }
        }
    }
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_requests),
                      2 * sizeof rows / sizeof *rows);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_responses_2xx), 10);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_responses_4xx), 14);
    /* those with a time, of which each is 500 us old */
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_events), 8);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_us_max), 500);
}
END_TEST

START_TEST(batches) {
    static const char body[] = TIME "\nx\n" TIME "\n\n" LATE "\n" AHEAD "\n" TIME;
    for (size_t piece = 1; piece <= sizeof body; piece++) {
        const struct shard_tally before = tally();
        ck_assert_uint_eq(post("/events", body, piece, NULL), 200);
        ck_assert_ptr_nonnull(
            strstr(client.body, "{\"accepted\":3,\"rejected\":3,\"errors\":[{\"line\":2,"));
        ck_assert_ptr_nonnull(strstr(client.body, "{\"line\":5,"));
        ck_assert_ptr_nonnull(strstr(client.body, "{\"line\":6,"));
        ck_assert_ptr_null(strstr(client.body, "truncated"));
        const struct shard_tally after = tally();
        ck_assert_uint_eq(after.received - before.received, 6);
        ck_assert_uint_eq(after.counted - before.counted, 3);
        ck_assert_uint_eq(after.refused[REFUSAL_MALFORMED] - before.refused[REFUSAL_MALFORMED], 1);
        ck_assert_uint_eq(after.refused[REFUSAL_TOO_LATE] - before.refused[REFUSAL_TOO_LATE], 1);
    }
    ck_assert_uint_eq(post("/events", "", 1, NULL), 200);
    ck_assert_str_eq(client.body, "{\"accepted\":0,\"rejected\":0,\"errors\":[]}\n");
    ck_assert_uint_eq(post("/events", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n", 1000, NULL), 200);
    ck_assert_ptr_nonnull(strstr(client.body, "\"rejected\":12"));
    ck_assert_ptr_nonnull(strstr(client.body, "\"line\":10,")); /* ten are named, and no more */
    ck_assert_ptr_null(strstr(client.body, "\"line\":11,"));
}
END_TEST

START_TEST(a_batch_in_chunks_beyond_the_limit) {
    char body[20 * 21 + 1] = "";
    for (int i = 0; i < 20; i++) {
        strcat(body, TIME "\n");
    }
    set_headers((const char *const[]){"Transfer-Encoding: chunked"}, 1);
    ck_assert_uint_eq(request("POST", "/events", body, 7), 200);
    /* 200 bytes are ten lines of 20 */
    ck_assert_str_eq(
        client.body,
        "{\"accepted\":10,\"rejected\":0,\"errors\":[],\"truncated\":{\"from_line\":11,"
        "\"reason\":\"the body is larger than --max-body\"}}\n");
    ck_assert(worker.answers_last);
    const struct shard_tally sum = tally();
    ck_assert_uint_eq(sum.counted, 10);
    ck_assert_uint_eq(sum.refused[REFUSAL_TOO_LARGE], 1);
    ck_assert_uint_eq(sum.received, 11);
    set_headers((const char *const[]){"Transfer-Encoding: chunked"}, 1);
    ck_assert_uint_eq(request("POST", "/", body, 7), 413);
    ck_assert_uint_eq(tally().refused[REFUSAL_TOO_LARGE], 2);
    /* the LF of the tenth line is byte 201, and in the first piece: it is not read */
    memmove(body + 1, body, sizeof body - 1);
    body[0] = '\n';
    body[sizeof body - 1] = '\0';
    ck_assert_uint_eq(request("POST", "/events", body, 201), 200);
    ck_assert_ptr_nonnull(strstr(client.body, "{\"accepted\":9,\"rejected\":0,\"errors\":[],"));
    ck_assert_ptr_nonnull(strstr(client.body, "\"from_line\":11,"));
}
END_TEST

START_TEST(a_large_body_is_answered_by_a_farewell) {
    char got[512] = "";
    set_headers((const char *const[]){"Content-Length: 70000"}, 1);
    void *con_cls = NULL;
    size_t none = 0;
    request_read_target(&worker, "/", NULL);
    ck_assert_int_eq(request_handle(&worker, NULL, "/", "POST", "HTTP/1.1", NULL, &none, &con_cls),
                     MHD_YES);
    ck_assert_uint_eq(client.answers, 0); /* not by the library */
    ck_assert_int_gt(recv(other_end, got, sizeof got - 1, 0), 0);
    ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 413 "));
    ck_assert_ptr_nonnull(
        strstr(got, "\r\n\r\nthe body is larger than --max-body; send less at once\n"));
    ck_assert_int_eq(client.connection->deadline.phase, PHASE_FAREWELL);
    ck_assert_uint_eq(tally().refused[REFUSAL_TOO_LARGE], 1);
    static char piece[65536];
    enum MHD_Result result = MHD_YES;
    size_t read = 0;
    while (result == MHD_YES && read < 2 * (size_t)FAREWELL_BYTES) {
        size_t n = sizeof piece;
        result = request_handle(&worker, NULL, "/", "POST", "HTTP/1.1", piece, &n, &con_cls);
        read += sizeof piece;
    }
    ck_assert_uint_eq(read, FAREWELL_BYTES + sizeof piece);
    request_complete(&worker, NULL, &con_cls, MHD_REQUEST_TERMINATED_COMPLETED_OK);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_responses_4xx), 1);
}
END_TEST

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
    struct deadline *deadline = &client.connection->deadline;
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
    ck_assert_ptr_null(client.connection->closing);
    connections_close_slow(&worker, begun_us + 6 + options.body_timeout);
    ck_assert_str_eq(client.connection->closing, "its body took longer than --body-timeout");
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_connections_too_slow), 1);
    char byte;
    ck_assert_int_eq(recv(other_end, &byte, 1, 0), 0);
    request_complete(&worker, NULL, &con_cls, MHD_REQUEST_TERMINATED_CLIENT_ABORT);
    ck_assert_int_eq(deadline->phase, PHASE_IDLE);
    ck_assert_str_eq(client.connection->closing, "its body took longer than --body-timeout");
}
END_TEST

START_TEST(a_client_that_left_is_seen) {
    ck_assert_int_eq(shutdown(other_end, SHUT_WR), 0);
    connections_close_slow(&worker, worker.woke_us + US_PER_S / 2);
    ck_assert_ptr_null(client.connection->closing); /* the library may see it by itself */
    connections_close_slow(&worker, worker.woke_us + 2 * US_PER_S);
    ck_assert_str_eq(client.connection->closing, "the client left");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {single_events,
                                  batches,
                                  a_batch_in_chunks_beyond_the_limit,
                                  a_large_body_is_answered_by_a_farewell,
                                  headers_that_are_refused,
                                  the_access_check,
                                  a_client_over_its_rate,
                                  slow_clients_are_cut,
                                  a_client_that_left_is_seen};
    Suite *suite = suite_create("request");
    TCase *tcase = tcase_create("request");
    tcase_set_timeout(tcase, 100);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
