/* Repairs a shard's rings after a crash, by the invariants that verify.c checks. What a killed
 * thread may have left half done is limited to the event it had noted, and to that note's amount.
 * After a power loss the finest windows are the truth wherever they are held. */
#include "counters/state/state_file.h"

static void set_relaxed(counter *c, uint64_t value, uint64_t *repaired) {
    if (atomic_load_explicit(c, memory_order_relaxed) != value) {
        atomic_store_explicit(c, value, memory_order_relaxed);
        ++*repaired;
    }
}

static void empty_place(struct chunk *chunk, uint32_t slots) {
    atomic_store_explicit(&chunk->epoch, EPOCH_NONE, memory_order_relaxed);
    atomic_store_explicit(&chunk->total, 0, memory_order_relaxed);
    for (uint32_t i = 0; i < slots; i++) {
        atomic_store_explicit(&chunk->count[i], 0, memory_order_relaxed);
    }
}

/* Clears places without events. A place without an epoch but with counts was being recycled; one
 * with an epoch but no counts was claimed for an event that was never counted. At rest, a chunk
 * that has an epoch holds events. */
static void empty_unused(struct shard *shard, enum resolution r) {
    const struct ring *ring = &shard->ring[r];
    for (int64_t place = 0; place < ring->chunks; place++) {
        struct chunk *chunk = ring_place(ring, place);
        const uint64_t epoch = atomic_load_explicit(&chunk->epoch, memory_order_relaxed);
        const bool counts = atomic_load_explicit(&chunk->total, memory_order_relaxed) != 0 ||
                            ring_sum_counts(ring, chunk) != 0;
        if ((epoch == EPOCH_NONE) == counts) {
            empty_place(chunk, ring->slots);
        }
    }
}

/* Completes the noted event from the finest ring upwards: if its count is there, the total and the
 * coarser windows get it, too. If it had not reached the finest count, it was never acknowledged
 * and is dropped. Where resolutions are independent, only the total is completed. */
static void finish_noted(struct shard *shard, bool linked, uint64_t *repaired) {
    const int64_t t_us =
        (int64_t)atomic_load_explicit(&shard->page->adding_us, memory_order_relaxed);
    const uint64_t by = atomic_load_explicit(&shard->page->adding_by, memory_order_relaxed);
    for (int r = 0; by > 0 && r < RESOLUTIONS; r++) { /* 0: nothing was ever added */
        const int64_t number =
            window_chunk((enum resolution)r, window_at((enum resolution)r, t_us));
        struct chunk *chunk = ring_place(&shard->ring[r], number);
        if (atomic_load_explicit(&chunk->epoch, memory_order_relaxed) != (uint64_t)number) {
            continue;
        }
        const uint64_t sum = ring_sum_counts(&shard->ring[r], chunk);
        if (sum == atomic_load_explicit(&chunk->total, memory_order_relaxed) + by) {
            set_relaxed(&chunk->total, sum, repaired);
        }
        counter *count;
        if (linked && r + 1 < RESOLUTIONS &&
            shard_find_sum(shard, (enum resolution)r, number, &count) &&
            atomic_load_explicit(&chunk->total, memory_order_relaxed) ==
                atomic_load_explicit(count, memory_order_relaxed) + by) {
            counter_add_owner(count, by);
            ++*repaired;
        }
    }
}

/* After a power loss: drops windows whose finer chunk never reached the disk, although it is so new
 * that it would still be held. `newest` is the newest finer chunk that did reach it. */
static void drop_orphans(struct shard *shard, enum resolution r, struct chunk *chunk,
                         uint64_t newest, uint64_t *repaired) {
    const struct ring *finer = &shard->ring[r - 1];
    const int64_t first =
        chunk_first_window(r, (int64_t)atomic_load_explicit(&chunk->epoch, memory_order_relaxed));
    for (uint32_t i = 0; i < shard->ring[r].slots; i++) {
        const int64_t number = first + i;
        const uint64_t there =
            atomic_load_explicit(&ring_place(finer, number)->epoch, memory_order_relaxed);
        if (there != (uint64_t)number && number > (int64_t)newest - finer->chunks) {
            set_relaxed(&chunk->count[i], 0, repaired);
        }
    }
}

/* After a power loss: a coarser window's chunk may not have reached the disk although its finer
 * chunk did. Its place is then empty or still holds an older chunk. */
