/* How many events there were in a span, exactly, whichever windows its bounds cut. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_TOTAL_H
#define AFORO_TOOLS_CONSOLE_TOTAL_H

#include "tools/console/source.h"

/* Counts the events whose time is in [from_us, to_us) of the query, of which nothing else is looked
 * at, into *total; bounds are taken to the next 10 ms. Whole minutes are read as minutes, and only
 * what the bounds cut of a minute or a second as finer windows: so spans of which finer windows are
 * no longer kept have a total, too, as long as their bounds need none. Where they do, SOURCE_AWAY:
 * a part is never given for the whole. to_us may be QUERY_TO_NONE, from_us <= 0 is no bound. */
enum source_outcome total_span(struct source *source, const struct query *query, int64_t now_us,
                               uint64_t *total, char why[SOURCE_WHY_MAX]);

#endif
