/* Walks the chunks that worker threads have counted in, whatever time the clock showed. The shard
 * of what was read back from the store is not included. Private to the library. For the owner of
 * the read-back shard, and before the threads start. */
#ifndef AFORO_COUNTERS_STATE_HELD_H
#define AFORO_COUNTERS_STATE_HELD_H

#include "counters/state/state_file.h"

/* Position of such a walk; starts as {.counters = ...}. */
struct held_walk {
    const struct counters *counters;
    int r;
    unsigned shard; /* from 0, among the worker threads' shards */
    int64_t place;
};

/* The next chunk that holds counts, with count[slots]; false when none is left. `cls` is a struct
 * held_walk; see reference_next. */
bool held_next(void *cls, enum resolution *r, int64_t *chunk, uint64_t *count);

/* Whether there is any such chunk. */
bool held_has_any(const struct counters *counters);

/* Sums what worker threads have counted in one chunk into count[slots]. */
void held_read_chunk(const struct counters *counters, enum resolution r, int64_t chunk,
                     uint64_t *count);

/* Whether some shard's ring has moved past this chunk, so that what it held may be gone. */
bool held_may_lack(const struct counters *counters, enum resolution r, int64_t chunk);

#endif
