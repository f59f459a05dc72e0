#include "tests/unit/server/http/request_lab.h"

#include "server/http/connections.h"
#include "tests/unit/check_main.h"

#include <string.h>
#include <sys/socket.h>

#define HEADERS_MAX 7
#define HEADER_MAX 128

struct connection *connected;

static void set_up(void) {
    http_lab_set_up();
    options.max_header = 3072;
    listener_init(&server.listener, &options, false, NULL);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    const struct acceptor_worker accepts_for = {
        .metrics = &worker.metrics, .connections = &worker.connections, .woke_us = &worker.woke_us};
    worker.acceptor = acceptor_new(&accepts_for, &server.listener, fd);
    ck_assert_ptr_nonnull(worker.acceptor);
    close(fd);
    worker.connections = server.listener.limits.open = 1;
    connections_notify(&worker, NULL, &client.context, MHD_CONNECTION_NOTIFY_STARTED);
    connected = client.context;
    ck_assert_ptr_nonnull(connected);
}

static void tear_down(void) {
    connections_notify(&worker, NULL, &client.context, MHD_CONNECTION_NOTIFY_CLOSED);
    ck_assert_uint_eq(worker.connections, 0);
    ck_assert_uint_eq(server.listener.limits.open, 0);
    ck_assert(LIST_EMPTY(&worker.opened));
    acceptor_close(worker.acceptor);
    acceptor_free(worker.acceptor);
    http_lab_tear_down();
}

int request_lab_run(const char *name, const TTest *const *tests, size_t n) {
    const struct check_fixture each = {HTTP_LAB_TEST_S, set_up, tear_down};
    return check_run(check_suite(name, &each, tests, n));
}

void set_headers(const char *const *lines, size_t n) {
    static char text[HEADERS_MAX][HEADER_MAX];
    client.fields = 0;
    set_field(MHD_HEADER_KIND, "Host", "x");
    for (size_t i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "%s", lines[i]);
        char *colon = strchr(text[i], ':');
        *colon = '\0';
        set_field(MHD_HEADER_KIND, text[i], colon + 2);
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
