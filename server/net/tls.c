#include "server/net/tls.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define CHAIN_MAX 16
#define KEY_ID_MAX 64

/* TLS 1.2 and 1.3 only; a session's keys never depend on the certificate's key alone. */
#define PRIORITIES                                                                                 \
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:+"   \
    "CHACHA20-"                                                                                    \
    "POLY1305"

struct tls_identity {
    unsigned certificates;
    gnutls_datum_t der[CHAIN_MAX];
    gnutls_x509_privkey_t key;
    int64_t expires_s;
};

static _Thread_local const struct tls_identity *in_use;

void tls_use(const struct tls_identity *identity) {
    in_use = identity;
}

int64_t tls_identity_expires_s(const struct tls_identity *identity) {
    return identity->expires_s;
}

/* ---- handshakes ---- */

static void certificates_free(gnutls_pcert_st *certs, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        gnutls_pcert_deinit(&certs[i]);
    }
    gnutls_free(certs);
}

/* Returns copies, which gnutls frees, since the handshake may continue after `in_use` was replaced.
 * They take a few of the hundreds of microseconds of a handshake. */
static int retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                    gnutls_pcert_st **certs, unsigned *certs_n, gnutls_ocsp_data_st **ocsp,
                    unsigned *ocsp_n, gnutls_privkey_t *key, unsigned *flags) {
    (void)session;
    (void)info;
    const struct tls_identity *identity = in_use;
    gnutls_pcert_st *copies =
        identity ? gnutls_calloc(identity->certificates, sizeof *copies) : NULL;
    if (!copies) {
        return -1;
    }
    unsigned n = 0;
    while (n < identity->certificates &&
           gnutls_pcert_import_x509_raw(&copies[n], &identity->der[n], GNUTLS_X509_FMT_DER, 0) ==
               0) {
        n++;
    }
    gnutls_privkey_t copy = NULL;
    if (n < identity->certificates || gnutls_privkey_init(&copy) != 0 ||
        gnutls_privkey_import_x509(copy, identity->key, GNUTLS_PRIVKEY_IMPORT_COPY) != 0) {
        gnutls_privkey_deinit(copy);
        certificates_free(copies, n);
        return -1;
    }
    *certs = copies;
    *certs_n = n;
    *ocsp = NULL;
    *ocsp_n = 0;
    *key = copy;
    *flags = GNUTLS_CERT_RETR_DEINIT_ALL;
    return 0;
}

struct MHD_OptionItem tls_options[] = {
    {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)retrieve},
    {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)PRIORITIES},
    {MHD_OPTION_END, 0, NULL}};

/* ---- handshakes under way ---- */

void tls_handshakes_init(struct tls_handshakes *all) {
    TAILQ_INIT(&all->list);
    all->n = 0;
}

void tls_handshakes_remove(struct tls_handshakes *all, struct tls_handshake *handshake) {
    if (handshake->session) {
        TAILQ_REMOVE(&all->list, handshake, entry);
        *handshake = (struct tls_handshake){0};
        all->n--;
    }
}

/* Shuts the connection down; the library sees its end and closes it. */
static void give_up(struct tls_handshakes *all, struct tls_handshake *handshake) {
    shutdown(handshake->fd, SHUT_RDWR);
    tls_handshakes_remove(all, handshake);
}

void tls_say_goodbye(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info && info->tls_session) {
        gnutls_bye(info->tls_session, GNUTLS_SHUT_WR);
    }
}

void tls_handshakes_check(struct tls_handshakes *all, int64_t now_us) {
    struct tls_handshake *next;
    for (struct tls_handshake *handshake = TAILQ_FIRST(&all->list); handshake; handshake = next) {
        next = TAILQ_NEXT(handshake, entry);
        if (handshake->done) {
            tls_handshakes_remove(all, handshake);
        } else if (now_us - handshake->since_us > TLS_HANDSHAKE_US) {
            give_up(all, handshake);
        }
    }
}

static int note_finished(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                         const gnutls_datum_t *message) {
    (void)type;
    (void)when;
    (void)message;
    struct tls_handshake *handshake = gnutls_db_get_ptr(session);
    handshake->done = handshake->done || incoming;
    return 0;
}

void tls_handshakes_add(struct tls_handshakes *all, struct tls_handshake *handshake,
                        struct MHD_Connection *connection, int64_t now_us) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (!info || !info->tls_session) {
        return;
    }
    *handshake = (struct tls_handshake){
        .session = info->tls_session,
        .fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
        .since_us = now_us,
    };
    TAILQ_INSERT_TAIL(&all->list, handshake, entry);
    /* This pointer is free for our use, since sessions are not resumed. */
    gnutls_db_set_ptr(handshake->session, handshake);
    gnutls_handshake_set_hook_function(handshake->session, GNUTLS_HANDSHAKE_FINISHED,
                                       GNUTLS_HOOK_POST, note_finished);
    if (++all->n > TLS_HANDSHAKES_MAX) {
        tls_handshakes_check(all, now_us);
    }
    if (all->n > TLS_HANDSHAKES_MAX) {
        give_up(all, TAILQ_FIRST(&all->list));
    }
}

