/* TLS to a Redis process over a connected socket, with GnuTLS, which the server's HTTP already
 * uses. Files are read again for each connection, so that certificates can be renewed while the
 * program runs. Used by the link's thread. */
#ifndef AFORO_REDIS_TLS_H
#define AFORO_REDIS_TLS_H

#include "redis/url.h"

#include <stddef.h>

#define REDIS_TLS_WHY_MAX 176 /* with an address in front, a sentence of REDIS_URL_WHY_MAX */

struct redis_tls;

enum redis_tls_step {
    REDIS_TLS_DONE,
    REDIS_TLS_WAITS, /* for the socket (redis_tls_events); then repeat the call */
    REDIS_TLS_ENDED, /* the other side closed the connection */
    REDIS_TLS_FAILED /* redis_tls_explain tells why; the connection is unusable */
};

/* Checks, before anything is connected to, that the options are consistent and that their files can
 * be read and used. False fills `why` (REDIS_TLS_WHY_MAX), which names the option and the file. */
bool redis_tls_check(const struct redis_tls_options *options, char *why);

/* Makes a session with `host` over fd, which must be non-blocking and stays the caller's. NULL
 * fills `why` (REDIS_TLS_WHY_MAX). `options` must outlive the session. */
struct redis_tls *redis_tls_new(const struct redis_tls_options *options, const char *host, int fd,
                                char *why);
void redis_tls_free(struct redis_tls *tls); /* NULL is allowed */

/* Agrees on keys and checks the certificate; before anything else is read or written. */
enum redis_tls_step redis_tls_shake_hands(struct redis_tls *tls);

/* Read or write some bytes; *n is how many. */
enum redis_tls_step redis_tls_read(struct redis_tls *tls, char *bytes, size_t cap, size_t *n);
enum redis_tls_step redis_tls_write(struct redis_tls *tls, const char *bytes, size_t len,
                                    size_t *n);

/* The events to poll for after REDIS_TLS_WAITS. */
short redis_tls_events(const struct redis_tls *tls);

/* Explains a failure, without the address: what it is and what to do. `late`: the time was up.
 * False when TLS is not the cause. */
bool redis_tls_explain(const struct redis_tls *tls, bool late, char why[REDIS_TLS_WHY_MAX]);

#endif
