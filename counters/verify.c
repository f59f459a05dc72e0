/* The invariants of the rings, and their repair after a crash.
 *
 * The rings hold every number twice over: a chunk's total is the sum of its windows, and equals one
 * window of the next resolution. That is the checksum of this file: one changed bit breaks at least
 * one of these sums, or puts a chunk where its epoch does not belong. What a killed thread may have
 * left half done is narrower: only at the event it had noted, and only by that note's amount.
 * Anything else is damage and is refused, not guessed at. */
#include "counters/state_file.h"
#include "counters/time/civil.h"

#include <stdio.h>

static uint64_t chunk_sum(const struct chunk *chunk, uint32_t slots) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < slots; i++) {
        sum += atomic_load_explicit(&chunk->count[i], memory_order_relaxed);
    }
    return sum;
}

/* The window that a chunk of the next finer resolution is, or NULL when its chunk is not held any
 * more. */
static struct chunk *coarser(const struct shard *shard, enum resolution r, int64_t number,
                             counter **count) {
    const enum resolution next = (enum resolution)(r + 1);
    struct chunk *chunk = ring_place(&shard->ring[next], window_chunk(next, number));
    *count = &chunk->count[window_slot(next, number)];
    const uint64_t epoch = atomic_load_explicit(&chunk->epoch, memory_order_relaxed);
    return epoch == (uint64_t)window_chunk(next, number) ? chunk : NULL;
}

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

/* Half-done recycling (epoch gone, counts partly there) becomes an empty place, and so does a place
 * that was claimed for an event that never came to be counted: at rest, a chunk that has an epoch
 * holds events. */
static void empty_unused(struct shard *shard, enum resolution r) {
    const struct ring *ring = &shard->ring[r];
    for (int64_t place = 0; place < ring->chunks; place++) {
        struct chunk *chunk = ring_place(ring, place);
        const uint64_t epoch = atomic_load_explicit(&chunk->epoch, memory_order_relaxed);
        const bool counts = atomic_load_explicit(&chunk->total, memory_order_relaxed) != 0 ||
                            chunk_sum(chunk, ring->slots) != 0;
        if ((epoch == EPOCH_NONE) == counts) {
            empty_place(chunk, ring->slots);
        }
    }
}

/* Completes the noted event from the finest ring upwards: where the count has it, the total and the
 * coarser windows get it too. One that had not reached the finest count was never acknowledged, and
 * is left out. Where each resolution stands for itself, only the total is completed. */
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
        const uint64_t sum = chunk_sum(chunk, shard->ring[r].slots);
        if (sum == atomic_load_explicit(&chunk->total, memory_order_relaxed) + by) {
            set_relaxed(&chunk->total, sum, repaired);
        }
        counter *count;
        if (linked && r + 1 < RESOLUTIONS && coarser(shard, (enum resolution)r, number, &count) &&
            atomic_load_explicit(&chunk->total, memory_order_relaxed) ==
                atomic_load_explicit(count, memory_order_relaxed) + by) {
            counter_add_owner(count, by);
            ++*repaired;
        }
    }
}

struct span {
    uint64_t oldest, newest; /* chunks, 0 for none */
};

static struct span span_of(const struct ring *ring) {
    struct span span = {0, 0};
    for (int64_t place = 0; place < ring->chunks; place++) {
        const uint64_t epoch =
            atomic_load_explicit(&ring_place(ring, place)->epoch, memory_order_relaxed);
        span.newest = epoch > span.newest ? epoch : span.newest;
        span.oldest =
            epoch != EPOCH_NONE && (span.oldest == 0 || epoch < span.oldest) ? epoch : span.oldest;
    }
    return span;
}

/* After a power loss: a window whose finer chunk would still be held, had it reached the disk.
 * `newest` is the newest finer chunk that did. */
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

/* After a power loss: a coarser window's chunk may not have reached the disk when its finer chunk
 * did. Its place is then empty or still holds an older one. */
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

