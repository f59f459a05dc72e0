/* Sums the shards into totals: what any thread may read while the owners write. */
#include "counters/rings/shard.h"
#include "counters/state/state_file.h"

#include <sched.h>
#include <string.h>

#define TALLY_TURNS_MAX 1000000

static unsigned load_shards(const struct counters *counters) {
    return atomic_load_explicit(&counters->shards, memory_order_acquire);
}

/* The newest chunk of any shard, 0 when there is none. */
static int64_t find_newest(const struct counters *counters, enum resolution r) {
    uint64_t newest = 0;
    for (unsigned i = 0; i < load_shards(counters); i++) {
        const uint64_t n =
            atomic_load_explicit(&counters->shard[i].page->newest[r], memory_order_acquire);
        newest = n > newest ? n : newest;
    }
    return (int64_t)newest;
}

#define PRESENT_SLACK_US (2 * US_PER_S)
/* callers that look for rows visit every window in between */
#define AHEAD_SHOWN_US (24 * 3600 * US_PER_S)

void counters_set_now(struct counters *counters, int64_t now_us) {
    atomic_store(&counters->present_us, now_us + counters->header.future_us);
}

/* The newest time that any worker accepts now; INT64_MAX when none has set the time. Being the
 * largest of all, it goes back after a clock was set back only when the last worker has noticed. */
static int64_t find_present_end(const struct counters *counters) {
    int64_t present_us = 0;
    for (unsigned i = 0; i < counters->workers; i++) {
        const int64_t us =
            atomic_load_explicit(&counters->worker[i].present_us, memory_order_acquire);
        present_us = us > present_us ? us : present_us;
    }
    if (present_us == 0) { /* no worker has started */
        present_us = atomic_load_explicit(&counters->present_us, memory_order_relaxed);
    }
    return present_us ? present_us : INT64_MAX;
}

/* The newest chunk of any shard that is not ahead of the present. Chunks ahead hide how far the
 * present has got, so while there are any, this is the end of the present, whether or not it holds
 * counts. */
static int64_t find_newest_present(const struct counters *counters, enum resolution r) {
    const int64_t newest = find_newest(counters, r);
    const int64_t present_us = find_present_end(counters);
    const int64_t last =
        present_us == INT64_MAX ? newest : (present_us + PRESENT_SLACK_US) / chunk_width_us(r);
    return newest < last ? newest : last;
}

/* The oldest chunk that every shard still has. For an older one, a shard may have recycled its part
 * while another still has its own, so that the sum would be incomplete. */
static int64_t find_oldest_held(const struct counters *counters, enum resolution r) {
    const int64_t oldest =
        find_newest_present(counters, r) - counters->shard[0].ring[r].chunks + RING_MARGIN;
    return oldest > 0 ? oldest : 0;
}

bool counters_span(const struct counters *counters, enum resolution r, int64_t *oldest_chunk,
                   int64_t *newest_chunk) {
    const int64_t newest = find_newest_present(counters, r);
    uint64_t oldest = UINT64_MAX;
    for (unsigned i = 0; i < load_shards(counters); i++) {
        const uint64_t n =
            atomic_load_explicit(&counters->shard[i].page->oldest[r], memory_order_acquire);
        oldest = n != 0 && n < oldest ? n : oldest;
    }
    if (newest == 0 || oldest == UINT64_MAX) {
        return false;
    }
    const int64_t held = find_oldest_held(counters, r);
    *oldest_chunk = held > (int64_t)oldest ? held : (int64_t)oldest;
    *newest_chunk = newest;
    return true;
}

bool counters_span_ahead(const struct counters *counters, enum resolution r, int64_t *oldest_chunk,
                         int64_t *newest_chunk) {
    if (!counters_span(counters, r, oldest_chunk, newest_chunk)) {
        return false;
    }
    const int64_t newest = find_newest(counters, r);
    const int64_t day = AHEAD_SHOWN_US / chunk_width_us(r),
                  chunks = counters->shard[0].ring[r].chunks;
    const int64_t most = *newest_chunk + (day > chunks ? day : chunks);
    *newest_chunk = newest < most ? newest : most;
    return *oldest_chunk <= *newest_chunk;
}

