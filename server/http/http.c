/* The way of a request. libmicrohttpd calls three times: with the headers (begin), with pieces of
 * the body (body), and at the end (finish), where it is answered. An answer on the first call
 * closes the connection, so only broken framing and too large headers are answered there; a body
 * that is too large to be read to its end, by a farewell. */
#include "server/http/http.h"

#include "common/json.h"
#include "ingest/form.h"
#include "ingest/span.h"
#include "server/http/pages.h"
#include "server/net/deadlines.h"
#include "server/net/door.h"
#include "server/net/farewell.h"
#include "server/net/framing.h"
#include "server/process/clock.h"
#include "server/process/log.h"
#include "server/refusals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define REPORT_MAX 10 /* refused lines that a batch names */
#define REASON_MAX SPAN_WHY_MAX
#define REPORT_BYTES (256 + REPORT_MAX * (32 + 2 * REASON_MAX))
/* of a body nobody wants: read to keep the connection, beyond that a farewell */
#define DRAIN_MAX 65536
#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_JSON "application/json"
#define WARN_EVERY_US (60 * US_PER_S)
#define REFUSALS_A_SECOND 20 /* lines of --log-level debug, a worker */

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
    bool farewell;        /* answered before the end of its body: what still comes is thrown away */
    enum form_outcome outcome;
    int64_t event_us;
    uint64_t length;      /* Content-Length; 0 without one */
    uint64_t body_bytes;  /* seen so far */
    uint64_t farewell_at; /* of these, when it was answered */
    struct form form;
    struct batch batch;
};

/* The query of a target, read before the library changes it. */
struct request_query {
    bool given;     /* there is a '?' */
    bool has_value; /* among its fields is `value` */
    /* FORM_EMPTY without a `value`; malformed: the connection's `why` says it */
    enum form_outcome outcome;
    int64_t event_us;
};

struct connection {
    struct connection *next, *previous; /* of this worker */
    int fd;
    const char *closing; /* why it ends, once that is known */
    struct deadline deadline;
    struct tls_handshake handshake;
    uint64_t client; /* for throttle_admit; 0 without --limit-per-client */
    struct framing_target target;
    struct request_query query;
    struct request request;
    char why[FORM_WHY_MAX];
};

/* ---- prepared answers ---- */

struct prepared {
    unsigned status;
    const char *body;
    const char *allow;
    const char *header, *value; /* one more, or NULL */
};

#define RETRY_LESS "the body is larger than --max-body; send less at once\n"

static const struct prepared prepared[ANSWERS] = {
    [ANSWER_COUNTED] = {MHD_HTTP_NO_CONTENT, "", NULL},
    [ANSWER_TOO_LARGE] = {MHD_HTTP_CONTENT_TOO_LARGE, RETRY_LESS, NULL},
    [ANSWER_HEADERS_TOO_LARGE] = {MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
                                  "the request line and its headers are larger than --max-header\n",
                                  NULL},
    [ANSWER_LENGTH_REQUIRED] =
        {MHD_HTTP_LENGTH_REQUIRED,
         "POST /events needs a Content-Length or Transfer-Encoding: chunked\n", NULL},
    [ANSWER_BAD_FRAMING] =
        {MHD_HTTP_BAD_REQUEST,
         "it is not clear where this request ends: send clean lines that end in CR LF, one Host, "
         "and one Content-Length or Transfer-Encoding: chunked\n",
         NULL},
    [ANSWER_NOT_FOUND] = {MHD_HTTP_NOT_FOUND, "no such page; GET / lists what there is\n", NULL},
    [ANSWER_NOT_ALLOWED_ROOT] = {MHD_HTTP_METHOD_NOT_ALLOWED, "use GET or POST\n",
                                 "GET, HEAD, POST"},
    [ANSWER_NOT_ALLOWED_EVENTS] = {MHD_HTTP_METHOD_NOT_ALLOWED, "use POST\n", "POST"},
    [ANSWER_NOT_ALLOWED_READ] = {MHD_HTTP_METHOD_NOT_ALLOWED, "use GET\n", "GET, HEAD"},
    [ANSWER_NOT_ALLOWED_VALUE] =
        {MHD_HTTP_METHOD_NOT_ALLOWED,
         "value: an event is sent with POST, nothing was counted (curl -X POST)\n",
         "GET, HEAD, POST"},
    [ANSWER_VALUE_OF_EVENTS] = {MHD_HTTP_BAD_REQUEST,
                                "value: POST /events takes its times from the body, one a line; "
                                "POST / takes one as value\n",
                                NULL},
    [ANSWER_ENCODED] = {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                        "Content-Encoding: only identity is taken, send it uncompressed\n", NULL,
                        MHD_HTTP_HEADER_ACCEPT_ENCODING, "identity"},
    [ANSWER_ROOT_PAGE] = {MHD_HTTP_OK, PAGES_ROOT, NULL},
    [ANSWER_UNAUTHORISED] = {MHD_HTTP_UNAUTHORIZED, "send a token: Authorization: Bearer ...\n",
                             NULL, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer"},
    [ANSWER_AUTHORISED_TWICE] = {MHD_HTTP_BAD_REQUEST,
                                 "Authorization: given more than once, send one\n", NULL},
    [ANSWER_THROTTLED] = {MHD_HTTP_TOO_MANY_REQUESTS,
                          "more requests a second than this server takes of one client\n",
                          /* no bucket takes longer to hold a request again */
                          NULL, MHD_HTTP_HEADER_RETRY_AFTER, "1"},
};

static struct MHD_Response *make_response(const struct prepared *p, bool ends_connection) {
    /* The library never writes to a persistent buffer; its interface predates const. */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(p->body), (void *)(uintptr_t)p->body, MHD_RESPMEM_PERSISTENT);
    if (response && *p->body) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, TYPE_TEXT);
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

