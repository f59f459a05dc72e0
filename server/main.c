/* aforod: an inventory. Everything is made here in order, and unmade in reverse. */
#include "common/standard_files.h"
#include "counters/counters.h"
#include "redis/url.h"
#include "server/access/access.h"
#include "server/access/throttle.h"
#include "server/flush/flush.h"
#include "server/flush/store_redis.h"
#include "server/http/context.h"
#include "server/net/address_limit.h"
#include "server/net/listen.h"
#include "server/options.h"
#include "server/process/banner.h"
#include "server/process/clock.h"
#include "server/process/log.h"
#include "server/process/notify.h"
#include "server/process/sandbox.h"
#include "server/refusals.h"
#include "server/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SYNC_INTERVAL_MS 1000
#define SIGN_OF_LIFE_MS 500
/* beyond --drain and --grace, before the service manager may lose patience */
#define STOP_MARGIN_US (5 * US_PER_S)

/* Writes the state file to the disk once a second, so that a power loss costs no more. A thread of
 * its own: a slow disk then holds up nobody. */
struct syncer {
    struct server *server;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;
};

/* A state file that is no longer where it was is gone when this process ends, and what was
 * acknowledged with it. */
static void look_for_file(struct server *server) {
    char why[COUNTERS_WHY_MAX], quoted[2 * COUNTERS_WHY_MAX];
    const bool lost = !counters_is_in_place(server->counters, why);
    if (lost != atomic_load(&server->state_is_lost)) {
        if (lost) {
            log_line(LOG_ERROR,
                     "the state file is gone: what is counted now is lost when this process ends",
                     "error=%s remedy=\"send clients elsewhere; stop it with SIGTERM, which "
                     "flushes, and start it again\"",
                     log_quote(why, quoted, sizeof quoted));
        } else {
            log_line(LOG_INFO, "the state file is back", "state=%s", server->options->state);
        }
        atomic_store(&server->state_is_lost, lost);
    }
}

static void *syncer_main(void *cls) {
    struct syncer *syncer = cls;
    bool failed = false;
    pthread_mutex_lock(&syncer->mutex);
    while (!syncer->stopping) {
        const int64_t next_us = clock_steady_us() + SYNC_INTERVAL_MS * US_PER_MS;
        const struct timespec until = {.tv_sec = next_us / US_PER_S,
                                       .tv_nsec = next_us % US_PER_S * 1000};
        pthread_cond_timedwait(&syncer->wake, &syncer->mutex, &until);
        pthread_mutex_unlock(&syncer->mutex);
        look_for_file(syncer->server);
        const bool ok = counters_sync(syncer->server->counters);
        if (ok == failed) {
            log_line(ok ? LOG_INFO : LOG_ERROR,
                     ok ? "the state file is written again" : "cannot write the state file",
                     "error=\"%s\"", ok ? "" : strerror(errno));
            failed = !ok;
        }
        pthread_mutex_lock(&syncer->mutex);
    }
    pthread_mutex_unlock(&syncer->mutex);
    return NULL;
}

static bool syncer_start(struct syncer *syncer, struct server *server) {
    *syncer = (struct syncer){.server = server};
    pthread_condattr_t steady; /* a wall clock that is set back must not put off the next write */
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_mutex_init(&syncer->mutex, NULL);
    pthread_cond_init(&syncer->wake, &steady);
    pthread_condattr_destroy(&steady);
    return pthread_create(&syncer->thread, NULL, syncer_main, syncer) == 0;
}

static void syncer_stop(struct syncer *syncer) {
    pthread_mutex_lock(&syncer->mutex);
    syncer->stopping = true;
    pthread_cond_signal(&syncer->wake);
    pthread_mutex_unlock(&syncer->mutex);
    pthread_join(syncer->thread, NULL);
}

static struct counters *open_counters(const struct options *options, unsigned workers) {
    const struct counters_config config = {.dir = options->state,
                                           .node_id = *options->node_id ? options->node_id : NULL,
                                           .workers = workers,
                                           .horizon_us = options->horizon,
                                           .future_us = options->future};
    char why[COUNTERS_WHY_MAX];
    uint64_t repaired = 0;
    struct counters *counters = counters_open(&config, &repaired, why);
    if (!counters) {
        fprintf(stderr, "aforod: %s\n", why);
        return NULL;
    }
    /* what read-back compares with is of the present */
    counters_set_now(counters, clock_wall_us());
    if (repaired) {
        log_line(LOG_WARN, "completed what a crash had left half done", "counts=%" PRIu64,
                 repaired);
    }
    return counters;
}

