/* `aforo status`: how servers are doing, one line each, from their /healthz and /stats. One
 * thread. */
#ifndef AFORO_TOOLS_CONSOLE_STATUS_H
#define AFORO_TOOLS_CONSOLE_STATUS_H

#include "tools/console/source.h"

#include <stdio.h>

/* Asks the servers at place[0..n), n >= 1, one after another (`config` says how; its place is not
 * used), and prints a table to `out`, with sums below it if there are several. Unknown values are
 * "-", with a line on standard error. True when all answered and none of their stores is away.
 * Errors of `out` are left to the caller. */
bool status_print(const struct source_config *config, const char *const *place, unsigned n,
                  FILE *out);

#endif
