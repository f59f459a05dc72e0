/* See diff_command.h. */
#include "tools/console/diff_command.h"

#include "common/options.h"
#include "counters/measures/own.h"
#include "counters/time/horizon.h"
#include "tools/console/diff_side.h"
#include "tools/console/reach.h"
#include "tools/console/terminal.h"
#include "tools/console/times.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_DIFFERS 1
#define EXIT_TROUBLE 2
/* How long until what is counted now has reached all sources: a wake-up, a flush, and the time
 * these take. */
#define SETTLE_US US_PER_S

struct settings {
    option_TEXT from, to, report, window, reports, node, token_file, ca_file;
    struct redis_tls_options redis_tls;
    option_LIST measures;
    option_DURATION timeout, horizon;
    option_SWITCH local;
};

#define ROW(type, field, flag, variable, argument, default_text, min, max, sentence)               \
    {                                                                                              \
        OPTION_##type, flag, variable, argument, default_text, min, max, sentence,                 \
            offsetof(struct settings, field)                                                       \
    }

static const struct option_row rows[] = {
    {OPTION_HEADING, "", "", "", "", 0, 0, "What is compared", 0},
    ROW(TEXT, from, "from", "", "T", "", 0, 0, "windows that start at T or later"),
    ROW(TEXT, to, "to", "", "T", "", 0, 0,
        "windows that start before T (default: with a server or Redis,\nthose that were over a "
        "second ago; else all)"),
    ROW(TEXT, report, "report", "", "NAME", "", 0, 0, "also the rows of that report"),
    ROW(TEXT, window, "window", "", "W", "", 0, 0, "which of its windows (default: its first)"),
    ROW(SWITCH, local, "local", "", "", "", 0, 0, "--from and --to are in this machine's zone"),
    {OPTION_HEADING, "", "", "", "", 0, 0, "How sources are read", 0},
    ROW(TEXT, reports, "reports", "", "FILE", "", 0, 0,
        "definitions of reports, for a log: as aforod has them"),
    ROW(TEXT, node, "node", "", "NAME", "", 0, 0, "of a log: events of that node alone"),
    ROW(LIST, measures, "measure", "", "FILE", "", 0, 0,
        "a measure of your own that the report shows"),
    ROW(DURATION, timeout, "timeout", "", "DUR", "2s", US_PER_MS, 3600 * US_PER_S,
        "how long to wait for a source to answer"),
    ROW(DURATION, horizon, "horizon", "", "DUR", "1h", HORIZON_MIN_US, HORIZON_MAX_US,
        "the horizon of the nodes that fill Redis"),
    ROW(TEXT, token_file, "token-file", "read-token-file", "PATH", "", 0, 0,
        "what a server wants of readers"),
    ROW(TEXT, ca_file, "ca-file", "", "PATH", "", 0, 0,
        "who may sign the certificate of an https:// server (PEM)"),
    ROW(TEXT, redis_tls.ca, "redis-tls-ca", "redis-tls-ca", "PATH", "", 0, 0,
        "who may sign the certificate of rediss:// (PEM)"),
    ROW(TEXT, redis_tls.cert, "redis-tls-cert", "redis-tls-cert", "PATH", "", 0, 0,
        "our certificate for it (PEM)"),
    ROW(TEXT, redis_tls.key, "redis-tls-key", "redis-tls-key", "PATH", "", 0, 0,
        "the private key of that certificate (PEM)"),
    ROW(TEXT, redis_tls.name, "redis-tls-name", "redis-tls-name", "NAME", "", 0, 0,
        "whom its certificates are for (default: the host)"),
    ROW(CHOICE, redis_tls.verify, "redis-tls-verify", "redis-tls-verify", "full|ca|off", "full", 0,
        0, "what is checked of them: CA and name, the CA, nothing"),
};

static const struct options_program program = {
    .name = "aforo diff",
    .row = rows,
    .rows = sizeof rows / sizeof *rows,
    .usage =
        "Usage: aforo diff SOURCE SOURCE [flags]\n"
        "\n"
        "Compares the counts of two sources window by window, as far back as both have them, and\n"
        "with --report its rows. Each that differs is a line, with what either has:\n"
        "  2016-05-28 11:11:11.120, 10ms: 122 | 121\n"
        "A source is server:URL, redis:URL, state:DIR or log:DIR, the folder of --event-log, of\n"
        "which the events are counted that were counted then.\n"
        "Exit status: 0 nothing differs, 1 something does, 2 a source cannot be read, 3 it\n"
        "cannot be reached.\n",
    .ends =
        "Times as for the other commands: -5m, today, \"2016-05-28 11:11\" (aforo --help-all).\n",
    .more = "",
    .column = 22};

static bool refuse(const char *sentence) {
    terminal_complain("diff: %s", sentence);
    return false;
}

static bool read_bound(const char *flag, const char *text, const struct settings *settings,
                       int64_t now_us, int64_t *us) {
    char why[TIMES_WHY_MAX];
    if (*text == '\0' || times_read(text, now_us, settings->local, us, why))
        return true;
    terminal_complain("diff: --%s: '%s': %s", flag, text, why);
    return false;
}

static bool read_sides(int argc, char **argv, struct diff_side side[2]) {
    char why[SOURCE_WHY_MAX];
    if (optind + 2 != argc)
        return refuse("needs two sources (aforo diff server:http://127.0.0.1:8080 log:DIR)");
    for (int i = 0; i < 2; i++) {
        if (!diff_side_read(argv[optind + i], &side[i], why))
            return refuse(why);
    }
    return true;
}

