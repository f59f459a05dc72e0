/* The libmicrohttpd daemon that reads a worker's requests. By main, before the worker's thread
 * starts and after it has ended; the daemon's callbacks run on the worker's thread, inside
 * MHD_run. */
#ifndef AFORO_SERVER_HTTP_DAEMON_H
#define AFORO_SERVER_HTTP_DAEMON_H

#include "server/http/context.h"
#include "server/net/acceptor.h"

#include <microhttpd.h>

/* Starts a daemon without a listening socket and without a thread of its own; the acceptor gives it
 * connections. The caller stops it with MHD_stop_daemon. NULL when it cannot be started. */
struct MHD_Daemon *daemon_start(struct worker *worker, enum pool pool);

/* How many arguments of a query fit into the library's pool for a connection beside 14 headers: by
 * default, 40 where events arrive and 642 where pages are read. */
unsigned daemon_most_arguments(const struct worker *worker);

#endif
