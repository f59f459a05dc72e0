/* A worker's connections, from the first byte to the end. By the worker's thread. */
#ifndef AFORO_SERVER_HTTP_CONNECTIONS_H
#define AFORO_SERVER_HTTP_CONNECTIONS_H

#include "server/http/context.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

/* MHD_NotifyConnectionCallback; cls is the worker. Makes and frees what is kept of a connection. */
void connections_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                        enum MHD_ConnectionNotificationCode code);

/* Whether a connection that was opened after since_us (steady clock) has not made its first request
 * yet. */
bool connections_expect_first(const struct worker *worker, int64_t since_us);

/* Closes connections whose request takes too long to come: a client that sends a byte now and then
 * would otherwise keep its connection for ever, since each byte ends what the library calls idle.
 * Once a second, outside MHD_run. now_us: steady clock. */
void connections_close_slow(struct worker *worker, int64_t now_us);

#endif
