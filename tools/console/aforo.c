/* aforo's main: prints counted events, one window per line. Reads the flags, finds a source,
 * prints. */
#include "common/options.h"
#include "common/standard_files.h"
#include "tools/console/backup.h"
#include "tools/console/check.h"
#include "tools/console/diff_command.h"
#include "tools/console/empty.h"
#include "tools/console/flags.h"
#include "tools/console/follow.h"
#include "tools/console/log_command.h"
#include "tools/console/reach.h"
#include "tools/console/replay_command.h"
#include "tools/console/report_command.h"
#include "tools/console/reports_check.h"
#include "tools/console/reports_prove.h"
#include "tools/console/source.h"
#include "tools/console/status.h"
#include "tools/console/terminal.h"
#include "tools/console/times.h"
#include "tools/console/top.h"
#include "tools/console/total.h"
#include "tools/console/writer.h"
#include "tools/serve/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define SERVER_DEFAULT "http://127.0.0.1:8080"
#define STATE_DEFAULT "./aforo-state"
/* how long a signal that comes just before a sleep waits at most */
#define SLEEP_SLICE_US (100 * US_PER_MS)

static volatile sig_atomic_t asked_to_end;

static void on_signal(int signal_number) {
    (void)signal_number;
    asked_to_end = 1;
}

