/* See replay_command.h. */
#include "tools/console/replay_command.h"

#include "common/options.h"
#include "counters/counters.h"
#include "counters/time/horizon.h"
#include "tools/console/empty.h"
#include "tools/console/log_source.h"
#include "tools/console/report_empty.h"
#include "tools/console/report_source.h"
#include "tools/console/report_writer.h"
#include "tools/console/terminal.h"
#include "tools/console/times.h"
#include "tools/console/writer.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

struct settings {
    option_TEXT reports, report, window, from, to, by, into, node;
    option_LIST wheres;
    option_COUNT top, threads;
    option_DURATION horizon;
    option_CHOICE format;
    option_SWITCH total, local, counted;
};

#define ROW(type, field, flag, argument, default_text, min, max, sentence)                         \
    {                                                                                              \
        OPTION_##type, flag, "", argument, default_text, min, max, sentence,                       \
            offsetof(struct settings, field)                                                       \
    }

static const struct option_row rows[] = {
    {OPTION_HEADING, "", "", "", "", 0, 0, "What is counted", 0},
    ROW(TEXT, from, "from", "T", "", 0, 0, "events of this time and later ones"),
    ROW(TEXT, to, "to", "T", "", 0, 0, "events before this time"),
    ROW(SWITCH, counted, "counted", "", "", 0, 0,
        "only events that were counted then: none that came too late"),
    ROW(TEXT, node, "node", "NAME", "", 0, 0, "events of that node alone"),
    ROW(TEXT, reports, "reports", "FILE", "", 0, 0, "definitions of reports, as for aforod"),
    ROW(COUNT, threads, "threads", "N", "0", 0, COUNTERS_WORKERS_MAX, "0: one a core"),
    {OPTION_HEADING, "", "", "", "", 0, 0, "What is printed", 0},
    ROW(TEXT, report, "report", "NAME", "", 0, 0, "rows of that report, instead of the counts"),
    ROW(TEXT, window, "window", "W", "", 0, 0,
        "10ms, 1s or 1min (default: 1s); of a report one of its own\n(default: its first)"),
    ROW(LIST, wheres, "where", "FIELD=VALUE", "", 0, 0, "rows whose key has that value"),
    ROW(COUNT, top, "top", "N", "", 1, REPORT_TOP_MAX,
        "the N rows of each window with the largest figure"),
    ROW(TEXT, by, "by", "FIGURE", "", 0, 0, "that figure (default: its first)"),
    ROW(CHOICE, format, "format", "text|csv|json", "text", 0, 0, "how a row is written"),
    ROW(SWITCH, total, "total", "", "", 0, 0, "the sum of the counts instead of them"),
    ROW(SWITCH, local, "local", "", "", 0, 0, "times in this machine's zone, given and shown"),
    {OPTION_HEADING, "", "", "", "", 0, 0, "Instead of printing", 0},
    ROW(TEXT, into, "into", "DIR", "", 0, 0,
        "count into a state directory, which is made: for --state DIR"),
    ROW(DURATION, horizon, "horizon", "DUR", "0s", 0, HORIZON_MAX_US,
        "its horizon, for a server that goes on with it (default: as\nlong as the events)"),
};

static const struct options_program program = {
    .name = "aforo replay",
    .row = rows,
    .rows = sizeof rows / sizeof *rows,
    .usage = "Usage: aforo replay DIR... [flags]\n"
             "\n"
             "Counts the events that aforod --event-log DIR has kept again, with any reports, and\n"
             "prints the windows. Events that were refused as too late are counted, too, unless\n"
             "--counted says otherwise. What is damaged is named, and the exit status is 1.\n",
    .ends =
        "Times as for the other commands: -5m, today, \"2016-05-28 11:11\" (aforo --help-all).\n",
    .more = "",
    .column = 22};

/* Everything that one call works with. */
struct replaying {
    const struct settings *settings;
    struct log_source_config config;
    struct log_source *log;
    struct query query; /* of counts */
    const struct rows_zone *zone;
    int64_t now_us;
};

/* ---- the counts ---- */

struct output {
    struct writer *writer;
    bool sum_only;
    uint64_t rows, sum;
};

static bool take_row(void *cls, const struct row *row) {
    struct output *output = cls;
    output->rows++;
    output->sum += row->count;
    return output->sum_only || writer_row(output->writer, row);
}

static void explain_nothing(const struct replaying *replaying) {
    const struct replay_tally *tally = log_source_tally(replaying->log);
    const bool span = *replaying->settings->from != '\0' || *replaying->settings->to != '\0';
    if (tally->counted > 0)
        return; /* what found no window is told at the end */
    if (tally->refused > 0)
        terminal_complain("no counted events there; %" PRIu64 " refused ones (aforo log cat "
                          "--refused)",
                          tally->refused);
    else
        terminal_complain("no counted events there%s", span ? " between --from and --to" : "");
}

