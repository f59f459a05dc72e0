/* aforod's main. Everything is made here, in order, and taken down in reverse. */
#include "common/standard_files.h"
#include "common/version.h"
#include "counters/counters.h"
#include "server/access/access.h"
#include "server/access/throttle.h"
#include "server/check.h"
#include "server/eventlog/bond.h"
#include "server/eventlog/event_log.h"
#include "server/eventlog/rebuild.h"
#include "server/flush/flush.h"
#include "server/flush/store_redis.h"
#include "server/flush/visible.h"
#include "server/http/context.h"
#include "server/http/nodes_page.h"
#include "server/net/address_limit.h"
#include "server/net/listen.h"
#include "server/options.h"
#include "server/process/banner.h"
#include "server/process/clock.h"
#include "server/process/log.h"
#include "server/process/notify.h"
#include "server/process/sandbox.h"
#include "server/process/signals.h"
#include "server/process/syncer.h"
#include "server/refusals.h"
#include "server/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SIGN_OF_LIFE_MS 500
#define TIDY_US (60 * US_PER_S)
/* time beyond --drain and --grace before the service manager may kill us */
#define STOP_MARGIN_US (5 * US_PER_S)

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

/* How often workers must wake up, so that a watchdog of watchdog_us (0: none) is satisfied even
 * when they are idle. */
static int sign_of_life_ms(int64_t watchdog_us) {
    const int64_t often_us = watchdog_us / 4;
    return watchdog_us && often_us < SIGN_OF_LIFE_MS * US_PER_MS ? (int)(often_us / US_PER_MS) + 1
                                                                 : SIGN_OF_LIFE_MS;
}

/* ---- setup ---- */

/* Makes the tables of --limit-per-client and --max-connections-per-address. */
static bool make_limits(struct server *server) {
    const struct options *options = server->options;
    if (options->limit_per_client &&
        !(server->throttle = throttle_new(options->limit_per_client))) {
        fprintf(stderr, "aforod: --limit-per-client: out of memory or random bytes\n");
        return false;
    }
    if (options->max_connections_per_address) {
        server->address_limit = address_limit_new((uint32_t)options->max_connections_per_address);
        if (!server->address_limit) {
            fprintf(stderr, "aforod: out of memory\n");
            return false;
        }
    }
    return true;
}

static bool open_counters(struct server *server) {
    const struct options *options = server->options;
    server->had_state = rebuild_finds_state(options);
    if (!rebuild_lost_state(options, server->workers, server->report_sets.loaded,
                            &server->rebuilt)) {
        return false;
    }
    const struct counters_config config = {.dir = options->state,
                                           .node_id = *options->node_id ? options->node_id : NULL,
                                           .workers = server->workers,
                                           .horizon_us = options->horizon,
                                           .future_us = options->future};
    char why[COUNTERS_WHY_MAX];
    uint64_t repaired = 0;
    server->counters = counters_open(&config, &repaired, why);
    if (!server->counters) {
        fprintf(stderr, "aforod: %s\n", why);
        return false;
    }
    /* so that what the read-back compares with belongs to the present */
    counters_set_now(server->counters, clock_wall_us());
    server->repaired = repaired > 0;
    if (repaired) {
        log_line(LOG_WARN, "completed what a crash had left half done", "counts=%" PRIu64,
                 repaired);
    }
    return true;
}

/* Where the workers note events for the flush (visible.h). */
static struct visible_queue *make_queues(unsigned n) {
    struct visible_queue *queue = aligned_alloc(_Alignof(struct visible_queue), n * sizeof *queue);
    if (queue) {
        memset(queue, 0, n * sizeof *queue);
    }
    return queue;
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
        .tls = check_redis_tls(options),
        .node_id = counters_node_id(server->counters),
        .owner = owner,
        .ttl_s = {options->redis_ttl_10ms / US_PER_S, options->redis_ttl_1s / US_PER_S,
                  options->redis_ttl_1min / US_PER_S},
        .horizon_s = options->horizon / US_PER_S,
        .timeout_ms = options->redis_timeout / US_PER_MS,
    };
    if (options->redis_tls_verify == REDIS_TLS_VERIFY_OFF) {
        log_line(LOG_WARN,
                 "whoever is between us and Redis may read and change what is sent: no "
                 "certificate is checked",
                 "option=redis-tls-verify");
    }
    struct store *store = store_redis_new(&config, why);
    if (!store) {
        fprintf(stderr, "aforod: --redis: %s\n", why);
        return false;
    }
    server->visible = make_queues(server->workers);
    if (!server->visible) {
        store->ops->close(store);
        fprintf(stderr, "aforod: out of memory\n");
        return false;
    }
    const struct flush_config flush = {.counters = server->counters,
                                       .tables = server->report_sets.tables,
                                       .store = store,
                                       .interval_us = options->flush_interval,
                                       .describe = nodes_page_describe,
                                       .cls = server,
                                       .queue = server->visible,
                                       .queues = server->workers};
    server->flush = flush_start(&flush, why);
    if (!server->flush) {
        fprintf(stderr, "aforod: %s\n", why);
    }
    return server->flush != NULL;
}