static int64_t now_us(void *cls) {
    (void)cls;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

/* Waits in slices and reads the clock after each: a wall clock that is set meanwhile must not make
 * this wait for hours. */
static bool wait_until(void *cls, int64_t t_us) {
    int64_t patience_us = t_us - now_us(cls);
    while (!asked_to_end && patience_us > 0 && now_us(cls) < t_us) {
        const int64_t slice_us = patience_us < SLEEP_SLICE_US ? patience_us : SLEEP_SLICE_US;
        const struct timespec slice = {.tv_nsec = (long)(slice_us * 1000)};
        nanosleep(&slice, NULL);
        patience_us -= slice_us;
    }
    return !asked_to_end;
}

static void complain_of_source(void *cls, const char *why) {
    (void)cls;
    terminal_complain("%s; trying again", why);
}

static void say_waiting(void *cls) {
    (void)cls;
    terminal_complain("no window with events is over yet: waiting for the first");
}

static bool standard_descriptors_are_open(void) {
    const int closed = standard_files_open();
    if (closed > 0 && closed & 1 << STDOUT_FILENO)
        terminal_complain("standard output is closed");
    return closed >= 0 && !(closed & 1 << STDOUT_FILENO);
}

/* Decides what to read from: what the flags name, else what the environment names. A source that
 * was named is never silently replaced by another. SOURCE_BY_DEFAULT: none was named. */
static enum source_kind choose_source(const struct flags *flags, struct source_config *config) {
    config->place = flags->place[0];
    if (flags->source != SOURCE_BY_DEFAULT)
        return flags->source;
    if (flags->command != COMMAND_STATUS && (config->place = options_variable("redis")) != NULL)
        return SOURCE_REDIS;
    return (config->place = options_variable("server")) != NULL ? SOURCE_SERVER : SOURCE_BY_DEFAULT;
}

static bool place_is_valid(enum source_kind kind, const char *place, char why[SOURCE_WHY_MAX]) {
    switch (kind) {
    case SOURCE_REDIS:
        return source_redis_place_is_valid(place, why);
    case SOURCE_SERVER:
        return source_server_place_is_valid(place, why);
    default:
        return true;
    }
}

static bool places_are_valid(const struct flags *flags, enum source_kind kind, const char *place) {
    char why[SOURCE_WHY_MAX];
    if (flags->places == 0 && !place_is_valid(kind, place, why)) {
        terminal_complain("%s: %s", kind == SOURCE_REDIS ? "AFORO_REDIS" : "AFORO_SERVER", why);
        return false;
    }
    for (unsigned i = 0; i < flags->places; i++) {
        if (!place_is_valid(flags->kind[i], flags->place[i], why)) {
            terminal_complain("%s: %s", flags->kind[i] == SOURCE_REDIS ? "--redis" : "--server",
                              why);
            return false;
        }
    }
    return true;
}

/* Whether the files of --redis-tls-... can be used, if a place needs them. */
static bool tls_is_valid(const struct flags *flags, enum source_kind kind, const char *place) {
    char why[SOURCE_WHY_MAX];
    bool valid = flags->places > 0 || kind != SOURCE_REDIS ||
                 source_redis_tls_is_valid(place, &flags->redis_tls, why);
    for (unsigned i = 0; i < flags->places && valid; i++)
        valid = flags->kind[i] != SOURCE_REDIS ||
                source_redis_tls_is_valid(flags->place[i], &flags->redis_tls, why);
    if (!valid)
        terminal_complain("%s", why);
    return valid;
}

/* Opens the server on this machine, else the state directory. */
static struct source *open_default(struct source_config *config, char why[SOURCE_WHY_MAX]) {
    config->place = SERVER_DEFAULT;
    struct source *source = source_server_open(config, why);
    if (source != NULL)
        return source;
    char server_why[SOURCE_WHY_MAX / 2];
    snprintf(server_why, sizeof server_why, "%.*s", (int)sizeof server_why - 1, why);
    const char *state = options_variable("state");
    config->place = state != NULL ? state : STATE_DEFAULT;
    source = source_state_open(config, why);
    if (source != NULL)
        return source;
    char state_why[SOURCE_WHY_MAX / 2 - 40];
    snprintf(state_why, sizeof state_why, "%.*s", (int)sizeof state_why - 1, why);
    snprintf(why, SOURCE_WHY_MAX, "no source (see --help); tried %s, then %s", server_why,
             state_why);
    return NULL;
}

static struct source *open_source(enum source_kind kind, struct source_config *config,
                                  char why[SOURCE_WHY_MAX]) {
    switch (kind) {
    case SOURCE_REDIS:
        return source_redis_open(config, why);
    case SOURCE_SERVER:
        return source_server_open(config, why);
    case SOURCE_STATE:
        return source_state_open(config, why);
    case SOURCE_BY_DEFAULT:
        break;
    }
    return open_default(config, why);
}

/* Where the rows of one question go. */
struct output {
    struct writer *writer;
    bool sum_only;
    uint64_t rows, sum;
    uint64_t not_final; /* windows left out, since openmetrics has final ones only */
};

static bool take_row(void *cls, const struct row *row) {
    struct output *output = cls;
    if (output->writer->form.format == ROWS_OPENMETRICS && row->state != WINDOW_FINAL) {
        output->not_final++;
        return true;
    }
    output->rows++;
    output->sum += row->count;
    return output->sum_only || writer_row(output->writer, row);
}

static bool write_number(struct writer *writer, uint64_t number) {
    if (fprintf(writer->out, "%" PRIu64 "\n", number) < 0)
        writer->error = errno;
    return writer_flush(writer);
}

/* The first signal ends the program in an orderly way, a second one at once. */
static void end_on_signals(void) {
    const struct sigaction end = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGTERM, &end, NULL);
}

static const struct follow_world world = {now_us, wait_until, complain_of_source, say_waiting,
                                          NULL};

static int print_follow(struct source *source, const struct flags *flags, struct writer *writer) {
    end_on_signals();
    return follow_run(source, &flags->query, writer, &world) && writer_end(writer) ? EXIT_SUCCESS
                                                                                   : EXIT_FAILURE;
}

static int print_once(struct source *source, const struct flags *flags, struct writer *writer) {
    char why[SOURCE_WHY_MAX];
    struct output output = {.writer = writer, .sum_only = flags->total};
    const struct row_taker taker = {take_row, &output};
    const int64_t now = now_us(NULL);
    const enum source_outcome outcome = source->ops->rows(source, &flags->query, now, &taker, why);
    if (outcome == SOURCE_AWAY) {
        writer_flush(writer);
        terminal_complain("%s", why);
        return EXIT_FAILURE;
    }
    if (outcome != SOURCE_DONE ||
        !(flags->total ? write_number(writer, output.sum) : writer_end(writer)))
        return EXIT_FAILURE;
    if (output.rows == 0 && output.not_final > 0) {
        terminal_complain("none of these windows is final: late events may still change them");
    } else if (output.rows == 0) {
        empty_explain(source, &flags->query, now, &writer->form, why);
        terminal_complain("%s", why);
    }
    return EXIT_SUCCESS;
}