static const struct sockaddr *client_of(struct MHD_Connection *connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
}

/* Every refusal in the log of --log-level debug; of a flood, so many a second. */
static void note_refused(struct worker *worker, struct MHD_Connection *connection, unsigned status,
                         const char *text) {
    if (status < 400 || !log_is_on(LOG_DEBUG)) {
        return;
    }
    const int64_t now_us = atomic_load_explicit(&worker->alive_us, memory_order_relaxed);
    char client[LOG_ADDRESS_MAX], line[FORM_WHY_MAX + 2], quoted[2 * FORM_WHY_MAX];
    if (log_limit_admits(&worker->refusals, now_us, US_PER_S, REFUSALS_A_SECOND)) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
        log_line(LOG_DEBUG, "refused", "worker=%u client=%s status=%u text=%s", worker->index,
                 log_address(client_of(connection), client), status,
                 log_quote(line, quoted, sizeof quoted));
    }
}

static bool ends_connection(const struct worker *worker) {
    return worker->draining || worker->answers_last;
}

static enum MHD_Result queue(struct worker *worker, struct MHD_Connection *connection,
                             unsigned status, struct MHD_Response *response) {
    metric_add_owner(&worker->metrics, METRIC_requests, 1);
    metric_add_owner(&worker->metrics, status < 400 ? METRIC_responses_2xx : METRIC_responses_4xx,
                     1);
    return MHD_queue_response(connection, status, response);
}

static enum MHD_Result queue_answer(struct worker *worker, struct MHD_Connection *connection,
                                    enum answer answer) {
    note_refused(worker, connection, prepared[answer].status, prepared[answer].body);
    struct MHD_Response *const *from =
        ends_connection(worker) ? worker->last_response : worker->response;
    return queue(worker, connection, prepared[answer].status, from[answer]);
}

/* A response made for this request only; it is released here. */
static enum MHD_Result queue_own(struct worker *worker, struct MHD_Connection *connection,
                                 unsigned status, struct MHD_Response *response, const char *type) {
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

static enum MHD_Result queue_text(struct worker *worker, struct MHD_Connection *connection,
                                  unsigned status, const char *text, const char *type) {
    note_refused(worker, connection, status, text);
    return queue_own(worker, connection, status,
                     MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                     MHD_RESPMEM_MUST_COPY),
                     type);
}

static enum MHD_Result queue_sentence(struct worker *worker, struct MHD_Connection *connection,
                                      unsigned status, const char *sentence) {
    char line[FORM_WHY_MAX + 1];
    snprintf(line, sizeof line, "%s\n", sentence);
    return queue_text(worker, connection, status, line, TYPE_TEXT);
}

/* ---- an answer before the end of the body ---- */

static enum MHD_Result say_farewell(struct worker *worker, struct MHD_Connection *mhd,
                                    struct request *request, const struct farewell *farewell) {
    request->farewell = farewell_send(mhd, farewell);
    if (!request->farewell) {
        return MHD_NO;
    }
    struct connection *connection =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    connection->closing = "answered before the end of the body";
    request->farewell_at = request->body_bytes;
    deadline_enter(&connection->deadline, PHASE_FAREWELL,
                   atomic_load_explicit(&worker->alive_us, memory_order_relaxed));
    metric_add_owner(&worker->metrics, METRIC_requests, 1);
    metric_add_owner(&worker->metrics,
                     farewell->status < 400 ? METRIC_responses_2xx : METRIC_responses_4xx, 1);
    note_refused(worker, mhd, farewell->status, farewell->text);
    return MHD_YES;
}

