/* Explains why TLS failed, with a remedy. */
#include "redis/tls_internal.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NAMES_MAX 60

/* ---- the server's certificate ---- */

static bool take_certificate(const struct redis_tls *tls, gnutls_x509_crt_t *certificate) {
    unsigned n = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(tls->session, &n);
    if (!chain || !n || gnutls_x509_crt_init(certificate) != 0) {
        return false;
    }
    if (gnutls_x509_crt_import(*certificate, &chain[0], GNUTLS_X509_FMT_DER) != 0) {
        gnutls_x509_crt_deinit(*certificate);
        return false;
    }
    return true;
}

/* Writes one of its names as text; false: there is no such name. */
static bool take_name(gnutls_x509_crt_t certificate, unsigned i, char *name, size_t cap) {
    char bytes[256];
    size_t size = sizeof bytes - 1;
    const int type = gnutls_x509_crt_get_subject_alt_name(certificate, i, bytes, &size, NULL);
    if (type < 0) {
        return false;
    }
    bytes[size] = '\0';
    *name = '\0';
    if (type == GNUTLS_SAN_IPADDRESS && (size == 4 || size == 16)) {
        inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, name, (socklen_t)cap);
    } else if (type == GNUTLS_SAN_DNSNAME) {
        snprintf(name, cap, "%.*s", (int)cap - 1, bytes);
    }
    return true;
}

/* Untrusted bytes: replaces what would control a terminal or a log with question marks. */
static void make_printable(char *name) {
    for (; *name; name++) {
        if (*name < ' ' || *name > '~') {
            *name = '?';
        }
    }
}

/* Lists whom it is for, as far as there is room: "a, b, 10.0.0.1". */
static void list_names(gnutls_x509_crt_t certificate, char names[NAMES_MAX]) {
    char name[NAMES_MAX];
    size_t len = 0;
    names[0] = '\0';
    for (unsigned i = 0; len < NAMES_MAX && take_name(certificate, i, name, sizeof name); i++) {
        if (*name) {
            len += (size_t)snprintf(names + len, NAMES_MAX - len, "%s%s", len ? ", " : "", name);
        }
    }
    size_t size = NAMES_MAX;
    if (!len && (gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
                                               names, &size) != 0 ||
                 !*names)) {
        snprintf(names, NAMES_MAX, "nobody");
    }
    make_printable(names);
}

/* ---- sentences ---- */

static void explain_dates(gnutls_x509_crt_t certificate, bool over, char *why) {
    const time_t at = over ? gnutls_x509_crt_get_expiration_time(certificate)
                           : gnutls_x509_crt_get_activation_time(certificate);
    const time_t now = time(NULL);
    char text[32];
    struct tm day;
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&at, &day));
    if (over ? at > now : at < now) {
        snprintf(why, REDIS_TLS_WHY_MAX,
                 "a CA that signed its certificate is past its dates: renew that one, and "
                 "--redis-tls-ca");
    } else {
        snprintf(why, REDIS_TLS_WHY_MAX, "its certificate %s %s: %s",
                 over ? "expired on" : "begins on", text,
                 over ? "renew it there, or set this clock right" : "set this clock right");
    }
}

static void explain_name(const struct redis_tls *tls, gnutls_x509_crt_t certificate, char *why) {
    char names[NAMES_MAX];
    list_names(certificate, names);
    snprintf(why, REDIS_TLS_WHY_MAX,
             "its certificate is for %s, not for %.40s: say by --redis-tls-name whose to take",
             names, tls->name);
}

static void explain_trust(const struct redis_tls *tls, char *why) {
    if (redis_tls_is_said(tls->options->ca)) {
        snprintf(why, REDIS_TLS_WHY_MAX,
                 "its certificate is signed by no CA of %.70s: name the right one by "
                 "--redis-tls-ca",
                 tls->options->ca);
    } else {
        snprintf(why, REDIS_TLS_WHY_MAX,
                 "its certificate is signed by no CA that this system trusts: name its CA by "
                 "--redis-tls-ca");
    }
}

