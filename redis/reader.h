/* Reads what the nodes have merged, for the console. Over a connected link, in its thread. */
#ifndef AFORO_REDIS_READER_H
#define AFORO_REDIS_READER_H

#include "counters/time/window.h"
#include "redis/link.h"

#include <stdint.h>

/* Reads the totals of a range of chunks into counts[n * slots], 0 where there is none. False fills
 * `why` (LINK_WHY_MAX); a value that is not a count is an error that names its key. */
bool reader_read_totals(struct link *link, struct chunk_range range, uint64_t *counts, char *why);

/* Stores in there[n] whether each chunk of a range has a total. False fills `why`. */
bool reader_find_totals(struct link *link, struct chunk_range range, bool *there, char *why);

#endif