/* ---- files ---- */

static bool read_file(const char *path, gnutls_datum_t *text, char *why) {
    struct stat is;
    if (stat(path, &is)) {
        snprintf(why, TLS_WHY_MAX, "%.160s: %s", path, strerror(errno));
    } else if (!S_ISREG(is.st_mode)) {
        snprintf(why, TLS_WHY_MAX, "%.160s: is not a regular file", path);
    } else if (gnutls_load_file(path, text) != 0) {
        snprintf(why, TLS_WHY_MAX, "%.160s: cannot be read: %s", path, strerror(errno));
    } else {
        return true;
    }
    return false;
}

static bool read_chain(struct tls_identity *identity, const char *path, const gnutls_datum_t *text,
                       gnutls_datum_t *id, char *why) {
    gnutls_x509_crt_t *chain = NULL;
    unsigned n = 0;
    int error = gnutls_x509_crt_list_import2(&chain, &n, text, GNUTLS_X509_FMT_PEM,
                                             GNUTLS_X509_CRT_LIST_SORT);
    if (error >= 0 && n > CHAIN_MAX) {
        error = GNUTLS_E_CERTIFICATE_LIST_UNSORTED;
    }
    size_t id_size = KEY_ID_MAX;
    if (error >= 0) {
        error = gnutls_x509_crt_get_key_id(chain[0], GNUTLS_KEYID_USE_SHA256, id->data, &id_size);
        id->size = (unsigned)id_size;
        identity->expires_s = gnutls_x509_crt_get_expiration_time(chain[0]);
    }
    for (unsigned i = 0; i < n; i++) {
        if (error >= 0 && (error = gnutls_x509_crt_export2(chain[i], GNUTLS_X509_FMT_DER,
                                                           &identity->der[i])) >= 0) {
            identity->certificates++;
        }
        gnutls_x509_crt_deinit(chain[i]);
    }
    gnutls_free(chain);
    if (error < 0) {
        snprintf(why, TLS_WHY_MAX, "%.160s: not a chain of certificates in PEM: %s", path,
                 gnutls_strerror(error));
    }
    return error >= 0;
}

static bool read_key(struct tls_identity *identity, const char *path, const gnutls_datum_t *text,
                     gnutls_datum_t *id, char *why) {
    int error = gnutls_x509_privkey_init(&identity->key);
    if (error >= 0) {
        error = gnutls_x509_privkey_import2(identity->key, text, GNUTLS_X509_FMT_PEM, NULL, 0);
    }
    size_t id_size = KEY_ID_MAX;
    if (error >= 0) {
        error = gnutls_x509_privkey_get_key_id(identity->key, GNUTLS_KEYID_USE_SHA256, id->data,
                                               &id_size);
        id->size = (unsigned)id_size;
    }
    if (error < 0) {
        snprintf(why, TLS_WHY_MAX, "%.160s: not an unencrypted key in PEM: %s", path,
                 gnutls_strerror(error));
    }
    return error >= 0;
}

struct tls_identity *tls_identity_read(const char *cert_path, const char *key_path,
                                       bool *world_readable, char *why) {
    unsigned char cert_bytes[KEY_ID_MAX], key_bytes[KEY_ID_MAX];
    gnutls_datum_t cert = {0}, key = {0}, cert_id = {cert_bytes, 0}, key_id = {key_bytes, 0};
    struct stat is;
    struct tls_identity *identity = calloc(1, sizeof *identity);
    bool ok = identity != NULL;
    if (!ok) {
        snprintf(why, TLS_WHY_MAX, "out of memory");
    }
    ok = ok && read_file(cert_path, &cert, why) && read_file(key_path, &key, why) &&
         read_chain(identity, cert_path, &cert, &cert_id, why) &&
         read_key(identity, key_path, &key, &key_id, why);
    if (ok && (cert_id.size != key_id.size || memcmp(cert_bytes, key_bytes, key_id.size) != 0)) {
        snprintf(why, TLS_WHY_MAX, "%.160s is not the key of the first certificate in %.160s",
                 key_path, cert_path);
        ok = false;
    }
    *world_readable = ok && stat(key_path, &is) == 0 && (is.st_mode & S_IROTH);
    if (key.data) {
        explicit_bzero(key.data, key.size);
    }
    gnutls_free(key.data);
    gnutls_free(cert.data);
    if (!ok) {
        tls_identity_free(identity);
        identity = NULL;
    }
    return identity;
}

void tls_identity_free(struct tls_identity *identity) {
    if (identity) {
        for (unsigned i = 0; i < identity->certificates; i++) {
            gnutls_free(identity->der[i].data);
        }
        if (identity->key) {
            gnutls_x509_privkey_deinit(identity->key); /* this overwrites the key */
        }
        free(identity);
    }
}
