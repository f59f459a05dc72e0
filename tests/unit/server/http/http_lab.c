#include "tests/unit/server/http/http_lab.h"

#include "tests/unit/check_main.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

struct client client;
bool lab_out_of_memory;
unsigned lab_responses;
struct options options;
struct server server;
struct worker worker;

/* ---- the library ---- */

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
        told.socket_context = client.context;
        return &told;
    case MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE:
        told.header_size = 100;
        return &told;
    case MHD_CONNECTION_INFO_GNUTLS_SESSION:
        told.tls_session = client.session;
        return client.session ? &told : NULL;
    default:
        return NULL;
    }
}

int MHD_get_connection_values(struct MHD_Connection *mhd, enum MHD_ValueKind kind,
                              MHD_KeyValueIterator iterator, void *cls) {
    int n = 0;
    (void)mhd;
    for (size_t i = 0; i < client.fields; i++) {
        if (client.field[i].kind == kind) {
            n++;
            if (iterator(cls, kind, client.field[i].name, client.field[i].value) != MHD_YES) {
                break;
            }
        }
    }
    return n;
}

int MHD_get_connection_values_n(struct MHD_Connection *mhd, enum MHD_ValueKind kind,
                                MHD_KeyValueIteratorN iterator, void *cls) {
    int n = 0;
    (void)mhd;
    for (size_t i = 0; i < client.fields; i++) {
        if (client.field[i].kind == kind) {
            n++;
            iterator(cls, kind, client.field[i].name, strlen(client.field[i].name),
                     client.field[i].value, strlen(client.field[i].value));
        }
    }
    return n;
}

const char *MHD_lookup_connection_value(struct MHD_Connection *mhd, enum MHD_ValueKind kind,
                                        const char *key) {
    (void)mhd;
    for (size_t i = 0; i < client.fields; i++) {
        if (client.field[i].kind == kind && strcasecmp(client.field[i].name, key) == 0) {
            return client.field[i].value;
        }
    }
    return NULL;
}

static struct MHD_Response *new_response(void) {
    struct MHD_Response *response = lab_out_of_memory ? NULL : calloc(1, sizeof *response);
    lab_responses += response != NULL;
    return response;
}

struct MHD_Response *MHD_create_response_from_buffer(size_t size, void *buffer,
                                                     enum MHD_ResponseMemoryMode mode) {
    struct MHD_Response *response = new_response();
    if (response) {
        response->text = calloc(1, size + 1);
        memcpy(response->text, buffer, size);
        if (mode == MHD_RESPMEM_MUST_FREE) {
            free(buffer);
        }
    }
    return response;
}

struct MHD_Response *MHD_create_response_from_callback(uint64_t size, size_t block_size,
                                                       MHD_ContentReaderCallback crc, void *crc_cls,
                                                       MHD_ContentReaderFreeCallback crfc) {
    struct MHD_Response *response = new_response();
    ck_assert_uint_eq(size, MHD_SIZE_UNKNOWN);
    if (response) {
        response->read = crc;
        response->free = crfc;
        response->cls = crc_cls;
        response->block = block_size;
    }
    return response;
}

enum MHD_Result MHD_add_response_header(struct MHD_Response *response, const char *header,
                                        const char *content) {
    const size_t n = strlen(response->headers);
    snprintf(response->headers + n, sizeof response->headers - n, "%s: %s\n", header, content);
    return MHD_YES;
}

void MHD_destroy_response(struct MHD_Response *response) {
    if (response->free) {
        response->free(response->cls);
    }
    free(response->text);
    free(response);
    lab_responses--;
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *mhd, unsigned status,
                                   struct MHD_Response *response) {
    (void)mhd;
    client.status = status;
    client.answers++;
    client.response = response;
    snprintf(client.headers, sizeof client.headers, "%s", response->headers);
    char *body = read_response(response);
    snprintf(client.body, sizeof client.body, "%s", body);
    free(body);
    return MHD_YES;
}

char *read_response(struct MHD_Response *response) {
    if (!response->read) {
        return strdup(response->text);
    }
    char *text = NULL;
    size_t len = 0;
    for (;;) {
        text = realloc(text, len + response->block + 1);
        const ssize_t n = response->read(response->cls, len, text + len, response->block);
        ck_assert_int_le(n, (ssize_t)response->block);
        if (n == MHD_CONTENT_READER_END_OF_STREAM) {
            text[len] = '\0';
            return text;
        }
        ck_assert_int_gt(n, 0);
        len += (size_t)n;
    }
}

/* ---- a worker and its client ---- */

static void begin_worker(void) {
    state_dir_make();
    const struct counters_config config = tiny_config(1);
    options = (struct options){.max_body = 200,
                               .idle_timeout = 60 * US_PER_S,
                               .header_timeout = 10 * US_PER_S,
                               .body_timeout = 30 * US_PER_S};
    memset(&server, 0, sizeof server);
    memset(&worker, 0, sizeof worker);
    server.options = &options;
    server.counters = open_or_fail(&config);
    server.worker = &worker;
    server.workers = 1;
    worker.server = &server;
    worker.now_us = NOW_US;
    worker.woke_us = 1000 * US_PER_S;
    const struct fields_config no_fields = {0};
    server.no_fields = fields_new(&no_fields);
    worker.record.room = worker.room;
    worker.record.room_len = sizeof worker.room;
    worker.shared.room = worker.shared_room;
    worker.shared.room_len = sizeof worker.shared_room;
    worker.shard = counters_worker_shard(server.counters, 0);
    shard_set_now_owner(worker.shard, NOW_US);
    tls_handshakes_init(&worker.handshakes);
    ck_assert(answers_make(&worker.answers));
}

static void begin_client(void) {
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    memset(&client, 0, sizeof client);
    client.fd = pair[0];
    client.other_end = pair[1];
    client.address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(4711), .sin_addr.s_addr = htonl(0xc0000201)};
    client.connection.worker = &worker;
    client.connection.fd = client.fd;
}

void http_lab_set_up(void) {
    begin_worker();
    begin_client();
}

void http_lab_tear_down(void) {
    close(client.fd);
    close(client.other_end);
    answers_free(&worker.answers);
    ck_assert_uint_eq(lab_responses, 0);
    gather_free(&client.connection.gather);
    gather_free(&client.connection.query_text);
    fields_free(server.no_fields);
    counters_close(server.counters);
    state_dir_remove();
}

int http_lab_run(const char *name, const TTest *const *tests, size_t n) {
    const struct check_fixture each = {HTTP_LAB_TEST_S, http_lab_set_up, http_lab_tear_down};
    return check_run(check_suite(name, &each, tests, n));
}

void set_field(enum MHD_ValueKind kind, const char *name, const char *value) {
    ck_assert_uint_lt(client.fields, sizeof client.field / sizeof *client.field);
    client.field[client.fields].kind = kind;
    client.field[client.fields].name = name;
    client.field[client.fields++].value = value;
}

const char *receive(void) {
    static char got[65536];
    const ssize_t n = recv(client.other_end, got, sizeof got - 1, MSG_DONTWAIT);
    got[n > 0 ? n : 0] = '\0';
    return got;
}

struct shard_tally tally(void) {
    struct shard_tally sum;
    counters_tally(server.counters, &sum);
    return sum;
}