/* False when --redis is wrong. Without --redis nothing is started. */
static bool start_flush(struct server *server) {
    const struct options *options = server->options;
    if (!*options->redis) {
        return true;
    }
    char why[COUNTERS_WHY_MAX], owner[COUNTERS_OWNER_MAX];
    _Static_assert(COUNTERS_WHY_MAX >= STORE_WHY_MAX, "room for the sentences of both");
    counters_owner(server->counters, owner);
    const struct store_redis_config config = {
        .url = options->redis,
        .node_id = counters_node_id(server->counters),
        .owner = owner,
        .ttl_s = {options->redis_ttl_10ms / US_PER_S, options->redis_ttl_1s / US_PER_S,
                  options->redis_ttl_1min / US_PER_S},
        .horizon_s = options->horizon / US_PER_S,
        .timeout_ms = options->redis_timeout / US_PER_MS,
    };
    struct store *store = store_redis_new(&config, why);
    if (!store) {
        fprintf(stderr, "aforod: --redis: %s\n", why);
        return false;
    }
    const struct flush_config flush = {
        .counters = server->counters, .store = store, .interval_us = options->flush_interval};
    server->flush = flush_start(&flush, why);
    if (!server->flush) {
        fprintf(stderr, "aforod: %s\n", why);
    }
    return server->flush != NULL;
}

static void raise_file_limit(const struct options *options) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < (rlim_t)options->max_connections + 64) {
        log_line(LOG_WARN, "fewer files may be open than --max-connections asks for", "limit=%llu",
                 (unsigned long long)limit.rlim_cur);
    }
}

/* Often enough that a watchdog of watchdog_us (0: none) sees an idle worker alive each time it is
 * told. */
static int sign_of_life_ms(int64_t watchdog_us) {
    const int64_t often_us = watchdog_us / 4;
    return watchdog_us && often_us < SIGN_OF_LIFE_MS * US_PER_MS ? (int)(often_us / US_PER_MS) + 1
                                                                 : SIGN_OF_LIFE_MS;
}

/* Waits for SIGTERM or SIGINT, which it returns, or until then (steady clock; 0 is returned); while
 * all workers show signs of life, the watchdog hears of it. SIGHUP reads tokens and certificates
 * again. */
static int wait_for_signal(struct server *server, const sigset_t *signals, int64_t until_us) {
    const int64_t watchdog_us = notify_watchdog_us();
    const int64_t period_us = watchdog_us ? watchdog_us / 2 : 3600 * US_PER_S;
    for (;;) {
        const int64_t left_us = until_us - clock_steady_us();
        const int64_t wait_us = left_us < period_us ? left_us : period_us;
        if (left_us <= 0) {
            return 0;
        }
        const struct timespec wait = {.tv_sec = wait_us / US_PER_S,
                                      .tv_nsec = wait_us % US_PER_S * 1000};
        const int signal = sigtimedwait(signals, NULL, &wait);
        if (signal == SIGHUP) {
            access_reload(&server->access, server->options);
        } else if (signal > 0) {
            return signal;
        }
        if (watchdog_us && clock_steady_us() - workers_alive_us(server) < watchdog_us) {
            notify_send("WATCHDOG=1");
        }
    }
}

static void log_tally(const struct server *server) {
    struct shard_tally tally;
    counters_tally(server->counters, &tally);
    char refused[256] = "";
    size_t n = 0;
    for (int i = 0; i < REFUSALS; i++) {
        n += (size_t)snprintf(refused + n, sizeof refused - n, " refused_%s=%" PRIu64,
                              refusal_table[i].name, tally.refused[i]);
    }
    log_line(LOG_INFO, "stopped", "node=%s received=%" PRIu64 " counted=%" PRIu64 "%s",
             counters_node_id(server->counters), tally.received, tally.counted, refused);
}

/* From the first signal on, a second one ends the process at once: what was acknowledged is in the
 * mapped file. */
