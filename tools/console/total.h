/* The exact number of events in a span, whichever windows its bounds cut. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_TOTAL_H
#define AFORO_TOOLS_CONSOLE_TOTAL_H

#include "tools/console/source.h"

/* Sets *total to the number of events whose time is in [from_us, to_us) of the query, which is all
 * of it that is used; bounds are rounded up to 10 ms. Whole minutes are read as minutes, and finer
 * windows only where the bounds cut a minute or a second. So a span whose finer windows are no
 * longer kept still has a total, as long as its bounds need none; if they do, the outcome is
 * SOURCE_AWAY: a part is never returned as the whole. to_us may be QUERY_TO_NONE; from_us <= 0 is
 * no bound. */
enum source_outcome total_span(struct source *source, const struct query *query, int64_t now_us,
                               uint64_t *total, char why[SOURCE_WHY_MAX]);

#endif