int64_t counters_find_held(const struct counters *counters, enum resolution r, int64_t chunk) {
    int64_t newest = find_newest(counters, r);
    if (newest <= chunk) {
        return newest;
    }
    newest = EPOCH_NONE;
    for (unsigned i = 0; i < load_shards(counters); i++) {
        const struct ring *ring = &counters->shard[i].ring[r];
        for (int64_t place = 0; place < ring->chunks; place++) {
            const int64_t epoch = (int64_t)atomic_load_explicit(&ring_place(ring, place)->epoch,
                                                                memory_order_relaxed);
            newest = epoch <= chunk && epoch > newest ? epoch : newest;
        }
    }
    return newest;
}

int64_t counters_ahead_us(const struct counters *counters) {
    const int64_t newest_us =
        chunk_start_us(RESOLUTION_10MS, find_newest(counters, RESOLUTION_10MS));
    const int64_t present_us = find_present_end(counters);
    return newest_us > present_us ? newest_us - present_us : 0;
}

int64_t counters_oldest_kept(const struct counters *counters, enum resolution r) {
    return find_oldest_held(counters, r);
}

static bool shard_is_empty(const struct shard *shard, enum resolution r) {
    return atomic_load_explicit(&shard->page->newest[r], memory_order_acquire) == 0;
}

/* Whether a shard may have begun to recycle the chunk while it was being summed. A shard announces
 * the newer chunk before it recycles a place, so a chunk that is still held afterwards was
 * complete. */
static bool was_taken(const struct counters *counters, enum resolution r, int64_t chunk) {
    atomic_thread_fence(memory_order_acquire); /* partner: the release in ring_claim_owner */
    return chunk < find_oldest_held(counters, r);
}

/* Whether a shard has lost its part of a chunk to one counted by a clock that was ahead: the
 * coarser window still has the sum. In the read-back shard the resolutions are independent, and no
 * chunk was ahead of the present it was raised in. */
static bool has_lost(const struct counters *counters, unsigned index, enum resolution r,
                     int64_t chunk) {
    const struct shard *shard = &counters->shard[index];
    const enum resolution next = (enum resolution)(r + 1);
    uint64_t sum = 0;
    if (index == 0 || next == RESOLUTIONS) {
        return false;
    }
    const counter *epoch = &ring_place(&shard->ring[r], chunk)->epoch;
    if (atomic_load_explicit(epoch, memory_order_acquire) != (uint64_t)chunk) {
        ring_read(&shard->ring[next], window_chunk(next, chunk), window_slot(next, chunk), 1, &sum);
    }
    /* The first event of a chunk may have arrived in between: the finer count is raised first. */
    return sum != 0 && atomic_load_explicit(epoch, memory_order_acquire) != (uint64_t)chunk;
}

static bool is_whole(const struct counters *counters, unsigned shards, enum resolution r,
                     int64_t chunk) {
    for (unsigned i = 0; i < shards; i++) {
        if (!shard_is_empty(&counters->shard[i], r) && has_lost(counters, i, r, chunk)) {
            return false;
        }
    }
    return !was_taken(counters, r, chunk);
}

/* What to sum: chunks [oldest, newest] of one resolution in shards [0, shards) of the file; with
 * `whole`, only chunks that no shard has begun to lose. */
struct scope {
    unsigned shards;
    enum resolution r;
    int64_t oldest, newest;
    bool whole;
};

/* Sums n windows from `window` on, all in one chunk, into out[0..n), which is zeroed. */
static void read_chunk(const struct counters *counters, const struct scope *scope, int64_t window,
                       uint32_t n, uint64_t *out) {
    const int64_t chunk = window_chunk(scope->r, window);
    if (chunk < scope->oldest || chunk > scope->newest) {
        return;
    }
    for (unsigned i = 0; i < scope->shards; i++) {
        if (!shard_is_empty(&counters->shard[i], scope->r)) {
            ring_read(&counters->shard[i].ring[scope->r], chunk, window_slot(scope->r, window), n,
                      out);
        }
    }
    if (scope->whole && !is_whole(counters, scope->shards, scope->r, chunk)) {
        memset(out, 0, n * sizeof *out);
    }
}

