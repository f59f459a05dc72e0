/* One shard's chunks of one resolution, reused in a circle. Private to the library.
 *
 *   page (4 KiB)   | chunk | chunk | chunk | chunk | chunk | spare |      no chunk crosses a page
 *   chunk          | epoch | total | count[0] | count[1] | ... |          all 64-bit, one writer
 *
 * `epoch` is the chunk's number since 1970, 0 when the place holds none: so nobody but the owner
 * ever clears a slot, and a reader sees from the epoch whether the place still holds the chunk it
 * came for. The scheme of epoch, data, epoch is a sequence lock without the lock (H.-J. Boehm,
 * "Can seqlocks get along with programming language memory models?", 2012) whose sequence is the
 * time itself. */
#ifndef AFORO_COUNTERS_RINGS_RING_H
#define AFORO_COUNTERS_RINGS_RING_H

#include "counters/time/window.h"

#include <stdatomic.h>
#include <stddef.h>

#define RING_PAGE 4096
#define EPOCH_NONE 0 /* nothing is ever counted in 1970's first chunk */

/* Chunks that stay between what readers may still see and what the owner may take next. */
#define RING_MARGIN 2

typedef _Atomic uint64_t counter;

struct chunk {
    counter epoch;
    counter total; /* sum of count[], stored after the count it includes */
    counter count[];
};

struct ring {
    unsigned char *base; /* page-aligned */
    /* places; odd, so that one flipped bit of an epoch never names the same place again */
    int64_t chunks;
    uint32_t slots;
    uint32_t stride; /* bytes from a chunk to the next within a page */
    uint32_t per_page;
};

/* ---- any thread ---- */

/* A ring of `chunks` places at `base`. */
struct ring ring_at(enum resolution r, unsigned char *base, int64_t chunks);

/* Bytes that a ring takes: whole pages. */
size_t ring_bytes(enum resolution r, int64_t chunks);

/* The place where chunk number `chunk` (>= 0) lives, whoever is there now. */
static inline struct chunk *ring_place(const struct ring *ring, int64_t chunk) {
    const uint64_t place = (uint64_t)chunk % (uint64_t)ring->chunks;
    return (struct chunk *)(ring->base + place / ring->per_page * RING_PAGE +
                            place % ring->per_page * ring->stride);
}

/* Adds slots [from, from + n) of a chunk to out[0..n); adds nothing when the chunk is not (or no
 * longer) there. */
void ring_read(const struct ring *ring, int64_t chunk, uint32_t from, uint32_t n, uint64_t *out);

/* The chunk's total, 0 when it is not there. Acquire: the windows read after it hold at least what
 * it counts. */
uint64_t ring_total(const struct ring *ring, int64_t chunk);

/* ---- when nobody writes to the ring: opening, closing, checking ---- */

/* The sum of a chunk's counts, whatever its total says. */
uint64_t ring_sum_counts(const struct ring *ring, const struct chunk *chunk);

/* Which chunks a ring holds. */
struct ring_span {
    uint64_t oldest, newest; /* chunks, 0 for none */
};
struct ring_span ring_find_span(const struct ring *ring);

/* ---- the owner ---- */

/* A counter has one writer, so a plain load and store do: no lock prefix, no lost update (as
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

/* The chunk, made ready when its place held an older one; NULL when its place holds a newer one.
 * *recycled is set when a place changed hands, and left alone otherwise. */
struct chunk *ring_claim_owner(const struct ring *ring, int64_t chunk, bool *recycled);

#endif