/* Checks that flags and sources fit together. */
static bool check(const struct settings *settings, const struct diff_side side[2]) {
    const bool log = side[0].kind == DIFF_LOG || side[1].kind == DIFF_LOG;
    if (*settings->window != '\0' && *settings->report == '\0')
        return refuse("--window: is of a report: --report NAME");
    if (*settings->report != '\0' && log && *settings->reports == '\0')
        return refuse("--report: of a log needs its definition: --reports FILE, as aforod has it");
    if ((*settings->reports != '\0' || *settings->node != '\0') && !log)
        return refuse("--reports and --node: are of a log: log:DIR");
    for (int i = 0; i < 2; i++) {
        char why[SOURCE_WHY_MAX];
        if (side[i].kind == DIFF_REDIS &&
            !source_redis_tls_is_valid(side[i].place, &settings->redis_tls, why))
            return refuse(why);
    }
    return true;
}

/* Without --window the width is the report's, which is not known yet; a day is the longest. */
static int64_t find_widest(const struct settings *settings) {
    int64_t width_us = REPLAY_DAY_US;
    if (*settings->report == '\0')
        return 60 * US_PER_S;
    if (*settings->window != '\0' &&
        report_width_read(settings->window, strlen(settings->window), &width_us))
        return width_us > 60 * US_PER_S ? width_us : 60 * US_PER_S;
    return REPLAY_DAY_US;
}

static bool read_question(const struct settings *settings, const struct diff_side side[2],
                          struct diff_question *question) {
    const bool live = diff_side_is_live(&side[0]) || diff_side_is_live(&side[1]);
    question->to_us = QUERY_TO_NONE;
    question->widest_us = find_widest(settings);
    question->source = (struct source_config){
        .timeout_us = settings->timeout,
        .horizon_us = settings->horizon,
        .token_file = *settings->token_file != '\0' ? settings->token_file : NULL,
        .ca_file = *settings->ca_file != '\0' ? settings->ca_file : NULL,
        .redis_tls = settings->redis_tls};
    if (question->source.token_file == NULL)
        question->source.token = options_variable("read-token");
    question->node = *settings->node != '\0' ? settings->node : NULL;
    question->reports =
        *settings->reports != '\0' && *settings->report != '\0' ? settings->reports : NULL;
    if (live && *settings->to == '\0')
        question->over_us = question->now_us - SETTLE_US;
    if (!read_bound("from", settings->from, settings, question->now_us, &question->from_us) ||
        !read_bound("to", settings->to, settings, question->now_us, &question->to_us))
        return false;
    if (question->to_us < question->from_us)
        return refuse("--to: is before --from");
    return true;
}

static bool load_measures(const struct settings *settings) {
    char why[OWN_WHY_MAX];
    for (unsigned i = 0; i < settings->measures.n; i++) {
        if (own_load(settings->measures.text[i], why) == NULL) {
            terminal_complain("--measure: %s", why);
            return false;
        }
    }
    return true;
}

/* Prints the result on standard error and returns the exit status. */
static int tell(const struct diff_side side[2], const struct diff_tally *tally) {
    if (fflush(stdout) != 0 && errno != EPIPE) {
        terminal_complain("standard output: %s", strerror(errno));
        return EXIT_TROUBLE;
    }
    if (tally->compared == 0) {
        terminal_complain("nothing to compare: neither %.200s nor %.200s has events there",
                          side[0].name, side[1].name);
        return EXIT_TROUBLE;
    }
    terminal_complain("%.200s | %.200s: %" PRIu64 " windows and rows compared, %" PRIu64 " differ",
                      side[0].name, side[1].name, tally->compared, tally->differ);
    return tally->differ > 0 ? EXIT_DIFFERS : EXIT_SUCCESS;
}

static int compare(struct diff_side side[2], const struct settings *settings,
                   const struct diff_question *question) {
    char why[SOURCE_WHY_MAX];
    struct diff_tally tally = {0, 0};
    bool well = true;
    for (int i = 0; i < 2 && well; i++)
        well = diff_side_open(&side[i], question, why);
    well = well && diff_counts(side, question, &tally, why);
    if (well && *settings->report != '\0')
        well = diff_rows(side, question, settings->report,
                         *settings->window != '\0' ? settings->window : NULL, &tally, why);
    if (!well)
        terminal_complain("%s", why);
    const int status = well              ? tell(side, &tally)
                       : reach_is_lost() ? EXIT_UNREACHABLE
                                         : EXIT_TROUBLE;
    reach_note(false); /* here 1 means that they differ */
    diff_side_close(&side[0]);
    diff_side_close(&side[1]);
    return status;
}

int diff_main(int argc, char **argv, int64_t now_us) {
    struct settings settings = {0};
    struct options_said said;
    const enum options_outcome outcome = options_parse(&program, argc, argv, &settings, &said);
    if (outcome == OPTIONS_WRONG) {
        terminal_complain("diff: %s", said.why);
        return EXIT_TROUBLE;
    }
    if (outcome != OPTIONS_RUN)
        return options_print(&program, outcome, stdout) ? EXIT_SUCCESS : EXIT_TROUBLE;
    struct diff_side side[2] = {{0}, {0}};
    struct diff_question question = {.now_us = now_us};
    if (!read_sides(argc, argv, side) || !check(&settings, side) ||
        !read_question(&settings, side, &question) || !load_measures(&settings))
        return EXIT_TROUBLE;
    return compare(side, &settings, &question);
}
