/* What aforod and aforo say of a mistyped flag or environment variable, with the known one that is
 * nearest to it. Each program knows the other's variables, so that one shell serves both. Before
 * the threads start. */
#ifndef AFORO_COMMON_USAGE_H
#define AFORO_COMMON_USAGE_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#define USAGE_WHY_MAX 256
#define USAGE_VARIABLE_MAX 64 /* bytes of a variable's name */

/* "max-body" -> "AFORO_MAX_BODY" */
void usage_variable_name(const char *variable, char name[USAGE_VARIABLE_MAX]);

/* The one of words[0..n) that `word` is probably a slip of: one that begins with it, else the one
 * that takes the fewest letters more, less, other or swapped, if these are few for its length. NULL
 * when none is near. Case makes no difference. */
const char *usage_nearest(const char *word, const char *const *words, size_t n);

/* After getopt_long(argc, argv, ":...", table, NULL) has returned `answer`, '?' or ':': why
 * (USAGE_WHY_MAX) names the flag and what is wrong with it. table ends with a name of NULL. */
void usage_flag(int answer, char *const *argv, const struct option *table, char *why);

/* Looks at every variable of `environment` (as environ) that begins with AFORO_. False when one of
 * them is known to neither program: why (USAGE_WHY_MAX) names it, never its value. Those that
 * Kubernetes sets for services whose names begin with aforo are passed over; *passed_over is how
 * many. */
bool usage_environment(char *const *environment, size_t *passed_over, char *why);

#endif