static void stop(struct server *server, int signal, const sigset_t *signals) {
    const int64_t drain_us = server->options->drain, grace_us = server->options->grace;
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    sigaction(SIGTERM, &by_default, NULL);
    sigaction(SIGINT, &by_default, NULL);
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGHUP, &ignore, NULL); /* nothing is read again on the way out */
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    char message[64];
    snprintf(message, sizeof message, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld",
             (long long)(drain_us + grace_us + STOP_MARGIN_US));
    notify_send(message);
    if (drain_us) {
        log_line(LOG_INFO, "draining", "signal=%d drain_ms=%lld", signal,
                 (long long)(drain_us / US_PER_MS));
        workers_drain(server);
        sigset_t none;
        sigemptyset(&none);
        wait_for_signal(server, &none, clock_steady_us() + drain_us);
    }
    const int64_t deadline_us = clock_steady_us() + grace_us;
    log_line(LOG_INFO, "stopping", "signal=%d grace_ms=%lld", signal,
             (long long)(grace_us / US_PER_MS));
    workers_stop(server, deadline_us);
    if (server->flush && !flush_stop(server->flush, deadline_us)) {
        log_line(LOG_WARN,
                 "not everything reached the store in time; the state file has it, the next start "
                 "sends it",
                 "grace_ms=%lld", (long long)(grace_us / US_PER_MS));
    }
    server->flush = NULL;
}

static int open_listener(const char *flag, const char *at, char *address) {
    char why[LISTEN_WHY_MAX];
    const int fd = listen_open(at, address, why);
    if (fd < 0) {
        fprintf(stderr, "aforod: --%s: %s\n", flag, why);
    }
    return fd;
}

/* The service manager's socket when it passed one, else our own. */
static int open_main_listener(struct server *server, char *address) {
    char why[LISTEN_WHY_MAX];
    int fd = -1;
    const enum listen_inherited inherited = listen_inherit(&fd, address, why);
    server->listen_is_shared = inherited == LISTEN_INHERITED;
    if (inherited == LISTEN_NOT_INHERITED) {
        return open_listener("listen", server->options->listen, address);
    }
    if (fd < 0) {
        fprintf(stderr, "aforod: %s\n", why);
    }
    return fd;
}

static int run(struct server *server, const sigset_t *signals) {
    char address[LISTEN_ADDRESS_MAX], admin_address[LISTEN_ADDRESS_MAX] = "";
    const bool admin = *server->options->admin_listen;
    const int listen_fd = open_main_listener(server, address);
    const int admin_fd =
        admin && listen_fd >= 0
            ? open_listener("admin-listen", server->options->admin_listen, admin_address)
            : -1;
    if (listen_fd < 0 || (admin && admin_fd < 0)) {
        return EXIT_FAILURE;
    }
    if (server->sandbox_error) {
        log_line(LOG_WARN, "runs without a filter of system calls", "error=\"%s\"",
                 strerror(server->sandbox_error));
    }
    access_warn(&server->access, listen_fd, "listen", true, !admin);
    if (admin) {
        access_warn(&server->access, admin_fd, "admin-listen", false, true);
    }
    struct syncer syncer;
    bool ok = syncer_start(&syncer, server);
    if (ok) {
        ok = workers_start(server, listen_fd, admin_fd);
        close(listen_fd);
        if (admin) {
            close(admin_fd);
        }
        if (ok) {
            char quoted[512]; /* a path may hold anything */
            log_line(LOG_INFO, "listening", "address=%s threads=%u node=%s state=%s socket=%s%s%s",
                     address, server->workers, counters_node_id(server->counters),
                     log_quote(server->options->state, quoted, sizeof quoted),
                     server->listen_is_shared ? "inherited" : "own", admin ? " admin_address=" : "",
                     admin_address);
            notify_send("READY=1");
            banner_print(server->options, address, admin_address);
            stop(server, wait_for_signal(server, signals, INT64_MAX), signals);
        } else {
            workers_stop(server, 0);
        }
        syncer_stop(&syncer);
    }
    free(server->worker);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

__attribute__((format(printf, 2, 3))) static bool wrong(const char *flag, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "aforod: --%s: ", flag);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return false;
}

/* What options.def cannot say of a value; what is wrong is named in one line, before anything is
 * opened or made. */