static enum MHD_Result farewell_answer(struct worker *worker, struct MHD_Connection *mhd,
                                       struct request *request, enum answer answer) {
    const struct prepared *p = &prepared[answer];
    const bool allows = p->allow != NULL;
    const struct farewell farewell = {p->status, TYPE_TEXT, p->body,
                                      allows ? MHD_HTTP_HEADER_ALLOW : p->header,
                                      allows ? p->allow : p->value};
    return say_farewell(worker, mhd, request, &farewell);
}

/* With the headers alone, when they announce more than we read to keep the connection. Who asks for
 * 100 Continue has sent nothing yet, and is answered by the library. */
static enum MHD_Result answer_first(struct worker *worker, struct MHD_Connection *mhd,
                                    struct request *request, enum answer answer) {
    request->answer = answer;
    return MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT)
               ? queue_answer(worker, mhd, answer)
               : farewell_answer(worker, mhd, request, answer);
}

/* ---- statistics ---- */

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

/* ---- one event ---- */

/* The time of the event, from the query or from the body: sent twice, it is not clear which is
 * meant. */
static enum form_outcome read_event(struct connection *connection, int64_t *event_us) {
    struct request *request = &connection->request;
    const struct request_query *query = &connection->query;
    if (request->parsed) {
        *event_us = request->event_us;
        return request->outcome;
    }
    if (query->outcome == FORM_EMPTY) {
        return form_end(&request->form, event_us, connection->why);
    }
    if (query->outcome == FORM_MALFORMED) {
        return FORM_MALFORMED;
    }
    const enum form_outcome body =
        form_end_optional(&request->form, FORM_BODY, event_us, connection->why);
    if (body == FORM_EVENT) {
        snprintf(connection->why, sizeof connection->why,
                 "value: given in the query and in the body, send one");
        return FORM_MALFORMED;
    }
    *event_us = query->event_us;
    return body == FORM_EMPTY ? FORM_EVENT : FORM_MALFORMED;
}

static struct span span_of(const struct worker *worker) {
    const struct counters *counters = worker->server->counters;
    return (struct span){worker->now_us, counters_horizon_us(counters),
                         counters_future_us(counters)};
}

static enum MHD_Result refuse_time(struct worker *worker, struct MHD_Connection *mhd,
                                   int64_t event_us, enum refusal refusal) {
    char why[FORM_WHY_MAX + SPAN_WHY_MAX] = "value: ";
    const struct span span = span_of(worker);
    span_explain(&span, event_us, why + strlen(why), SPAN_WHY_MAX);
    tally_refused(worker, refusal);
    return queue_sentence(worker, mhd, MHD_HTTP_UNPROCESSABLE_CONTENT, why);
}

static enum MHD_Result finish_event(struct worker *worker, struct MHD_Connection *mhd,
                                    struct connection *connection) {
    int64_t event_us = 0;
    const enum form_outcome outcome = read_event(connection, &event_us);
    if (outcome == FORM_MALFORMED) {
        tally_refused(worker, REFUSAL_MALFORMED);
        return queue_sentence(worker, mhd, MHD_HTTP_BAD_REQUEST, connection->why);
    }
    if (outcome == FORM_EMPTY || worker->server->clock_is_arrival) {
        shard_add_arrival_owner(worker->shard, clock_wall_us());
    } else {
        const enum shard_verdict verdict = shard_add_owner(worker->shard, event_us);
        if (verdict != SHARD_COUNTED) {
            return refuse_time(worker, mhd, event_us,
                               verdict == SHARD_TOO_LATE ? REFUSAL_TOO_LATE
                                                         : REFUSAL_TOO_FAR_AHEAD);
        }
    }
    if (outcome == FORM_EVENT) {
        note_lag(worker, event_us);
    }
    shard_tally_counted_owner(worker->shard);
    return queue_answer(worker, mhd, ANSWER_COUNTED);
}

/* ---- a batch ---- */

/* Where the reason of a line's refusal is to be written; NULL when enough lines are named. */
static char *refuse_line(struct batch *batch, struct shard_tally *tally, uint64_t line,
                         enum refusal refusal) {
    tally->refused[refusal]++;
    if (!batch->refused) {
        batch->refused = calloc(REPORT_MAX, sizeof *batch->refused);
    }
    const uint64_t nth = batch->rejected++;
    if (nth >= REPORT_MAX || !batch->refused) {
        return NULL;
    }
    batch->refused[nth].line = line;
    return batch->refused[nth].reason;
}

