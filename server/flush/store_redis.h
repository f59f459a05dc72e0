/* The store implemented over redis/: one connection, pipelined, one script call per changed
 * chunk. */
#ifndef AFORO_SERVER_FLUSH_STORE_REDIS_H
#define AFORO_SERVER_FLUSH_STORE_REDIS_H

#include "redis/url.h"
#include "server/flush/store.h"

struct store_redis_config {
    const char *url; /* as redis/url.h takes it */
    struct redis_tls_options tls;
    const char *node_id; /* the node's name */
    const char *owner;   /* owner of this node's lease; its number marks the parts that we write */
    /* how long a chunk lives after its last change; at least an hour beyond the horizon */
    int64_t ttl_s[RESOLUTIONS];
    int64_t horizon_s;
    int64_t timeout_ms; /* for connecting and for each reply, as a whole */
};

/* Makes a store that is not connected yet; its `close` frees it. NULL, with `why` filled, when the
 * URL is wrong. Strings are copied. Before the flush thread starts. */
struct store *store_redis_new(const struct store_redis_config *config, char why[STORE_WHY_MAX]);

#endif
