/* Explains an empty answer about a report. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_REPORT_EMPTY_H
#define AFORO_TOOLS_CONSOLE_REPORT_EMPTY_H

#include "tools/console/report_source.h"

/* Writes to `why` why the words gave no rows: their window is not over, no key has the values, they
 * are outside the bounds, or there are none at all. Asks the source up to four more times; if that
 * fails, the sentence says so. */
void report_empty_explain(struct source *source, const struct report_words *words,
                          char why[SOURCE_WHY_MAX]);

#endif