static void refuse_line_time(const struct worker *worker, struct batch *batch,
                             struct shard_tally *tally, size_t i, enum shard_verdict verdict) {
    const struct lines_batch *read = &worker->batch;
    char *reason =
        refuse_line(batch, tally, read->first_line + i,
                    verdict == SHARD_TOO_LATE ? REFUSAL_TOO_LATE : REFUSAL_TOO_FAR_AHEAD);
    if (reason) {
        const struct span span = span_of(worker);
        span_explain(&span, read->us[i], reason, REASON_MAX);
    }
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
        const size_t counted =
            shard_add_batch_owner(worker->shard, read->us + done, read->n - done, &verdict);
        tally.counted += counted;
        done += counted;
        if (done < read->n) {
            refuse_line_time(worker, batch, &tally, done++, verdict);
        }
    }
    if (tally.counted) { /* one a read is enough: a batch's lines are of one moment */
        note_lag(worker, read->us[read->n - 1]);
    }
    if (read->malformed) {
        char *reason = refuse_line(batch, &tally, read->bad_line, REFUSAL_MALFORMED);
        if (reason) {
            lines_explain(&read->error, reason, REASON_MAX);
        }
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

/* A sender that is wrong in all it sends gets 200 (it would drop the batch, or repeat it for ever),
 * and may look at nothing else: so it is told here. */
static void warn_of_refused_batch(struct worker *worker, struct MHD_Connection *mhd,
                                  const struct batch *batch) {
    const int64_t now_us = atomic_load_explicit(&worker->alive_us, memory_order_relaxed);
    const uint64_t n = log_gate_add(&worker->server->batches_refused, 1, now_us, WARN_EVERY_US);
    char client[LOG_ADDRESS_MAX], quoted[2 * REASON_MAX];
    if (n && batch->refused) {
        log_line(LOG_WARN, "every line of a batch was refused",
                 "client=%s lines=%llu first_line=%llu reason=%s batches=%llu",
                 log_address(client_of(mhd), client), (unsigned long long)batch->rejected,
                 (unsigned long long)batch->refused[0].line,
                 log_quote(batch->refused[0].reason, quoted, sizeof quoted), (unsigned long long)n);
    }
}

static void note_batch(struct worker *worker, struct MHD_Connection *mhd,
                       const struct request *request) {
    const struct batch *batch = &request->batch;
    char text[64 + REASON_MAX];
    if (batch->accepted == 0 && batch->rejected > 0) {
        warn_of_refused_batch(worker, mhd, batch);
    }
    if (batch->rejected > 0 && batch->refused && log_is_on(LOG_DEBUG)) {
        snprintf(text, sizeof text, "%llu of %llu lines, the first is line %llu: %s",
                 (unsigned long long)batch->rejected,
                 (unsigned long long)(batch->accepted + batch->rejected),
                 (unsigned long long)batch->refused[0].line, batch->refused[0].reason);
        note_refused(worker, mhd, MHD_HTTP_UNPROCESSABLE_CONTENT, text);
    }
    /* otherwise its answer is a refusal */
    if (request->too_large && batch->accepted > 0 && log_is_on(LOG_DEBUG)) {
        snprintf(text, sizeof text,
                 "the body is larger than --max-body: not counted from line %llu on",
                 (unsigned long long)batch->lines.line);
        note_refused(worker, mhd, MHD_HTTP_CONTENT_TOO_LARGE, text);
    }
}

/* What became of the batch. Of one that was too large the lines before the limit are counted, and
 * `truncated` says from which on they are not: whoever sent it can go on there. */
static void report_batch(const struct request *request, char *text) {
    const struct batch *batch = &request->batch;
    struct json json = json_begin(text, REPORT_BYTES);
    json_object(&json, NULL);
    json_count(&json, "accepted", batch->accepted);
    json_count(&json, "rejected", batch->rejected);
    json_array(&json, "errors");
    for (uint64_t i = 0; batch->refused && i < batch->rejected && i < REPORT_MAX; i++) {
        json_object(&json, NULL);
        json_count(&json, "line", batch->refused[i].line);
        json_text(&json, "reason", batch->refused[i].reason);
        json_object_end(&json);
    }
    json_array_end(&json);
    if (request->too_large) {
        json_object(&json, "truncated");
        json_count(&json, "from_line", batch->lines.line);
        json_text(&json, "reason", "the body is larger than --max-body");
        json_object_end(&json);
    }
    json_object_end(&json);
    json_end(&json);
}

/* At the end of the body, or before it when it is too large to be read to its end. */
static enum MHD_Result finish_batch(struct worker *worker, struct MHD_Connection *mhd,
                                    struct request *request, bool at_end) {
    struct batch *batch = &request->batch;
    if (request->too_large) {
        tally_refused(worker, REFUSAL_TOO_LARGE);
    } else {
        lines_end(&batch->lines, &worker->batch);
        take_lines(worker, batch);
    }
    const unsigned status =
        request->too_large && batch->accepted == 0 ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_OK;
    char text[REPORT_BYTES];
    report_batch(request, text);
    note_batch(worker, mhd, request);
    const struct farewell farewell = {status, TYPE_JSON, text, NULL, NULL};
    return at_end ? queue_text(worker, mhd, status, text, TYPE_JSON)
                  : say_farewell(worker, mhd, request, &farewell);
}

/* ---- begin: the headers ---- */

static enum method method_of(const char *method) {
    return strcmp(method, "POST") == 0   ? METHOD_POST
           : strcmp(method, "GET") == 0  ? METHOD_GET
           : strcmp(method, "HEAD") == 0 ? METHOD_HEAD
                                         : METHOD_OTHER;
}

static enum route route_of(const char *url) {
    return url[0] == '/' && !url[1]       ? ROUTE_ROOT
           : strcmp(url, "/events") == 0  ? ROUTE_EVENTS
           : strcmp(url, "/healthz") == 0 ? ROUTE_HEALTH
           : pages_has(url)               ? ROUTE_PAGE
                                          : ROUTE_NONE;
}

/* What can be said before the body: ANSWER_NONE when the request is to be handled. With
 * --admin-listen one listener reads and the others count; health is told by all. */
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
        return request->method == METHOD_POST ? ANSWER_NONE
               : reads                        ? ANSWER_ROOT_PAGE
                                              : ANSWER_NOT_ALLOWED_ROOT;
    case ROUTE_EVENTS:
        return !counts_here                     ? ANSWER_NOT_FOUND
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
    return request->method == METHOD_POST &&
           (request->route == ROUTE_ROOT || request->route == ROUTE_EVENTS) &&
           worker != worker->server->admin;
}

