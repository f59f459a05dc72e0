/* The acceptor of a worker. It accepts connections, closes those beyond the limits, and waits for
 * the first bytes of each, to give it to the libmicrohttpd daemon with the right memory: a small
 * pool for requests of one event, since the library clears the pool for each request; a large one
 * for batches, since reads of 64 KiB cost a third as much per line as reads of 4 KiB. A new
 * connection wakes up a waiting worker, which accepts it and hands it off to the worker with the
 * fewest connections. By the worker's own thread, except acceptor_new and acceptor_free: these by
 * main, before any worker runs and after all have ended. */
#ifndef AFORO_SERVER_NET_ACCEPTOR_H
#define AFORO_SERVER_NET_ACCEPTOR_H

#include "server/metrics.h"
#include "server/net/connection_limits.h"
#include "server/net/handoff.h"
#include "server/options.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* How much memory a connection can read into: the library's pool, which has one size per daemon. */
enum pool { POOL_SINGLE, POOL_BATCH, POOLS };

/* What the acceptors of one listening address share. */
struct listener {
    const struct options *options;
    int fd; /* the first acceptor's, until acceptor_stop; -1 before */
    /* another process also holds the listening socket, and accepts what this one does not */
    bool is_shared;
    struct connection_limits limits;
    struct handoff_group handoffs; /* of all acceptors; changed only before the threads start */
};

/* What an acceptor uses of its worker. All of it belongs to the worker and stays in place until
 * acceptor_free. */
struct acceptor_worker {
    unsigned index; /* for the log */
    struct metrics *metrics;
    _Atomic uint64_t *connections;    /* open now; written by all acceptors of the listener */
    const _Atomic int64_t *woke_us;   /* steady clock of the last wake-up */
    struct MHD_Daemon *const *daemon; /* [POOLS] */
};

struct acceptor;

/* In what kind of turn acceptor_run is called. */
enum acceptor_turn {
    /* there was no request in this turn: the wake-up may have been for the acceptor */
    ACCEPTOR_QUIET,
    /* there are requests in every turn, and acceptor_run was not called for a while */
    ACCEPTOR_BUSY
};

/* To be called before the first acceptor is made. admin: it is the listener of --admin-listen. */
void listener_init(struct listener *listener, const struct options *options, bool admin,
                   struct address_limit *client);

/* Makes an acceptor on a duplicate of listen_fd, a non-blocking socket. The caller frees it with
 * acceptor_free. NULL, with errno set, when it cannot be made. */
struct acceptor *acceptor_new(const struct acceptor_worker *worker, struct listener *listener,
                              int listen_fd);
void acceptor_free(struct acceptor *acceptor); /* NULL is allowed */

/* Adds what the acceptor watches to an epoll descriptor, which remains the caller's and must stay
 * open until acceptor_stop. An event whose data.ptr is NULL says that acceptor_run may have
 * something to do. Before the threads start. False, with errno set, when there is no memory for
 * it. */
bool acceptor_watch(struct acceptor *acceptor, int epoll_fd);

/* Begin and end the deferral of connections that have sent nothing yet (deferral.h). By main:
 * before the threads run, and before they are told to stop. Not for --admin-listen; a shared socket
 * is left alone. */
void listener_begin_deferral(struct listener *listener);
void listener_end_deferral(struct listener *listener);

/* Whether connections would be lost if the workers were told to stop now. By main, since_end_us
 * after listener_end_deferral: connections that began after it are not considered. */
bool listener_keeps_any(const struct listener *listener, int64_t since_end_us);

/* Accepts connections that wait, and gives those whose first bytes have arrived to one of the
 * worker's daemons. Never blocks. What it leaves for the next call wakes the worker up again. */
void acceptor_run(struct acceptor *acceptor, enum acceptor_turn turn);

/* Whether another worker has handed off a connection that acceptor_run has not seen. Its wake-up
 * comes only once, possibly together with requests, so it must be asked. */
bool acceptor_is_handed(const struct acceptor *acceptor);

/* Closes pending connections that have sent nothing for --header-timeout or --idle-timeout,
 * whichever is shorter, and resumes accepting if that had to pause. Once a second. now_us: steady
 * clock. */
void acceptor_check(struct acceptor *acceptor, int64_t now_us);

/* Ends accepting: no new connections, and none from other workers. Connections that wait are
 * accepted first, since the kernel would reset them when the last listening socket is closed; if
 * the listener is shared, they are left to the next server. Open connections stay open. May be
 * called more than once. */
void acceptor_stop(struct acceptor *acceptor);

/* Whether a connection that was accepted after since_us (steady clock) is still pending. */
bool acceptor_expects_first(const struct acceptor *acceptor, int64_t since_us);

/* Notes that a daemon has taken a connection. */
void acceptor_note_started(struct acceptor *acceptor);

/* Uncounts a connection of this worker that has ended, pending or not. */
void acceptor_count_closed(struct acceptor *acceptor, const struct sockaddr *address);

/* Ends accepting and closes all pending connections. */
void acceptor_close(struct acceptor *acceptor);

#endif
