#include "tools/serve/serve.h"

#include "common/version.h"
#include "counters/time/horizon.h"
#include "reports/definitions.h"
#include "server/access/throttle.h"
#include "server/check.h"
#include "server/http/context.h"
#include "server/net/address_limit.h"
#include "server/net/listen.h"
#include "server/process/clock.h"
#include "server/process/log.h"
#include "server/process/notify.h"
#include "server/process/sandbox.h"
#include "server/process/signals.h"
#include "server/worker.h"
#include "tools/serve/fleet.h"
#include "tools/serve/serve_pages.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define SIGN_OF_LIFE_MS 500

static const struct option_row rows[] = {
#define OPTION(type, field, flag, argument, default_text, min, max, sentence)                      \
    {OPTION_##type, flag,         flag,                                                            \
     argument,      default_text, min,                                                             \
     max,           sentence,     offsetof(struct options, field)},
#include "tools/serve/serve.def"
#undef OPTION
};

static const struct options_program serve = {
    .name = "aforo serve",
    .row = rows,
    .rows = sizeof rows / sizeof *rows,
    .usage = "Usage: aforo serve --redis URL [flags]\n"
             "Shows over HTTP what all aforod count that flush to that Redis: a live page at /,\n"
             "/counts, /reports, /nodes and /healthz.\n",
    .ends = "In the environment --redis is AFORO_REDIS, and so on.\n",
    .more = "",
    .column = 24};

static int refuse(const char *flag, const char *why) {
    fprintf(stderr, "aforo: serve: %s%s%s\n", flag, *flag ? ": " : "", why);
    return EXIT_USAGE;
}

/* 0, or the exit status. */
static int check_serve_options(const struct options *options) {
    char why[CHECK_WHY_MAX];
    return !listen_is_valid(options->listen, why) ? refuse("--listen", why)
           : !*options->redis           ? refuse("", "which Redis? --redis URL, or AFORO_REDIS")
           : !check_redis(options, why) ? refuse("", why)
                                        : 0;
}

/* Redis has the reports with their definitions, but not the code of users' own measures, so that is
 * loaded here. False: the reason was printed. */
static bool load_measures(const struct options *options) {
    const struct table_span span = {.workers = 1, .horizon_us = options->horizon, .future_us = 0};
    char why[DEFINITIONS_WHY_MAX];
    struct definitions *definitions =
        *options->reports ? definitions_load(options->reports, &span, why) : NULL;
    if (*options->reports && !definitions) {
        fprintf(stderr, "aforo: serve: --reports: %s\n", why);
    }
    definitions_seal_measures();
    const bool well = definitions || !*options->reports;
    definitions_free(definitions);
    return well;
}

static void raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool make_limits(struct server *server) {
    const struct options *options = server->options;
    if (options->limit_per_client) {
        server->throttle = throttle_new(options->limit_per_client);
    }
    if (options->max_connections_per_address) {
        server->address_limit = address_limit_new((uint32_t)options->max_connections_per_address);
    }
    const bool ok = (!options->limit_per_client || server->throttle) &&
                    (!options->max_connections_per_address || server->address_limit);
    if (!ok) {
        fprintf(stderr, "aforo: out of memory or random bytes\n");
    }
    return ok;
}

static void reload(void *cls) {
    struct server *server = cls;
    access_reload(&server->access, server->options);
}

static void tidy(void *cls) {
    (void)cls;
}

static int64_t find_alive_us(void *cls) {
    return workers_alive_us(cls);
}

static void announce(const struct server *server, const char *address) {
    log_line(LOG_INFO, "listening", "address=%s version=%s", address, version_text());
    notify_send("READY=1");
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\n  open %s://%s/ in a browser\n\n",
                server->access.identity ? "https" : "http", address);
    }
}

/* Serves until a signal ends it. Returns the exit status. */
static int serve_until_signal(struct server *server) {
    char why[LISTEN_WHY_MAX], address[LISTEN_ADDRESS_MAX];
    const struct signals_duties duties = {.reload = reload,
                                          .tidy = tidy,
                                          .tidy_us = 3600 * US_PER_S,
                                          .alive_us = find_alive_us,
                                          .cls = server};
    const int fd = listen_open(server->options->listen, address, why);
    if (fd < 0) {
        fprintf(stderr, "aforo: serve: --listen: %s\n", why);
        return EXIT_FAILURE;
    }
    if (server->sandbox_error) {
        log_line(LOG_WARN, "runs without a filter of system calls", "error=\"%s\"",
                 strerror(server->sandbox_error));
    }
    access_warn(&server->access, fd, "listen", false, true);
    const bool ok = workers_start(server, fd, -1);
    close(fd); /* the worker has a duplicate */
    if (ok) {
        announce(server, address);
        const int signal = signals_wait(INT64_MAX, &duties);
        signals_release();
        log_line(LOG_INFO, "stopping", "signal=%d", signal);
        notify_send("STOPPING=1");
    }
    workers_stop(server, ok ? clock_steady_us() + server->options->grace : 0);
    free(server->worker);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(struct server *server) {
    int status = EXIT_FAILURE;
    if (!access_open(&server->access, server->options)) {
        return EXIT_USAGE;
    }
    const struct fleet_config config = {.redis = server->options->redis,
                                        .redis_tls = check_redis_tls(server->options),
                                        .timeout_us = server->options->redis_timeout,
                                        .horizon_us = server->options->horizon};
    struct fleet *fleet = make_limits(server) ? fleet_start(&config) : NULL;
    if (fleet) {
        server->pages = &serve_pages;
        server->pages_cls = fleet;
        status = serve_until_signal(server);
        fleet_stop(fleet);
    }
    address_limit_free(server->address_limit);
    throttle_free(server->throttle);
    access_close(&server->access);
    return status;
}

int serve_main(int argc, char **argv) {
    struct options options = {0};
    struct options_said said;
    const enum options_outcome outcome = options_parse(&serve, argc, argv, &options, &said);
    if (outcome == OPTIONS_WRONG) {
        return refuse("", said.why);
    }
    if (outcome != OPTIONS_RUN) {
        return options_print(&serve, outcome, stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (optind < argc) {
        fprintf(stderr, "aforo: serve: %.80s: unexpected argument; see --help\n", argv[optind]);
        return EXIT_USAGE;
    }
    const int wrong = check_serve_options(&options);
    if (wrong) {
        return wrong;
    }
    if (!load_measures(&options)) {
        return EXIT_USAGE;
    }
    options.ingest_token_file = options.admin_listen = options.reports = "";
    log_set_level((enum log_level)options.log_level);
    struct server server = {.options = &options,
                            .workers = 1,
                            .started_us = clock_steady_us(),
                            .started_wall_us = clock_wall_us(),
                            .sign_of_life_ms = SIGN_OF_LIFE_MS};
    signals_hold();
    raise_file_limit();
    server.sandbox_error = options.sandbox == SANDBOX_ON && !sandbox_enter() ? errno : 0;
    return run(&server);
}
