/* Who may do what: the tokens and the certificate in force, read from files when the server starts
 * and again on SIGHUP, while the workers go on.
 *
 * Main swaps a pointer and raises `generation`. A worker looks at the generation once a turn,
 * before the library runs; when it has changed, it takes the pointers anew and says which
 * generation it has seen. What was replaced is freed when every worker has said so: nobody locks,
 * and a request costs nothing for it. */
#ifndef AFORO_SERVER_ACCESS_ACCESS_H
#define AFORO_SERVER_ACCESS_ACCESS_H

#include "server/server.h"

/* Before the threads start: reads the files that the options name. False when one is not as it
 * should be: one line on stderr named the flag. */
bool access_open(struct server *server);

/* By main, on SIGHUP: reads the files again; one that is wrong leaves in force what was read
 * before, and is logged. Returns when the workers use what is new, in half a second at most while
 * they are well. */
void access_reload(struct server *server);

/* Warns of what is open to others than this machine: a listening socket of everybody, without
 * tokens or without TLS. */
void access_warn(const struct server *server, int listen_fd, const char *flag, bool ingest,
                 bool read);

/* After the threads have ended. */
void access_close(struct server *server);

/* The out-of-line part of access_look_owner. */
void access_take_owner(struct worker *worker, uint64_t generation);

/* By the worker, between two calls of the library: nothing that it was shown before is looked at
 * any more. */
static inline void access_look_owner(struct worker *worker) {
    /* Acquire, with the release in access_reload: whoever sees the generation sees its pointers. */
    const uint64_t generation =
        atomic_load_explicit(&worker->server->access.generation, memory_order_acquire);
    if (generation != atomic_load_explicit(&worker->access_seen, memory_order_relaxed)) {
        access_take_owner(worker, generation);
    }
}

#endif