static int print_total(struct source *source, const struct flags *flags, struct writer *writer) {
    char why[SOURCE_WHY_MAX];
    struct query query = flags->query;
    const int64_t now = now_us(NULL);
    uint64_t total;
    if (total_span(source, &query, now, &total, why) != SOURCE_DONE) {
        terminal_complain("%s", why);
        return EXIT_FAILURE;
    }
    if (!write_number(writer, total))
        return EXIT_FAILURE;
    if (total == 0) {
        query.partial = true;
        query.resolution = RESOLUTION_1MIN;
        empty_explain(source, &query, now, &writer->form, why);
        terminal_complain("%s", why);
    }
    return EXIT_SUCCESS;
}

static int print_answer(struct source *source, const struct flags *flags, struct writer *writer) {
    if (flags->command == COMMAND_TOTAL)
        return print_total(source, flags, writer);
    return (flags->follow ? print_follow : print_once)(source, flags, writer);
}

static int print_status(const struct flags *flags, const struct source_config *config) {
    struct writer writer = {.out = stdout};
    const char *only[] = {config->place != NULL ? config->place : SERVER_DEFAULT};
    const bool many = flags->places > 0;
    const bool well =
        status_print(config, many ? flags->place : only, many ? flags->places : 1, stdout);
    errno = 0;
    if (ferror(stdout) != 0)
        writer.error = EIO;
    writer_flush(&writer);
    return terminal_end_output(writer.error, well ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void pause_for(void *cls, int64_t us) {
    (void)cls;
    nanosleep(&(struct timespec){.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000}, NULL);
}

/* Opens all sources that were named, else the default one. Returns how many it could open; at the
 * first failure it prints why and stops. */
static unsigned open_all(const struct flags *flags, enum source_kind kind,
                         const struct source_config *config,
                         struct check_source sources[FLAGS_PLACES_MAX]) {
    static const enum check_group groups[] = {[SOURCE_REDIS] = CHECK_REDIS,
                                              [SOURCE_SERVER] = CHECK_SERVERS,
                                              [SOURCE_STATE] = CHECK_STATES};
    const unsigned n = flags->places > 0 ? flags->places : 1;
    char why[SOURCE_WHY_MAX];
    for (unsigned i = 0; i < n; i++) {
        struct source_config one = *config;
        const enum source_kind its = flags->places > 0 ? flags->kind[i] : kind;
        if (flags->places > 0)
            one.place = flags->place[i];
        sources[i].source = open_source(its, &one, why);
        sources[i].place = one.place;
        sources[i].group = its == SOURCE_BY_DEFAULT ? CHECK_SERVERS : groups[its];
        if (sources[i].source == NULL) {
            terminal_complain("%s", why);
            return i;
        }
    }
    return n;
}

static int print_check(const struct flags *flags, enum source_kind kind,
                       const struct source_config *config) {
    struct check_source sources[FLAGS_PLACES_MAX];
    const unsigned wanted = flags->places > 0 ? flags->places : 1,
                   n = open_all(flags, kind, config, sources);
    const struct check_world checking = {now_us, pause_for, NULL};
    struct writer writer = {.out = stdout};
    char why[SOURCE_WHY_MAX];
    bool well = n == wanted;
    if (well) {
        const struct check_request request = {
            .source = sources, .sources = n, .query = flags->query};
        well = check_sources(&request, &checking, stdout, why);
        writer_flush(&writer);
        if (!well)
            terminal_complain("%s", why);
    }
    for (unsigned i = 0; i < n; i++)
        sources[i].source->ops->close(sources[i].source);
    if (writer.error != 0 && writer.error != EPIPE)
        return terminal_end_output(writer.error, EXIT_FAILURE);
    return well ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int print_report(struct source *source, const struct flags *flags,
                        const struct rows_zone *zone) {
    struct report_writer writer = {.out = stdout};
    if (flags->follow)
        end_on_signals();
    const int status = report_print(source, flags, zone, &writer, &world);
    return terminal_end_output(writer.error, status);
}

/* Draws on a terminal; without one, prints each second as it closes, as --follow does. */
static int print_top(struct source *source, const struct flags *flags, const char *place,
                     struct writer *writer) {
    if (!top_can_draw()) {
        struct flags follow = *flags;
        follow.query.resolution = writer->form.resolution = RESOLUTION_1S;
        follow.query.to_us = QUERY_TO_NONE;
        follow.query.last = 1;
        return print_follow(source, &follow, writer);
    }
    end_on_signals();
    return top_run(source, place, &asked_to_end) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_command(const struct flags *flags) {
    struct source_config config = {.timeout_us = flags->timeout_us,
                                   .horizon_us = flags->horizon_us,
                                   .token_file = flags->token_file,
                                   .ca_file = flags->ca_file,
                                   .redis_tls = flags->redis_tls};
    if (config.token_file == NULL)
        config.token = options_variable("read-token");
    char why[SOURCE_WHY_MAX];
    const enum source_kind kind = choose_source(flags, &config);
    if (!places_are_valid(flags, kind, config.place) || !tls_is_valid(flags, kind, config.place))
        return EXIT_USAGE;
    if (flags->command == COMMAND_STATUS)
        return print_status(flags, &config);
    if (flags->command == COMMAND_CHECK)
        return print_check(flags, kind, &config);
    struct source *source = open_source(kind, &config, why);
    if (source == NULL) {
        terminal_complain("%s", why);
        return EXIT_FAILURE;
    }
    struct rows_zone zone;
    struct writer writer = {.out = stdout, .form = {flags->format, flags->query.resolution, NULL}};
    if (flags->local) {
        times_zone(&zone);
        writer.form.zone = &zone;
    }
    int status;
    if (flags->command == COMMAND_REPORT || flags->command == COMMAND_REPORTS) {
        status = print_report(source, flags, writer.form.zone);
    } else {
        status = flags->command == COMMAND_TOP ? print_top(source, flags, config.place, &writer)
                                               : print_answer(source, flags, &writer);
        status = terminal_end_output(writer.error, status);
    }
    source->ops->close(source);
    return status;
}

static int run_program(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); /* so that a broken connection is an error of the call */
    if (argc > 1 && strcmp(argv[1], "backup") == 0)
        return backup_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "log") == 0)
        return log_main(argc - 1, argv + 1, now_us(NULL));
    if (argc > 1 && strcmp(argv[1], "replay") == 0)
        return replay_main(argc - 1, argv + 1, now_us(NULL));
    if (argc > 1 && strcmp(argv[1], "diff") == 0)
        return diff_main(argc - 1, argv + 1, now_us(NULL));
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return serve_main(argc - 1, argv + 1);
    if (argc > 2 && strcmp(argv[1], "reports") == 0 && strcmp(argv[2], "check") == 0)
        return reports_check_main(argc - 2, argv + 2);
    if (argc > 2 && strcmp(argv[1], "reports") == 0 && strcmp(argv[2], "prove") == 0)
        return reports_prove_main(argc - 2, argv + 2);
    struct flags flags;
    char why[FLAGS_WHY_MAX];
    const enum options_outcome outcome = flags_read(argc, argv, now_us(NULL), &flags, why);
    if (outcome == OPTIONS_WRONG) {
        terminal_complain("%s", why);
        return EXIT_USAGE;
    }
    if (outcome == OPTIONS_RUN)
        return run_command(&flags);
    const struct writer writer = {.error = flags_print(outcome, stdout) ? 0 : errno};
    return terminal_end_output(writer.error, EXIT_SUCCESS);
}

int main(int argc, char **argv) {
    return standard_descriptors_are_open() ? reach_status(run_program(argc, argv)) : EXIT_FAILURE;
}
