#include "server/options.h"

#include "counters/time/horizon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option_row rows[] = {
#define OPTION(type, field, flag, argument, default_text, min, max, sentence)                      \
    {OPTION_##type, flag,         flag,                                                            \
     argument,      default_text, min,                                                             \
     max,           sentence,     offsetof(struct options, field)},
#include "server/options.def"
#undef OPTION
};

static const struct options_program aforod = {
    .name = "aforod",
    .row = rows,
    .rows = sizeof rows / sizeof *rows,
    .usage = "Usage: aforod [flags]\nCounts HTTP events in 10 ms, 1 s and 1 min windows.\n",
    .ends = "--help-all explains all. In the environment --max-body is AFORO_MAX_BODY.\n",
    .more = "",
    .column = 24};

_Static_assert(sizeof rows / sizeof *rows <= OPTIONS_MAX, "raise OPTIONS_MAX");

enum options_outcome options_read(int argc, char **argv, struct options *options,
                                  struct options_said *said) {
    const enum options_outcome outcome = options_parse(&aforod, argc, argv, options, said);
    if (outcome == OPTIONS_RUN && optind < argc) {
        snprintf(said->why, sizeof said->why, "%.80s: unexpected argument; see --help",
                 argv[optind]);
        return OPTIONS_WRONG;
    }
    return outcome;
}

int options_answer(enum options_outcome outcome, const struct options_said *said) {
    if (outcome == OPTIONS_WRONG) {
        fprintf(stderr, "aforod: %s\n", said->why);
        return 2;
    }
    if (!options_print(&aforod, outcome, stdout)) {
        fprintf(stderr, "aforod: standard output: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
