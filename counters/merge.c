/* Shards -> totals: what any thread may read while the owners write. */
#include "counters/shard.h"
#include "counters/state_file.h"

#include <sched.h>
#include <string.h>

#define TALLY_TURNS_MAX 1000000

int64_t counters_newest_chunk(const struct counters *counters, enum resolution r) {
    uint64_t newest = 0;
    for (unsigned i = 0; i < counters->shards; i++) {
        const uint64_t n = atomic_load_explicit(&counters->shard[i].page->newest[r], memory_order_acquire);
        newest = n > newest ? n : newest;
    }
    return (int64_t)newest;
}

/* Older than this, some shard may have recycled what another still has: a sum would be a part only. */
static int64_t oldest_held(const struct counters *counters, enum resolution r, int64_t newest) {
    return newest - counters->shard[0].ring[r].chunks + RING_MARGIN;
}

bool counters_span(const struct counters *counters, enum resolution r, int64_t *oldest_chunk,
                   int64_t *newest_chunk) {
    const int64_t newest = counters_newest_chunk(counters, r);
    uint64_t oldest = UINT64_MAX;
    for (unsigned i = 0; i < counters->shards; i++) {
        const uint64_t n = atomic_load_explicit(&counters->shard[i].page->oldest[r], memory_order_acquire);
        oldest = n != 0 && n < oldest ? n : oldest;
    }
    if (newest == 0 || oldest == UINT64_MAX) {
        return false;
    }
    const int64_t held = oldest_held(counters, r, newest);
    *oldest_chunk = held > (int64_t)oldest ? held : (int64_t)oldest;
    *newest_chunk = newest;
    return true;
}

int64_t counters_oldest_kept(const struct counters *counters, enum resolution r) {
    const int64_t held = oldest_held(counters, r, counters_newest_chunk(counters, r));
    return held > 0 ? held : 0;
}

static bool shard_is_empty(const struct shard *shard, enum resolution r) {
    return atomic_load_explicit(&shard->page->newest[r], memory_order_acquire) == 0;
}

/* A reader that was put off its core may have summed what a shard had left of a chunk that another had recycled by then.
 * Whoever recycles announces the newer chunk first: so what is still held when looked at again was whole. */
static bool was_taken(const struct counters *counters, enum resolution r, int64_t chunk) {
    atomic_thread_fence(memory_order_acquire); /* partner: the release in ring_claim_owner */
    return chunk < oldest_held(counters, r, counters_newest_chunk(counters, r));
}

/* Sums chunks [oldest, newest] of shards [0, shards) of the file; with `whole`, only what no shard has begun to lose. */
static void read_shards(const struct counters *counters, unsigned shards, enum resolution r, int64_t oldest,
                        int64_t newest, bool whole, int64_t first, uint32_t n, uint64_t *out) {
    memset(out, 0, n * sizeof *out);
    for (uint32_t done = 0; done < n;) {
        const int64_t window = first + done;
        const int64_t chunk = window_chunk(r, window);
        const uint32_t from = window_slot(r, window);
        uint32_t here = resolution_table[r].slots - from;
        here = here < n - done ? here : n - done;
        for (unsigned i = 0; chunk >= oldest && chunk <= newest && i < shards; i++) {
            if (!shard_is_empty(&counters->shard[i], r)) {
                ring_read(&counters->shard[i].ring[r], chunk, from, here, out + done);
            }
        }
        if (whole && was_taken(counters, r, chunk)) {
            memset(out + done, 0, here * sizeof *out);
        }
        done += here;
    }
}

void counters_read(const struct counters *counters, enum resolution r, int64_t first, uint32_t n,
                   uint64_t *out) {
    int64_t oldest = 1, newest = 0;
    counters_span(counters, r, &oldest, &newest);
    read_shards(counters, counters->shards, r, oldest, newest, true, first, n, out);
}

void counters_read_rest(const struct counters *counters, enum resolution r, int64_t first, uint32_t n,
                        uint64_t *out) {
    read_shards(counters, counters->shards, r, 0, counters_newest_chunk(counters, r), false, first, n, out);
}

void counters_read_back_shard(const struct counters *counters, enum resolution r, int64_t first, uint32_t n,
                              uint64_t *out) {
    int64_t oldest = 1, newest = 0;
    counters_span(counters, r, &oldest, &newest);
    read_shards(counters, 1, r, oldest, newest, true, first, n, out); /* shard 0 is the read-back shard */
}

uint64_t counters_chunk_total_rest(const struct counters *counters, enum resolution r, int64_t chunk) {
    uint64_t total = 0;
    for (unsigned i = 0; i < counters->shards; i++) {
        if (!shard_is_empty(&counters->shard[i], r)) {
            total += ring_total(&counters->shard[i].ring[r], chunk);
        }
    }
    return total;
}

uint64_t counters_chunk_total(const struct counters *counters, enum resolution r, int64_t chunk) {
    const uint64_t total = counters_chunk_total_rest(counters, r, chunk);
    return was_taken(counters, r, chunk) ? 0 : total;
}

/* One shard's statistics as they stood between two changes. The owner is inside a change for a few nanoseconds, so
 * this ends after a few turns; they are bounded all the same (a shard whose owner died in the middle was repaired when
 * the file was opened; a reader of a live file takes what is there). */
static void tally_read(const struct shard_page *page, struct shard_tally *out) {
    for (int turns = 0; turns < TALLY_TURNS_MAX; turns++) {
        if (turns > 100) {
            sched_yield(); /* the owner was put off its core in the middle: let it on */
        }
        const uint64_t before = atomic_load_explicit(&page->sequence, memory_order_acquire);
        out->received = atomic_load_explicit(&page->received, memory_order_relaxed);
        out->counted = atomic_load_explicit(&page->counted, memory_order_relaxed);
        for (int i = 0; i < COUNTERS_REASONS; i++) {
            out->refused[i] = atomic_load_explicit(&page->refused[i], memory_order_relaxed);
        }
        atomic_thread_fence(memory_order_acquire); /* partner: tally_open_owner */
        if (before % 2 == 0 && atomic_load_explicit(&page->sequence, memory_order_relaxed) == before) {
            return;
        }
    }
}

void counters_tally(const struct counters *counters, struct shard_tally *out) {
    *out = (struct shard_tally){0};
    for (unsigned i = 0; i < counters->shards; i++) {
        struct shard_tally one;
        tally_read(counters->shard[i].page, &one);
        out->received += one.received;
        out->counted += one.counted;
        for (int j = 0; j < COUNTERS_REASONS; j++) {
            out->refused[j] += one.refused[j];
        }
    }
}

const char *counters_node_id(const struct counters *counters) {
    return counters->header.node;
}

int64_t counters_horizon_us(const struct counters *counters) {
    return counters->header.horizon_us;
}

int64_t counters_future_us(const struct counters *counters) {
    return counters->header.future_us;
}

unsigned counters_shards(const struct counters *counters) {
    return counters->shards;
}
