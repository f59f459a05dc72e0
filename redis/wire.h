/* One connection to one Redis process, by hiredis and, for rediss://, GnuTLS: what server, Sentinel
 * and cluster links are made of. By the link's thread. */
#ifndef AFORO_REDIS_WIRE_H
#define AFORO_REDIS_WIRE_H

#include "redis/url.h"

#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <stdint.h>

#define WIRE_WHY_MAX REDIS_URL_WHY_MAX
#define WIRE_NO_END INT64_MAX
#define WIRE_NOAUTH_REMEDY                                                                         \
    "it wants a password; set AFORO_REDIS_PASSWORD or AFORO_REDIS_PASSWORD_FILE, or put it into "  \
    "the URL: redis://:PASSWORD@HOST"

struct wire;
struct wire_config;

/* A server that is connected to, and what is needed to talk to it; for the length of a call. */
struct wire_peer {
    const struct wire_config *config;
    struct wire *wire;
    const char *address; /* for messages */
};

/* Asked of every server that is connected to, before anything else is sent there; false (why
 * filled, WIRE_WHY_MAX) refuses it. */
typedef bool wire_check(const struct wire_peer *peer, char *why);

/* How to connect, and how long to wait: the login and the database are the URL's. Times are those
 * of wire_now_ms. */
struct wire_config {
    const struct redis_url *url;
    int64_t timeout_ms; /* for connecting and for each reply, as a whole */
    /* no wait of what is under way goes past it; the link's own thread sets it */
    int64_t end_ms;
    const _Atomic int64_t *until_ms; /* the same, set by any thread at any time; NULL: none */
    wire_check *check;               /* NULL: none */
    void *check_cls;                 /* the check's own */
};

/* Connects to host (NULL: to the URL's Unix socket), authenticates, selects, checks. NULL fills why
 * (WIRE_WHY_MAX). *refused, when not NULL: it answered, and said or showed that it will not do;
 * trying again soon is no use. The caller frees the result with wire_close. */
struct wire *wire_open(const struct wire_config *config, const struct redis_host *host,
                       bool *refused, char *why);

/* The same without logging in, selecting and checking: a sentinel. */
struct wire *wire_open_bare(const struct wire_config *config, const struct redis_host *host,
                            char *why);

void wire_close(struct wire *wire); /* NULL is allowed */

/* Queues a command. False: the connection failed. */
bool wire_append(struct wire *wire, int argc, const char **argv, const size_t *lens);
/* The same of one that is formatted as it goes over the wire. */
bool wire_append_text(struct wire *wire, const char *text, size_t len);

/* One command of NUL-terminated words and its reply, which may be of type REDIS_REPLY_ERROR and
 * which the caller frees; NULL fills why: the connection is then of no use. */
redisReply *wire_call(const struct wire_peer *peer, int argc, const char **argv, char *why);

/* Sends what is queued. False: the connection failed, or the time was up (wire_explain tells). */
bool wire_write(const struct wire_config *config, struct wire *wire);

/* The next reply; what is queued is sent first. The whole of it must come within the time-out,
 * however slowly its bytes do. NULL: the connection failed, or the time was up; it is then of no
 * use. */
redisReply *wire_reply(const struct wire_config *config, struct wire *wire);

/* What has come without being asked for: reads what is there without waiting, once. False: the
 * connection failed. wire_next then gives one reply after the other; *reply is NULL when there is
 * none, and freed by the caller. */
bool wire_look(struct wire *wire);
bool wire_next(struct wire *wire, redisReply **reply);

/* Did it fail? It is then of no use. */
bool wire_failed(const struct wire *wire);

/* AUTH with the URL's password, when it has one; false fills why. */
bool wire_login(const struct wire_peer *peer, char *why);

/* The sentence of a connection that failed; wire may be NULL (out of memory). */
void wire_explain(const struct wire *wire, const char *address, char *why);

/* Did it fail because no answer came in time? */
bool wire_timed_out(const struct wire *wire);

/* Is it an error reply that begins with this word? */
bool wire_is_error(const redisReply *reply, const char *word);

/* Milliseconds of a clock that only goes forward. */
int64_t wire_now_ms(void);

#endif
