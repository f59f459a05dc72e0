#include "redis/tls_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* TLS 1.2 and 1.3, with forward secrecy: session keys never depend on the certificate's alone. */
#define PRIORITIES                                                                                 \
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:"    \
    "+CHACHA20-POLY1305"

/* consecutive: each is skipped without checking the time, so a peer that sends more is given up */
#define WARNINGS_MAX 16

/* ---- files ---- */

static bool refuse_file(const char *option, const char *path, const char *reason, char *why) {
    snprintf(why, REDIS_TLS_WHY_MAX, "--redis-tls-%s %.70s: %.60s", option, path, reason);
    return false;
}

/* A directory, and a pipe that nobody writes to, are refused. */
static bool is_file(const char *option, const char *path, char *why) {
    struct stat is;
    if (stat(path, &is)) {
        return refuse_file(option, path, strerror(errno), why);
    }
    return S_ISREG(is.st_mode) || refuse_file(option, path, "is not a regular file", why);
}

static bool read_trust(gnutls_certificate_credentials_t credentials, const char *path, char *why) {
    if (!redis_tls_is_said(path)) {
        if (gnutls_certificate_set_x509_system_trust(credentials) > 0) {
            return true;
        }
        snprintf(why, REDIS_TLS_WHY_MAX,
                 "this system trusts no CA: name that of Redis by --redis-tls-ca, or install "
                 "ca-certificates");
        return false;
    }
    if (!is_file("ca", path, why)) {
        return false;
    }
    const int n = gnutls_certificate_set_x509_trust_file(credentials, path, GNUTLS_X509_FMT_PEM);
    return n > 0 ||
           refuse_file("ca", path,
                       n == GNUTLS_E_FILE_ERROR ? "cannot be read" : "has no certificate in PEM",
                       why);
}

