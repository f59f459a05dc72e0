/* TLS to a Redis process, over a socket that is connected: GnuTLS, which the server's HTTP has
 * already. Files are read anew for each connection, so that a certificate may be renewed under a
 * running program. By the link's thread. */
#ifndef AFORO_REDIS_TLS_H
#define AFORO_REDIS_TLS_H

#include "redis/url.h"

#include <stddef.h>

#define REDIS_TLS_WHY_MAX 176 /* with an address before it, a sentence of REDIS_URL_WHY_MAX */

struct redis_tls;

enum redis_tls_step {
    REDIS_TLS_DONE,
    REDIS_TLS_WAITS, /* for the socket: redis_tls_events; then the same again */
    REDIS_TLS_ENDED, /* the other side closed the connection */
    REDIS_TLS_FAILED /* redis_tls_explain tells why; the connection is of no use */
};

/* Whether options go together and their files can be read and used, before anything is connected
 * to. False fills why (REDIS_TLS_WHY_MAX), which names the option and the file. */
bool redis_tls_check(const struct redis_tls_options *options, char *why);

/* A session with a host over fd, which does not block and stays the caller's. NULL fills why
 * (REDIS_TLS_WHY_MAX). Options must outlive it. */
struct redis_tls *redis_tls_new(const struct redis_tls_options *options, const char *host, int fd,
                                char *why);
void redis_tls_free(struct redis_tls *tls); /* NULL is allowed */

/* Before anything else is read or written: agrees on keys, and checks the certificate. */
enum redis_tls_step redis_tls_shake_hands(struct redis_tls *tls);

/* Some bytes; *n is how many. */
enum redis_tls_step redis_tls_read(struct redis_tls *tls, char *bytes, size_t cap, size_t *n);
enum redis_tls_step redis_tls_write(struct redis_tls *tls, const char *bytes, size_t len,
                                    size_t *n);

/* What poll is to wait for after REDIS_TLS_WAITS. */
short redis_tls_events(const struct redis_tls *tls);

/* The sentence of what failed, without the address: what it is, and what to do. False: TLS has
 * nothing to say of it. late: it failed because the time was up. */
bool redis_tls_explain(const struct redis_tls *tls, bool late, char why[REDIS_TLS_WHY_MAX]);

#endif
