/* The chunks that the worker threads of a file have counted in. */
#include "counters/state/held.h"

#include <string.h>

void held_read_chunk(const struct counters *counters, enum resolution r, int64_t chunk,
                     uint64_t *count) {
    const uint32_t slots = resolution_table[r].slots;
    memset(count, 0, slots * sizeof *count);
    for (unsigned i = 1; i < counters->shards; i++) {
        ring_read(&counters->shard[i].ring[r], chunk, 0, slots, count);
    }
}

static int64_t read_epoch(const struct ring *ring, int64_t place) {
    return (int64_t)atomic_load_explicit(&ring_place(ring, place)->epoch, memory_order_relaxed);
}

/* Whether a shard before this one has the same chunk, which was returned then. */
static bool is_repeated(const struct held_walk *walk, int64_t chunk) {
    for (unsigned i = 0; i < walk->shard; i++) {
        if (read_epoch(&walk->counters->shard[i + 1].ring[walk->r], chunk) == chunk) {
            return true;
        }
    }
    return false;
}

bool held_next(void *cls, enum resolution *r, int64_t *chunk, uint64_t *count) {
    struct held_walk *walk = cls;
    for (; walk->r < RESOLUTIONS; walk->r++, walk->shard = 0) {
        for (; walk->shard + 1 < walk->counters->shards; walk->shard++, walk->place = 0) {
            const struct ring *ring = &walk->counters->shard[walk->shard + 1].ring[walk->r];
            while (walk->place < ring->chunks) {
                const int64_t epoch = read_epoch(ring, walk->place++);
                if (epoch != EPOCH_NONE && !is_repeated(walk, epoch)) {
                    *r = (enum resolution)walk->r;
                    *chunk = epoch;
                    held_read_chunk(walk->counters, *r, epoch, count);
                    return true;
                }
            }
        }
    }
    return false;
}

bool held_may_lack(const struct counters *counters, enum resolution r, int64_t chunk) {
    for (unsigned i = 1; i < counters->shards; i++) {
        if (read_epoch(&counters->shard[i].ring[r], chunk) > chunk) {
            return true;
        }
    }
    return false;
}

bool held_has_any(const struct counters *counters) {
    struct held_walk walk = {.counters = counters};
    enum resolution r;
    int64_t chunk;
    uint64_t count[SLOTS_MAX];
    return held_next(&walk, &r, &chunk, count);
}
