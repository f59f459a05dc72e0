/* Who may do what: the tokens and the certificate in force, read from files when the server starts
 * and again on SIGHUP, while the workers go on.
 *
 * Main swaps a pointer and raises `generation`. A worker compares the generation once a turn,
 * before the library runs; when it has changed, it reads the pointers anew and publishes which
 * generation it has seen. What was replaced is freed when every worker has seen the new generation:
 * there is no lock, and a request costs nothing for it. */
#ifndef AFORO_SERVER_ACCESS_ACCESS_H
#define AFORO_SERVER_ACCESS_ACCESS_H

#include "common/tokens.h"
#include "server/net/tls.h"
#include "server/options.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* What a worker uses in this turn; its own, except for what says otherwise. */
struct access_view {
    const struct tokens *ingest; /* NULL: no token is needed */
    const struct tokens *read;   /* the same */
    _Atomic uint64_t seen;       /* the generation they are of; read by main */
    SLIST_ENTRY(access_view) entry;
};

SLIST_HEAD(access_views, access_view);

/* What is in force: changed by main, read by the workers. */
struct access {
    _Atomic(struct tokens *) ingest;         /* NULL: no token is needed */
    _Atomic(struct tokens *) read;           /* the same */
    _Atomic(struct tls_identity *) identity; /* NULL: no TLS */
    _Atomic uint64_t generation;             /* raised after each change of the three */
    struct access_views views;               /* of all workers; main's own */
};

/* Before the threads start: reads the files that the options name into *access, which is all zeros.
 * False when one is wrong: one line on stderr named the flag. */
bool access_open(struct access *access, const struct options *options);

/* Before the threads start, once for each worker, whose view is all zeros and stays where it is for
 * as long as access_reload may be called. */
void access_join(struct access *access, struct access_view *view);

/* By main, on SIGHUP: reads the files again; one that is wrong leaves in force what was read
 * before, and is logged. Returns when the workers use what is new, in half a second at most while
 * they are well. */
void access_reload(struct access *access, const struct options *options);

/* Warns when a listening socket that others than this machine reach takes requests without tokens,
 * or tokens without TLS. `ingest` and `read`: what is taken there. */
void access_warn(const struct access *access, int listen_fd, const char *flag, bool ingest,
                 bool read);

/* After the threads have ended. */
void access_close(struct access *access);

/* The out-of-line part of access_refresh_owner. */
void access_adopt_owner(const struct access *access, struct access_view *view, uint64_t generation);

/* By the worker, between two calls of the library: from here on it uses what is in force, and
 * nothing of what was in force before. */
static inline void access_refresh_owner(const struct access *access, struct access_view *view) {
    /* Acquire, with the release in access_reload: a thread that sees the generation sees its
     * pointers. */
    const uint64_t generation = atomic_load_explicit(&access->generation, memory_order_acquire);
    if (generation != atomic_load_explicit(&view->seen, memory_order_relaxed)) {
        access_adopt_owner(access, view, generation);
    }
}

#endif