/* Opens what reports need: the fields to read from an event, and the tables of rows. */
static bool open_reports(struct server *server) {
    const struct time_names *times = &server->report_sets.times;
    struct fields_config none = {.times = times->n};
    memcpy(none.time, times->text, sizeof none.time);
    server->no_fields = fields_new(&none);
    if (!server->no_fields) {
        fprintf(stderr, "aforod: out of memory\n");
        return false;
    }
    return report_sets_open(&server->report_sets, server->counters);
}

/* After the counts and the rows are recovered, since they tell which records are counted. */
static bool open_event_log(struct server *server) {
    if (!event_log_open(server->options, server->counters, server->workers, &server->event_log)) {
        return false;
    }
    rebuild_note_state(server->options, server->counters);
    return bond_settle(server->options, server->counters, server->had_state);
}

static int open_listener(const char *flag, const char *at, char *address) {
    char why[LISTEN_WHY_MAX];
    const int fd = listen_open(at, address, why);
    if (fd < 0) {
        fprintf(stderr, "aforod: --%s: %s\n", flag, why);
    }
    return fd;
}

/* The service manager's socket if it passed one, else our own. */
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

/* The listening sockets and their addresses. */
struct listeners {
    int fd, admin_fd; /* admin_fd: -1 without --admin-listen */
    char address[LISTEN_ADDRESS_MAX], admin_address[LISTEN_ADDRESS_MAX];
};

static bool open_listeners(struct server *server, struct listeners *listeners) {
    const char *admin_at = server->options->admin_listen;
    *listeners = (struct listeners){.admin_fd = -1};
    listeners->fd = open_main_listener(server, listeners->address);
    if (listeners->fd >= 0 && *admin_at) {
        listeners->admin_fd = open_listener("admin-listen", admin_at, listeners->admin_address);
    }
    return listeners->fd >= 0 && (listeners->admin_fd >= 0 || !*admin_at);
}

static void close_listeners(const struct listeners *listeners) {
    close(listeners->fd);
    if (listeners->admin_fd >= 0) {
        close(listeners->admin_fd);
    }
}

/* ---- serving ---- */

/* Logs what an operator should know before the first request arrives. */
static void warn_of_risks(const struct server *server, const struct listeners *listeners) {
    const bool admin = listeners->admin_fd >= 0;
    if (server->sandbox_error) {
        log_line(LOG_WARN, "runs without a filter of system calls", "error=\"%s\"",
                 strerror(server->sandbox_error));
    }
    access_warn(&server->access, listeners->fd, "listen", true, !admin);
    if (admin) {
        access_warn(&server->access, listeners->admin_fd, "admin-listen", false, true);
    }
}

static void announce(const struct server *server, const struct listeners *listeners) {
    const struct options *options = server->options;
    char quoted[512]; /* a path may contain anything */
    log_line(LOG_INFO, "listening",
             "address=%s threads=%u node=%s state=%s socket=%s version=%s%s%s", listeners->address,
             server->workers, counters_node_id(server->counters),
             log_quote(options->state, quoted, sizeof quoted),
             server->listen_is_shared ? "inherited" : "own", version_text(),
             *listeners->admin_address ? " admin_address=" : "", listeners->admin_address);
    notify_send("READY=1");
    const struct banner banner = {.address = listeners->address,
                                  .admin_address = listeners->admin_address,
                                  .tls = *options->tls_cert,
                                  .asks_writers = *options->ingest_token_file,
                                  .asks_readers = *options->read_token_file};
    banner_print((enum banner_when)options->banner, &banner);
}

static void reload(void *cls) {
    struct server *server = cls;
    access_reload(&server->access, server->options);
    report_sets_reload(&server->report_sets);
}

static void tidy(void *cls) {
    struct server *server = cls;
    report_sets_tidy(&server->report_sets, clock_wall_us());
}

static int64_t find_alive_us(void *cls) {
    return workers_alive_us(cls);
}

/* After the first signal, a second one ends the process at once; what was acknowledged is in the
 * mapped file. */
