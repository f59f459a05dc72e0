#define _GNU_SOURCE /* program_invocation_short_name */
#include "server/access/access.h"

#include "counters/time/window.h"
#include "server/net/address.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#define WHY_MAX (TLS_WHY_MAX > TOKENS_WHY_MAX ? TLS_WHY_MAX : TOKENS_WHY_MAX)
#define SEEN_WAIT_US (10 * US_PER_S)
#define SEEN_POLL_NS 1000000

/* ---- reading ---- */

static void warn_world_readable(const char *path) {
    char quoted[300];
    log_line(LOG_WARN, "everybody on this machine may read this secret: chmod o-r it", "file=%s",
             log_quote(path, quoted, sizeof quoted));
}

/* NULL with `why` filled when the file is wrong. */
static struct tokens *read_tokens(const char *flag, const char *path, char *why) {
    bool world_readable = false;
    struct tokens *tokens = tokens_read(path, &world_readable, why);
    if (tokens) {
        log_line(LOG_INFO, "tokens read", "flag=--%s tokens=%zu", flag, tokens_count(tokens));
    }
    if (world_readable) {
        warn_world_readable(path);
    }
    return tokens;
}

static struct tls_identity *read_identity(const struct options *options, char *why) {
    bool world_readable = false;
    struct tls_identity *identity =
        tls_identity_read(options->tls_cert, options->tls_key, &world_readable, why);
    if (identity) {
        const int64_t left_s = tls_identity_expires_s(identity) - clock_wall_us() / US_PER_S;
        log_line(left_s > 0 ? LOG_INFO : LOG_WARN,
                 left_s > 0 ? "certificate read" : "the certificate has expired",
                 "flag=--tls-cert days_left=%lld", (long long)(left_s / 86400));
    }
    if (world_readable) {
        warn_world_readable(options->tls_key);
    }
    return identity;
}

static bool print_wrong(const char *flag, const char *why) {
    fprintf(stderr, "%s: --%s: %s\n", program_invocation_short_name, flag, why);
    return false;
}

bool access_open(struct access *access, const struct options *options) {
    char why[WHY_MAX];
    if (!*options->tls_cert != !*options->tls_key) {
        return *options->tls_cert ? print_wrong("tls-key", "is missing: --tls-cert needs both")
                                  : print_wrong("tls-cert", "is missing: --tls-key needs both");
    }
    if (*options->ingest_token_file) {
        access->ingest = read_tokens("ingest-token-file", options->ingest_token_file, why);
        if (!access->ingest) {
            return print_wrong("ingest-token-file", why);
        }
    }
    if (*options->read_token_file) {
        access->read = read_tokens("read-token-file", options->read_token_file, why);
        if (!access->read) {
            return print_wrong("read-token-file", why);
        }
    }
    if (*options->tls_cert) {
        access->identity = read_identity(options, why);
        if (!access->identity) {
            return print_wrong("tls-cert", why);
        }
    }
    access->generation = 1; /* no worker has seen it yet */
    return true;
}

void access_close(struct access *access) {
    tokens_free(access->ingest);
    tokens_free(access->read);
    tls_identity_free(access->identity);
    *access = (struct access){0};
}

void access_join(struct access *access, struct access_view *view) {
    SLIST_INSERT_HEAD(&access->views, view, entry);
}

/* ---- reading again ---- */

void access_adopt_owner(const struct access *access, struct access_view *view,
                        uint64_t generation) {
    view->ingest = atomic_load_explicit(&access->ingest, memory_order_acquire);
    view->read = atomic_load_explicit(&access->read, memory_order_acquire);
    tls_use(atomic_load_explicit(&access->identity, memory_order_acquire));
    /* Release pairs with the acquire in all_have_seen: the worker has ended all use of what was in
     * force before. */
    atomic_store_explicit(&view->seen, generation, memory_order_release);
}

