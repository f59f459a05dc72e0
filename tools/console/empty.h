/* An empty answer says why it is empty. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_EMPTY_H
#define AFORO_TOOLS_CONSOLE_EMPTY_H

#include "tools/console/source.h"

/* Writes to `why` why `query` gave no rows at now_us: their window is not over, they are elsewhere,
 * or the source holds nothing at all. Asks the source up to three more times; when it fails
 * meanwhile, the sentence says so. Times are shown as `form` has them. */
void empty_explain(struct source *source, const struct query *query, int64_t now_us,
                   const struct rows_form *form, char why[SOURCE_WHY_MAX]);

#endif
