/* The worker threads. Each drives libmicrohttpd daemons of its own. */
#ifndef AFORO_SERVER_WORKER_H
#define AFORO_SERVER_WORKER_H

#include "server/http/context.h"

#include <stdbool.h>
#include <stdint.h>

/* Starts server->workers threads that accept on listen_fd, and with admin_fd >= 0 one more that
 * accepts there, answers readers and counts nothing, so that a long answer holds up no event. Each
 * accepts on a duplicate; the caller keeps its own descriptors. False when one could not be
 * started: one line was logged, and those that run are to be stopped with workers_stop. */
bool workers_start(struct server *server, int listen_fd, int admin_fd);

/* From now on /healthz says that we are about to stop, and every answer closes its connection, so
 * that clients leave one by one; new connections and requests are taken as before. By main. */
void workers_drain(struct server *server);

/* Stops accepting, lets requests in flight finish until deadline_us (steady clock), ends the
 * threads. By main. */
void workers_stop(struct server *server, int64_t deadline_us);

/* When the worker that has not woken up for longest did so last (steady clock). Any thread. */
int64_t workers_alive_us(const struct server *server);

#endif
