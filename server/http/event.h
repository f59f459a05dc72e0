/* One event per request: POST /, with the time in the query or in the body. By the worker's
 * thread. */
#ifndef AFORO_SERVER_HTTP_EVENT_H
#define AFORO_SERVER_HTTP_EVENT_H

#include "server/http/connection.h"

#include <microhttpd.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the query of connection->target into connection->query; there must be one. */
void event_read_query(struct connection *connection);

/* Begins the body. */
void event_begin(struct connection *connection);

/* Reads a piece of the body; whole: it is the entire body. */
void event_read_body(struct connection *connection, const char *data, size_t len, bool whole);

/* Counts or refuses the event, and answers. */
enum MHD_Result event_finish(struct connection *connection);

/* Answers that the query cannot be read, as event_read_query found; nothing is counted. */
enum MHD_Result event_refuse_query(struct connection *connection);

/* Writes to `why` (SPAN_WHY_MAX bytes) why the worker does not count an event of this time. */
void event_explain_time(const struct worker *worker, int64_t event_us, char *why);

#endif
