/* TLS: the certificate and key that the library's handshakes use; they are read from files, and can
 * be read again without a restart. */
#ifndef AFORO_SERVER_NET_TLS_H
#define AFORO_SERVER_NET_TLS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define TLS_WHY_MAX 512

struct tls_identity; /* immutable */

/* Reads a chain of certificates, the server's own first, and its key, both PEM. *world_readable:
 * everybody on this machine may read the key. The caller frees with tls_identity_free. NULL, with
 * `why` (TLS_WHY_MAX bytes) naming the file, when one cannot be read, is not PEM or is encrypted,
 * or when the two do not match. Any thread. */
struct tls_identity *tls_identity_read(const char *cert_path, const char *key_path,
                                       bool *world_readable, char *why);
void tls_identity_free(struct tls_identity *identity); /* NULL is allowed */

/* When the server's own certificate expires, in seconds since 1970. */
int64_t tls_identity_expires_s(const struct tls_identity *identity);

/* The options of a daemon with TLS, for MHD_OPTION_ARRAY; it needs MHD_USE_TLS too. */
extern struct MHD_OptionItem tls_options[];

/* Sets what handshakes of the calling thread use from now on; NULL: handshakes fail. A handshake
 * copies what it needs, so once this has returned, what was used before may be freed. It is a
 * thread-local variable because the library's callback has no argument for it. */
void tls_use(const struct tls_identity *identity);

/* Tells the client of a TLS connection that the connection ends here; does nothing without TLS. By
 * the worker. */
void tls_say_goodbye(struct MHD_Connection *connection);

/* ---- handshakes under way, of one worker; all by that worker ----
 *
 * While a handshake waits for its client, the library considers its connection ready in every turn:
 * it asks to be run again at once, and reads from the client's socket again. So one client that
 * sends half of its first message would keep a core busy. Therefore handshakes are watched: each
 * has a deadline, there are at most TLS_HANDSHAKES_MAX of them, and while there are any, each turn
 * of the worker waits at least TLS_TURN_MS. */

#define TLS_HANDSHAKES_MAX 64 /* per worker; one more closes the oldest */
#define TLS_HANDSHAKE_US (5 * INT64_C(1000000))
#define TLS_TURN_MS 1 /* the least a turn waits for sockets while there are handshakes */

struct tls_handshake {
    TAILQ_ENTRY(tls_handshake) entry;
    void *session; /* gnutls_session_t; NULL: not under way, or no TLS */
    bool done;     /* the client's last message has arrived */
    int fd;
    int64_t since_us; /* steady clock */
};

TAILQ_HEAD(tls_handshake_list, tls_handshake);

struct tls_handshakes {
    struct tls_handshake_list list; /* the oldest first */
    unsigned n;
};

/* Makes an empty list. */
void tls_handshakes_init(struct tls_handshakes *all);

/* Adds the handshake of a new connection; does nothing without TLS. now_us: steady clock. */
void tls_handshakes_add(struct tls_handshakes *all, struct tls_handshake *handshake,
                        struct MHD_Connection *connection, int64_t now_us);

/* Removes a handshake whose connection is closed, or that is known to be done. May be called more
 * than once. */
void tls_handshakes_remove(struct tls_handshakes *all, struct tls_handshake *handshake);

/* Removes handshakes that are done, and shuts down the connections of those that are late. Every
 * turn. now_us: steady clock. */
void tls_handshakes_check(struct tls_handshakes *all, int64_t now_us);

#endif