static bool has_token(struct MHD_Connection *connection, const struct tokens *tokens) {
    const char *value =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    const char *bytes;
    size_t len;
    return value && tokens_of_header(value, &bytes, &len) && tokens_have(tokens, bytes, len);
}

/* May this client ask this, and now? ANSWER_NONE: yes. Nobody needs a token to hear that we are
 * well, nor what is not there. Guesses of a token are throttled like everything else. */
static enum answer gate(struct worker *worker, struct MHD_Connection *connection,
                        const struct request *request, uint64_t client, bool ingest) {
    struct throttle *throttle = worker->server->throttle;
    const struct tokens *tokens = ingest ? worker->ingest_tokens : worker->read_tokens;
    enum answer answer = ANSWER_NONE;
    if ((!throttle && !tokens) || request->route == ROUTE_HEALTH) {
        return ANSWER_NONE;
    }
    if (throttle &&
        !throttle_admit(throttle, client,
                        atomic_load_explicit(&worker->alive_us, memory_order_relaxed))) {
        answer = ANSWER_THROTTLED;
    } else if (tokens && request->route != ROUTE_NONE && !has_token(connection, tokens)) {
        answer = ANSWER_UNAUTHORISED;
    }
    if (answer != ANSWER_NONE && ingest) {
        tally_refused(worker,
                      answer == ANSWER_THROTTLED ? REFUSAL_THROTTLED : REFUSAL_UNAUTHORISED);
    } else if (answer != ANSWER_NONE) {
        metric_add_owner(&worker->metrics, METRIC_reads_refused, 1);
    }
    return answer;
}

/* What the headers of a request that may take events say against it. */
static enum answer refusal_of_ingest(const struct connection *connection,
                                     const struct framing *framing) {
    const bool events = connection->request.route == ROUTE_EVENTS;
    return framing->authorizations > 1             ? ANSWER_AUTHORISED_TWICE
           : framing->encoded                      ? ANSWER_ENCODED
           : events && connection->query.has_value ? ANSWER_VALUE_OF_EVENTS
           : events && !framing->has_length        ? ANSWER_LENGTH_REQUIRED
                                                   : ANSWER_NONE;
}

/* The same of another one. An event that was sent with GET looks to its sender as if it were
 * counted. */
static enum answer refusal_of_read(const struct worker *worker, const struct connection *connection,
                                   const struct framing *framing) {
    const bool event =
        connection->request.answer == ANSWER_ROOT_PAGE && connection->query.has_value;
    return framing->authorizations > 1                ? ANSWER_AUTHORISED_TWICE
           : event && worker != worker->server->admin ? ANSWER_NOT_ALLOWED_VALUE
                                                      : ANSWER_NONE;
}

