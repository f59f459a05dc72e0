/* TLS: the certificate and key that the library's handshakes use, read from files, and read again
 * without a restart. */
#ifndef AFORO_SERVER_NET_TLS_H
#define AFORO_SERVER_NET_TLS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

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

/* What handshakes of the calling thread use from now on; NULL: none can be made. A handshake copies
 * what it needs: when this has returned, what was used before may be freed. The library's callback
 * has no argument for it, hence a variable of the thread. */
void tls_use(const struct tls_identity *identity);

/* Tells the client of a connection with TLS that it ends here; without TLS nothing is done. By the
 * worker. */
void tls_say_goodbye(struct MHD_Connection *connection);

/* ---- handshakes under way, of one worker; all by that worker ----
 *
 * While a handshake waits for its client, the library takes its connection for ready in every turn:
 * it asks to be run again at once, and reads from the client's socket again. One client that sends
 * half of its first message would keep a core busy. So handshakes are watched: they have a
 * deadline, there are at most TLS_HANDSHAKES_MAX of them, and while there are any, each turn of the
 * worker waits at least TLS_TURN_MS. */

#define TLS_HANDSHAKES_MAX 64 /* a worker; one more closes the oldest */
#define TLS_HANDSHAKE_US (5 * INT64_C(1000000))
#define TLS_TURN_MS 1 /* the least a turn waits for sockets while there are handshakes */

struct tls_handshake {
    TAILQ_ENTRY(tls_handshake) entry;
    void *session; /* gnutls_session_t; NULL: not under way, or no TLS */
    bool done;     /* the client's last message has come */
    int fd;
    int64_t since_us; /* steady clock */
};

TAILQ_HEAD(tls_handshake_list, tls_handshake);

struct tls_handshakes {
    struct tls_handshake_list list; /* the oldest first */
    unsigned n;
};

/* None yet. */
void tls_handshakes_init(struct tls_handshakes *all);

/* A connection was opened; without TLS nothing is done. now_us: steady clock. */
void tls_handshakes_add(struct tls_handshakes *all, struct tls_handshake *handshake,
                        struct MHD_Connection *connection, int64_t now_us);

/* The connection is closed, or its handshake is known to be done. May be called again. */
void tls_handshakes_remove(struct tls_handshakes *all, struct tls_handshake *handshake);

/* Removes those that are done, and shuts down the connections of those that are late. Every turn.
 */
void tls_handshakes_check(struct tls_handshakes *all, int64_t now_us);

#endif
