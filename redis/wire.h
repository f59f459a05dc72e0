/* One connection to one Redis process, with hiredis and, for rediss://, GnuTLS: the building block
 * of server, Sentinel and cluster links. Used by the link's thread. */
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

/* A connected server and what is needed to talk to it; valid during a call. */
struct wire_peer {
    const struct wire_config *config;
    struct wire *wire;
    const char *address; /* for messages */
};

/* Called for every server after connecting, before anything else is sent there. False refuses the
 * server and fills `why` (WIRE_WHY_MAX). */
typedef bool wire_check(const struct wire_peer *peer, char *why);

/* How to connect and how long to wait; login and database are the URL's. Times are those of
 * wire_now_ms. */
struct wire_config {
    const struct redis_url *url;
    int64_t timeout_ms; /* for connecting, and for each complete reply */
    /* no wait lasts beyond this; set by the link's own thread */
    int64_t end_ms;
    const _Atomic int64_t *until_ms; /* the same, set by any thread at any time; NULL: none */
    wire_check *check;               /* NULL: none */
    void *check_cls;                 /* passed to the check */
};

/* Connects to `host` (NULL: to the URL's Unix socket), authenticates, selects the database, runs
 * the check. NULL fills `why` (WIRE_WHY_MAX). *refused, unless NULL, is set when the server
 * answered but rejected us or turned out unsuitable, so that retrying soon is no use. The caller
 * frees the result with wire_close. */
struct wire *wire_open(const struct wire_config *config, const struct redis_host *host,
                       bool *refused, char *why);

/* The same without login, selection and check: for a sentinel. */
struct wire *wire_open_bare(const struct wire_config *config, const struct redis_host *host,
                            char *why);

void wire_close(struct wire *wire); /* NULL is allowed */

/* Queues a command. False when the connection failed. */
bool wire_append(struct wire *wire, int argc, const char **argv, const size_t *lens);
/* The same for a command already in wire format. */
bool wire_append_text(struct wire *wire, const char *text, size_t len);

/* Sends one command of NUL-terminated words and returns its reply, which may be a REDIS_REPLY_ERROR
 * and which the caller frees. NULL fills `why`: the connection is then unusable. */
redisReply *wire_call(const struct wire_peer *peer, int argc, const char **argv, char *why);

/* Sends what is queued. False when the connection failed or the time was up (see wire_explain). */
bool wire_write(const struct wire_config *config, struct wire *wire);

/* The next reply, after sending what is queued; the caller frees it. The whole reply must arrive
 * within the time-out, however slowly its bytes come. NULL when the connection failed or the time
 * was up; the connection is then unusable. */
redisReply *wire_reply(const struct wire_config *config, struct wire *wire);

/* Unsolicited replies: wire_look reads what has arrived, once and without waiting; false when the
 * connection failed. wire_next then returns one reply after another in *reply, which the caller
 * frees; NULL when there is none. */
bool wire_look(struct wire *wire);
bool wire_next(struct wire *wire, redisReply **reply);

/* Whether the connection failed and is unusable. */
bool wire_failed(const struct wire *wire);

/* Sends AUTH with the URL's password, if it has one; false fills `why`. */
bool wire_login(const struct wire_peer *peer, char *why);

/* Explains a failed connection; `wire` may be NULL (out of memory). */
void wire_explain(const struct wire *wire, const char *address, char *why);

/* Whether it failed because no answer came in time. */
bool wire_timed_out(const struct wire *wire);

/* Whether it is an error reply that begins with this word. */
bool wire_is_error(const redisReply *reply, const char *word);

/* Milliseconds of a steady clock. */
int64_t wire_now_ms(void);

#endif