static void stop(struct server *server, int signal, const struct signals_duties *duties) {
    const int64_t drain_us = server->options->drain, grace_us = server->options->grace;
    signals_release();
    char message[64];
    snprintf(message, sizeof message, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64,
             drain_us + grace_us + STOP_MARGIN_US);
    notify_send(message);
    if (drain_us) {
        log_line(LOG_INFO, "draining", "signal=%d drain_ms=%" PRId64, signal, drain_us / US_PER_MS);
        workers_drain(server);
        signals_pause(clock_steady_us() + drain_us, duties);
    }
    const int64_t deadline_us = clock_steady_us() + grace_us;
    log_line(LOG_INFO, "stopping", "signal=%d grace_ms=%" PRId64, signal, grace_us / US_PER_MS);
    workers_stop(server, deadline_us);
    if (server->flush && !flush_stop(server->flush, deadline_us)) {
        log_line(LOG_WARN,
                 "not everything reached the store in time; the state file has it, the next start "
                 "sends it",
                 "grace_ms=%" PRId64, grace_us / US_PER_MS);
    }
    server->flush = NULL;
}

/* Serves until a signal ends it. Returns the exit status. */
static int serve(struct server *server) {
    const struct signals_duties duties = {.reload = reload,
                                          .tidy = tidy,
                                          .tidy_us = TIDY_US,
                                          .alive_us = find_alive_us,
                                          .cls = server};
    const struct syncer_config config = {.counters = server->counters,
                                         .tables = server->report_sets.tables,
                                         .dir = server->options->state,
                                         .state_is_lost = &server->state_is_lost,
                                         .state_is_unwritten = &server->state_is_unwritten};
    struct listeners listeners;
    if (!open_listeners(server, &listeners)) {
        return EXIT_FAILURE;
    }
    warn_of_risks(server, &listeners);
    struct syncer *syncer = syncer_start(&config);
    if (!syncer) {
        fprintf(stderr, "aforod: out of memory or threads\n");
    }
    const bool ok = syncer && workers_start(server, listeners.fd, listeners.admin_fd);
    close_listeners(&listeners); /* each worker has a duplicate */
    if (ok) {
        announce(server, &listeners);
        stop(server, signals_wait(INT64_MAX, &duties), &duties);
    } else if (syncer) {
        workers_stop(server, 0);
    }
    syncer_stop(syncer);
    free(server->worker);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
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

/* Sets everything up, serves, and takes everything down in reverse. Returns the exit status. */
static int run(struct server *server) {
    int status = EXIT_FAILURE;
    if (!access_open(&server->access, server->options)) {
        return 2;
    }
    if (make_limits(server) && open_counters(server) && open_reports(server) &&
        open_event_log(server) && start_flush(server)) {
        status = serve(server);
    }
    if (server->flush) {
        flush_stop(server->flush, 0);
    }
    free(server->visible);
    event_log_close(server->event_log, atomic_load(&server->stop_deadline_us));
    report_sets_close(&server->report_sets);
    fields_free(server->no_fields);
    if (server->counters) {
        log_tally(server);
        counters_close(server->counters);
    }
    address_limit_free(server->address_limit);
    throttle_free(server->throttle);
    access_close(&server->access);
    return status;
}

/* To be called before the system call filter is installed, since definitions may name shared
 * objects to load. */
static bool load_reports(struct server *server) {
    const struct options *options = server->options;
    struct report_sets *sets = &server->report_sets;
    char why[TIME_NAMES_WHY_MAX];
    sets->path = *options->reports ? options->reports : NULL;
    sets->state = options->state;
    sets->span = (struct table_span){
        .workers = server->workers, .horizon_us = options->horizon, .future_us = options->future};
    /* check_options has accepted the names */
    return time_names_read(options->time_field, &sets->times, why) && report_sets_load(sets);
}

static unsigned count_workers(const struct options *options) {
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return options->threads ? (unsigned)options->threads : cores > 0 ? (unsigned)cores : 1;
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
    struct options_said said;
    const enum options_outcome outcome = options_read(argc, argv, &options, &said);
    if (outcome != OPTIONS_RUN) {
        return options_answer(outcome, &said);
    }
    char why[CHECK_WHY_MAX];
    if (!check_options(&options, why)) {
        fprintf(stderr, "aforod: %s\n", why);
        return 2;
    }
    log_set_level((enum log_level)options.log_level);
    if (said.passed_over) {
        log_line(LOG_INFO, "passed over what Kubernetes sets for a service of this name",
                 "variables=%zu", said.passed_over);
    }
    struct server server = {.options = &options,
                            .clock_is_arrival = options.clock == CLOCK_ARRIVAL,
                            .workers = count_workers(&options),
                            .started_us = clock_steady_us(),
                            .started_wall_us = clock_wall_us(),
                            .sign_of_life_ms = sign_of_life_ms(notify_watchdog_us())};
    if (!load_reports(&server)) {
        return 2;
    }
    signals_hold();
    raise_file_limit(&options);
    server.sandbox_error = options.sandbox == SANDBOX_ON && !sandbox_enter() ? errno : 0;
    return run(&server);
}
