/* One shard's chunks of one resolution, reused in a circle. Private to the library.
 *
 *   page (4 KiB)   | chunk | chunk | chunk | chunk | chunk | spare |      no chunk crosses a page
 *   chunk          | epoch | total | count[0] | count[1] | ... |          all 64-bit, one writer
 *
 * `epoch` is the chunk's number since 1970, or 0 when the place holds none. So only the owner ever
 * clears a slot, and a reader sees from the epoch whether the place still holds the chunk it wants.
 * Reading epoch, data, epoch is a sequence lock without the lock (H.-J. Boehm, "Can seqlocks get
 * along with programming language memory models?", 2012) in which time itself is the sequence. */
#ifndef AFORO_COUNTERS_RINGS_RING_H
#define AFORO_COUNTERS_RINGS_RING_H

#include "counters/time/window.h"

#include <stdatomic.h>
#include <stddef.h>

#define RING_PAGE 4096
#define EPOCH_NONE 0 /* nothing is ever counted in 1970's first chunk */

/* Chunks between the oldest that readers may still see and the next that the owner may recycle. */
#define RING_MARGIN 2

typedef _Atomic uint64_t counter;

struct chunk {
    counter epoch;
    counter total; /* sum of count[]; stored after the count it includes */
    counter count[];
};

struct ring {
    unsigned char *base; /* page-aligned */
    /* number of places; odd, so that flipping one bit of an epoch never yields one of the same
     * place */
    int64_t chunks;
    uint32_t slots;
    uint32_t stride; /* bytes from one chunk to the next within a page */
    uint32_t per_page;
};

/* ---- any thread ---- */

/* Describes a ring of `chunks` places at `base`, which stays the caller's. */
struct ring ring_at(enum resolution r, unsigned char *base, int64_t chunks);

/* Bytes that a ring occupies: whole pages. */
size_t ring_bytes(enum resolution r, int64_t chunks);

/* The place of chunk number `chunk` (>= 0), whichever chunk is in it now. */
static inline struct chunk *ring_place(const struct ring *ring, int64_t chunk) {
    const uint64_t place = (uint64_t)chunk % (uint64_t)ring->chunks;
    return (struct chunk *)(ring->base + place / ring->per_page * RING_PAGE +
                            place % ring->per_page * ring->stride);
}

/* Adds slots [from, from + n) of a chunk to out[0..n). Adds nothing when the chunk is not there, or
 * is recycled meanwhile. */
void ring_read(const struct ring *ring, int64_t chunk, uint32_t from, uint32_t n, uint64_t *out);

/* The chunk's total, or 0 when it is not there. Acquire: windows read after it hold at least what
 * the total includes. */
uint64_t ring_total(const struct ring *ring, int64_t chunk);

/* ---- while nobody writes to the ring: opening, closing, checking ---- */

/* The sum of a chunk's counts, regardless of its total. */
uint64_t ring_sum_counts(const struct ring *ring, const struct chunk *chunk);

/* The range of chunks that a ring holds. */
struct ring_span {
    uint64_t oldest, newest; /* chunk numbers, 0 for none */
};
struct ring_span ring_find_span(const struct ring *ring);

/* ---- the owner ---- */

/* A counter has one writer, so a plain load and store suffice: no lock prefix, no lost update (as
 * jemalloc's lockedint.h does for its statistics). */
static inline void counter_add_owner(counter *c, uint64_t by) {
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

/* Count first, then total, with release: a reader that acquires the total sees the count. */
static inline void chunk_add_owner(struct chunk *chunk, counter *count, uint64_t by) {
    counter_add_owner(count, by);
    atomic_store_explicit(&chunk->total,
                          atomic_load_explicit(&chunk->total, memory_order_relaxed) + by,
                          memory_order_release);
}

/* Returns the chunk, after clearing its place when that held an older one; NULL when the place
 * holds a newer one. *recycled is set when the place was cleared, and left alone otherwise. */
struct chunk *ring_claim_owner(const struct ring *ring, int64_t chunk, bool *recycled);

#endif
