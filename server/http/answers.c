#include "server/http/answers.h"

#include "counters/time/window.h"
#include "ingest/form.h"
#include "server/http/connection.h"
#include "server/http/pages.h"
#include "server/process/log.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define REFUSALS_A_SECOND 20 /* lines of --log-level debug, per worker */

struct prepared {
    unsigned status; /* 0: status and text are those of refusals.def */
    const char *text;
    const char *header, *value; /* one more, or NULL */
};

static const struct prepared prepared_table[ANSWERS] = {
    [ANSWER_COUNTED] = {MHD_HTTP_NO_CONTENT, "", NULL, NULL},
    [ANSWER_TOO_LARGE] = {0, NULL, NULL, NULL},
    [ANSWER_HEADERS_TOO_LARGE] = {MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
                                  "the request line and its headers are larger than --max-header\n",
                                  NULL, NULL},
    [ANSWER_HEADERS_OF_BROWSER] =
        {MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
         "the request line and its headers are larger than --max-header; a browser with cookies "
         "reads at --admin-listen, or at aforo serve, which take 16 KiB\n",
         NULL, NULL},
    [ANSWER_LENGTH_REQUIRED] =
        {MHD_HTTP_LENGTH_REQUIRED,
         "POST /events needs a Content-Length or Transfer-Encoding: chunked\n", NULL, NULL},
    [ANSWER_BAD_FRAMING] =
        {MHD_HTTP_BAD_REQUEST,
         "it is not clear where this request ends: send clean lines that end in CR LF, one Host, "
         "and one Content-Length or Transfer-Encoding: chunked\n",
         NULL, NULL},
    [ANSWER_NOT_FOUND] = {MHD_HTTP_NOT_FOUND, "no such page; GET / lists what there is\n", NULL,
                          NULL},
    [ANSWER_NOT_ALLOWED_ROOT] = {MHD_HTTP_METHOD_NOT_ALLOWED, "use GET or POST\n",
                                 MHD_HTTP_HEADER_ALLOW, "GET, HEAD, POST"},
    [ANSWER_NOT_ALLOWED_EVENTS] = {MHD_HTTP_METHOD_NOT_ALLOWED, "use POST\n", MHD_HTTP_HEADER_ALLOW,
                                   "POST"},
    [ANSWER_NOT_ALLOWED_READ] = {MHD_HTTP_METHOD_NOT_ALLOWED, "use GET\n", MHD_HTTP_HEADER_ALLOW,
                                 "GET, HEAD"},
    [ANSWER_NOT_ALLOWED_VALUE] =
        {MHD_HTTP_METHOD_NOT_ALLOWED,
         "value: an event is sent with POST, nothing was counted (curl -X POST)\n",
         MHD_HTTP_HEADER_ALLOW, "GET, HEAD, POST"},
    [ANSWER_VALUE_OF_EVENTS] = {MHD_HTTP_BAD_REQUEST,
                                "value: POST /events takes its times from the body, one a line; "
                                "POST / takes one as value\n",
                                NULL, NULL},
    [ANSWER_ENCODED] = {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                        "Content-Encoding: only identity is taken, send it uncompressed\n",
                        MHD_HTTP_HEADER_ACCEPT_ENCODING, "identity"},
    [ANSWER_ARGUMENTS] = {MHD_HTTP_BAD_REQUEST,
                          "the query has more arguments than are read here; POST takes fields in "
                          "its body\n",
                          NULL, NULL},
    [ANSWER_ROOT_PAGE] = {MHD_HTTP_OK, PAGES_ROOT, NULL, NULL},
    [ANSWER_UNAUTHORISED] = {0, NULL, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer"},
    [ANSWER_AUTHORISED_TWICE] = {MHD_HTTP_BAD_REQUEST,
                                 "Authorization: given more than once, send one\n", NULL, NULL},
    /* a second later every bucket allows a request again */
    [ANSWER_THROTTLED] = {0, NULL, MHD_HTTP_HEADER_RETRY_AFTER, "1"},
    [ANSWER_NOT_KEPT] = {0, NULL, MHD_HTTP_HEADER_RETRY_AFTER, "1"},
};

enum refusal answers_reason(enum answer answer) {
    switch (answer) {
    case ANSWER_TOO_LARGE:
        return REFUSAL_TOO_LARGE;
    case ANSWER_UNAUTHORISED:
        return REFUSAL_UNAUTHORISED;
    case ANSWER_THROTTLED:
        return REFUSAL_THROTTLED;
    case ANSWER_NOT_KEPT:
        return REFUSAL_NOT_KEPT;
    default:
        return REFUSAL_MALFORMED;
    }
}

static unsigned prepared_status(enum answer answer) {
    const unsigned status = prepared_table[answer].status;
    return status ? status : refusal_table[answers_reason(answer)].status;
}

static const char *prepared_text(enum answer answer) {
    return prepared_table[answer].status ? prepared_table[answer].text
                                         : refusal_table[answers_reason(answer)].line;
}

static struct MHD_Response *make_response(enum answer answer, bool ends_connection) {
    const struct prepared *prepared = &prepared_table[answer];
    const char *text = prepared_text(answer);
    /* The library never writes to a persistent buffer; its interface predates const. */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    if (response && *text) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, ANSWERS_TYPE_TEXT);
    }
    if (response && prepared->header) {
        MHD_add_response_header(response, prepared->header, prepared->value);
    }
    if (response && ends_connection) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    return response;
}