/* What is said against it before its body, and counted; ANSWER_NONE: nothing. */
static enum answer refusal_of(struct worker *worker, struct MHD_Connection *mhd,
                              const struct connection *connection, const struct framing *framing) {
    const struct request *request = &connection->request;
    const bool ingest = is_ingest(worker, request);
    const enum answer gated = gate(worker, mhd, request, connection->client, ingest);
    if (gated != ANSWER_NONE) {
        return gated;
    }
    const enum answer answer = ingest ? refusal_of_ingest(connection, framing)
                                      : refusal_of_read(worker, connection, framing);
    if (answer != ANSWER_NONE && ingest) {
        tally_refused(worker, REFUSAL_MALFORMED);
    }
    return answer;
}

static void request_begin(struct worker *worker, struct request *request, const char *url,
                          const char *method, const struct framing *framing) {
    worker->in_flight++;
    request->route = route_of(url);
    request->method = method_of(method);
    request->answer = answer_of(worker, request);
    request->parsed = request->too_large = request->farewell = false;
    request->body_bytes = 0;
    request->length = framing->length;
    request->ends_connection = framing->chunked;
}

static enum MHD_Result begin(struct worker *worker, struct MHD_Connection *mhd,
                             struct connection *connection, const struct framing *framing) {
    struct request *request = &connection->request;
    const bool ingest = is_ingest(worker, request);
    if (framing->broken) {
        if (ingest) {
            tally_refused(worker, REFUSAL_MALFORMED);
        }
        connection->closing = "it was not clear where a request ends";
        return queue_answer(worker, mhd, ANSWER_BAD_FRAMING);
    }
    if (framing->header_bytes > (size_t)worker->server->options->max_header) {
        connection->closing = "headers beyond --max-header";
        return queue_answer(worker, mhd, ANSWER_HEADERS_TOO_LARGE);
    }
    const enum answer refused = refusal_of(worker, mhd, connection, framing);
    if (refused != ANSWER_NONE) {
        request->answer = refused;
        return framing->length > DRAIN_MAX ? answer_first(worker, mhd, request, refused) : MHD_YES;
    }
    if (framing->length > (uint64_t)(ingest ? worker->server->options->max_body : DRAIN_MAX)) {
        if (ingest) {
            tally_refused(worker, REFUSAL_TOO_LARGE);
        }
        return answer_first(worker, mhd, request, ANSWER_TOO_LARGE);
    }
    if (request->route == ROUTE_ROOT) {
        form_begin(&request->form);
    } else if (request->route == ROUTE_EVENTS) {
        lines_begin(&request->batch.lines);
        request->batch.accepted = request->batch.rejected = 0;
    }
    return MHD_YES;
}

/* ---- body, finish ---- */

/* A piece of a body that nobody wants. */
static enum MHD_Result pass_over(struct worker *worker, struct MHD_Connection *mhd,
                                 struct request *request) {
    if (request->farewell) {
        return request->body_bytes - request->farewell_at <= FAREWELL_BYTES ? MHD_YES : MHD_NO;
    }
    return request->body_bytes <= DRAIN_MAX
               ? MHD_YES
               : farewell_answer(worker, mhd, request, request->answer);
}

/* A piece of a body in chunks, in which --max-body is reached: nobody said so before. */
static enum MHD_Result too_large(struct worker *worker, struct MHD_Connection *mhd,
                                 struct request *request) {
    request->too_large = true;
    if (request->body_bytes <= (uint64_t)worker->server->options->max_body + DRAIN_MAX) {
        return MHD_YES;
    }
    if (request->route == ROUTE_EVENTS) {
        return finish_batch(worker, mhd, request, false);
    }
    tally_refused(worker, REFUSAL_TOO_LARGE);
    return farewell_answer(worker, mhd, request, ANSWER_TOO_LARGE);
}

static enum MHD_Result body(struct worker *worker, struct MHD_Connection *mhd,
                            struct connection *connection, const char *data, size_t len) {
    struct request *request = &connection->request;
    const uint64_t max = (uint64_t)worker->server->options->max_body, before = request->body_bytes;
    const bool passed_over = request->answer != ANSWER_NONE || request->farewell;
    request->body_bytes += len;
    if (passed_over) {
        return pass_over(worker, mhd, request);
    }
    if (request->route == ROUTE_EVENTS && before < max) {
        body_lines(worker, &request->batch, data,
                   len < max - before ? len : (size_t)(max - before));
    }
    if (request->body_bytes > max) {
        return too_large(worker, mhd, request);
    }
    if (request->route == ROUTE_EVENTS) {
        return MHD_YES;
    }
    if (before == 0 && len == request->length && connection->query.outcome == FORM_EMPTY) {
        request->outcome = form_parse(data, len, &request->event_us, connection->why);
        request->parsed = true;
    } else {
        form_feed(&request->form, data, len);
    }
    return MHD_YES;
}

/* What is read takes the arguments it knows, and no others: what is mistyped would be answered with
 * something else. */
