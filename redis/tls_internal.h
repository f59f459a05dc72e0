/* What a session and its sentences share. */
#ifndef AFORO_REDIS_TLS_INTERNAL_H
#define AFORO_REDIS_TLS_INTERNAL_H

#include "redis/tls.h"

#include <gnutls/gnutls.h>

struct redis_tls {
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    const struct redis_tls_options *options;
    char name[REDIS_URL_PART_MAX];   /* that the certificate must have */
    gnutls_typed_vdata_st demand[2]; /* of it; the session refers to these */
    bool shaken;                     /* hands: the handshake is done */
    int error;                       /* of GnuTLS: what failed last; 0: nothing has */
};

/* Is the option said? */
static inline bool redis_tls_is_said(const char *option) {
    return option && *option;
}

#endif