bool answers_make(struct answers *answers) {
    for (int i = ANSWER_NONE + 1; i < ANSWERS; i++) {
        answers->response[i] = make_response((enum answer)i, false);
        answers->last_response[i] = make_response((enum answer)i, true);
        if (!answers->response[i] || !answers->last_response[i]) {
            return false;
        }
    }
    return true;
}

void answers_free(struct answers *answers) {
    for (int i = 0; i < ANSWERS; i++) {
        if (answers->response[i]) {
            MHD_destroy_response(answers->response[i]);
        }
        if (answers->last_response[i]) {
            MHD_destroy_response(answers->last_response[i]);
        }
    }
}

void answers_log_refusal(struct connection *connection, unsigned status, const char *text) {
    if (status < 400 || !log_is_on(LOG_DEBUG)) {
        return;
    }
    struct worker *worker = connection->worker;
    char client[LOG_ADDRESS_MAX], line[FORM_WHY_MAX + 2], quoted[2 * FORM_WHY_MAX];
    if (log_limit_admits(&worker->refusals, worker_woke_us(worker), US_PER_S, REFUSALS_A_SECOND)) {
        const struct sockaddr *address =
            MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
                ->client_addr;
        snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
        log_line(LOG_DEBUG, "refused", "worker=%u client=%s status=%u text=%s", worker->index,
                 log_address(address, client), status, log_quote(line, quoted, sizeof quoted));
    }
}

bool answers_end_connection(const struct worker *worker) {
    return worker->draining || worker->answers_last;
}

static void tally_answer(struct worker *worker, unsigned status) {
    metric_add_owner(&worker->metrics, METRIC_requests, 1);
    metric_add_owner(&worker->metrics,
                     status < 400   ? METRIC_responses_2xx
                     : status < 500 ? METRIC_responses_4xx
                                    : METRIC_responses_5xx,
                     1);
}

enum MHD_Result answers_queue(struct connection *connection, enum answer answer) {
    struct worker *worker = connection->worker;
    const unsigned status = prepared_status(answer);
    if (status >= 400) {
        answers_log_refusal(connection, status, prepared_text(answer));
    }
    tally_answer(worker, status);
    return MHD_queue_response(connection->mhd, status,
                              answers_end_connection(worker) ? worker->answers.last_response[answer]
                                                             : worker->answers.response[answer]);
}

enum MHD_Result answers_queue_response(struct connection *connection, unsigned status,
                                       struct MHD_Response *response, const char *type) {
    if (!response) {
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (answers_end_connection(connection->worker)) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    tally_answer(connection->worker, status);
    const enum MHD_Result result = MHD_queue_response(connection->mhd, status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result answers_queue_shared(struct connection *connection, unsigned status,
                                     struct MHD_Response *response) {
    tally_answer(connection->worker, status);
    return MHD_queue_response(connection->mhd, status, response);
}

enum MHD_Result answers_queue_text(struct connection *connection, unsigned status, const char *text,
                                   const char *type) {
    answers_log_refusal(connection, status, text);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    return answers_queue_response(connection, status, response, type);
}

enum MHD_Result answers_queue_sentence(struct connection *connection, unsigned status,
                                       const char *sentence) {
    char line[ANSWERS_SENTENCE_MAX + 1];
    snprintf(line, sizeof line, "%s\n", sentence);
    return answers_queue_text(connection, status, line, ANSWERS_TYPE_TEXT);
}

/* ---- before the end of the body ---- */

enum MHD_Result answers_send_farewell(struct connection *connection,
                                      const struct farewell *farewell) {
    struct request *request = &connection->request;
    request->farewell = farewell_send(connection->mhd, farewell);
    if (!request->farewell) {
        return MHD_NO;
    }
    connection->closing = "answered before the end of the body";
    request->farewell_at = request->body_bytes;
    connection_begin_phase_at_wakeup(connection, PHASE_FAREWELL);
    tally_answer(connection->worker, farewell->status);
    answers_log_refusal(connection, farewell->status, farewell->text);
    return MHD_YES;
}

enum MHD_Result answers_send_prepared_farewell(struct connection *connection, enum answer answer) {
    const struct farewell farewell = {.status = prepared_status(answer),
                                      .type = ANSWERS_TYPE_TEXT,
                                      .text = prepared_text(answer),
                                      .header = prepared_table[answer].header,
                                      .value = prepared_table[answer].value};
    return answers_send_farewell(connection, &farewell);
}

enum MHD_Result answers_send_before_body(struct connection *connection, enum answer answer) {
    connection->request.answer = answer;
    /* A client that asks for 100 Continue has sent nothing of its body yet, so the library can
     * answer it. */
    return MHD_lookup_connection_value(connection->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT)
               ? answers_queue(connection, answer)
               : answers_send_prepared_farewell(connection, answer);
}
