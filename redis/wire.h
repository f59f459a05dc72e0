/* One connection to one Redis process, by hiredis: what server, Sentinel and cluster links are made of. One
 * thread. */
#ifndef AFORO_REDIS_WIRE_H
#define AFORO_REDIS_WIRE_H

#include "redis/link.h"

#include <stdint.h>

/* How to connect: the login and the database are the URL's. */
struct wire_config {
    const struct redis_url *url;
    struct timeval timeout; /* for connecting and for each reply */
    link_check *check;      /* NULL: none */
    void *check_cls;
};

/* Connects to host (NULL: to the URL's Unix socket), authenticates, selects, checks. NULL fills why
 * (LINK_WHY_MAX). *refused, when not NULL: it answered, and said or showed that it will not do; trying again
 * soon is no use. The caller frees the result with redisFree. */
redisContext *wire_open(const struct wire_config *config, const struct redis_host *host, bool *refused,
                        char *why);

/* The same without logging in, selecting and checking: a sentinel. */
redisContext *wire_open_bare(const struct wire_config *config, const struct redis_host *host, char *why);

/* One command of NUL-terminated words and its reply, which may be of type REDIS_REPLY_ERROR; NULL fills why:
 * the connection is then of no use. */
redisReply *wire_call(redisContext *wire, const char *address, int argc, const char **argv, char *why);

/* AUTH with the URL's password, when it has one; false fills why. */
bool wire_login(redisContext *wire, const struct redis_url *url, const char *address, char *why);

/* The sentence of a connection that failed; wire may be NULL (out of memory). */
void wire_explain(const redisContext *wire, const char *address, char *why);

/* Did it fail because no answer came in time? */
bool wire_timed_out(const redisContext *wire);

/* Is it an error reply that begins with this word? */
bool wire_is_error(const redisReply *reply, const char *word);

/* Milliseconds of a clock that only goes forward. */
int64_t wire_now_ms(void);

#endif
