/* Any bytes as the certificate of a Redis that is not taken, for any reason that GnuTLS may give:
 * the sentence that says why is whole, and has nothing in it that a terminal would obey. The first
 * four bytes choose the reason; the rest is the certificate (DER). GnuTLS is the real one, but for
 * what it says of a session. */
#include "redis/tls_internal.h"
#include "tests/fuzz/check.h"

#include <stdint.h>
#include <string.h>

static gnutls_datum_t chain;
static const uint8_t *chosen; /* the four bytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- in place of GnuTLS, see CMakeLists.txt ---- */

const gnutls_datum_t *__wrap_gnutls_certificate_get_peers(gnutls_session_t session, unsigned *n);
unsigned __wrap_gnutls_session_get_verify_cert_status(gnutls_session_t session);
gnutls_alert_description_t __wrap_gnutls_alert_get(gnutls_session_t session);
unsigned __wrap_gnutls_certificate_client_get_request_status(gnutls_session_t session);

const gnutls_datum_t *__wrap_gnutls_certificate_get_peers(gnutls_session_t session, unsigned *n) {
    (void)session;
    *n = chain.size > 0;
    return *n ? &chain : NULL;
}

unsigned __wrap_gnutls_session_get_verify_cert_status(gnutls_session_t session) {
    (void)session;
    return GNUTLS_CERT_INVALID | 1u << chosen[2] % 32 |
           (chosen[2] & 0x80 ? 1u << chosen[3] % 32 : 0);
}

gnutls_alert_description_t __wrap_gnutls_alert_get(gnutls_session_t session) {
    (void)session;
    return (gnutls_alert_description_t)chosen[3];
}

unsigned __wrap_gnutls_certificate_client_get_request_status(gnutls_session_t session) {
    (void)session;
    return chosen[1] & 1;
}

/* ---- what is asked ---- */

static void check_sentence(const char *why) {
    const size_t len = strnlen(why, REDIS_TLS_WHY_MAX);
    check(len > 0 && len < REDIS_TLS_WHY_MAX);
    for (size_t i = 0; i < len; i++) {
        check(why[i] >= ' ' && why[i] <= '~');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int errors[] = {GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR,
                                 GNUTLS_E_FATAL_ALERT_RECEIVED,
                                 GNUTLS_E_PREMATURE_TERMINATION,
                                 GNUTLS_E_PULL_ERROR,
                                 GNUTLS_E_SUCCESS,
                                 GNUTLS_E_UNEXPECTED_PACKET,
                                 GNUTLS_E_DECRYPTION_FAILED,
                                 GNUTLS_E_INTERNAL_ERROR};
    if (size < 4) {
        return 0;
    }
    chosen = data;
    chain = (gnutls_datum_t){(unsigned char *)(uintptr_t)(data + 4), (unsigned)(size - 4)};
    const struct redis_tls_options options = {.ca = chosen[1] & 2 ? "/etc/aforo/ca.pem" : NULL,
                                              .cert = chosen[1] & 4 ? "/etc/aforo/our.pem" : ""};
    const struct redis_tls tls = {.options = &options,
                                  .name = "redis.example.org",
                                  .shaken = chosen[1] & 8,
                                  .error = errors[chosen[0] % (sizeof errors / sizeof *errors)]};
    char why[REDIS_TLS_WHY_MAX];
    memset(why, 0xff, sizeof why);
    const bool late = chosen[1] & 16;
    if (redis_tls_explain(&tls, late, why)) {
        check_sentence(why);
    } else {
        check(tls.error == GNUTLS_E_SUCCESS ||
              (tls.shaken && tls.error != GNUTLS_E_FATAL_ALERT_RECEIVED));
    }
    return 0;
}