/* Sums windows [first, first + n) into out[0..n). */
static void read_windows(const struct counters *counters, const struct scope *scope, int64_t first,
                         uint32_t n, uint64_t *out) {
    const uint32_t slots = resolution_table[scope->r].slots;
    memset(out, 0, n * sizeof *out);
    for (uint32_t done = 0; done < n;) {
        const uint32_t in_chunk = slots - window_slot(scope->r, first + done);
        const uint32_t here = in_chunk < n - done ? in_chunk : n - done;
        read_chunk(counters, scope, first + done, here, out + done);
        done += here;
    }
}

void counters_read(const struct counters *counters, enum resolution r, int64_t first, uint32_t n,
                   uint64_t *out) {
    const struct scope scope = {.shards = load_shards(counters),
                                .r = r,
                                .oldest = find_oldest_held(counters, r),
                                .newest = find_newest(counters, r),
                                .whole = true};
    read_windows(counters, &scope, first, n, out);
}

void counters_read_rest(const struct counters *counters, enum resolution r, int64_t first,
                        uint32_t n, uint64_t *out) {
    const struct scope scope = {
        .shards = load_shards(counters), .r = r, .newest = find_newest(counters, r)};
    read_windows(counters, &scope, first, n, out);
}

void counters_read_back_shard(const struct counters *counters, enum resolution r, int64_t first,
                              uint32_t n, uint64_t *out) {
    const struct scope scope = {.shards = 1, /* shard 0 is the read-back shard */
                                .r = r,
                                .newest = find_newest(counters, r)};
    read_windows(counters, &scope, first, n, out);
}

uint64_t counters_shard_count(const struct counters *counters, uint64_t shard, int64_t window) {
    uint64_t count = 0;
    if (shard < load_shards(counters) && window >= 0) {
        ring_read(&counters->shard[shard].ring[RESOLUTION_10MS],
                  window_chunk(RESOLUTION_10MS, window), window_slot(RESOLUTION_10MS, window), 1,
                  &count);
    }
    return count;
}

uint64_t counters_chunk_total_rest(const struct counters *counters, enum resolution r,
                                   int64_t chunk) {
    uint64_t total = 0;
    for (unsigned i = 0; i < load_shards(counters); i++) {
        if (!shard_is_empty(&counters->shard[i], r)) {
            total += ring_total(&counters->shard[i].ring[r], chunk);
        }
    }
    return total;
}

uint64_t counters_chunk_total(const struct counters *counters, enum resolution r, int64_t chunk) {
    const uint64_t total = counters_chunk_total_rest(counters, r, chunk);
    return is_whole(counters, load_shards(counters), r, chunk) ? total : 0;
}

/* One shard's statistics between two changes. The owner needs a few nanoseconds for a change, so
 * this ends after a few attempts. They are limited all the same: when a server was killed during a
 * change and its file is opened read-only, the values are taken as they are. */
void counters_tally_shard(const struct counters *counters, unsigned index,
                          struct shard_tally *out) {
    const struct shard_page *page = counters->shard[index].page;
    for (int turns = 0; turns < TALLY_TURNS_MAX; turns++) {
        if (turns > 100) {
            sched_yield(); /* the owner was preempted: let it run */
        }
        const uint64_t before = atomic_load_explicit(&page->sequence, memory_order_acquire);
        out->received = atomic_load_explicit(&page->received, memory_order_relaxed);
        out->counted = atomic_load_explicit(&page->counted, memory_order_relaxed);
        for (int i = 0; i < COUNTERS_REASONS; i++) {
            out->refused[i] = atomic_load_explicit(&page->refused[i], memory_order_relaxed);
        }
        atomic_thread_fence(memory_order_acquire); /* partner: tally_open_owner */
        if (before % 2 == 0 &&
            atomic_load_explicit(&page->sequence, memory_order_relaxed) == before) {
            return;
        }
    }
}

void counters_tally(const struct counters *counters, struct shard_tally *out) {
    *out = (struct shard_tally){0};
    for (unsigned i = 0; i < load_shards(counters); i++) {
        struct shard_tally one;
        counters_tally_shard(counters, i, &one);
        out->received += one.received;
        out->counted += one.counted;
        for (int j = 0; j < COUNTERS_REASONS; j++) {
            out->refused[j] += one.refused[j];
        }
    }
}

int64_t counters_horizon_us(const struct counters *counters) {
    return counters->header.horizon_us;
}

int64_t counters_future_us(const struct counters *counters) {
    return counters->header.future_us;
}

unsigned counters_shards(const struct counters *counters) {
    return load_shards(counters);
}
