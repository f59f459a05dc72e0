/* The settings of aforod, read from flags and environment. The list of all flags is options.def;
 * --help and this struct come from it. */
#ifndef AFORO_SERVER_OPTIONS_H
#define AFORO_SERVER_OPTIONS_H

#include "common/options.h"

/* The words of each CHOICE, in the order of options.def; --log-level is an enum log_level, --banner
 * an enum banner_when. */
enum options_clock { CLOCK_EVENT, CLOCK_ARRIVAL };
enum options_when_full { WHEN_FULL_DROP, WHEN_FULL_REFUSE };
enum options_sandbox { SANDBOX_ON, SANDBOX_OFF };

struct options {
#define OPTION(type, field, flag, argument, default_text, min, max, sentence) option_##type field;
#include "server/options.def"
#undef OPTION
};

/* Calls options_parse of common/options.h with the list of aforod and fills *options; a word that
 * is not a flag is an error. Before the threads start. */
enum options_outcome options_read(int argc, char **argv, struct options *options,
                                  struct options_said *said);

/* Prints the outcome of options_read if it is not OPTIONS_RUN: help or version on standard output,
 * what is wrong on standard error. Returns the exit status. */
int options_answer(enum options_outcome outcome, const struct options_said *said);

#endif