static bool all_have_seen(const struct access *access, uint64_t generation) {
    const struct access_view *view;
    SLIST_FOREACH(view, &access->views, entry) {
        if (atomic_load_explicit(&view->seen, memory_order_acquire) < generation) {
            return false;
        }
    }
    return true;
}

/* Waits; an idle worker wakes up every half second. False when a worker seems to be stuck. */
static bool wait_until_seen(const struct access *access, uint64_t generation) {
    const int64_t deadline_us = clock_steady_us() + SEEN_WAIT_US;
    while (!all_have_seen(access, generation)) {
        if (clock_steady_us() > deadline_us) {
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = SEEN_POLL_NS}, NULL);
    }
    return true;
}

static void log_kept(const char *flag, const char *why) {
    char quoted[WHY_MAX + 32];
    log_line(LOG_ERROR, "not read again: what was read before stays in force", "flag=--%s error=%s",
             flag, log_quote(why, quoted, sizeof quoted));
}

/* Returns the set that was in force, which the caller then owns; NULL when it is still in force. */
static struct tokens *replace_tokens(const char *flag, const char *path,
                                     _Atomic(struct tokens *) *in_force) {
    char why[WHY_MAX];
    struct tokens *tokens = read_tokens(flag, path, why);
    if (!tokens) {
        log_kept(flag, why);
        return NULL;
    }
    return atomic_exchange(in_force, tokens);
}

static struct tls_identity *replace_identity(const struct options *options,
                                             _Atomic(struct tls_identity *) *in_force) {
    char why[WHY_MAX];
    struct tls_identity *identity = read_identity(options, why);
    if (!identity) {
        log_kept("tls-cert", why);
        return NULL;
    }
    return atomic_exchange(in_force, identity);
}

void access_reload(struct access *access, const struct options *options) {
    struct tokens *old_ingest = NULL, *old_read = NULL;
    struct tls_identity *old_identity = NULL;
    if (access->ingest) {
        old_ingest =
            replace_tokens("ingest-token-file", options->ingest_token_file, &access->ingest);
    }
    if (access->read) {
        old_read = replace_tokens("read-token-file", options->read_token_file, &access->read);
    }
    if (access->identity) {
        old_identity = replace_identity(options, &access->identity);
    }
    /* Release pairs with the acquire in access_refresh_owner. */
    const uint64_t generation = access->generation + 1;
    atomic_store_explicit(&access->generation, generation, memory_order_release);
    if (wait_until_seen(access, generation)) {
        tokens_free(old_ingest);
        tokens_free(old_read);
        tls_identity_free(old_identity);
        log_line(LOG_INFO, "reloaded", "generation=%llu", (unsigned long long)generation);
    } else { /* the stuck worker may still use them, so a few kilobytes are not freed */
        log_line(LOG_WARN, "reloaded, but a worker has not taken it yet", "generation=%llu",
                 (unsigned long long)generation);
    }
}

/* ---- what is open ---- */

/* Whether only this machine can reach the socket. */
static bool is_local(int listen_fd) {
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    return getsockname(listen_fd, (struct sockaddr *)&at, &len) == 0 &&
           address_is_local((const struct sockaddr *)&at);
}

void access_warn(const struct access *access, int listen_fd, const char *flag, bool ingest,
                 bool read) {
    if (is_local(listen_fd)) {
        return;
    }
    if (ingest && !access->ingest) {
        log_line(LOG_WARN, "whoever reaches this address may write: see --ingest-token-file",
                 "flag=--%s", flag);
    }
    if (read && !access->read) {
        log_line(LOG_WARN, "whoever reaches this address may read: see --read-token-file",
                 "flag=--%s", flag);
    }
    if (((ingest && access->ingest) || (read && access->read)) && !access->identity) {
        log_line(LOG_WARN, "tokens travel unencrypted: see --tls-cert, or let a proxy do TLS",
                 "flag=--%s", flag);
    }
}
