/* The libmicrohttpd daemon that reads a worker's requests. By main, before the worker's thread
 * starts and after it ended; what it calls is called by the worker, inside MHD_run. */
#ifndef AFORO_SERVER_HTTP_DAEMON_H
#define AFORO_SERVER_HTTP_DAEMON_H

#include "server/http/context.h"
#include "server/net/acceptor.h"

#include <microhttpd.h>

/* Starts a daemon in external mode, without a listening socket and without a thread of its own: the
 * acceptor gives it connections. NULL when it cannot be started; the caller stops it with
 * MHD_stop_daemon. */
struct MHD_Daemon *daemon_start(struct worker *worker, enum pool pool);

/* How many arguments of a query fit the library's pool of a connection beside 14 headers: 40 where
 * events come, 642 where pages are read. */
unsigned daemon_most_arguments(const struct worker *worker);

#endif