/* A chunk in a place that its epoch does not belong to is nobody's. */
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

/* After a power loss: the finer ring is the truth wherever it is still held. What is misplaced goes
 * first, in all rings: a finer chunk is then given its coarser window's place. */
static void settle_torn(struct shard *shard, bool linked, uint64_t *repaired) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        empty_misplaced(shard, (enum resolution)r, repaired);
    }
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct ring *ring = &shard->ring[r];
        const uint64_t newest_finer = linked && r > 0 ? span_of(ring - 1).newest : 0;
        for (int64_t place = 0; place < ring->chunks; place++) {
            struct chunk *chunk = ring_place(ring, place);
            const uint64_t epoch = atomic_load_explicit(&chunk->epoch, memory_order_relaxed);
            if (linked && r > 0 && epoch != EPOCH_NONE) {
                drop_orphans(shard, (enum resolution)r, chunk, newest_finer, repaired);
            }
            const uint64_t sum = chunk_sum(chunk, ring->slots);
            set_relaxed(&chunk->total, sum, repaired);
            if (!linked || epoch == EPOCH_NONE || r + 1 >= RESOLUTIONS) {
                continue;
            }
            if (sum > 0) {
                claim_coarser(shard, (enum resolution)r, (int64_t)epoch, repaired);
            }
            counter *count;
            if (coarser(shard, (enum resolution)r, (int64_t)epoch, &count)) {
                set_relaxed(count, sum, repaired);
            }
        }
    }
}

/* Which chunks the rings hold, found again from the rings themselves: nothing else needs to be
 * trusted. */
static void find_span(struct shard *shard) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct span span = span_of(&shard->ring[r]);
        atomic_store_explicit(&shard->page->newest[r], span.newest, memory_order_relaxed);
        atomic_store_explicit(&shard->page->oldest[r], span.oldest, memory_order_relaxed);
    }
}

void shard_repair(struct shard *shard, unsigned index, enum recovery recovery, uint64_t *repaired) {
    const bool linked = index != 0; /* in the read-back shard each resolution stands for itself */
    if (recovery == RECOVERY_KILLED) {
        finish_noted(shard, linked, repaired);
    } else if (recovery == RECOVERY_TORN) {
        settle_torn(shard, linked, repaired);
    }
    for (int r = 0; recovery != RECOVERY_NONE && r < RESOLUTIONS; r++) {
        empty_unused(shard, (enum resolution)r);
    }
    find_span(shard);
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
    /* Odd would mean to readers that a change is under way for ever. */
    atomic_store_explicit(&page->sequence, 0, memory_order_relaxed);
}

/* "10ms chunk 2026-11-20 11:11:11" for messages. */
static void describe(enum resolution r, uint64_t epoch, char *buf, size_t cap) {
    struct civil civil;
    civil_from_us(chunk_start_us(r, (int64_t)epoch), &civil);
    snprintf(buf, cap, "%s chunk %04d-%02d-%02d %02d:%02d:%02d", resolution_table[r].name,
             civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second);
}

/* Beyond year 9999 an epoch is no time that was ever accepted. */
#define EPOCH_MAX_US INT64_C(253402300800000000)

