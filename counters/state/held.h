/* The chunks that worker threads have counted in, wherever the clock was then. What was read back
 * from the store has a shard of its own, and is not among them. Private to the library. By the
 * owner of the read-back shard, and before the threads start. */
#ifndef AFORO_COUNTERS_STATE_HELD_H
#define AFORO_COUNTERS_STATE_HELD_H

#include "counters/state/state_file.h"

/* How far a walk through them has come; begins as {.counters = ...}. */
struct held_walk {
    const struct counters *counters;
    int r;
    unsigned shard; /* from 0 on: of the worker threads' */
    int64_t place;
};

/* The next chunk that holds counts, and count[slots]; false when there is none left. cls: struct
 * held_walk; see reference_next. */
bool held_next(void *cls, enum resolution *r, int64_t *chunk, uint64_t *count);

/* Whether there is any. */
bool held_has_any(const struct counters *counters);

/* What worker threads have counted in one chunk, into count[slots]. */
void held_read_chunk(const struct counters *counters, enum resolution r, int64_t chunk,
                     uint64_t *count);

/* Has a shard's ring moved past this chunk? Then what it held may be gone. */
bool held_may_lack(const struct counters *counters, enum resolution r, int64_t chunk);

#endif
