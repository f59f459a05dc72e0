/* What the parts of a connection share. Used by the link's thread. */
#ifndef AFORO_REDIS_WIRE_INTERNAL_H
#define AFORO_REDIS_WIRE_INTERNAL_H

#include "redis/tls.h"
#include "redis/wire.h"

#define READ_MAX 16384 /* size of a TLS record */

/* The send queue with TLS; without it, hiredis' own buffer is used. */
struct wire_out {
    char *bytes;
    size_t len, cap;
};

struct wire {
    redisContext *redis;   /* socket, failure and reply parser */
    struct redis_tls *tls; /* NULL: not encrypted */
    struct wire_out out;
    bool heard; /* a reply has arrived */
};

/* Connects, with TLS if the URL asks for it: the first step of wire_open. */
struct wire *wire_connect(const struct wire_config *config, const struct redis_host *host,
                          const char *address, char *why);

#endif
