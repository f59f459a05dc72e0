/* Reading what the nodes have merged: for the console. Over a connected link, by its thread. */
#ifndef AFORO_REDIS_READER_H
#define AFORO_REDIS_READER_H

#include "counters/time/window.h"
#include "redis/link.h"

#include <stdint.h>

/* The totals of a range of chunks into counts[n * slots], 0 where there is nothing. False fills
 * why (LINK_WHY_MAX); a value that is no count is an error that names its key. */
bool reader_read_totals(struct link *link, struct chunk_range range, uint64_t *counts, char *why);

/* Whether there is a total of each chunk of a range, into there[n]. False fills why. */
bool reader_find_totals(struct link *link, struct chunk_range range, bool *there, char *why);

#endif
