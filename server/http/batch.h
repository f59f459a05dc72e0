/* Many events in one request: POST /events, with one event per line or an array of them. By the
 * worker's thread. */
#ifndef AFORO_SERVER_HTTP_BATCH_H
#define AFORO_SERVER_HTTP_BATCH_H

#include "server/http/connection.h"

#include <microhttpd.h>
#include <stddef.h>

/* Begins the body, of the kind that connection->request says. */
void batch_begin(struct connection *connection);

/* Counts the events of a piece of the body. */
void batch_read_body(struct connection *connection, const char *data, size_t len);

/* Counts what is left and answers with a report. at_end: the body has ended; false: it is too large
 * to be read to its end. */
enum MHD_Result batch_finish(struct connection *connection, bool at_end);

/* Frees what the batch has allocated. May be called more than once. */
void batch_release(struct batch *batch);

#endif