static enum MHD_Result finish_read(struct worker *worker, struct MHD_Connection *mhd,
                                   const struct connection *connection, const char *url) {
    struct page page;
    char why[PAGES_WHY_MAX];
    if (connection->query.given && !pages_arguments_fit(mhd, url, why)) {
        return queue_sentence(worker, mhd, MHD_HTTP_BAD_REQUEST, why);
    }
    if (connection->request.answer == ANSWER_ROOT_PAGE) {
        return queue_answer(worker, mhd, ANSWER_ROOT_PAGE);
    }
    pages_make(worker, mhd, url, &page);
    return page.why[0] ? queue_sentence(worker, mhd, page.status, page.why)
                       : queue_own(worker, mhd, page.status, page.response, page.type);
}

static enum MHD_Result finish(struct worker *worker, struct MHD_Connection *mhd,
                              struct connection *connection, const char *url) {
    struct request *request = &connection->request;
    if (request->farewell) {
        return MHD_NO; /* it has its answer, and all of it was read */
    }
    if (request->answer != ANSWER_NONE && request->answer != ANSWER_ROOT_PAGE) {
        return queue_answer(worker, mhd, request->answer);
    }
    if (request->route == ROUTE_EVENTS) {
        return finish_batch(worker, mhd, request, true);
    }
    if (request->route != ROUTE_ROOT || request->answer == ANSWER_ROOT_PAGE) {
        return finish_read(worker, mhd, connection, url);
    }
    if (request->too_large) {
        tally_refused(worker, REFUSAL_TOO_LARGE);
        return queue_answer(worker, mhd, ANSWER_TOO_LARGE);
    }
    return finish_event(worker, mhd, connection);
}

static void enter(const struct worker *worker, struct connection *connection, enum phase phase) {
    deadline_enter(&connection->deadline, phase,
                   atomic_load_explicit(&worker->alive_us, memory_order_relaxed));
}

static void read_query(struct connection *connection) {
    const char *text = connection->target.query;
    struct request_query *query = &connection->query;
    query->given = text != NULL;
    query->has_value = false;
    query->outcome = FORM_EMPTY;
    if (text) {
        struct form form;
        form_begin(&form);
        form_feed(&form, text, strlen(text));
        query->outcome = form_end_optional(&form, FORM_QUERY, &query->event_us, connection->why);
        query->has_value = form_has_value(&form);
    }
}

void *http_target(void *cls, const char *uri, struct MHD_Connection *mhd) {
    struct connection *connection =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (connection) {
        enter(cls, connection, PHASE_HEADERS);
        connection->target = framing_target_of(uri);
        read_query(connection);
    }
    return NULL; /* http_handle sees that the request is new */
}

enum MHD_Result http_handle(void *cls, struct MHD_Connection *mhd, const char *url,
                            const char *method, const char *version, const char *upload_data,
                            size_t *upload_data_size, void **con_cls) {
    struct worker *worker = cls;
    struct connection *connection = *con_cls;
    const char *path = framing_path(url);
    if (!connection) {
        connection =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
        if (!connection) { /* out of memory when it was opened */
            return MHD_NO;
        }
        *con_cls = connection;
        if (connection->handshake.session) { /* whoever sends a request is through */
            tls_handshake_end(&worker->handshakes, &connection->handshake);
        }
        enter(worker, connection, PHASE_BODY);
        worker->answers_last = false;
        const struct framing framing = framing_of(mhd, connection->target, method, url, version);
        request_begin(worker, &connection->request, path, method, &framing);
        return begin(worker, mhd, connection, &framing);
    }
    if (*upload_data_size) {
        const size_t len = *upload_data_size;
        *upload_data_size = 0;
        return body(worker, mhd, connection, upload_data, len);
    }
    enter(worker, connection, PHASE_ANSWER);
    worker->answers_last = connection->request.ends_connection;
    if (ends_connection(worker) && !connection->closing) {
        connection->closing =
            worker->draining ? "the server stops" : "a request in chunks is the last one";
    }
    return finish(worker, mhd, connection, path);
}

/* Why a connection ends that ends with this request; NULL when nothing is known of it. */
static const char *ended_by(enum MHD_RequestTerminationCode code) {
    switch (code) {
    case MHD_REQUEST_TERMINATED_TIMEOUT_REACHED:
        return "silent for --idle-timeout within a request";
    case MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN:
        return "the server stops";
    case MHD_REQUEST_TERMINATED_WITH_ERROR:
        return "not to be understood as HTTP, or out of memory";
    case MHD_REQUEST_TERMINATED_READ_ERROR:
    case MHD_REQUEST_TERMINATED_CLIENT_ABORT:
        return "the client left within a request";
    default:
        return NULL;
    }
}