static bool verify_chunk(const struct shard *shard, unsigned index, enum resolution r,
                         int64_t place, char *why) {
    const struct ring *ring = &shard->ring[r];
    const struct chunk *chunk = ring_place(ring, place);
    const uint64_t epoch = atomic_load_explicit(&chunk->epoch, memory_order_relaxed);
    const uint64_t total = atomic_load_explicit(&chunk->total, memory_order_relaxed);
    const uint64_t sum = chunk_sum(chunk, ring->slots);
    char name[64];
    if (epoch >= (uint64_t)(EPOCH_MAX_US / chunk_width_us(r)) ||
        (epoch != EPOCH_NONE && ring_place(ring, (int64_t)epoch) != chunk)) {
        snprintf(why, COUNTERS_WHY_MAX,
                 "shard %u: a %s chunk stands in the wrong place (epoch %llu in place %lld)", index,
                 resolution_table[r].name, (unsigned long long)epoch, (long long)place);
        return false;
    }
    describe(r, epoch, name, sizeof name);
    if (sum != total) {
        snprintf(why, COUNTERS_WHY_MAX,
                 "shard %u: %s: its windows sum to %llu, its total says %llu", index, name,
                 (unsigned long long)sum, (unsigned long long)total);
        return false;
    }
    /* one flipped bit can make a far epoch of an empty place's */
    if ((epoch == EPOCH_NONE) != (total == 0)) {
        snprintf(why, COUNTERS_WHY_MAX, "shard %u: %s: %s", index, name,
                 epoch == EPOCH_NONE ? "a place without an epoch holds counts"
                                     : "has an epoch and no counts");
        return false;
    }
    counter *count;
    if (index == 0 || epoch == EPOCH_NONE || r + 1 >= RESOLUTIONS) {
        return true;
    }
    if (!coarser(shard, r, (int64_t)epoch, &count)) {
        /* A finer chunk may outlive its coarser one in places that nothing came to since; never the
         * reverse. */
        const enum resolution next = (enum resolution)(r + 1);
        const int64_t number = window_chunk(next, (int64_t)epoch);
        const uint64_t there = atomic_load_explicit(&ring_place(&shard->ring[next], number)->epoch,
                                                    memory_order_relaxed);
        if (there != EPOCH_NONE && there < (uint64_t)number) {
            snprintf(why, COUNTERS_WHY_MAX, "shard %u: %s: its %s window is missing", index, name,
                     resolution_table[next].name);
            return false;
        }
        return true;
    }
    const uint64_t window = atomic_load_explicit(count, memory_order_relaxed);
    if (window != total) {
        snprintf(why, COUNTERS_WHY_MAX, "shard %u: %s: total %llu, but the %s window says %llu",
                 index, name, (unsigned long long)total, resolution_table[r + 1].name,
                 (unsigned long long)window);
        return false;
    }
    return true;
}

bool shard_verify(const struct shard *shard, unsigned index, char *why) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        for (int64_t place = 0; place < shard->ring[r].chunks; place++) {
            if (!verify_chunk(shard, index, (enum resolution)r, place, why)) {
                return false;
            }
        }
    }
    const struct shard_page *page = shard->page;
    const uint64_t received = atomic_load_explicit(&page->received, memory_order_relaxed);
    uint64_t sum = atomic_load_explicit(&page->counted, memory_order_relaxed);
    for (int i = 0; i < COUNTERS_REASONS; i++) {
        sum += atomic_load_explicit(&page->refused[i], memory_order_relaxed);
    }
    if (received != sum) {
        snprintf(why, COUNTERS_WHY_MAX,
                 "shard %u: received %llu, but counted and refused sum to %llu", index,
                 (unsigned long long)received, (unsigned long long)sum);
        return false;
    }
    return true;
}

bool shard_verify_closed(const struct shard *shard, unsigned index, char *why) {
    if (!shard_verify(shard, index, why)) {
        return false;
    }
    bool agrees = atomic_load_explicit(&shard->page->sequence, memory_order_relaxed) % 2 == 0;
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct span span = span_of(&shard->ring[r]);
        agrees =
            agrees &&
            span.newest == atomic_load_explicit(&shard->page->newest[r], memory_order_relaxed) &&
            span.oldest == atomic_load_explicit(&shard->page->oldest[r], memory_order_relaxed);
    }
    if (!agrees) {
        snprintf(why, COUNTERS_WHY_MAX, "shard %u: its own page does not agree with its rings",
                 index);
    }
    return agrees;
}

bool counters_verify(const struct counters *counters, char *why) {
    for (unsigned i = 0; i < counters->shards; i++) {
        if (!shard_verify(&counters->shard[i], i, why)) {
            return false;
        }
    }
    return true;
}