static void explain_certificate(const struct redis_tls *tls, char *why) {
    const unsigned status = gnutls_session_get_verify_cert_status(tls->session);
    gnutls_x509_crt_t certificate;
    if (!take_certificate(tls, &certificate)) {
        snprintf(why, REDIS_TLS_WHY_MAX, "it shows no certificate: give it one");
        return;
    }
    if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA |
                  GNUTLS_CERT_SIGNATURE_FAILURE)) {
        explain_trust(tls, why);
    } else if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED)) {
        explain_dates(certificate, status & GNUTLS_CERT_EXPIRED, why);
    } else if (status & GNUTLS_CERT_UNEXPECTED_OWNER) {
        explain_name(tls, certificate, why);
    } else if (status & GNUTLS_CERT_PURPOSE_MISMATCH) {
        snprintf(why, REDIS_TLS_WHY_MAX,
                 "its certificate is not a server's (extendedKeyUsage): give it one with "
                 "serverAuth");
    } else {
        gnutls_datum_t text = {0};
        gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
        snprintf(why, REDIS_TLS_WHY_MAX, "give it another certificate: %.120s",
                 text.data ? (const char *)text.data : "it is not valid");
        gnutls_free(text.data);
    }
    gnutls_x509_crt_deinit(certificate);
}

static void explain_alert(const struct redis_tls *tls, char *why) {
    const gnutls_alert_description_t alert = gnutls_alert_get(tls->session);
    const bool ours = redis_tls_is_said(tls->options->cert);
    const bool asked = gnutls_certificate_client_get_request_status(tls->session) != 0;
    const char *name = gnutls_alert_get_name(alert);
    name = name ? name : "unknown alert";
    if (alert == GNUTLS_A_PROTOCOL_VERSION) {
        snprintf(why, REDIS_TLS_WHY_MAX,
                 "it has neither TLS 1.2 nor 1.3: permit one (tls-protocols)");
    } else if (!ours && (asked || alert == GNUTLS_A_CERTIFICATE_REQUIRED)) {
        snprintf(why, REDIS_TLS_WHY_MAX,
                 "it wants a certificate of ours: name one by --redis-tls-cert and "
                 "--redis-tls-key");
    } else if (ours && asked) {
        snprintf(why, REDIS_TLS_WHY_MAX,
                 "it does not take our certificate %.50s (%.28s): let its tls-ca-cert-file name "
                 "who signed it",
                 tls->options->cert, name);
    } else {
        snprintf(why, REDIS_TLS_WHY_MAX, "it refuses TLS with us (%.60s): see its log", name);
    }
}

bool redis_tls_explain(const struct redis_tls *tls, bool late, char why[REDIS_TLS_WHY_MAX]) {
    if (!tls->shaken && (late || tls->error == GNUTLS_E_PREMATURE_TERMINATION ||
                         tls->error == GNUTLS_E_UNEXPECTED_PACKET_LENGTH ||
                         tls->error == GNUTLS_E_UNEXPECTED_PACKET ||
                         tls->error == GNUTLS_E_UNSUPPORTED_VERSION_PACKET ||
                         tls->error == GNUTLS_E_PULL_ERROR || tls->error == GNUTLS_E_PUSH_ERROR)) {
        snprintf(why, REDIS_TLS_WHY_MAX,
                 "%s: does this port speak TLS? (without it: redis instead of rediss)",
                 late ? "no answer in time to a TLS handshake"
                 : tls->error == GNUTLS_E_PREMATURE_TERMINATION
                     ? "it closed the connection in the TLS handshake"
                     : "what it answers to a TLS handshake is no TLS");
        return true;
    }
    switch (tls->error) {
    case GNUTLS_E_SUCCESS:
        return false;
    case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
        explain_certificate(tls, why);
        return true;
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        explain_alert(tls, why);
        return true;
    case GNUTLS_E_PREMATURE_TERMINATION:
    case GNUTLS_E_PULL_ERROR:
    case GNUTLS_E_PUSH_ERROR:
        return false; /* hiredis explains a lost connection just as well */
    default:
        snprintf(why, REDIS_TLS_WHY_MAX, "TLS failed: %.120s", gnutls_strerror(tls->error));
        return true;
    }
}
