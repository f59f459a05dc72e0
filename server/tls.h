/* TLS: the certificate and key that the library's handshakes use, read from files, and read again without a
 * restart. */
#ifndef AFORO_SERVER_TLS_H
#define AFORO_SERVER_TLS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#define TLS_WHY_MAX 512

struct tls_identity; /* immutable */

/* Reads a chain of certificates, the server's own first, and its key, both PEM. NULL with `why` (TLS_WHY_MAX)
 * filled, which names the file, when one cannot be read, is not PEM, is encrypted, or they do not belong
 * together. *world_readable: everybody on this machine may read the key. The caller frees. Any thread. */
struct tls_identity *tls_identity_read(const char *cert_path, const char *key_path, bool *world_readable,
                                       char *why);
void tls_identity_free(struct tls_identity *identity); /* NULL is allowed */

/* When the server's own certificate ends, seconds since 1970. */
int64_t tls_identity_expires_s(const struct tls_identity *identity);

/* The options of a daemon that does TLS, for MHD_OPTION_ARRAY; it needs MHD_USE_TLS, too. */
extern struct MHD_OptionItem tls_options[];

/* What handshakes of the calling thread use from now on. A handshake copies what it needs: when this has
 * returned, nobody looks at what was used before. The library's callback has no argument of ours, hence a
 * thread's own variable. */
void tls_use(const struct tls_identity *identity);

#endif
