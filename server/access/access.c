#include "server/access/access.h"

#include "common/tokens.h"
#include "server/net/tls.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#define WHY_MAX (TLS_WHY_MAX > TOKENS_WHY_MAX ? TLS_WHY_MAX : TOKENS_WHY_MAX)
#define PASS_WAIT_US (10 * US_PER_S)
#define PASS_POLL_NS 1000000

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

static bool complain(const char *flag, const char *why) {
    fprintf(stderr, "aforod: --%s: %s\n", flag, why);
    return false;
}

bool access_open(struct server *server) {
    const struct options *options = server->options;
    struct access *access = &server->access;
    char why[WHY_MAX];
    if (!*options->tls_cert != !*options->tls_key) {
        return *options->tls_cert ? complain("tls-key", "is missing: --tls-cert needs both")
                                  : complain("tls-cert", "is missing: --tls-key needs both");
    }
    if (*options->ingest_token_file) {
        access->ingest = read_tokens("ingest-token-file", options->ingest_token_file, why);
        if (!access->ingest) {
            return complain("ingest-token-file", why);
        }
    }
    if (*options->read_token_file) {
        access->read = read_tokens("read-token-file", options->read_token_file, why);
        if (!access->read) {
            return complain("read-token-file", why);
        }
    }
    if (*options->tls_cert) {
        access->identity = read_identity(options, why);
        if (!access->identity) {
            return complain("tls-cert", why);
        }
    }
    access->generation = 1; /* no worker has seen it yet */
    return true;
}

void access_close(struct server *server) {
    tokens_free(server->access.ingest);
    tokens_free(server->access.read);
    tls_identity_free(server->access.identity);
    server->access = (struct access){0};
}

/* ---- reading again ---- */

void access_take_owner(struct worker *worker, uint64_t generation) {
    const struct access *access = &worker->server->access;
    worker->ingest_tokens = atomic_load_explicit(&access->ingest, memory_order_acquire);
    worker->read_tokens = atomic_load_explicit(&access->read, memory_order_acquire);
    tls_use(atomic_load_explicit(&access->identity, memory_order_acquire));
    /* Release, with the acquire in all_passed: what was looked at before is done with. */
    atomic_store_explicit(&worker->access_seen, generation, memory_order_release);
}

static bool all_passed(const struct server *server, uint64_t generation) {
    bool passed = true;
    for (unsigned i = 0; i < server->workers; i++) {
        passed = passed && atomic_load_explicit(&server->worker[i].access_seen,
                                                memory_order_acquire) >= generation;
    }
    return passed && (!server->admin || atomic_load_explicit(&server->admin->access_seen,
                                                             memory_order_acquire) >= generation);
}

/* An idle worker wakes up every half second. False when one seems to be stuck. */
static bool wait_until_passed(const struct server *server, uint64_t generation) {
    const int64_t deadline_us = clock_steady_us() + PASS_WAIT_US;
    while (!all_passed(server, generation)) {
        if (clock_steady_us() > deadline_us) {
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = PASS_POLL_NS}, NULL);
    }
    return true;
}

static void keep(const char *flag, const char *why) {
    char quoted[WHY_MAX + 32];
    log_line(LOG_ERROR, "not read again: what was read before stays in force", "flag=--%s error=%s",
             flag, log_quote(why, quoted, sizeof quoted));
}

/* The set that was in force, for who frees it; NULL when it still is. */
static struct tokens *replace_tokens(const char *flag, const char *path,
                                     _Atomic(struct tokens *) *in_force) {
    char why[WHY_MAX];
    struct tokens *tokens = read_tokens(flag, path, why);
    if (!tokens) {
        keep(flag, why);
        return NULL;
    }
    return atomic_exchange(in_force, tokens);
}

static struct tls_identity *replace_identity(const struct options *options,
                                             _Atomic(struct tls_identity *) *in_force) {
    char why[WHY_MAX];
    struct tls_identity *identity = read_identity(options, why);
    if (!identity) {
        keep("tls-cert", why);
        return NULL;
    }
    return atomic_exchange(in_force, identity);
}

void access_reload(struct server *server) {
    const struct options *options = server->options;
    struct access *access = &server->access;
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
    /* Release, with the acquire in access_look_owner. */
    const uint64_t generation = access->generation + 1;
    atomic_store_explicit(&access->generation, generation, memory_order_release);
    if (wait_until_passed(server, generation)) {
        tokens_free(old_ingest);
        tokens_free(old_read);
        tls_identity_free(old_identity);
        log_line(LOG_INFO, "reloaded", "generation=%llu", (unsigned long long)generation);
    } else { /* it may still look at them: a few kilobytes are not given back */
        log_line(LOG_WARN, "reloaded, but a worker has not taken it yet", "generation=%llu",
                 (unsigned long long)generation);
    }
}

/* ---- what is open ---- */

static bool is_of_this_machine(int listen_fd) {
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    if (getsockname(listen_fd, (struct sockaddr *)&at, &len)) {
        return false;
    }
    if (at.ss_family == AF_INET) {
        return ntohl(((struct sockaddr_in *)&at)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (at.ss_family == AF_INET6) {
        const struct in6_addr *in6 = &((struct sockaddr_in6 *)&at)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(in6) ||
               (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == IN_LOOPBACKNET);
    }
    return true; /* a local socket: its file's mode says who may connect */
}

void access_warn(const struct server *server, int listen_fd, const char *flag, bool ingest,
                 bool read) {
    const struct access *access = &server->access;
    if (is_of_this_machine(listen_fd)) {
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