/* Explains which of the two files is unusable. */
static bool explain_pair(const struct redis_tls_options *options, int error, char *why) {
    gnutls_datum_t text = {0};
    gnutls_x509_crt_t *chain = NULL;
    unsigned n = 0;
    if (error == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) {
        return refuse_file("key", options->key, "is not the key of --redis-tls-cert", why);
    }
    if (gnutls_load_file(options->cert, &text) != 0) {
        return refuse_file("cert", options->cert, "cannot be read", why);
    }
    const int read = gnutls_x509_crt_list_import2(&chain, &n, &text, GNUTLS_X509_FMT_PEM,
                                                  GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    for (unsigned i = 0; i < n; i++) {
        gnutls_x509_crt_deinit(chain[i]);
    }
    gnutls_free(chain);
    gnutls_free(text.data);
    if (read < 0) {
        return refuse_file("cert", options->cert, "is no chain of certificates in PEM", why);
    }
    return refuse_file(
        "key", options->key,
        error == GNUTLS_E_FILE_ERROR ? "cannot be read" : "is no unencrypted key in PEM", why);
}

static bool read_pair(gnutls_certificate_credentials_t credentials,
                      const struct redis_tls_options *options, char *why) {
    const bool cert = redis_tls_is_said(options->cert), key = redis_tls_is_said(options->key);
    if (cert != key) {
        snprintf(why, REDIS_TLS_WHY_MAX, "--redis-tls-%s needs --redis-tls-%s beside it",
                 cert ? "cert" : "key", cert ? "key" : "cert");
        return false;
    }
    if (!cert) {
        return true;
    }
    if (!is_file("cert", options->cert, why) || !is_file("key", options->key, why)) {
        return false;
    }
    const int error = gnutls_certificate_set_x509_key_file2(
        credentials, options->cert, options->key, GNUTLS_X509_FMT_PEM, NULL, 0);
    return error >= 0 || explain_pair(options, error, why);
}

static gnutls_certificate_credentials_t read_files(const struct redis_tls_options *options,
                                                   char *why) {
    gnutls_certificate_credentials_t credentials;
    if (gnutls_certificate_allocate_credentials(&credentials) != 0) {
        snprintf(why, REDIS_TLS_WHY_MAX, "out of memory");
        return NULL;
    }
    if ((options->verify != REDIS_TLS_VERIFY_OFF && !read_trust(credentials, options->ca, why)) ||
        !read_pair(credentials, options, why)) {
        gnutls_certificate_free_credentials(credentials);
        return NULL;
    }
    return credentials;
}

bool redis_tls_check(const struct redis_tls_options *options, char *why) {
    gnutls_certificate_credentials_t credentials = read_files(options, why);
    if (credentials) {
        gnutls_certificate_free_credentials(credentials);
    }
    return credentials != NULL;
}

/* ---- a session ---- */

static bool is_address(const char *host) {
    struct in6_addr ignored;
    return inet_pton(AF_INET, host, &ignored) == 1 || inet_pton(AF_INET6, host, &ignored) == 1;
}

/* Requires a chain to a trusted CA and a server's certificate; with the right name, unless that is
 * not wanted. */
static void demand_certificate(struct redis_tls *tls) {
    tls->demand[0] = (gnutls_typed_vdata_st){
        GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER, 0};
    tls->demand[1] = (gnutls_typed_vdata_st){GNUTLS_DT_DNS_HOSTNAME, (unsigned char *)tls->name, 0};
    const unsigned demands = tls->options->verify == REDIS_TLS_VERIFY_FULL ? 2 : 1;
    if (tls->options->verify != REDIS_TLS_VERIFY_OFF) {
        gnutls_session_set_verify_cert2(tls->session, tls->demand, demands, 0);
    }
}

static bool prepare_session(struct redis_tls *tls, int fd) {
    if (gnutls_init(&tls->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0) {
        tls->session = NULL;
        return false;
    }
    if (gnutls_priority_set_direct(tls->session, PRIORITIES, NULL) != 0 ||
        gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls->credentials) != 0 ||
        (!is_address(tls->name) && gnutls_server_name_set(tls->session, GNUTLS_NAME_DNS, tls->name,
                                                          strlen(tls->name)) != 0)) {
        return false;
    }
    demand_certificate(tls);
    gnutls_transport_set_int(tls->session, fd);
    return true;
}

struct redis_tls *redis_tls_new(const struct redis_tls_options *options, const char *host, int fd,
                                char *why) {
    gnutls_certificate_credentials_t credentials = read_files(options, why);
    struct redis_tls *tls = credentials ? calloc(1, sizeof *tls) : NULL;
    if (!tls) {
        if (credentials) {
            gnutls_certificate_free_credentials(credentials);
            snprintf(why, REDIS_TLS_WHY_MAX, "out of memory");
        }
        return NULL;
    }
    tls->credentials = credentials;
    tls->options = options;
    snprintf(tls->name, sizeof tls->name, "%s",
             redis_tls_is_said(options->name) ? options->name : host);
    if (!prepare_session(tls, fd)) {
        redis_tls_free(tls);
        snprintf(why, REDIS_TLS_WHY_MAX,
                 "TLS cannot be prepared: out of memory, or GnuTLS may not "
                 "do what we ask for");
        return NULL;
    }
    return tls;
}

void redis_tls_free(struct redis_tls *tls) {
    if (tls) {
        if (tls->session) {
            if (tls->shaken && !tls->error) {
                gnutls_bye(tls->session, GNUTLS_SHUT_WR); /* does not block */
            }
            gnutls_deinit(tls->session);
        }
        gnutls_certificate_free_credentials(tls->credentials);
        free(tls);
    }
}

/* ---- steps ---- */

static enum redis_tls_step note(struct redis_tls *tls, long result) {
    if (result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED) {
        return REDIS_TLS_WAITS;
    }
    tls->error = result < 0 ? (int)result : GNUTLS_E_PREMATURE_TERMINATION;
    return tls->shaken && (tls->error == GNUTLS_E_PREMATURE_TERMINATION ||
                           tls->error == GNUTLS_E_PULL_ERROR)
               ? REDIS_TLS_ENDED
               : REDIS_TLS_FAILED;
}

enum redis_tls_step redis_tls_shake_hands(struct redis_tls *tls) {
    int result = GNUTLS_E_WARNING_ALERT_RECEIVED;
    for (int i = 0; result == GNUTLS_E_WARNING_ALERT_RECEIVED && i < WARNINGS_MAX; i++) {
        result = gnutls_handshake(tls->session);
    }
    tls->shaken = result == GNUTLS_E_SUCCESS;
    return tls->shaken ? REDIS_TLS_DONE : note(tls, result);
}

enum redis_tls_step redis_tls_read(struct redis_tls *tls, char *bytes, size_t cap, size_t *n) {
    ssize_t result = GNUTLS_E_WARNING_ALERT_RECEIVED;
    for (int i = 0; result == GNUTLS_E_WARNING_ALERT_RECEIVED && i < WARNINGS_MAX; i++) {
        result = gnutls_record_recv(tls->session, bytes, cap);
    }
    if (result > 0) {
        *n = (size_t)result;
        return REDIS_TLS_DONE;
    }
    return note(tls, result);
}

/* With TLS 1.3, a server that rejects our certificate says so after the handshake: our writes may
 * fail before we have read why. */
static void look_for_alert(struct redis_tls *tls) {
    char ignored[256];
    const int error = tls->error;
    const ssize_t result = gnutls_record_recv(tls->session, ignored, sizeof ignored);
    tls->error = result == GNUTLS_E_FATAL_ALERT_RECEIVED ? (int)result : error;
}

enum redis_tls_step redis_tls_write(struct redis_tls *tls, const char *bytes, size_t len,
                                    size_t *n) {
    const ssize_t result = gnutls_record_send(tls->session, bytes, len);
    if (result > 0) {
        *n = (size_t)result;
        return REDIS_TLS_DONE;
    }
    const enum redis_tls_step step = note(tls, result);
    if (step != REDIS_TLS_WAITS) {
        look_for_alert(tls);
    }
    return step;
}

short redis_tls_events(const struct redis_tls *tls) {
    return gnutls_record_get_direction(tls->session) ? POLLOUT : POLLIN;
}