static bool options_make_sense(const struct options *options, enum log_level *level) {
    char why[LISTEN_WHY_MAX];
    _Static_assert(LISTEN_WHY_MAX >= REDIS_URL_WHY_MAX, "room for the sentences of both");
    struct redis_url url;
    if (!log_level_by_name(options->log_level, level)) {
        return wrong("log-level", "'%s' is not error, warn, info or debug", options->log_level);
    }
    if (strcmp(options->clock, "arrival") != 0 && strcmp(options->clock, "event") != 0) {
        return wrong("clock", "'%s' is neither event nor arrival", options->clock);
    }
    if (strcmp(options->sandbox, "on") != 0 && strcmp(options->sandbox, "off") != 0) {
        return wrong("sandbox", "'%s' is neither on nor off", options->sandbox);
    }
    if (!banner_is_valid(options->banner)) {
        return wrong("banner", "'%s' is none of auto, on, off", options->banner);
    }
    if (options->horizon % US_PER_S || options->future % US_PER_S) {
        return wrong(options->horizon % US_PER_S ? "horizon" : "future", "must be whole seconds");
    }
    if (*options->node_id && !counters_node_id_is_valid(options->node_id)) {
        return wrong("node-id", "'%.80s' is not 1 to %d of A-Z a-z 0-9 . _ -", options->node_id,
                     COUNTERS_NODE_MAX - 1);
    }
    if (!listen_is_valid(options->listen, why)) {
        return wrong("listen", "%s", why);
    }
    if (*options->admin_listen && !listen_is_valid(options->admin_listen, why)) {
        return wrong("admin-listen", "%s", why);
    }
    return !*options->redis || redis_url_parse(options->redis, &url, why) ||
           wrong("redis", "%s", why);
}

int main(int argc, char **argv) {
    if (standard_files_open() < 0) {
        fprintf(stderr,
                "aforod: a standard descriptor is closed, and /dev/null cannot be opened in its "
                "place: %s\n",
                strerror(errno));
        return EXIT_FAILURE;
    }
    struct options options;
    switch (options_read(argc, argv, &options)) {
    case OPTIONS_DONE:
        return EXIT_SUCCESS;
    case OPTIONS_WRONG:
        return 2;
    default:
        break;
    }
    enum log_level level;
    if (!options_make_sense(&options, &level)) {
        return 2;
    }
    const bool arrival = strcmp(options.clock, "arrival") == 0;
    log_set_level(level);
    if (options.passed_over) {
        log_line(LOG_INFO, "passed over what Kubernetes sets for a service of this name",
                 "variables=%zu", options.passed_over);
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* every thread inherits it: only main takes them */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    /* a file that may not grow is an error of the call, which says so */
    sigaction(SIGXFSZ, &ignore, NULL);
    raise_file_limit(&options);
    const int sandbox_error = strcmp(options.sandbox, "on") == 0 && !sandbox_enter() ? errno : 0;

    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const unsigned workers = options.threads ? (unsigned)options.threads
                             : cores > 0     ? (unsigned)cores
                                             : 1;
    struct server server = {.options = &options,
                            .clock_is_arrival = arrival,
                            .workers = workers,
                            .started_us = clock_steady_us(),
                            .sign_of_life_ms = sign_of_life_ms(notify_watchdog_us()),
                            .sandbox_error = sandbox_error};
    if (!access_open(&server.access, &options)) {
        return 2;
    }
    if (options.limit_per_client && !(server.throttle = throttle_new(options.limit_per_client))) {
        fprintf(stderr, "aforod: --limit-per-client: out of memory or random bytes\n");
        return EXIT_FAILURE;
    }
    if (options.max_connections_per_address) {
        server.address_limit = address_limit_new((uint32_t)options.max_connections_per_address);
        if (!server.address_limit) {
            fprintf(stderr, "aforod: out of memory\n");
            return EXIT_FAILURE;
        }
    }
    server.counters = open_counters(&options, workers);
    if (!server.counters) {
        return EXIT_FAILURE;
    }
    int status = EXIT_FAILURE;
    if (start_flush(&server)) {
        status = run(&server, &signals);
    }
    if (server.flush) {
        flush_stop(server.flush, 0);
    }
    log_tally(&server);
    counters_close(server.counters);
    address_limit_free(server.address_limit);
    throttle_free(server.throttle);
    access_close(&server.access);
    return status;
}
