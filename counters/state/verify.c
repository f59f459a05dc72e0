/* The invariants of the rings.
 *
 * The rings hold every number twice: a chunk's total is the sum of its windows, and equals one
 * window of the next resolution. That is the checksum of this file: one changed bit breaks at least
 * one of these sums, or puts a chunk where its epoch does not belong. What a crash leaves half done
 * is repaired by repair.c first; anything else is damage and is refused, not guessed at. */
#include "counters/state/state_file.h"
#include "counters/time/civil.h"

#include <stdio.h>

#define CHUNK_NAME_MAX 64

/* Formats "10ms chunk 2026-11-20 11:11:11" for messages. Called only where something is wrong:
 * there are thousands of chunks. Returns name. */
static const char *describe_chunk(enum resolution r, uint64_t epoch, char name[CHUNK_NAME_MAX]) {
    struct civil civil;
    civil_from_us(chunk_start_us(r, (int64_t)epoch), &civil);
    snprintf(name, CHUNK_NAME_MAX, "%s chunk %04d-%02d-%02d %02d:%02d:%02d",
             resolution_table[r].name, civil.year, civil.month, civil.day, civil.hour, civil.minute,
             civil.second);
    return name;
}

static bool verify_chunk(const struct shard *shard, unsigned index, enum resolution r,
                         int64_t place, char *why) {
    const struct ring *ring = &shard->ring[r];
    const struct chunk *chunk = ring_place(ring, place);
    const uint64_t epoch = atomic_load_explicit(&chunk->epoch, memory_order_relaxed);
    const uint64_t total = atomic_load_explicit(&chunk->total, memory_order_relaxed);
    const uint64_t sum = ring_sum_counts(ring, chunk);
    char name[CHUNK_NAME_MAX];
    if (epoch >= (uint64_t)(CIVIL_END_US / chunk_width_us(r)) ||
        (epoch != EPOCH_NONE && ring_place(ring, (int64_t)epoch) != chunk)) {
        snprintf(why, COUNTERS_WHY_MAX,
                 "shard %u: a %s chunk stands in the wrong place (epoch %llu in place %lld)", index,
                 resolution_table[r].name, (unsigned long long)epoch, (long long)place);
        return false;
    }
    if (sum != total) {
        snprintf(why, COUNTERS_WHY_MAX,
                 "shard %u: %s: its windows sum to %llu, its total says %llu", index,
                 describe_chunk(r, epoch, name), (unsigned long long)sum,
                 (unsigned long long)total);
        return false;
    }
    /* one flipped bit can turn an empty place's epoch into a distant one */
    if ((epoch == EPOCH_NONE) != (total == 0)) {
        snprintf(why, COUNTERS_WHY_MAX, "shard %u: %s: %s", index, describe_chunk(r, epoch, name),
                 epoch == EPOCH_NONE ? "a place without an epoch holds counts"
                                     : "has an epoch and no counts");
        return false;
    }
    counter *count;
    if (index == 0 || epoch == EPOCH_NONE || r + 1 >= RESOLUTIONS) {
        return true;
    }
    if (!shard_find_sum(shard, r, (int64_t)epoch, &count)) {
        /* A finer chunk may outlive its coarser one in places not used since; never the reverse. */
        const enum resolution next = (enum resolution)(r + 1);
        const int64_t number = window_chunk(next, (int64_t)epoch);
        const uint64_t there = atomic_load_explicit(&ring_place(&shard->ring[next], number)->epoch,
                                                    memory_order_relaxed);
        if (there != EPOCH_NONE && there < (uint64_t)number) {
            snprintf(why, COUNTERS_WHY_MAX, "shard %u: %s: its %s window is missing", index,
                     describe_chunk(r, epoch, name), resolution_table[next].name);
            return false;
        }
        return true;
    }
    const uint64_t window = atomic_load_explicit(count, memory_order_relaxed);
    if (window != total) {
        snprintf(why, COUNTERS_WHY_MAX, "shard %u: %s: total %llu, but the %s window says %llu",
                 index, describe_chunk(r, epoch, name), (unsigned long long)total,
                 resolution_table[r + 1].name, (unsigned long long)window);
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
        const struct ring_span span = ring_find_span(&shard->ring[r]);
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