static void claim_coarser(struct shard *shard, enum resolution r, int64_t number,
                          uint64_t *repaired) {
    const enum resolution next = (enum resolution)(r + 1);
    struct chunk *chunk = ring_place(&shard->ring[next], window_chunk(next, number));
    const uint64_t wanted = (uint64_t)window_chunk(next, number);
    if (atomic_load_explicit(&chunk->epoch, memory_order_relaxed) < wanted) {
        empty_place(chunk, shard->ring[next].slots);
        set_relaxed(&chunk->epoch, wanted, repaired);
    }
}

/* Clears places that hold a chunk which does not belong there. */
static void empty_misplaced(struct shard *shard, enum resolution r, uint64_t *repaired) {
    const struct ring *ring = &shard->ring[r];
    for (int64_t place = 0; place < ring->chunks; place++) {
        struct chunk *chunk = ring_place(ring, place);
        const uint64_t epoch = atomic_load_explicit(&chunk->epoch, memory_order_relaxed);
        if (epoch != EPOCH_NONE && ring_place(ring, (int64_t)epoch) != chunk) {
            empty_place(chunk, ring->slots);
            ++*repaired;
        }
    }
}

/* After a power loss: the finer ring is the truth wherever it is still held. Misplaced chunks are
 * cleared first, in all rings, because a finer chunk may claim the place of a coarser one. */
static void settle_torn(struct shard *shard, bool linked, uint64_t *repaired) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        empty_misplaced(shard, (enum resolution)r, repaired);
    }
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct ring *ring = &shard->ring[r];
        const uint64_t newest_finer = linked && r > 0 ? ring_find_span(ring - 1).newest : 0;
        for (int64_t place = 0; place < ring->chunks; place++) {
            struct chunk *chunk = ring_place(ring, place);
            const uint64_t epoch = atomic_load_explicit(&chunk->epoch, memory_order_relaxed);
            if (linked && r > 0 && epoch != EPOCH_NONE) {
                drop_orphans(shard, (enum resolution)r, chunk, newest_finer, repaired);
            }
            const uint64_t sum = ring_sum_counts(ring, chunk);
            set_relaxed(&chunk->total, sum, repaired);
            if (!linked || epoch == EPOCH_NONE || r + 1 >= RESOLUTIONS) {
                continue;
            }
            if (sum > 0) {
                claim_coarser(shard, (enum resolution)r, (int64_t)epoch, repaired);
            }
            counter *count;
            if (shard_find_sum(shard, (enum resolution)r, (int64_t)epoch, &count)) {
                set_relaxed(count, sum, repaired);
            }
        }
    }
}

/* Recomputes from the rings which chunks they hold, so that nothing else needs to be trusted. */
static void note_span(struct shard *shard) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct ring_span span = ring_find_span(&shard->ring[r]);
        atomic_store_explicit(&shard->page->newest[r], span.newest, memory_order_relaxed);
        atomic_store_explicit(&shard->page->oldest[r], span.oldest, memory_order_relaxed);
    }
}

void shard_repair(struct shard *shard, unsigned index, enum recovery recovery, uint64_t *repaired) {
    const bool linked = index != 0; /* in the read-back shard resolutions are independent */
    if (recovery == RECOVERY_KILLED) {
        finish_noted(shard, linked, repaired);
    } else if (recovery == RECOVERY_TORN) {
        settle_torn(shard, linked, repaired);
    }
    for (int r = 0; recovery != RECOVERY_NONE && r < RESOLUTIONS; r++) {
        empty_unused(shard, (enum resolution)r);
    }
    note_span(shard);
    struct shard_page *page = shard->page;
    if (recovery == RECOVERY_TORN ||
        (recovery == RECOVERY_KILLED &&
         atomic_load_explicit(&page->sequence, memory_order_relaxed) % 2 == 1)) {
        uint64_t sum = atomic_load_explicit(&page->counted, memory_order_relaxed);
        for (int i = 0; i < COUNTERS_REASONS; i++) {
            sum += atomic_load_explicit(&page->refused[i], memory_order_relaxed);
        }
        set_relaxed(&page->received, sum, repaired);
    }
    /* To readers an odd number would mean a change that never ends. */
    atomic_store_explicit(&page->sequence, 0, memory_order_relaxed);
}
