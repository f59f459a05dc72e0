/* What the parts of a connection share. By the link's thread. */
#ifndef AFORO_REDIS_WIRE_INTERNAL_H
#define AFORO_REDIS_WIRE_INTERNAL_H

#include "redis/tls.h"
#include "redis/wire.h"

#define READ_MAX 16384 /* what a record of TLS holds */

/* What is queued, over TLS; without it, hiredis has a buffer of its own. */
struct wire_out {
    char *bytes;
    size_t len, cap;
};

struct wire {
    redisContext *redis;   /* the socket, what failed, the replies' reader */
    struct redis_tls *tls; /* NULL: in the clear */
    struct wire_out out;
    bool heard; /* a reply has come */
};

/* Connects, with TLS where the URL says so: the first part of wire_open. */
struct wire *wire_connect(const struct wire_config *config, const struct redis_host *host,
                          const char *address, char *why);

#endif
