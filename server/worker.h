/* The worker threads. Each drives libmicrohttpd daemons of its own. */
#ifndef AFORO_SERVER_WORKER_H
#define AFORO_SERVER_WORKER_H

#include "server/http/context.h"

#include <stdbool.h>
#include <stdint.h>

/* Starts server->workers threads that accept on listen_fd, and with admin_fd >= 0 one more that
 * accepts there, answers readers and counts nothing, so that a long answer holds up no event. Each
 * accepts on a duplicate; the caller keeps its own descriptors. By main. False when one could not
 * be started; one line was logged, and the caller must stop those that run with workers_stop. */
bool workers_start(struct server *server, int listen_fd, int admin_fd);

/* From now on /healthz says that the server is about to stop, and every answer closes its
 * connection, so that clients leave one by one; new connections and requests are still taken. By
 * main. */
void workers_drain(struct server *server);

/* Stops accepting, lets requests in flight finish until deadline_us (steady clock), and ends the
 * threads. By main. */
void workers_stop(struct server *server, int64_t deadline_us);

/* The last wake-up of the worker that has been silent longest (steady clock). Any thread. */
int64_t workers_alive_us(const struct server *server);

#endif
