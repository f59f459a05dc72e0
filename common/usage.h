/* The messages of aforod and aforo about a mistyped flag or environment variable, with the nearest
 * known one. Each program knows the other's variables, so that one shell can serve both. To be
 * called before the threads start. */
#ifndef AFORO_COMMON_USAGE_H
#define AFORO_COMMON_USAGE_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#define USAGE_WHY_MAX 256
#define USAGE_VARIABLE_MAX 64 /* bytes of a variable's name */

/* "max-body" -> "AFORO_MAX_BODY" */
void usage_variable_name(const char *variable, char name[USAGE_VARIABLE_MAX]);

/* The word of words[0..n) that `word` was probably meant to be: one that begins with it, else the
 * one reached by the fewest insertions, deletions, replacements and swaps of letters, provided
 * these are few for its length. NULL when none is near. Case is ignored. */
const char *usage_nearest(const char *word, const char *const *words, size_t n);

/* Explains why getopt_long(argc, argv, ":...", table, NULL) returned `answer`, '?' or ':': `why`
 * (USAGE_WHY_MAX) names the flag and what is wrong with it. `table` ends with a name of NULL. */
void usage_flag(int answer, char *const *argv, const struct option *table, char *why);

/* Checks every variable of `environment` (laid out as environ) that begins with AFORO_. False when
 * neither program knows one of them: `why` (USAGE_WHY_MAX) names it, never its value. Those that
 * Kubernetes sets for services whose names begin with aforo are skipped; *passed_over counts
 * them. */
bool usage_environment(char *const *environment, size_t *passed_over, char *why);

#endif
