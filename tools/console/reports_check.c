#include "tools/console/reports_check.h"

#include "common/options.h"
#include "counters/time/horizon.h"
#include "counters/time/units.h"
#include "reports/cost.h"
#include "tools/console/terminal.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2

/* What aforod would be started with: its flags and variables, with its defaults. */
struct settings {
    option_COUNT threads;
    option_DURATION horizon, future;
};

static const struct option_row rows[] = {
    {OPTION_HEADING, "", "", "", "", 0, 0, "What aforod is started with", 0},
    {OPTION_COUNT, "threads", "threads", "N", "0", 0, COUNTERS_WORKERS_MAX,
     "worker threads; 0: one a core", offsetof(struct settings, threads)},
    {OPTION_DURATION, "horizon", "horizon", "DUR", "1h", HORIZON_MIN_US, HORIZON_MAX_US,
     "how far back an event time is accepted", offsetof(struct settings, horizon)},
    {OPTION_DURATION, "future", "future", "DUR", "10s", 0, FUTURE_MAX_US,
     "how far ahead an event time is accepted", offsetof(struct settings, future)},
};

static const struct options_program program = {
    .name = "aforo reports check",
    .row = rows,
    .rows = sizeof rows / sizeof *rows,
    .usage = "Usage: aforo reports check FILE [flags]\n"
             "\n"
             "Reads definitions of reports as aforod would. The first mistake is told with its\n"
             "line and column, and the exit status is 2. Else it is said of each report what it\n"
             "costs: the bytes of a row, for how many rows there is room, the memory in all, the\n"
             "time that one event takes longer for it on this machine, and its keys in Redis.\n",
    .ends = "",
    .more = "",
    .column = 22};

/* ---- printing ---- */

/* 12345678 as "12,345,678". */
static const char *say_number(int64_t number, char text[32]) {
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRId64, number);
    int n = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            text[n++] = ',';
        text[n++] = digits[i];
    }
    text[n] = '\0';
    return text;
}

/* Prints when a report's memory is full before its windows have as many keys as they may. */
static void print_room(const struct report *report, const struct report_cost *cost) {
    const char *label = "full at";
    for (unsigned i = 0; report->table.keyed && i < report->table.widths; i++) {
        char width[16], number[32];
        const int64_t keys = cost->window_rows[i];
        if (keys >= (int64_t)report->table.keys_max)
            continue;
        report_width_name(report->table.width_us[i], width);
        printf("  %-9s %s%s key%s in each %s window of a thread; more go to (other)\n", label,
               keys < 1 ? "less than " : "", keys < 1 ? "1" : say_number(keys, number),
               keys > 1 ? "s" : "", width);
        label = "";
    }
}

static void print_keys(const struct report *report) {
    for (unsigned i = 0; i < report->table.widths; i++) {
        char width[16], keep[UNITS_SAY_MAX];
        report_width_name(report->table.width_us[i], width);
        printf("  %-9s aforo:2:r:{%s.%s:%s:...}, kept %s\n", i == 0 ? "in Redis" : "",
               report->table.name, report->table.digest, width,
               units_say_duration(report->keep_us[i], keep, sizeof keep));
    }
    for (unsigned i = 0; i < report->measures; i++) {
        if (strcmp(report->measure[i].kind->name, "distinct") == 0)
            printf("  %-9s and one a row that ends with :%s, for PFCOUNT\n", "",
                   report->measure[i].text);
    }
}

/* Prints which numbers a report does not take. */
static void print_limits(const struct report *report) {
    for (unsigned i = 0; i < report->measures; i++) {
        if (report->measure[i].kind->from_zero)
            printf("  takes     %s: 0 and more; an event with a negative number is left out\n",
                   report->measure[i].text);
    }
}

/* Prints which figures are estimates, and what would be exact. */
static void print_estimates(const struct report *report) {
    for (unsigned i = 0; i < report->measures; i++) {
        const struct measure *measure = &report->measure[i];
        if (strcmp(measure->kind->name, "top") == 0)
            printf("  estimate  %s: each figure has its bound beside it; `by: [%s]` with `count` "
                   "is exact where the keys have room\n",
                   measure->text, measure->argument_text);
        else if (strcmp(measure->kind->name, "distinct") == 0)
            printf("  estimate  %s: 0.81 %% off (one standard deviation) where there are many\n",
                   measure->text);
        else if (strcmp(measure->kind->name, "quantiles") == 0)
            printf("  estimate  %s: 1.1 %% off at the most\n", measure->text);
    }
}

static void print_report(const struct report *report, const struct report_cost *cost) {
    char number[32], size[UNITS_SAY_MAX];
    printf("%s\n", report->table.name);
    printf("  %-9s %zu bytes", "a row", cost->row_bytes);
    if (report->table.keyed)
        printf(" with a key of %d bytes; room for %s, at most %" PRIu64 " keys a window and thread",
               COST_KEY_LEN, say_number(cost->rows, number), report->table.keys_max);
    printf("\n  %-9s %s\n", "memory", units_say_size(cost->bytes, size, sizeof size));
    print_room(report, cost);
    printf("  %-9s %.0f ns\n", "an event", cost->event_ns);
    print_keys(report);
    print_estimates(report);
    print_limits(report);
}

static int print_costs(const struct definitions *definitions, const struct table_span *span) {
    struct report_cost cost[REPORTS_MAX];
    char why[COUNTERS_WHY_MAX], size[UNITS_SAY_MAX];
    int64_t bytes = 0;
    double event_ns = 0;
    if (!reports_cost(definitions, span, cost, why)) {
        terminal_complain("%s", why);
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < definitions->reports; i++) {
        print_report(&definitions->report[i], &cost[i]);
        bytes += cost[i].bytes;
        event_ns += cost[i].event_ns;
    }
    printf("all: %s of memory and disk, %.0f ns for an event of all reports (%u threads, horizon "
           "%s)\n",
           units_say_size(bytes, size, sizeof size), event_ns, span->workers,
           units_say_duration(span->horizon_us, (char[UNITS_SAY_MAX]){""}, UNITS_SAY_MAX));
    if (fflush(stdout) == 0 || errno == EPIPE)
        return EXIT_SUCCESS;
    terminal_complain("standard output: %s", strerror(errno));
    return EXIT_FAILURE;
}

/* ---- the command ---- */

static int check(const char *path, const struct settings *settings) {
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const struct table_span span = {.workers = settings->threads > 0 ? (unsigned)settings->threads
                                               : cores > 0           ? (unsigned)cores
                                                                     : 1,
                                    .horizon_us = settings->horizon,
                                    .future_us = settings->future};
    char why[DEFINITIONS_WHY_MAX];
    struct definitions *definitions = definitions_load(path, &span, why);
    if (definitions == NULL) {
        terminal_complain("%s", why);
        return EXIT_USAGE;
    }
    const int status = print_costs(definitions, &span);
    definitions_free(definitions);
    return status;
}

int reports_check_main(int argc, char **argv) {
    struct settings settings;
    struct options_said said;
    const enum options_outcome outcome = options_parse(&program, argc, argv, &settings, &said);
    if (outcome == OPTIONS_WRONG) {
        terminal_complain("reports check: %s", said.why);
        return EXIT_USAGE;
    }
    if (outcome != OPTIONS_RUN)
        return options_print(&program, outcome, stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    if (optind + 1 != argc) {
        terminal_complain("reports check: needs one file (aforo reports check FILE)");
        return EXIT_USAGE;
    }
    return check(argv[optind], &settings);
}
