/* The way of a request. libmicrohttpd calls three times: with the headers (begin), with pieces of the body (body), and
 * at the end (finish), where it is answered. An answer on the first call closes the connection, so only broken framing
 * and too large bodies are answered there. */
#include "server/http.h"

#include "server/clock.h"
#include "server/deadlines.h"
#include "server/door.h"
#include "server/framing.h"
#include "server/ingest_form.h"
#include "server/json.h"
#include "server/pages.h"
#include "server/refusals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define REPORT_MAX 10     /* refused lines that a batch names */
#define REASON_MAX 128
#define DRAIN_MAX 65536   /* of a body nobody wants: read to keep the connection, close beyond that */

enum route { ROUTE_ROOT, ROUTE_EVENTS, ROUTE_PAGE, ROUTE_HEALTH, ROUTE_NONE };
enum method { METHOD_POST, METHOD_GET, METHOD_HEAD, METHOD_OTHER };

struct refused_line {
    uint64_t line;
    char reason[REASON_MAX];
};

struct batch {
    struct lines lines;
    uint64_t accepted;
    uint64_t rejected;
    struct refused_line *refused; /* [REPORT_MAX], made with the first refusal */
};

struct request {
    enum route route;
    enum method method;
    enum answer answer;
    bool parsed; /* the body came whole in one piece, and `outcome` and `event_us` are set */
    bool too_large;
    bool ends_connection; /* nothing that follows on it is to be taken for a request */
    enum form_outcome outcome;
    int64_t event_us;
    uint64_t length;     /* Content-Length; 0 without one */
    uint64_t body_bytes; /* seen so far */
    struct form form;
    struct batch batch;
};

struct connection {
    struct connection *next, *previous; /* of this worker */
    int fd;
    struct deadline deadline;
    bool used;        /* has made a request */
    struct tls_handshake handshake;
    uint64_t client;  /* for throttle_admit; 0 without --limit-per-client */
    struct framing_target target;
    struct request request;
    char why[FORM_WHY_MAX];
};

/* ---- prepared answers ------------------------------------------------------------------------------------------ */

struct prepared {
    unsigned status;
    const char *body;
    const char *allow;
    const char *header, *value; /* one more, or NULL */
};

#define RETRY_LESS "the body is larger than --max-body; send less at once\n"

