/* Reading what the nodes have merged: for the console. Over a connected link, by its thread. */
#ifndef AFORO_REDIS_READER_H
#define AFORO_REDIS_READER_H

#include "counters/time/window.h"
#include "redis/link.h"

#include <stdint.h>

/* Totals of chunks [first, first + n) into counts[n * slots], 0 where there is nothing. False fills
 * why (LINK_WHY_MAX); a value that is no count is an error that names its key. */
bool reader_chunk_totals(struct link *link, enum resolution r, int64_t first, uint32_t n,
                         uint64_t *counts, char *why);

/* Whether there is a total of each of the chunks [first, first + n). False fills why. */
bool reader_exists(struct link *link, enum resolution r, int64_t first, uint32_t n, bool *exists,
                   char *why);

#endif