void http_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                    enum MHD_RequestTerminationCode code) {
    (void)mhd;
    struct worker *worker = cls;
    struct connection *connection = *con_cls;
    if (connection) {
        worker->in_flight--;
        connection->closing = connection->closing ? connection->closing : ended_by(code);
        enter(worker, connection, PHASE_IDLE);
        free(connection->request.batch.refused);
        connection->request.batch.refused = NULL;
        *con_cls = NULL;
    }
}

static struct connection *connection_open(struct worker *worker, struct MHD_Connection *mhd) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection) {
        connection->fd =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        connection->next = worker->first_connection;
        if (connection->next) {
            connection->next->previous = connection;
        }
        if (worker->server->throttle) {
            connection->client = throttle_client(
                worker->server->throttle,
                MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
        }
        worker->first_connection = connection;
        enter(worker, connection, PHASE_IDLE);
        if (worker->server->access.identity) {
            tls_handshake_begin(&worker->handshakes, &connection->handshake, mhd,
                                connection->deadline.since_us);
        }
    }
    return connection;
}

/* Whether the other side has ended the connection, and nothing of what it sent is unread. */
static bool has_left(const struct connection *connection) {
    char byte;
    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Why it was closed, when neither we nor the library's last call knew. Idle time the library counts
 * in whole seconds. */
static const char *closed_by(const struct worker *worker, const struct connection *connection) {
    const int64_t silent_us = atomic_load_explicit(&worker->alive_us, memory_order_relaxed) -
                              connection->deadline.since_us;
    const bool silent = silent_us > worker->server->options->idle_timeout - US_PER_S;
    return has_left(connection) ? "the client closed it"
           : worker->draining   ? "the server stops"
           : silent             ? "silent for --idle-timeout"
                                : "closed after its answer";
}

static void note_closed(const struct worker *worker, struct MHD_Connection *mhd,
                        const struct connection *connection) {
    if (log_is_on(LOG_DEBUG)) {
        char client[LOG_ADDRESS_MAX];
        log_line(LOG_DEBUG, "connection closed", "worker=%u client=%s why=\"%s\"", worker->index,
                 log_address(client_of(mhd), client),
                 connection->closing ? connection->closing : closed_by(worker, connection));
    }
}

static void connection_close(struct worker *worker, struct MHD_Connection *mhd,
                             struct connection *connection) {
    if (connection) {
        note_closed(worker, mhd, connection);
        tls_handshake_end(&worker->handshakes, &connection->handshake);
        *(connection->previous ? &connection->previous->next : &worker->first_connection) =
            connection->next;
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
        connection_close(worker, mhd, *socket_context);
        door_count_closed(
            worker, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    }
}

bool http_expects_first(const struct worker *worker, int64_t since_us) {
    for (const struct connection *connection = worker->first_connection; connection;
         connection = connection->next) {
        if (!connection->deadline.served && connection->deadline.since_us > since_us) {
            return true;
        }
    }
    return false;
}

static void cut(struct worker *worker, struct connection *connection) {
    static const char *const why[] = {
        [PHASE_IDLE] = "its headers took longer than --header-timeout",
        [PHASE_HEADERS] = "its headers took longer than --header-timeout",
        [PHASE_BODY] = "its body took longer than --body-timeout",
        [PHASE_ANSWER] = "took its answer more slowly than --body-timeout permits"};
    const enum phase phase = connection->deadline.phase;
    deadline_cut(&connection->deadline, connection->fd);
    if (phase != PHASE_FAREWELL) {
        connection->closing = why[phase];
        metric_add_owner(&worker->metrics, METRIC_connections_too_slow, 1);
    }
}

/* Half a request and the end of the connection in one segment: the library saw the first, and is
 * not told of the second again (it waits for edges). What comes later is an edge of its own: so
 * this is looked at when a phase is young only, or thousands of silent connections would cost a
 * system call each, every second. */
#define LEFT_LOOK_US (4 * US_PER_S)

/* Who is silent for --idle-timeout is closed by the library; the rest is in deadlines.h. */
void http_close_slow(struct worker *worker, int64_t now_us) {
    const uint64_t left_out = log_limit_left_out(&worker->refusals, now_us, US_PER_S);
    if (left_out) {
        log_line(LOG_DEBUG, "more was refused", "worker=%u n=%llu", worker->index,
                 (unsigned long long)left_out);
    }
    for (struct connection *connection = worker->first_connection; connection;
         connection = connection->next) {
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
            cut(worker, connection);
            deadline->since_us = now_us; /* once */
        } else if (deadline->phase != PHASE_ANSWER && age_us < LEFT_LOOK_US &&
                   has_left(connection)) {
            connection->closing = connection->closing ? connection->closing : "the client left";
            shutdown(connection->fd, SHUT_RDWR);
        }
    }
}
