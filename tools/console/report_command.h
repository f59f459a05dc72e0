/* `aforo report` and `aforo reports`. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_REPORT_COMMAND_H
#define AFORO_TOOLS_CONSOLE_REPORT_COMMAND_H

#include "tools/console/flags.h"
#include "tools/console/follow.h"
#include "tools/console/report_writer.h"

/* Prints what the flags ask of the source's reports: rows, once or as their windows close, or the
 * list. Returns the exit status, without errors of writing, which the writer knows. `zone` NULL:
 * UTC. */
int report_print(struct source *source, const struct flags *flags, const struct rows_zone *zone,
                 struct report_writer *writer, const struct follow_world *world);

#endif
