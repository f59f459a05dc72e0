/* Recycling and reading: the two sides of the only protocol in this library. tests/model/ring.pml
 * checks all interleavings. */
#include "counters/rings/ring.h"

struct ring ring_at(enum resolution r, unsigned char *base, int64_t chunks) {
    const uint32_t slots = resolution_table[r].slots;
    const uint32_t stride = (uint32_t)(sizeof(struct chunk) + slots * sizeof(counter));
    return (struct ring){.base = base,
                         .chunks = chunks,
                         .slots = slots,
                         .stride = stride,
                         .per_page = RING_PAGE / stride};
}

size_t ring_bytes(enum resolution r, int64_t chunks) {
    const struct ring ring = ring_at(r, NULL, chunks);
    return ((size_t)chunks + ring.per_page - 1) / ring.per_page * RING_PAGE;
}

struct chunk *ring_claim_owner(const struct ring *ring, int64_t number, bool *recycled) {
    struct chunk *chunk = ring_place(ring, number);
    const uint64_t epoch = atomic_load_explicit(&chunk->epoch, memory_order_relaxed);
    if (epoch == (uint64_t)number) {
        return chunk;
    }
    if (epoch > (uint64_t)number) {
        return NULL;
    }
    /* Release: a reader that finds the place empty also sees the newest chunk announced before
     * (shard.c, claim_chunk). */
    atomic_store_explicit(&chunk->epoch, EPOCH_NONE, memory_order_release);
    /* Partner: the acquire fence in ring_read. A reader that saw one of the zeros below sees
     * EPOCH_NONE or the new epoch when it looks again, and discards what it read. */
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&chunk->total, 0, memory_order_relaxed);
    for (uint32_t i = 0; i < ring->slots; i++) {
        atomic_store_explicit(&chunk->count[i], 0, memory_order_relaxed);
    }
    /* Partner: the acquire load of epoch in ring_read. A reader that sees the new epoch sees the
     * zeros. */
    atomic_store_explicit(&chunk->epoch, (uint64_t)number, memory_order_release);
    *recycled = true;
    return chunk;
}

void ring_read(const struct ring *ring, int64_t number, uint32_t from, uint32_t n, uint64_t *out) {
    struct chunk *chunk = ring_place(ring, number);
    uint64_t seen[SLOTS_MAX];
    if (atomic_load_explicit(&chunk->epoch, memory_order_acquire) != (uint64_t)number) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        seen[i] = atomic_load_explicit(&chunk->count[from + i], memory_order_relaxed);
    }
    atomic_thread_fence(memory_order_acquire); /* partner: the release fence in ring_claim_owner */
    if (atomic_load_explicit(&chunk->epoch, memory_order_relaxed) != (uint64_t)number) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        out[i] += seen[i];
    }
}

uint64_t ring_total(const struct ring *ring, int64_t number) {
    struct chunk *chunk = ring_place(ring, number);
    if (atomic_load_explicit(&chunk->epoch, memory_order_acquire) != (uint64_t)number) {
        return 0;
    }
    const uint64_t total = atomic_load_explicit(&chunk->total, memory_order_acquire);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&chunk->epoch, memory_order_relaxed) == (uint64_t)number ? total
                                                                                         : 0;
}

uint64_t ring_sum_counts(const struct ring *ring, const struct chunk *chunk) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ring->slots; i++) {
        sum += atomic_load_explicit(&chunk->count[i], memory_order_relaxed);
    }
    return sum;
}

struct ring_span ring_find_span(const struct ring *ring) {
    struct ring_span span = {0, 0};
    for (int64_t place = 0; place < ring->chunks; place++) {
        const uint64_t epoch =
            atomic_load_explicit(&ring_place(ring, place)->epoch, memory_order_relaxed);
        span.newest = epoch > span.newest ? epoch : span.newest;
        span.oldest =
            epoch != EPOCH_NONE && (span.oldest == 0 || epoch < span.oldest) ? epoch : span.oldest;
    }
    return span;
}
