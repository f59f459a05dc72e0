/* One event a request: POST /, with the time in the query or in the body. By the worker's thread.
 */
#ifndef AFORO_SERVER_HTTP_EVENT_H
#define AFORO_SERVER_HTTP_EVENT_H

#include "server/http/connection.h"

#include <microhttpd.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the query of connection->target, which has one, into connection->query. */
void event_read_query(struct connection *connection);

/* Begins the body. */
void event_begin(struct connection *connection);

/* Reads a piece of the body; whole: the only one there is. */
void event_read_body(struct connection *connection, const char *data, size_t len, bool whole);

/* Counts the event, or refuses it, and answers. */
enum MHD_Result event_finish(struct connection *connection);

/* Writes why the worker does not count an event of this time; at most SPAN_WHY_MAX bytes. */
void event_explain_time(const struct worker *worker, int64_t event_us, char *why);

#endif
