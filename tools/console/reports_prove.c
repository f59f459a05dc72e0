#include "tools/console/reports_prove.h"

#include "common/options.h"
#include "counters/measures/figure.h"
#include "counters/measures/own.h"
#include "counters/measures/prove.h"
#include "tools/console/terminal.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2
#define ROUNDS_MAX 1000000000

struct settings {
    option_COUNT rounds, seed;
};

static const struct option_row rows[] = {
    {OPTION_HEADING, "", "", "", "", 0, 0, "How it is tried", 0},
    {OPTION_COUNT, "rounds", "", "N", "10000", 1, ROUNDS_MAX, "trials of each law",
     offsetof(struct settings, rounds)},
    {OPTION_COUNT, "seed", "", "N", "1", 0, INT64_MAX, "another one makes other events",
     offsetof(struct settings, seed)},
};

static const struct options_program program = {
    .name = "aforo reports prove",
    .row = rows,
    .rows = sizeof rows / sizeof *rows,
    .usage = "Usage: aforo reports prove FILE [MEASURE] [flags]\n"
             "\n"
             "Loads a measure of your own and tries with random events whether it keeps the laws:\n"
             "an empty state changes nothing, merging commutes and associates, and neither the\n"
             "order of events nor how they were spread shows. A law that is broken is told with\n"
             "the fewest and smallest events that break it, and the exit status is 1.\n"
             "MEASURE is what stands in `show:`, as in 'ewma(60s)' or 'mine(seconds)'; what is a\n"
             "name between its parentheses is a field.\n",
    .ends = "",
    .more = "",
    .column = 22};

/* The fields of the measure: its arguments that are names, as in definitions. */
struct names {
    char text[PROVE_ARGUMENTS_MAX][MEASURE_NAME_MAX];
    const char *name[PROVE_ARGUMENTS_MAX];
    unsigned n;
};

static bool read_names(const struct measure *measure, struct names *names) {
    const char *at = measure->argument_text;
    for (names->n = 0; *at != '\0'; at += *at == ',') {
        const size_t len = strcspn(at, ",");
        if (isalpha((unsigned char)*at) || *at == '_') {
            if (names->n == PROVE_ARGUMENTS_MAX || len >= MEASURE_NAME_MAX)
                return false;
            names->name[names->n] = names->text[names->n];
            snprintf(names->text[names->n++], MEASURE_NAME_MAX, "%.*s", (int)len, at);
        }
        at += len;
    }
    return true;
}

static int try_laws(const struct measure *measure, const struct settings *settings) {
    const struct prove_trials trials = {.seed = (uint64_t)settings->seed,
                                        .rounds = (unsigned)settings->rounds};
    char why[PROVE_WHY_MAX];
    if (!measure_prove(measure, &trials, why)) {
        terminal_complain("%s", why);
        return EXIT_FAILURE;
    }
    printf("%s: no law was broken in %" PRId64 " trials of each\n", measure->text,
           settings->rounds);
    if (fflush(stdout) == 0 || errno == EPIPE)
        return EXIT_SUCCESS;
    terminal_complain("standard output: %s", strerror(errno));
    return EXIT_FAILURE;
}

/* Opens the measure; false when that fails. */
static bool open_measure(const struct measure_kind *kind, const char *text, struct measure *measure,
                         struct names *names) {
    struct figure figure;
    char why[FIGURE_WHY_MAX];
    if (!figure_parse(text, &figure, why)) {
        terminal_complain("reports prove: %s", why);
        return false;
    }
    if (!measure_name(measure, figure.needs[0]) || measure->kind != kind) {
        terminal_complain("reports prove: `%s` is not the measure of that file, `%s`", text,
                          kind->name);
        return false;
    }
    if (!read_names(measure, names)) {
        terminal_complain("reports prove: `%s`: at most %d fields, of %d letters", text,
                          PROVE_ARGUMENTS_MAX, MEASURE_NAME_MAX - 1);
        return false;
    }
    measure->arguments = names->n;
    measure->argument_name = names->name;
    const char *sentence = kind->open(measure);
    if (sentence != NULL)
        terminal_complain("%s: %s; aforo reports prove FILE '%s(...)'", measure->text, sentence,
                          kind->name);
    return sentence == NULL;
}

static int prove(const char *path, const char *text, const struct settings *settings) {
    char why[OWN_WHY_MAX];
    struct measure measure;
    struct names names;
    const struct measure_kind *kind = own_load(path, why);
    if (kind == NULL) {
        terminal_complain("%s", why);
        return EXIT_USAGE;
    }
    if (!open_measure(kind, text != NULL ? text : kind->name, &measure, &names))
        return EXIT_USAGE;
    const int status = try_laws(&measure, settings);
    kind->close(&measure);
    return status;
}

int reports_prove_main(int argc, char **argv) {
    struct settings settings;
    struct options_said said;
    const enum options_outcome outcome = options_parse(&program, argc, argv, &settings, &said);
    if (outcome == OPTIONS_WRONG) {
        terminal_complain("reports prove: %s", said.why);
        return EXIT_USAGE;
    }
    if (outcome != OPTIONS_RUN)
        return options_print(&program, outcome, stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    if (optind >= argc || optind + 2 < argc) {
        terminal_complain("reports prove: needs one file (aforo reports prove FILE [MEASURE])");
        return EXIT_USAGE;
    }
    return prove(argv[optind], optind + 1 < argc ? argv[optind + 1] : NULL, &settings);
}
