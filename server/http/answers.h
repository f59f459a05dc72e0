/* Answers and how they are sent: prepared ones, made once a worker, and those that are made for one
 * request. By the worker's thread, inside MHD_run, but for answers_make and answers_free. */
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
    ANSWER_HEADERS_OF_BROWSER, /* the same, of who would read where events are sent */
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

/* One response object a worker, so that no two threads share one. */
struct answers {
    struct MHD_Response *response[ANSWERS];
    struct MHD_Response *last_response[ANSWERS]; /* the same, and the connection ends */
};

/* Before the worker's thread starts, and after it ended. False when out of memory; answers_free
 * frees what was made. */
bool answers_make(struct answers *answers);
void answers_free(struct answers *answers);

/* The reason under which an event or a batch is counted that is refused with this answer. Pure. */
enum refusal answers_reason(enum answer answer);

/* Queues a prepared answer. */
enum MHD_Result answers_queue(struct connection *connection, enum answer answer);

/* Queues a response that was made for this request only, and releases it; `type` is that of its
 * body. MHD_NO, which closes the connection, when response is NULL. */
enum MHD_Result answers_queue_response(struct connection *connection, unsigned status,
                                       struct MHD_Response *response, const char *type);

/* Queues a response with its headers, which stays the caller's. Not when the connection ends with
 * the answer: that has a header of its own. */
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

/* Answers while the body is still coming (farewell.h), and closes then. */
enum MHD_Result answers_send_farewell(struct connection *connection,
                                      const struct farewell *farewell);
enum MHD_Result answers_send_prepared_farewell(struct connection *connection, enum answer answer);

/* Answers with the headers alone, when they announce a larger body than is read to keep the
 * connection. */
enum MHD_Result answers_send_before_body(struct connection *connection, enum answer answer);

/* Writes a refusal (a status of 400 and more) to the log of --log-level debug; of a flood, only so
 * many a second. Of `text` its first line is written. */
void answers_log_refusal(struct connection *connection, unsigned status, const char *text);

#endif
