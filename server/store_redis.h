/* The store's table of functions over redis/: one connection, pipelined, one script call per changed chunk. */
#ifndef AFORO_SERVER_STORE_REDIS_H
#define AFORO_SERVER_STORE_REDIS_H

#include "server/store.h"

struct store_redis_config {
    const char *url;               /* as redis/url.h takes it */
    const char *node_id;           /* the node's identity: part of its keys */
    int64_t ttl_s[RESOLUTIONS];    /* of the totals */
    int64_t horizon_s;             /* node keys outlive it, see ttl_node_s */
    int64_t timeout_ms;            /* for connecting and for each reply */
    bool allow_eviction;           /* accept a Redis that may evict */
};

/* A store that is not connected yet. NULL, with `why` filled, when the URL is wrong. Strings are copied. */
struct store *store_redis_new(const struct store_redis_config *config, char why[STORE_WHY_MAX]);

#endif
