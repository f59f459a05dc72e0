/* TLS: the certificate and key that the library's handshakes use, read from files, and read again
 * without a restart. */
#ifndef AFORO_SERVER_NET_TLS_H
#define AFORO_SERVER_NET_TLS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#define TLS_WHY_MAX 512

struct tls_identity; /* immutable */

/* Reads a chain of certificates, the server's own first, and its key, both PEM. NULL with `why`
 * (TLS_WHY_MAX) filled, which names the file, when one cannot be read, is not PEM, is encrypted, or
 * they do not belong together. *world_readable: everybody on this machine may read the key. The
 * caller frees. Any thread. */
struct tls_identity *tls_identity_read(const char *cert_path, const char *key_path,
                                       bool *world_readable, char *why);
void tls_identity_free(struct tls_identity *identity); /* NULL is allowed */

/* When the server's own certificate ends, seconds since 1970. */
int64_t tls_identity_expires_s(const struct tls_identity *identity);

/* The options of a daemon that does TLS, for MHD_OPTION_ARRAY; it needs MHD_USE_TLS, too. */
extern struct MHD_OptionItem tls_options[];

/* What handshakes of the calling thread use from now on. A handshake copies what it needs: when
 * this has returned, nobody looks at what was used before. The library's callback has no argument
 * of ours, hence a thread's own variable. */
void tls_use(const struct tls_identity *identity);

/* ---- handshakes under way, of one worker; all by that worker ----
 *
 * While a handshake waits for its client, the library takes its connection for ready in every turn:
 * it asks to be run again at once, and asks the client's socket again, for ever. One half of a
 * first message would cost a core. So handshakes are watched: they have a deadline, there are at
 * most so many, and while there are any, the worker takes its time. */

#define TLS_HANDSHAKES_MAX 64 /* a worker; one more closes the oldest */
#define TLS_HANDSHAKE_US (5 * INT64_C(1000000))
#define TLS_TURN_MS 1 /* the least a turn waits for sockets while there are handshakes */

struct tls_handshake {
    struct tls_handshake *older, *newer;
    void *session; /* gnutls_session_t; NULL: not under way, or no TLS */
    bool through;  /* the client's last message has come */
    int fd;
    int64_t since_us; /* steady clock */
};

struct tls_handshakes {
    struct tls_handshake *oldest, *newest;
    unsigned n;
};

/* A connection was opened; without TLS nothing is done. */
void tls_handshake_begin(struct tls_handshakes *all, struct tls_handshake *handshake,
                         struct MHD_Connection *connection, int64_t now_us);

/* It is closed, or known to be through. May be called again. */
void tls_handshake_end(struct tls_handshakes *all, struct tls_handshake *handshake);

/* Lets go of those that are through, shuts down those that are late. Every turn. */
void tls_handshakes_look(struct tls_handshakes *all, int64_t now_us);

#endif
