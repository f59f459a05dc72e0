/* What a session and the explanation of its failures share. */
#ifndef AFORO_REDIS_TLS_INTERNAL_H
#define AFORO_REDIS_TLS_INTERNAL_H

#include "redis/tls.h"

#include <gnutls/gnutls.h>

struct redis_tls {
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    const struct redis_tls_options *options;
    char name[REDIS_URL_PART_MAX];   /* the certificate must have this name */
    gnutls_typed_vdata_st demand[2]; /* on the certificate; the session refers to it */
    bool shaken;                     /* the handshake is complete */
    int error;                       /* of GnuTLS: the last failure; 0: none */
};

/* Whether an option was given. */
static inline bool redis_tls_is_said(const char *option) {
    return option && *option;
}

#endif
