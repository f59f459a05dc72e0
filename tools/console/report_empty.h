/* An empty answer about a report says why it is empty. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_REPORT_EMPTY_H
#define AFORO_TOOLS_CONSOLE_REPORT_EMPTY_H

#include "tools/console/report_source.h"

/* Writes to `why` why the words gave no rows: their window is not over, no key has the values, they
 * are elsewhere, or there are none at all. Asks the source up to four more times; when it fails
 * meanwhile, the sentence says so. */
void report_empty_explain(struct source *source, const struct report_words *words,
                          char why[SOURCE_WHY_MAX]);

#endif
