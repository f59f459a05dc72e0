/* The acceptor of a worker: accepts connections, closes those beyond the limits, and waits for the
 * first bytes of a connection, to give it to the libmicrohttpd daemon with the memory that fits: a
 * small pool for requests of one event (the library clears the pool for each), a large one for
 * batches (a read of 64 KiB costs a third a line of what a read of 4 KiB does). A worker
 * that waits is woken up by a new connection, accepts it and hands it off to the worker with the
 * fewest connections. By the worker's own thread, but acceptor_new and acceptor_free: these by
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

/* How much memory a connection has to read into: the library's pool, one size a daemon. */
enum pool { POOL_SINGLE, POOL_BATCH, POOLS };

/* What the acceptors of one listening address share. */
struct listener {
    const struct options *options;
    int fd; /* the first acceptor's, until acceptor_stop; -1 before */
    /* another process holds the listening socket, too, and accepts what this one does not */
    bool is_shared;
    struct connection_limits limits;
    struct handoff_group handoffs; /* of all acceptors; changed before the threads start only */
};

/* What an acceptor uses of the worker that it accepts for. All of it is the worker's, and stays
 * where it is until acceptor_free. */
struct acceptor_worker {
    unsigned index; /* for the log */
    struct metrics *metrics;
    _Atomic uint64_t *connections;    /* open now; written by all acceptors of the listener */
    const _Atomic int64_t *woke_us;   /* steady clock of the last wake-up */
    struct MHD_Daemon *const *daemon; /* [POOLS] */
};

struct acceptor;

/* How an acceptor is asked. */
enum acceptor_turn {
    ACCEPTOR_QUIET, /* there was no request in this turn: what woke the worker up may be for it */
    ACCEPTOR_BUSY   /* there are requests in every turn: it has not been asked for a while */
};

/* Before the first acceptor is made; with admin it is the listener of --admin-listen. */
void listener_init(struct listener *listener, const struct options *options, bool admin,
                   struct address_limit *client);

/* An acceptor on a duplicate of listen_fd, which does not block; acceptor_free frees it. NULL with
 * errno set when it cannot be made. */
struct acceptor *acceptor_new(const struct acceptor_worker *worker, struct listener *listener,
                              int listen_fd);
void acceptor_free(struct acceptor *acceptor); /* NULL is allowed */

/* Watches through an epoll descriptor, which stays the caller's and is open until acceptor_stop: an
 * event whose data.ptr is NULL says that acceptor_run may have something to do. Before the threads
 * start. False with errno set when there is no memory for it. */
bool acceptor_watch(struct acceptor *acceptor, int epoll_fd);

/* Has the kernel keep connections that have sent nothing yet, until it is ended (deferral.h). By
 * main: before the threads run, and before they are told to stop. Not for --admin-listen; a shared
 * socket is left alone. */
void listener_begin_deferral(struct listener *listener);
void listener_end_deferral(struct listener *listener);

/* Whether connections would be lost if the workers were told to stop now. By main, so long after
 * listener_end_deferral: what began since then is not looked for. */
bool listener_keeps_any(const struct listener *listener, int64_t since_end_us);

/* Accepts connections that wait, and gives those whose first bytes have come to one of the worker's
 * daemons. Never blocks. What it leaves for the next time wakes the worker up again. */
void acceptor_run(struct acceptor *acceptor, enum acceptor_turn turn);

/* Whether another worker has handed off a connection that acceptor_run has not seen: a wake-up
 * tells of it once, and that may have been one with requests. */
bool acceptor_is_handed(const struct acceptor *acceptor);

/* Closes connections that have sent nothing for --header-timeout; goes on accepting when that had
 * to pause. Once a second. now_us: steady clock. */
void acceptor_check(struct acceptor *acceptor, int64_t now_us);

/* Ends accepting: no new connections, and none from other workers. What had connected before is
 * accepted first, since the kernel would reset it when the last listening socket is closed; but
 * when the listener is shared, it is left to the next server. Connections that are open stay. May
 * be called again. */
void acceptor_stop(struct acceptor *acceptor);

/* Whether a connection that was accepted after since_us (steady clock) is still pending. */
bool acceptor_expects_first(const struct acceptor *acceptor, int64_t since_us);

/* A daemon tells that it has taken a connection. */
void acceptor_note_started(struct acceptor *acceptor);

/* A connection of this worker has ended, pending or not. */
void acceptor_count_closed(struct acceptor *acceptor, const struct sockaddr *address);

/* Ends accepting and closes all pending connections. */
void acceptor_close(struct acceptor *acceptor);

#endif
