/* Where summaries outlive the node: a table of functions, so that the flush knows nothing of Redis and a test can put
 * a store that fails in its place. All calls are made by the flush thread alone and may block, each for at most the
 * store's own time-out; none of them allocates per event. */
#ifndef AFORO_SERVER_STORE_H
#define AFORO_SERVER_STORE_H

#include "counters/window.h"

#include <stddef.h>

#define STORE_WHY_MAX 256

/* What this node has counted in some windows of one chunk: absolute values, never increments. */
struct store_chunk {
    enum resolution resolution;
    int64_t chunk;
    uint32_t n;                 /* windows below, 1..SLOTS_MAX */
    uint8_t slot[SLOTS_MAX];
    uint64_t count[SLOTS_MAX];  /* below 2^53: the store's script computes in doubles */
};

enum store_ack {
    STORE_FAILED, /* not known to be stored: send again */
    STORE_KNOWN,  /* stored; the store had heard of this chunk from this node before */
    STORE_NEW     /* stored; the store had nothing of this chunk from this node */
};

struct store_window {
    enum resolution resolution;
    int64_t window;
    uint64_t count;
};

struct store {
    const struct store_ops *ops;
};

struct store_ops {
    /* Connects and checks that the store can keep the promise (no eviction). Called again after any failure. True when
     * ready; false with `why` filled: one sentence that names the address (without password), the reason and the remedy. */
    bool (*connect)(struct store *store, char why[STORE_WHY_MAX]);
    /* Sends chunks[0..n) in one pipeline and fills ack[0..n). False (why filled) when any of them failed; the
     * connection may then be gone: `connected` tells. */
    bool (*send)(struct store *store, const struct store_chunk *chunks, size_t n, enum store_ack *ack,
                 char why[STORE_WHY_MAX]);
    /* Reads what the store has from this node for chunks [first, first + n) of a resolution and calls `each` once a
     * window that holds a count. False (why filled) when not all could be read. */
    bool (*read_back)(struct store *store, enum resolution resolution, int64_t first, int64_t n,
                      void (*each)(void *cls, const struct store_window *window), void *cls, char why[STORE_WHY_MAX]);
    /* Is the store there, and does it still have this chunk from this node? STORE_KNOWN, STORE_NEW (it is gone) or
     * STORE_FAILED (why filled). Cheap: the flush asks when it has nothing to send. */
    enum store_ack (*probe)(struct store *store, enum resolution resolution, int64_t chunk, char why[STORE_WHY_MAX]);
    bool (*connected)(const struct store *store);
    const char *(*address)(const struct store *store); /* for the log: no password in it; lives as long as the store */
    void (*close)(struct store *store); /* frees the store */
};

#endif