static int print_counts(struct replaying *replaying) {
    char why[SOURCE_WHY_MAX];
    struct writer writer = {.out = stdout,
                            .form = {(enum rows_format)replaying->settings->format,
                                     replaying->query.resolution, replaying->zone}};
    struct output output = {.writer = &writer, .sum_only = replaying->settings->total};
    const struct row_taker taker = {take_row, &output};
    for (size_t i = 0; i < log_source_stretches(replaying->log); i++) {
        struct source *source = log_source_read(replaying->log, i, why);
        enum source_outcome outcome = SOURCE_AWAY;
        if (source != NULL)
            outcome = source->ops->rows(source, &replaying->query, replaying->now_us, &taker, why);
        if (outcome == SOURCE_AWAY) {
            writer_flush(&writer);
            terminal_complain("%s", why);
            return EXIT_FAILURE;
        }
        if (outcome == SOURCE_STOPPED)
            return terminal_end_output(writer.error, EXIT_FAILURE);
    }
    if (output.sum_only) {
        if (fprintf(stdout, "%" PRIu64 "\n", output.sum) < 0)
            writer.error = errno;
        writer_flush(&writer);
    } else {
        writer_end(&writer);
    }
    if (output.rows == 0)
        explain_nothing(replaying);
    return terminal_end_output(writer.error, EXIT_SUCCESS);
}

/* ---- a report ---- */

static struct report_words find_words(const struct replaying *replaying) {
    const struct settings *settings = replaying->settings;
    return (struct report_words){.name = settings->report,
                                 .window = *settings->window != '\0' ? settings->window : NULL,
                                 .to_us = QUERY_TO_NONE,
                                 .partial = true,
                                 .where = settings->wheres.text,
                                 .wheres = settings->wheres.n,
                                 .top = settings->top,
                                 .by = *settings->by != '\0' ? settings->by : NULL,
                                 .format = (enum rows_format)settings->format,
                                 .zone = replaying->zone,
                                 .now_us = replaying->now_us};
}

static int print_report(struct replaying *replaying) {
    char why[SOURCE_WHY_MAX];
    const struct report_words words = find_words(replaying);
    struct report_writer writer = {.out = stdout, .format = words.format};
    const struct text_taker taker = {report_writer_take, &writer};
    struct source *source = NULL;
    for (size_t i = 0; i < log_source_stretches(replaying->log); i++) {
        enum report_outcome outcome = REPORT_AWAY;
        source = log_source_read(replaying->log, i, why);
        report_writer_begin(&writer);
        if (source != NULL)
            outcome = source->reports->rows(source, &words, &taker, why);
        if (outcome == REPORT_STOPPED)
            return terminal_end_output(writer.error, EXIT_FAILURE);
        if (outcome != REPORT_DONE) {
            report_writer_flush(&writer);
            terminal_complain("%s", why);
            return outcome == REPORT_WRONG ? EXIT_USAGE : EXIT_FAILURE;
        }
    }
    report_writer_end(&writer);
    if (!writer.any && source != NULL && log_source_tally(replaying->log)->counted > 0) {
        report_empty_explain(source, &words, why);
        terminal_complain("%s", why);
    } else if (!writer.any) {
        explain_nothing(replaying);
    }
    return terminal_end_output(writer.error, EXIT_SUCCESS);
}

/* ---- into a state ---- */

static int count_into(struct replaying *replaying) {
    char why[SOURCE_WHY_MAX];
    const char *dir = replaying->settings->into;
    if (!log_source_count_into(replaying->log, dir, replaying->settings->horizon, why)) {
        terminal_complain("%s", why);
        return EXIT_FAILURE;
    }
    const struct replay_tally *tally = log_source_tally(replaying->log);
    terminal_complain("%" PRIu64 " events were counted into %s", tally->counted, dir);
    return EXIT_SUCCESS;
}

/* ---- the command line ---- */

static bool refuse(const char *sentence) {
    terminal_complain("replay: %s", sentence);
    return false;
}

static bool read_bound(const char *flag, const char *text, const struct replaying *replaying,
                       int64_t *us) {
    char why[TIMES_WHY_MAX];
    if (*text == '\0' || times_read(text, replaying->now_us, replaying->settings->local, us, why))
        return true;
    terminal_complain("replay: --%s: '%s': %s", flag, text, why);
    return false;
}

