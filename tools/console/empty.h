/* Explains an empty answer. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_EMPTY_H
#define AFORO_TOOLS_CONSOLE_EMPTY_H

#include "tools/console/source.h"

/* Writes to `why` why `query` gave no rows at now_us (wall clock): their window is not over, they
 * are outside its bounds, or the source has nothing at all. Asks the source up to three more times;
 * if that fails, the sentence says so. Times are shown as in `form`. */
void empty_explain(struct source *source, const struct query *query, int64_t now_us,
                   const struct rows_form *form, char why[SOURCE_WHY_MAX]);

#endif
