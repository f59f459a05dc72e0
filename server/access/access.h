/* Who may do what: the tokens and the certificate in force, read from files when the server starts
 * and again on SIGHUP, while the workers go on.
 *
 * Main swaps a pointer and raises `generation`. A worker compares the generation once a turn,
 * before the library runs; if it has changed, the worker reads the pointers again and publishes
 * which generation it has seen. What was replaced is freed when every worker has seen the new
 * generation. So there is no lock, and requests pay nothing for it. */
#ifndef AFORO_SERVER_ACCESS_ACCESS_H
#define AFORO_SERVER_ACCESS_ACCESS_H

#include "common/tokens.h"
#include "server/net/tls.h"
#include "server/options.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* What a worker uses in this turn. It belongs to the worker, except where a member says
 * otherwise. */
struct access_view {
    const struct tokens *ingest; /* NULL: no token is needed */
    const struct tokens *read;   /* the same */
    _Atomic uint64_t seen;       /* the generation of these two; read by main */
    SLIST_ENTRY(access_view) entry;
};

SLIST_HEAD(access_views, access_view);

/* What is in force: changed by main, read by the workers. */
struct access {
    _Atomic(struct tokens *) ingest;         /* NULL: no token is needed */
    _Atomic(struct tokens *) read;           /* the same */
    _Atomic(struct tls_identity *) identity; /* NULL: no TLS */
    _Atomic uint64_t generation;             /* raised after each change of the three */
    struct access_views views;               /* the views of all workers; main's own */
};

/* Reads the files that the options name into *access, which must be all zeros. By main, before the
 * threads start. False when a file is wrong; one line on stderr has named the flag. access_close
 * frees. */
bool access_open(struct access *access, const struct options *options);

/* Registers a worker's view, which must be all zeros and stay in place as long as access_reload may
 * be called. By main, before the threads start, once for each worker. */
void access_join(struct access *access, struct access_view *view);

/* By main, on SIGHUP: reads the files again. A file that is wrong is logged, and what was read
 * before stays in force. Returns when all workers use the new content; that takes half a second at
 * most while no worker is stuck. */
void access_reload(struct access *access, const struct options *options);

/* Warns if a listening socket that other machines can reach takes requests without tokens, or
 * tokens without TLS. `ingest`, `read`: whether it takes events, and whether it answers readers. */
void access_warn(const struct access *access, int listen_fd, const char *flag, bool ingest,
                 bool read);

/* Frees everything. By main, after the threads have ended. */
void access_close(struct access *access);

/* The out-of-line part of access_refresh_owner. */
void access_adopt_owner(const struct access *access, struct access_view *view, uint64_t generation);

/* By the worker, between two calls of the library: from here on it uses what is in force now, and
 * nothing that was in force before. */
static inline void access_refresh_owner(const struct access *access, struct access_view *view) {
    /* Acquire pairs with the release in access_reload: a thread that sees the generation sees its
     * pointers. */
    const uint64_t generation = atomic_load_explicit(&access->generation, memory_order_acquire);
    if (generation != atomic_load_explicit(&view->seen, memory_order_relaxed)) {
        access_adopt_owner(access, view, generation);
    }
}

#endif
