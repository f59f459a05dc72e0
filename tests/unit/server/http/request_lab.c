#include "tests/unit/server/http/request_lab.h"

#include "server/http/connections.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <string.h>
#include <sys/socket.h>

#define NOW_US (T0 + 500)
#define TEST_S 100

/* ---- the library ---- */

struct MHD_Response {
    char body[4096];
};

struct client client;

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

struct options options = {.max_header = 3072,
                          .max_body = 200,
                          .idle_timeout = 60 * US_PER_S,
                          .header_timeout = 10 * US_PER_S,
                          .body_timeout = 30 * US_PER_S};
struct server server;
struct worker worker;
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

static void connect_client(void) {
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    memset(&client, 0, sizeof client);
    client.fd = pair[0];
    client.other_end = pair[1];
    client.address.sin_family = AF_INET;
    worker.connections = server.listener.limits.open = 1;
    connections_notify(&worker, NULL, &socket_context, MHD_CONNECTION_NOTIFY_STARTED);
    client.connection = socket_context;
    ck_assert_ptr_nonnull(client.connection);
}

static void disconnect_client(void) {
    connections_notify(&worker, NULL, &socket_context, MHD_CONNECTION_NOTIFY_CLOSED);
    close(client.fd);
    close(client.other_end);
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

int request_lab_run(const char *name, const TTest *const *tests, size_t n) {
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, TEST_S);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (size_t i = 0; i < n; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}

void set_headers(const char *const *lines, size_t n) {
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

unsigned request(const char *method, const char *target, const char *body, size_t piece) {
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

unsigned post(const char *target, const char *body, size_t piece, const char *header) {
    char length[64];
    snprintf(length, sizeof length, "Content-Length: %zu", strlen(body));
    set_headers((const char *const[]){length, header}, header ? 2 : 1);
    return request("POST", target, body, piece);
}

struct shard_tally tally(void) {
    struct shard_tally sum;
    counters_tally(server.counters, &sum);
    return sum;
}