/* Checks that settings fit together. */
static bool check_settings(struct replaying *replaying) {
    const struct settings *settings = replaying->settings;
    const bool rows_of_report = settings->wheres.n > 0 || settings->top > 0 || *settings->by;
    if (*settings->report != '\0' && *settings->reports == '\0')
        return refuse("--report: goes with --reports FILE, which says what is counted");
    if (rows_of_report && *settings->report == '\0')
        return refuse("--where, --top and --by ask about a report: --report NAME");
    if (*settings->by != '\0' && settings->top == 0)
        return refuse("--by: goes with --top N, which says how many rows");
    if (settings->total && *settings->report != '\0')
        return refuse("--total: is of the counts; rows of a report have several figures");
    if (settings->total && settings->format != ROWS_TEXT)
        return refuse("--total and --format exclude each other: it is one number");
    if (*settings->into != '\0' &&
        (*settings->report != '\0' || *settings->window != '\0' || settings->total))
        return refuse("--into: counts and prints nothing; ask the state: aforo ... --state DIR");
    if (settings->horizon > 0 && *settings->into == '\0')
        return refuse("--horizon: is of a state: --into DIR");
    if (settings->horizon % US_PER_S != 0)
        return refuse("--horizon: whole seconds");
    replaying->query.resolution = RESOLUTION_1S;
    if (*settings->report == '\0' && *settings->window != '\0' &&
        !resolution_by_name(settings->window, &replaying->query.resolution))
        return refuse("--window: the counts are of 10ms, 1s or 1min; other windows are of reports: "
                      "--report NAME");
    return true;
}

/* The span bounds the events that are counted. All their windows are printed: one that begins
 * before it has some of them, too. */
static bool read_span(struct replaying *replaying) {
    const struct settings *settings = replaying->settings;
    struct log_source_config *config = &replaying->config;
    replaying->query.to_us = QUERY_TO_NONE;
    replaying->query.partial = true;
    if (!read_bound("from", settings->from, replaying, &config->from_us) ||
        !read_bound("to", settings->to, replaying, &config->to_us))
        return false;
    if (config->to_us < config->from_us)
        return refuse("--to: is before --from");
    return true;
}

/* Finds the report that is asked for; NULL: none is. False when it does not exist, which is said
 * before everything is counted. */
static bool find_report(const struct replaying *replaying, const struct report **report) {
    char why[REPORT_WHY_MAX];
    const char *name = replaying->settings->report;
    *report = *name != '\0' ? report_find(log_source_definitions(replaying->log), name, why) : NULL;
    if (*name == '\0' || *report != NULL)
        return true;
    terminal_complain("%s", why);
    return false;
}

static int run(struct replaying *replaying) {
    char why[SOURCE_WHY_MAX];
    bool usage;
    replaying->log = log_source_open(&replaying->config, &usage, why);
    if (replaying->log == NULL) {
        terminal_complain("%s", why);
        return usage ? EXIT_USAGE : EXIT_FAILURE;
    }
    int status = EXIT_FAILURE;
    const struct report *report;
    if (find_report(replaying, &report)) {
        status = *replaying->settings->into != '\0'     ? count_into(replaying)
                 : *replaying->settings->report != '\0' ? print_report(replaying)
                                                        : print_counts(replaying);
        log_source_tell_other(replaying->log, report);
    }
    if (!log_source_is_whole(replaying->log) && status == EXIT_SUCCESS)
        status = EXIT_FAILURE;
    log_source_close(replaying->log);
    return status;
}

int replay_main(int argc, char **argv, int64_t now_us) {
    struct settings settings = {0};
    struct options_said said;
    const enum options_outcome outcome = options_parse(&program, argc, argv, &settings, &said);
    if (outcome == OPTIONS_WRONG) {
        terminal_complain("replay: %s", said.why);
        return EXIT_USAGE;
    }
    if (outcome != OPTIONS_RUN)
        return options_print(&program, outcome, stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    struct rows_zone zone;
    struct replaying replaying = {.settings = &settings, .now_us = now_us};
    if (optind == argc) {
        terminal_complain("replay: needs a directory, that of --event-log (aforo replay DIR)");
        return EXIT_USAGE;
    }
    if (settings.local) {
        times_zone(&zone);
        replaying.zone = &zone;
    }
    replaying.config =
        (struct log_source_config){.dir = (const char *const *)argv + optind,
                                   .dirs = (unsigned)(argc - optind),
                                   .node = *settings.node != '\0' ? settings.node : NULL,
                                   .from_us = INT64_MIN,
                                   .to_us = INT64_MAX,
                                   .late = !settings.counted,
                                   .threads = (unsigned)settings.threads,
                                   .reports = *settings.reports != '\0' ? settings.reports : NULL};
    return check_settings(&replaying) && read_span(&replaying) ? run(&replaying) : EXIT_USAGE;
}
