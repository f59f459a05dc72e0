/* Answers and how they are sent: prepared ones, made once per worker, and those made for one
 * request. By the worker's thread, inside MHD_run, except answers_make and answers_free. */
#ifndef AFORO_SERVER_HTTP_ANSWERS_H
#define AFORO_SERVER_HTTP_ANSWERS_H

#include "server/net/farewell.h"
#include "server/refusals.h"

#include <microhttpd.h>
#include <stdbool.h>

#define ANSWERS_TYPE_TEXT "text/plain; charset=utf-8"
#define ANSWERS_TYPE_JSON "application/json"
#define ANSWERS_SENTENCE_MAX 512

/* Answers that never change. */
enum answer {
    ANSWER_NONE, /* not decided yet, or made for this request */
    ANSWER_COUNTED,
    ANSWER_TOO_LARGE,
    ANSWER_LENGTH_REQUIRED,
    ANSWER_BAD_FRAMING,
    ANSWER_HEADERS_TOO_LARGE,
    ANSWER_HEADERS_OF_BROWSER, /* the same, for a reader's request to a listener for events */
    ANSWER_NOT_FOUND,
    ANSWER_NOT_ALLOWED_ROOT,
    ANSWER_NOT_ALLOWED_EVENTS,
    ANSWER_NOT_ALLOWED_READ,
    ANSWER_NOT_ALLOWED_VALUE,
    ANSWER_VALUE_OF_EVENTS,
    ANSWER_ENCODED,
    ANSWER_ARGUMENTS, /* too many of them in the query */
    ANSWER_ROOT_PAGE,
    ANSWER_UNAUTHORISED,
    ANSWER_AUTHORISED_TWICE,
    ANSWER_THROTTLED,
    ANSWER_NOT_KEPT,
    ANSWERS
};

struct connection;
struct worker;

/* Each worker has response objects of its own, so that no two threads share one. */
struct answers {
    struct MHD_Response *response[ANSWERS];
    /* the same, with a header that closes the connection */
    struct MHD_Response *last_response[ANSWERS];
};

/* By main, before the worker's thread starts and after it has ended. answers_make returns false
 * when out of memory; answers_free then frees what was made. */
bool answers_make(struct answers *answers);
void answers_free(struct answers *answers);

/* The reason under which an event or batch refused with this answer is counted. Pure. */
enum refusal answers_reason(enum answer answer);

/* Queues a prepared answer. */
enum MHD_Result answers_queue(struct connection *connection, enum answer answer);

/* Queues a response made for this request only, and releases it; `type` is the content type of its
 * body. Returns MHD_NO, which closes the connection, when response is NULL. */
enum MHD_Result answers_queue_response(struct connection *connection, unsigned status,
                                       struct MHD_Response *response, const char *type);

/* Queues a response that already has its headers and remains the caller's. Not to be used when the
 * answer closes the connection (answers_end_connection), since that takes one more header. */
enum MHD_Result answers_queue_shared(struct connection *connection, unsigned status,
                                     struct MHD_Response *response);

/* Whether the answer being made closes its connection. */
bool answers_end_connection(const struct worker *worker);

/* Queues a copy of `text`. */
enum MHD_Result answers_queue_text(struct connection *connection, unsigned status, const char *text,
                                   const char *type);

/* Queues a sentence of less than ANSWERS_SENTENCE_MAX bytes, as a line of its own. */
enum MHD_Result answers_queue_sentence(struct connection *connection, unsigned status,
                                       const char *sentence);

/* Answer while the body is still arriving (farewell.h); the connection is closed afterwards. */
enum MHD_Result answers_send_farewell(struct connection *connection,
                                      const struct farewell *farewell);
enum MHD_Result answers_send_prepared_farewell(struct connection *connection, enum answer answer);

/* Answers after the headers, when they announce a body larger than is read to keep the
 * connection. */
enum MHD_Result answers_send_before_body(struct connection *connection, enum answer answer);

/* Logs a refusal (a status of 400 or more) at --log-level debug, with the first line of `text`; in
 * a flood, only a limited number a second. */
void answers_log_refusal(struct connection *connection, unsigned status, const char *text);

#endif
