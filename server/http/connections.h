/* A worker's connections, from the first byte to the close. By the worker's thread. */
#ifndef AFORO_SERVER_HTTP_CONNECTIONS_H
#define AFORO_SERVER_HTTP_CONNECTIONS_H

#include "server/http/context.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

/* MHD_NotifyConnectionCallback; cls is the worker. Makes and frees the struct connection. */
void connections_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                        enum MHD_ConnectionNotificationCode code);

/* Whether any connection opened after since_us (steady clock) has yet to make its first request. */
bool connections_expect_first(const struct worker *worker, int64_t since_us);

/* Closes connections whose request takes too long to arrive: a client that sends a byte now and
 * then could otherwise keep its connection for ever, since each byte resets the library's idle
 * time-out. Once a second, outside MHD_run. now_us: steady clock. */
void connections_close_slow(struct worker *worker, int64_t now_us);

#endif