static const struct prepared prepared[ANSWERS] = {
    [ANSWER_COUNTED] = {MHD_HTTP_NO_CONTENT, "", NULL},
    [ANSWER_TOO_LATE] = {MHD_HTTP_UNPROCESSABLE_CONTENT, "value: too late, older than the horizon\n", NULL},
    [ANSWER_TOO_FAR_AHEAD] = {MHD_HTTP_UNPROCESSABLE_CONTENT, "value: too far ahead of this server's clock\n", NULL},
    [ANSWER_TOO_LARGE] = {MHD_HTTP_CONTENT_TOO_LARGE, RETRY_LESS, NULL},
    [ANSWER_HEADERS_TOO_LARGE] = {MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
                                  "the request line and its headers are larger than --max-header\n", NULL},
    [ANSWER_LENGTH_REQUIRED] = {MHD_HTTP_LENGTH_REQUIRED,
                                "POST /events needs a Content-Length or Transfer-Encoding: chunked\n", NULL},
    [ANSWER_BAD_FRAMING] = {MHD_HTTP_BAD_REQUEST,
                            "it is not clear where this request ends: send clean lines that end in CR LF, one Host, and one "
                            "Content-Length or Transfer-Encoding: chunked\n",
                            NULL},
    [ANSWER_NOT_FOUND] = {MHD_HTTP_NOT_FOUND, "no such page; GET / lists what there is\n", NULL},
    [ANSWER_NOT_ALLOWED_ROOT] = {MHD_HTTP_METHOD_NOT_ALLOWED, "use GET or POST\n", "GET, HEAD, POST"},
    [ANSWER_NOT_ALLOWED_EVENTS] = {MHD_HTTP_METHOD_NOT_ALLOWED, "use POST\n", "POST"},
    [ANSWER_NOT_ALLOWED_READ] = {MHD_HTTP_METHOD_NOT_ALLOWED, "use GET\n", "GET, HEAD"},
    [ANSWER_ROOT_PAGE] = {MHD_HTTP_OK, PAGES_ROOT, NULL},
    [ANSWER_UNAUTHORISED] = {MHD_HTTP_UNAUTHORIZED, "send a token: Authorization: Bearer ...\n", NULL,
                             MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer"},
    [ANSWER_THROTTLED] = {MHD_HTTP_TOO_MANY_REQUESTS, "more requests a second than this server takes of one client\n",
                          NULL, MHD_HTTP_HEADER_RETRY_AFTER, "1"}, /* no bucket takes longer to hold a request again */
};

static struct MHD_Response *make_response(const struct prepared *p, bool ends_connection) {
    /* The library never writes to a persistent buffer; its interface predates const. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(p->body), (void *)(uintptr_t)p->body, MHD_RESPMEM_PERSISTENT);
    if (response && *p->body) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
    }
    if (response && p->allow) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, p->allow);
    }
    if (response && p->header) {
        MHD_add_response_header(response, p->header, p->value);
    }
    if (response && ends_connection) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    return response;
}

bool http_responses_make(struct worker *worker) {
    for (int i = ANSWER_NONE + 1; i < ANSWERS; i++) {
        worker->response[i] = make_response(&prepared[i], false);
        worker->last_response[i] = make_response(&prepared[i], true);
        if (!worker->response[i] || !worker->last_response[i]) {
            return false;
        }
    }
    return true;
}

void http_responses_free(struct worker *worker) {
    for (int i = 0; i < ANSWERS; i++) {
        if (worker->response[i]) {
            MHD_destroy_response(worker->response[i]);
        }
        if (worker->last_response[i]) {
            MHD_destroy_response(worker->last_response[i]);
        }
    }
}

static bool ends_connection(const struct worker *worker) {
    return worker->draining || worker->answers_last;
}

static enum MHD_Result queue(struct worker *worker, struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response) {
    metric_add_owner(&worker->metrics, METRIC_requests, 1);
    metric_add_owner(&worker->metrics, status < 400 ? METRIC_responses_2xx : METRIC_responses_4xx, 1);
    return MHD_queue_response(connection, status, response);
}

static enum MHD_Result queue_answer(struct worker *worker, struct MHD_Connection *connection, enum answer answer) {
    struct MHD_Response *const *from = ends_connection(worker) ? worker->last_response : worker->response;
    return queue(worker, connection, prepared[answer].status, from[answer]);
}

/* A response made for this request only; it is released here. */
static enum MHD_Result queue_own(struct worker *worker, struct MHD_Connection *connection, unsigned status,
                                 struct MHD_Response *response, const char *type) {
    if (!response) {
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (ends_connection(worker)) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    const enum MHD_Result result = queue(worker, connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result queue_text(struct worker *worker, struct MHD_Connection *connection, unsigned status,
                                  const char *text, const char *type) {
    return queue_own(worker, connection, status,
                     MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY),
                     type);
}

/* ---- statistics -------------------------------------------------------------------------------------------------- */

static void tally_refused(struct worker *worker, enum refusal refusal) {
    struct shard_tally delta = {.received = 1};
    delta.refused[refusal] = 1;
    shard_tally_owner(worker->shard, &delta);
}

static void note_lag(struct worker *worker, int64_t event_us) {
    const int64_t lag_us = worker->now_us - event_us;
    if (lag_us >= 0) {
        metric_add_owner(&worker->metrics, METRIC_lag_us_sum, (uint64_t)lag_us);
        metric_add_owner(&worker->metrics, METRIC_lag_events, 1);
        metric_max_owner(&worker->metrics, METRIC_lag_us_max, (uint64_t)lag_us);
    }
}

/* ---- one event ----------------------------------------------------------------------------------------------------- */

static enum MHD_Result finish_event(struct worker *worker, struct MHD_Connection *connection,
                                    struct request *request, char *why) {
    if (!request->parsed) {
        request->outcome = form_end(&request->form, &request->event_us, why);
    }
    if (request->outcome == FORM_MALFORMED) {
        char line[FORM_WHY_MAX + 1];
        snprintf(line, sizeof line, "%s\n", why);
        tally_refused(worker, REFUSAL_MALFORMED);
        return queue_text(worker, connection, MHD_HTTP_BAD_REQUEST, line, "text/plain; charset=utf-8");
    }
    if (request->outcome == FORM_EMPTY || worker->server->clock_is_arrival) {
        shard_add_arrival_owner(worker->shard, clock_wall_us());
    } else {
        const enum shard_verdict verdict = shard_add_owner(worker->shard, request->event_us);
        if (verdict == SHARD_TOO_LATE) {
            tally_refused(worker, REFUSAL_TOO_LATE);
            return queue_answer(worker, connection, ANSWER_TOO_LATE);
        }
        if (verdict == SHARD_TOO_FAR_AHEAD) {
            tally_refused(worker, REFUSAL_TOO_FAR_AHEAD);
            return queue_answer(worker, connection, ANSWER_TOO_FAR_AHEAD);
        }
    }
    if (request->outcome == FORM_EVENT) {
        note_lag(worker, request->event_us);
    }
    shard_tally_counted_owner(worker->shard);
    return queue_answer(worker, connection, ANSWER_COUNTED);
}

/* ---- a batch --------------------------------------------------------------------------------------------------------- */

static void refuse_line(struct batch *batch, struct shard_tally *tally, uint64_t line, enum refusal refusal,
                        const struct timestamp_error *error) {
    tally->refused[refusal]++;
    if (!batch->refused) {
        batch->refused = calloc(REPORT_MAX, sizeof *batch->refused);
    }
    if (batch->rejected < REPORT_MAX && batch->refused) {
        struct refused_line *refused = &batch->refused[batch->rejected];
        refused->line = line;
        if (error) {
            timestamp_explain(error, refused->reason, sizeof refused->reason);
        } else {
            snprintf(refused->reason, sizeof refused->reason, "%s", refusal_table[refusal].sentence);
        }
    }
    batch->rejected++;
}

/* Counts what the parser yielded. */
static void take_lines(struct worker *worker, struct batch *batch) {
    const struct lines_batch *read = &worker->batch;
    struct shard_tally tally = {.received = read->n + (read->malformed ? 1 : 0)};
    size_t done = 0;
    if (worker->server->clock_is_arrival) {
        for (; done < read->n; done++) {
            shard_add_arrival_owner(worker->shard, worker->now_us);
        }
        tally.counted = done;
    }
    while (done < read->n) {
        enum shard_verdict verdict;
        const size_t counted = shard_add_batch_owner(worker->shard, read->us + done, read->n - done, &verdict);
        tally.counted += counted;
        done += counted;
        if (done < read->n) {
            refuse_line(batch, &tally, read->first_line + done,
                        verdict == SHARD_TOO_LATE ? REFUSAL_TOO_LATE : REFUSAL_TOO_FAR_AHEAD, NULL);
            done++;
        }
    }
    if (tally.counted) { /* one a read is enough: a batch's lines are of one moment */
        note_lag(worker, read->us[read->n - 1]);
    }
    if (read->malformed) {
        refuse_line(batch, &tally, read->bad_line, REFUSAL_MALFORMED, &read->error);
    }
    batch->accepted += tally.counted;
    shard_tally_owner(worker->shard, &tally);
}

static void body_lines(struct worker *worker, struct batch *batch, const char *data, size_t len) {
    while (len) {
        const size_t used = lines_feed(&batch->lines, data, len, &worker->batch);
        take_lines(worker, batch);
        data += used;
        len -= used;
    }
}

static enum MHD_Result finish_batch(struct worker *worker, struct MHD_Connection *connection, struct request *request) {
    struct batch *batch = &request->batch;
    if (!request->too_large) {
        lines_end(&batch->lines, &worker->batch);
        take_lines(worker, batch);
    }
    char text[128 + REPORT_MAX * (32 + 2 * REASON_MAX)];
    struct json json = json_begin(text, sizeof text);
    json_format(&json, "{\"accepted\":%llu,\"rejected\":%llu,\"errors\":[", (unsigned long long)batch->accepted,
                (unsigned long long)batch->rejected);
    for (uint64_t i = 0; batch->refused && i < batch->rejected && i < REPORT_MAX; i++) {
        json_format(&json, "%s{\"line\":%llu,\"reason\":", i ? "," : "", (unsigned long long)batch->refused[i].line);
        json_string(&json, batch->refused[i].reason);
        json_format(&json, "}");
    }
    json_format(&json, "]%s}\n", request->too_large ? ",\"truncated\":\"the body is larger than --max-body\"" : "");
    if (request->too_large) {
        tally_refused(worker, REFUSAL_TOO_LARGE);
    }
    return queue_text(worker, connection, request->too_large ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_OK, text,
                      "application/json");
}

/* ---- begin: the headers -------------------------------------------------------------------------------------------- */

static enum method method_of(const char *method) {
    return strcmp(method, "POST") == 0   ? METHOD_POST
           : strcmp(method, "GET") == 0  ? METHOD_GET
           : strcmp(method, "HEAD") == 0 ? METHOD_HEAD
                                         : METHOD_OTHER;
}

static enum route route_of(const char *url) {
    return url[0] == '/' && !url[1]         ? ROUTE_ROOT
           : strcmp(url, "/events") == 0    ? ROUTE_EVENTS
           : strcmp(url, "/healthz") == 0   ? ROUTE_HEALTH
           : pages_has(url)                 ? ROUTE_PAGE
                                            : ROUTE_NONE;
}

/* What can be said before the body: ANSWER_NONE when the request is to be handled. With --admin-listen one listener reads
 * and the others count; health is told by all. */
static enum answer answer_of(const struct worker *worker, const struct request *request) {
    const bool reads = request->method == METHOD_GET || request->method == METHOD_HEAD;
    const bool counts_here = worker != worker->server->admin;
    const bool reads_here = !counts_here || !worker->server->admin;
    switch (request->route) {
    case ROUTE_ROOT:
        if (!counts_here) {
            return reads ? ANSWER_ROOT_PAGE : ANSWER_NOT_ALLOWED_READ;
        }
        if (!reads_here) {
            return request->method == METHOD_POST ? ANSWER_NONE : ANSWER_NOT_ALLOWED_EVENTS;
        }
        return request->method == METHOD_POST ? ANSWER_NONE : reads ? ANSWER_ROOT_PAGE : ANSWER_NOT_ALLOWED_ROOT;
    case ROUTE_EVENTS:
        return !counts_here                      ? ANSWER_NOT_FOUND
               : request->method == METHOD_POST ? ANSWER_NONE
                                                : ANSWER_NOT_ALLOWED_EVENTS;
    case ROUTE_PAGE:
        if (!reads_here) {
            return ANSWER_NOT_FOUND;
        }
        return reads ? ANSWER_NONE : ANSWER_NOT_ALLOWED_READ;
    case ROUTE_HEALTH:
        return reads ? ANSWER_NONE : ANSWER_NOT_ALLOWED_READ;
    default:
        return ANSWER_NOT_FOUND;
    }
}

static bool is_ingest(const struct worker *worker, const struct request *request) {
    return request->method == METHOD_POST && (request->route == ROUTE_ROOT || request->route == ROUTE_EVENTS) &&
           worker != worker->server->admin;
}

static bool has_token(struct MHD_Connection *connection, const struct tokens *tokens) {
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    const char *bytes;
    size_t len;
    return value && tokens_of_header(value, &bytes, &len) && tokens_have(tokens, bytes, len);
}

/* May this client ask this, and now? ANSWER_NONE: yes. Nobody needs a token to hear that we are well, nor what is not
 * there. Guesses of a token are throttled like everything else. */
static enum answer gate(struct worker *worker, struct MHD_Connection *connection, const struct request *request,
                        uint64_t client, bool ingest) {
    struct throttle *throttle = worker->server->throttle;
    const struct tokens *tokens = ingest ? worker->ingest_tokens : worker->read_tokens;
    enum answer answer = ANSWER_NONE;
    if ((!throttle && !tokens) || request->route == ROUTE_HEALTH) {
        return ANSWER_NONE;
    }
    if (throttle && !throttle_admit(throttle, client, atomic_load_explicit(&worker->alive_us, memory_order_relaxed))) {
        answer = ANSWER_THROTTLED;
    } else if (tokens && request->route != ROUTE_NONE && !has_token(connection, tokens)) {
        answer = ANSWER_UNAUTHORISED;
    }
    if (answer != ANSWER_NONE && ingest) {
        tally_refused(worker, answer == ANSWER_THROTTLED ? REFUSAL_THROTTLED : REFUSAL_UNAUTHORISED);
    } else if (answer != ANSWER_NONE) {
        metric_add_owner(&worker->metrics, METRIC_reads_refused, 1);
    }
    return answer;
}

static enum MHD_Result begin(struct worker *worker, struct MHD_Connection *connection, struct request *request,
                             uint64_t client, const char *url, const char *method, const struct framing *framing) {
    worker->in_flight++;
    request->route = route_of(url);
    request->method = method_of(method);
    request->answer = answer_of(worker, request);
    request->parsed = request->too_large = false;
    request->body_bytes = 0;
    request->length = framing->length;
    request->ends_connection = framing->chunked;
    if (framing->broken) {
        if (is_ingest(worker, request)) {
            tally_refused(worker, REFUSAL_MALFORMED);
        }
        return queue_answer(worker, connection, ANSWER_BAD_FRAMING);
    }
    if (framing->header_bytes > (size_t)worker->server->options->max_header) {
        return queue_answer(worker, connection, ANSWER_HEADERS_TOO_LARGE);
    }
    const bool ingest = is_ingest(worker, request);
    const enum answer refused = gate(worker, connection, request, client, ingest);
    if (refused != ANSWER_NONE) {
        request->answer = refused;
        return framing->length > DRAIN_MAX ? queue_answer(worker, connection, refused) : MHD_YES;
    }
    if (framing->length > (uint64_t)(ingest ? worker->server->options->max_body : DRAIN_MAX)) {
        if (ingest) {
            tally_refused(worker, REFUSAL_TOO_LARGE);
        }
        return queue_answer(worker, connection, ANSWER_TOO_LARGE);
    }
    if (request->route == ROUTE_ROOT) {
        form_begin(&request->form);
    } else if (request->route == ROUTE_EVENTS) {
        lines_begin(&request->batch.lines);
        request->batch.accepted = request->batch.rejected = 0;
        if (ingest && !framing->has_length) {
            request->answer = ANSWER_LENGTH_REQUIRED;
            tally_refused(worker, REFUSAL_MALFORMED);
        }
    }
    return MHD_YES;
}

/* ---- body, finish ---------------------------------------------------------------------------------------------------- */

static enum MHD_Result body(struct worker *worker, struct request *request, const char *data, size_t len, char *why) {
    const uint64_t before = request->body_bytes;
    request->body_bytes += len;
    if (request->answer != ANSWER_NONE) {
        return request->body_bytes <= DRAIN_MAX ? MHD_YES : MHD_NO;
    }
    const uint64_t max = (uint64_t)worker->server->options->max_body;
    if (request->body_bytes > max) { /* chunked: nobody said so before */
        request->too_large = true;
        if (request->body_bytes > max + DRAIN_MAX) {
            tally_refused(worker, REFUSAL_TOO_LARGE);
            return MHD_NO;
        }
        return MHD_YES;
    }
    if (request->route == ROUTE_EVENTS) {
        body_lines(worker, &request->batch, data, len);
    } else if (before == 0 && len == request->length) {
        request->outcome = form_parse(data, len, &request->event_us, why);
        request->parsed = true;
    } else {
        form_feed(&request->form, data, len);
    }
    return MHD_YES;
}

static enum MHD_Result finish(struct worker *worker, struct MHD_Connection *connection, struct request *request,
                              const char *url, char *why) {
    if (request->answer != ANSWER_NONE) {
        return queue_answer(worker, connection, request->answer);
    }
    if (request->route == ROUTE_EVENTS) {
        return finish_batch(worker, connection, request);
    }
    if (request->route == ROUTE_ROOT && request->too_large) {
        tally_refused(worker, REFUSAL_TOO_LARGE);
        return queue_answer(worker, connection, ANSWER_TOO_LARGE);
    }
    if (request->route == ROUTE_ROOT) {
        return finish_event(worker, connection, request, why);
    }
    struct page page;
    pages_make(worker, connection, url, &page);
    return queue_own(worker, connection, page.status, page.response, page.type);
}

static void enter(const struct worker *worker, struct connection *connection, enum phase phase) {
    deadline_enter(&connection->deadline, phase, atomic_load_explicit(&worker->alive_us, memory_order_relaxed));
}

void *http_target(void *cls, const char *uri, struct MHD_Connection *mhd) {
    struct connection *connection =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (connection) {
        enter(cls, connection, PHASE_HEADERS);
        connection->target = framing_target_of(uri);
    }
    return NULL; /* http_handle sees that the request is new */
}

enum MHD_Result http_handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                            const char *version, const char *upload_data, size_t *upload_data_size, void **con_cls) {
    struct worker *worker = cls;
    struct connection *connection = *con_cls;
    const char *path = framing_path(url);
    if (!connection) {
        connection = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
        if (!connection) { /* out of memory when it was opened */
            return MHD_NO;
        }
        *con_cls = connection;
        connection->used = true;
        if (connection->handshake.session) { /* whoever sends a request is through */
            tls_handshake_end(&worker->handshakes, &connection->handshake);
        }
        enter(worker, connection, PHASE_BODY);
        worker->answers_last = false;
        const struct framing framing = framing_of(mhd, connection->target, method, url, version);
        return begin(worker, mhd, &connection->request, connection->client, path, method, &framing);
    }
    if (*upload_data_size) {
        const size_t len = *upload_data_size;
        *upload_data_size = 0;
        return body(worker, &connection->request, upload_data, len, connection->why);
    }
    enter(worker, connection, PHASE_ANSWER);
    worker->answers_last = connection->request.ends_connection;
    return finish(worker, mhd, &connection->request, path, connection->why);
}

void http_completed(void *cls, struct MHD_Connection *mhd, void **con_cls, enum MHD_RequestTerminationCode code) {
    (void)mhd;
    (void)code;
    struct worker *worker = cls;
    struct connection *connection = *con_cls;
    if (connection) {
        worker->in_flight--;
        enter(worker, connection, PHASE_IDLE);
        free(connection->request.batch.refused);
        connection->request.batch.refused = NULL;
        *con_cls = NULL;
    }
}

static struct connection *connection_open(struct worker *worker, struct MHD_Connection *mhd) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection) {
        connection->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        connection->next = worker->first_connection;
        if (connection->next) {
            connection->next->previous = connection;
        }
        if (worker->server->throttle) {
            connection->client = throttle_client(
                worker->server->throttle, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
        }
        worker->first_connection = connection;
        enter(worker, connection, PHASE_IDLE);
        if (worker->server->access.identity) {
            tls_handshake_begin(&worker->handshakes, &connection->handshake, mhd, connection->deadline.since_us);
        }
    }
    return connection;
}

static void connection_close(struct worker *worker, struct connection *connection) {
    if (connection) {
        tls_handshake_end(&worker->handshakes, &connection->handshake);
        *(connection->previous ? &connection->previous->next : &worker->first_connection) = connection->next;
        if (connection->next) {
            connection->next->previous = connection->previous;
        }
        free(connection);
    }
}

void http_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
                     enum MHD_ConnectionNotificationCode code) {
    struct worker *worker = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = connection_open(worker, mhd);
        worker->handed_on++;
    } else {
        connection_close(worker, *socket_context);
        door_count_closed(worker, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    }
}

/* Half a request and the end of the connection in one segment: the library saw the first, and is not told of the second
 * again (it waits for edges). What comes later is an edge of its own: so this is looked at when a phase is young only, or
 * thousands of silent connections would cost a system call each, every second. */
#define LEFT_LOOK_US (4 * US_PER_S)

static bool has_left(const struct connection *connection) {
    char byte;
    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

bool http_expects_first(const struct worker *worker, int64_t since_us) {
    for (const struct connection *connection = worker->first_connection; connection; connection = connection->next) {
        if (!connection->used && connection->deadline.since_us > since_us) {
            return true;
        }
    }
    return false;
}

/* Who is silent for --idle-timeout is closed by the library; the rest is in deadlines.h. */
void http_close_slow(struct worker *worker, int64_t now_us) {
    for (struct connection *connection = worker->first_connection; connection; connection = connection->next) {
        struct deadline *deadline = &connection->deadline;
        if (now_us - deadline->since_us < US_PER_S) {
            continue;
        }
        if (deadline->phase == PHASE_ANSWER) {
            deadline_note_taken(deadline, connection->fd, now_us);
        } else if (deadline->phase == PHASE_BODY) {
            deadline->bytes = connection->request.body_bytes;
        }
        const int64_t age_us = now_us - deadline->since_us;
        if (age_us > deadline_limit_us(deadline, worker->server->options)) {
            deadline_cut(deadline, connection->fd);
            deadline->since_us = now_us; /* once */
            metric_add_owner(&worker->metrics, METRIC_connections_too_slow, 1);
        } else if (deadline->phase != PHASE_ANSWER && age_us < LEFT_LOOK_US && has_left(connection)) {
            shutdown(connection->fd, SHUT_RDWR);
        }
    }
}
