/* libmicrohttpd calls request_handle with the headers (begin_request), with each piece of the body
 * (read_body), and at the end of the request (finish_request), where it is answered. An answer on
 * the first call closes the connection, so only broken framing and too large headers are answered
 * there. A body that is too large to be read to its end is answered by a farewell
 * (server/net/farewell.h). */
#include "server/http/request.h"

#include "server/http/admission.h"
#include "server/http/answers.h"
#include "server/http/batch.h"
#include "server/http/connection.h"
#include "server/http/count.h"
#include "server/http/daemon.h"
#include "server/http/event.h"
#include "server/http/live_page.h"
#include "server/http/pages.h"
#include "server/http/tally.h"
#include "server/http/turn.h"
#include "server/net/farewell.h"
#include "server/net/framing.h"
#include "server/net/tls.h"
#include "server/process/clock.h"

#define REQUEST_SAMPLE 64

/* What the library passes with the headers; url and version point into its buffer. */
struct request_line {
    const char *method, *url, *version;
};

/* NULL when there was no memory as the connection opened. */
static struct connection *connection_of(struct MHD_Connection *mhd) {
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* ---- begin: the headers ---- */

/* The library keeps a record of each argument in the connection's pool, beside those of the
 * headers. When the pool is full, it closes the connection and has no room left to answer. */
static bool has_too_many_arguments(const struct connection *connection) {
    return framing_count_arguments(connection->target.query) >
           daemon_most_arguments(connection->worker);
}

void *request_read_target(void *cls, const char *uri, struct MHD_Connection *mhd) {
    (void)cls;
    struct connection *connection = connection_of(mhd);
    if (connection) {
        turn_enter(connection->worker);
        connection_begin_phase_at_wakeup(connection, PHASE_HEADERS);
        connection->began_us = connection->deadline.since_us;
        connection->target = framing_check_target(uri);
        connection->query = (struct request_query){.outcome = FORM_EMPTY};
        const struct server *server = connection->worker->server;
        if (connection->target.query && has_too_many_arguments(connection)) {
            framing_cut_query(uri, &connection->target);
            connection->query.given = connection->query.overfull = true;
        } else if (connection->target.query) {
            event_read_query(connection);
        }
        if (server->report_sets.path || server->event_log) {
            count_keep_query(connection);
        }
    }
    return NULL; /* so that request_handle sees that the request is new */
}

static void reset_request(struct connection *connection, const struct request_line *line,
                          const struct framing *framing) {
    struct worker *worker = connection->worker;
    struct request *request = &connection->request;
    worker->in_flight++;
    const char *path = framing_find_path(line->url);
    request->route = worker->server->pages ? worker->server->pages->find(path) : routes_find(path);
    request->method = routes_find_method(line->method);
    const struct routes_listener listener = worker_routes(worker);
    request->answer = routes_decide(request->route, request->method, listener);
    if (request->answer == ANSWER_ROOT_PAGE && !connection->query.has_value &&
        live_page_is_wanted(connection->mhd)) {
        request->route = ROUTE_LIVE;
        request->answer = ANSWER_NONE;
    }
    request->brings_events = routes_bring_events(request->route, request->method, listener);
    request->content = content_find(framing->type, framing->type_size);
    request->parsed = request->too_large = request->farewell = false;
    request->body_bytes = 0;
    request->length = framing->length;
    request->last = framing->chunked;
}

/* Checks the headers as a whole. An error in them is answered at once and closes the connection;
 * ANSWER_NONE: there is none. */
static enum answer check_headers(struct connection *connection, const struct framing *framing) {
    struct worker *worker = connection->worker;
    if (framing->broken) {
        if (connection->request.brings_events) {
            tally_add_refusal(worker, answers_reason(ANSWER_BAD_FRAMING));
        }
        connection->closing = "it was not clear where a request ends";
        return ANSWER_BAD_FRAMING;
    }
    if (framing->header_bytes > worker_max_header(worker)) {
        connection->closing = "headers beyond --max-header";
        return connection->request.brings_events || worker_only_reads(worker)
                   ? ANSWER_HEADERS_TOO_LARGE
                   : ANSWER_HEADERS_OF_BROWSER;
    }
    return ANSWER_NONE;
}

static enum MHD_Result refuse_too_long(struct connection *connection) {
    if (connection->request.brings_events) {
        tally_add_refusal(connection->worker, answers_reason(ANSWER_TOO_LARGE));
    }
    return answers_send_before_body(connection, ANSWER_TOO_LARGE);
}

static enum MHD_Result begin_request(struct connection *connection, const struct framing *framing) {
    struct request *request = &connection->request;
    const enum answer unclear = check_headers(connection, framing);
    if (unclear != ANSWER_NONE) {
        return answers_queue(connection, unclear);
    }
    const enum answer refused = admission_check(connection, framing);
    if (refused != ANSWER_NONE) {
        request->answer = refused;
        return framing->length > CONNECTION_DRAIN_MAX
                   ? answers_send_before_body(connection, refused)
                   : MHD_YES;
    }
    const int64_t most = request->brings_events ? connection->worker->server->options->max_body
                                                : CONNECTION_DRAIN_MAX;
    if (framing->length > (uint64_t)most) {
        return refuse_too_long(connection);
    }
    if (request->route == ROUTE_ROOT) {
        event_begin(connection);
    } else if (request->route == ROUTE_EVENTS) {
        batch_begin(connection);
    }
    return MHD_YES;
}

/* ---- the body ---- */

/* Takes a piece of a body that is not wanted. */
static enum MHD_Result discard_body(struct connection *connection) {
    struct request *request = &connection->request;
    if (request->farewell) {
        return request->body_bytes - request->farewell_at <= FAREWELL_BYTES ? MHD_YES : MHD_NO;
    }
    return request->body_bytes <= CONNECTION_DRAIN_MAX
               ? MHD_YES
               : answers_send_prepared_farewell(connection, request->answer);
}

/* Takes a piece beyond --max-body of a chunked body, whose length was not announced. */
static enum MHD_Result discard_beyond_limit(struct connection *connection) {
    struct worker *worker = connection->worker;
    struct request *request = &connection->request;
    request->too_large = true;
    if (request->body_bytes <= (uint64_t)worker->server->options->max_body + CONNECTION_DRAIN_MAX) {
        return MHD_YES;
    }
    if (request->route == ROUTE_EVENTS) {
        return batch_finish(connection, false);
    }
    tally_add_refusal(worker, answers_reason(ANSWER_TOO_LARGE));
    return answers_send_prepared_farewell(connection, ANSWER_TOO_LARGE);
}

/* Whether no field of the query can be read, which would leave all events of a batch without
 * them. */
static bool query_is_broken(const struct connection *connection) {
    return connection->query.outcome == FORM_MALFORMED;
}

static enum MHD_Result read_body(struct connection *connection, const char *data, size_t len) {
    struct request *request = &connection->request;
    const uint64_t max = (uint64_t)connection->worker->server->options->max_body;
    const uint64_t before = request->body_bytes;
    const bool unwanted = request->answer != ANSWER_NONE || request->farewell;
    request->body_bytes += len;
    if (unwanted) {
        return discard_body(connection);
    }
    if (request->route == ROUTE_EVENTS && before < max && !query_is_broken(connection)) {
        batch_read_body(connection, data, len < max - before ? len : (size_t)(max - before));
    }
    if (request->body_bytes > max) {
        return discard_beyond_limit(connection);
    }
    if (request->route != ROUTE_EVENTS) {
        event_read_body(connection, data, len, before == 0 && len == request->length);
    }
    return MHD_YES;
}

/* ---- finish: the answer ---- */

/* A page takes only the arguments that it knows: with a mistyped one, the answer would not be what
 * was meant. */
static enum MHD_Result finish_page(struct connection *connection, const char *url) {
    const char *path = framing_find_path(url);
    struct page page;
    char why[PAGES_WHY_MAX];
    const struct pages *others = connection->worker->server->pages;
    if (connection->query.given &&
        !(others ? pages_arguments_are(connection->mhd, others->arguments(path), why)
                 : pages_arguments_fit(connection->mhd, path, why))) {
        return answers_queue_sentence(connection, MHD_HTTP_BAD_REQUEST, why);
    }
    if (connection->request.answer == ANSWER_ROOT_PAGE && !others) {
        return answers_queue(connection, ANSWER_ROOT_PAGE);
    }
    if (connection->request.route == ROUTE_LIVE) {
        live_page_make(connection->mhd, path, &page);
    } else {
        pages_make(connection->worker, connection->mhd, path, &page);
    }
    return page.why[0] ? answers_queue_sentence(connection, page.status, page.why)
           : page.shared
               ? answers_queue_shared(connection, page.status, page.response)
               : answers_queue_response(connection, page.status, page.response, page.type);
}

static enum MHD_Result finish_request(struct connection *connection, const char *url) {
    struct request *request = &connection->request;
    if (request->farewell) {
        return MHD_NO; /* it was answered, and all of its body was read */
    }
    if (request->answer != ANSWER_NONE && request->answer != ANSWER_ROOT_PAGE) {
        return answers_queue(connection, request->answer);
    }
    if (request->route == ROUTE_EVENTS) {
        return query_is_broken(connection) && !request->too_large ? event_refuse_query(connection)
                                                                  : batch_finish(connection, true);
    }
    if (request->route != ROUTE_ROOT || request->answer == ANSWER_ROOT_PAGE) {
        return finish_page(connection, url);
    }
    if (request->too_large) {
        tally_add_refusal(connection->worker, answers_reason(ANSWER_TOO_LARGE));
        return answers_queue(connection, ANSWER_TOO_LARGE);
    }
    return event_finish(connection);
}

/* ---- the library's calls ---- */

static enum MHD_Result handle_headers(struct connection *connection,
                                      const struct request_line *line) {
    struct worker *worker = connection->worker;
    if (connection->handshake.session) { /* whoever sends a request has completed the handshake */
        tls_handshakes_remove(&worker->handshakes, &connection->handshake);
    }
    connection_begin_phase_at_wakeup(connection, PHASE_BODY);
    worker->answers_last = false;
    const struct framing framing =
        framing_check(connection->mhd, connection->target, line->method, line->url, line->version);
    reset_request(connection, line, &framing);
    return begin_request(connection, &framing);
}

static enum MHD_Result handle_end(struct connection *connection, const char *url) {
    struct worker *worker = connection->worker;
    connection_begin_phase_at_wakeup(connection, PHASE_ANSWER);
    worker->answers_last = connection->request.last;
    if ((worker->draining || worker->answers_last) && !connection->closing) {
        connection->closing =
            worker->draining ? "the server stops" : "a request in chunks is the last one";
    }
    return finish_request(connection, url);
}

enum MHD_Result request_handle(void *cls, struct MHD_Connection *mhd, const char *url,
                               const char *method, const char *version, const char *upload_data,
                               size_t *upload_data_size, void **con_cls) {
    turn_enter(cls);
    struct connection *connection = *con_cls;
    if (!connection) {
        connection = connection_of(mhd);
        if (!connection) {
            return MHD_NO;
        }
        *con_cls = connection;
        return handle_headers(connection, &(struct request_line){method, url, version});
    }
    if (*upload_data_size) {
        const size_t len = *upload_data_size;
        *upload_data_size = 0;
        return read_body(connection, upload_data, len);
    }
    return handle_end(connection, url);
}

/* Why a connection that ends with this request ends; NULL when that is not known. */
static const char *explain_end(enum MHD_RequestTerminationCode code) {
    switch (code) {
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

/* One request in REQUEST_SAMPLE, since reading the clock costs more than all the other statistics
 * of a request. */
static void note_duration(struct connection *connection) {
    const int64_t took_us = clock_steady_us() - connection->began_us;
    durations_add_owner(&connection->worker->metrics.request, took_us > 0 ? (uint64_t)took_us : 0);
}

void request_complete(void *cls, struct MHD_Connection *mhd, void **con_cls,
                      enum MHD_RequestTerminationCode code) {
    (void)mhd;
    struct worker *worker = cls;
    struct connection *connection = *con_cls;
    turn_enter(worker);
    if (connection) {
        worker->in_flight--;
        if (__builtin_expect(++worker->completed % REQUEST_SAMPLE == 1, 0)) {
            note_duration(connection);
        }
        connection->closing = connection->closing ? connection->closing : explain_end(code);
        connection_begin_phase_at_wakeup(connection, PHASE_IDLE);
        if (connection->request.batch.refused || connection->request.batch.unfit) {
            batch_release(&connection->request.batch);
        }
        if (connection->gather.cap > 0 || connection->gather.overlong) {
            gather_shrink(&connection->gather);
        }
        *con_cls = NULL;
    }
}
