/* Windows of the fleet, chunk by chunk, through a cache. */
#include "tools/serve/fleet_internal.h"

#include "counters/time/horizon.h"
#include "redis/reader.h"
#include "server/process/clock.h"
#include "tools/console/source_redis.h"

#include <assert.h>
#include <string.h>

/* Further ahead than this, only nodes with a longer --future than the default can have counts, so
 * it is read less often. */
#define AHEAD_US (15 * US_PER_S)
#define AHEAD_KEPT_US (5 * US_PER_S)
#define RUN_MAX 64 /* chunks read at once */
/* chunks of 10 ms windows (a second each) in one chunk of 1 s windows */
#define MINUTE_CHUNKS 60
static_assert(QUERY_BLOCK / SLOTS_LEAST + 2 <= FLEET_CHUNKS, "what is read at once fits the cache");
static_assert(FUTURE_MAX_US / US_PER_S / MINUTE_CHUNKS + 2 <= LINK_PIPELINE_MAX, "one pipeline");

static struct fleet_chunk *find_place(struct fleet *fleet, enum resolution r, int64_t chunk) {
    return &fleet->chunk[r][chunk & (FLEET_CHUNKS - 1)];
}

static bool is_fresh(const struct fleet_chunk *kept, int64_t chunk, int64_t steady_us) {
    return kept->chunk == chunk && (kept->is_final || steady_us - kept->read_us < FLEET_KEPT_US);
}

/* Reads chunks [first, first + n) of a run into their places. False: Redis failed, which was
 * noted. */
static bool read_run(struct fleet *fleet, enum resolution r, int64_t first, uint32_t n) {
    uint64_t counts[RUN_MAX * SLOTS_MAX];
    char sentence[LINK_WHY_MAX], why[SOURCE_WHY_MAX];
    const uint32_t slots = resolution_table[r].slots;
    /* taken before the reading, since what arrives meanwhile may be missing */
    const int64_t steady_us = clock_steady_us(), wall_us = clock_wall_us();
    if (!reader_read_totals(fleet->link, (struct chunk_range){r, first, n}, counts, sentence)) {
        source_redis_explain(fleet->source, sentence, why);
        return fleet_fail(fleet, why);
    }
    for (uint32_t i = 0; i < n; i++) {
        struct fleet_chunk *kept = find_place(fleet, r, first + i);
        const int64_t end_us = chunk_start_us(r, first + i + 1);
        kept->chunk = first + i;
        kept->read_us = steady_us;
        /* a node that could not reach Redis may send after the horizon */
        kept->is_final = end_us + 2 * fleet->config.horizon_us + US_PER_S * 3600 < wall_us;
        memcpy(kept->count, counts + (size_t)i * slots, slots * sizeof *counts);
    }
    return true;
}

/* Reads those of chunks [low, high] that are not cached, with one question per gap. */
static bool make_fresh(struct fleet *fleet, enum resolution r, int64_t low, int64_t high) {
    const int64_t steady_us = clock_steady_us();
    uint32_t n;
    for (int64_t chunk = low; chunk <= high; chunk += n > 0 ? n : 1) {
        n = 0;
        while (n < RUN_MAX && chunk + n <= high &&
               !is_fresh(find_place(fleet, r, chunk + n), chunk + n, steady_us)) {
            n++;
        }
        if (n > 0 && !read_run(fleet, r, chunk, n)) {
            return false;
        }
    }
    return true;
}

/* Sets *any to whether any chunk of the range exists. False, with the sentence, when Redis
 * failed. */
static bool find_any(struct fleet *fleet, struct chunk_range range, bool *any, char *sentence) {
    for (uint32_t done = 0; done < range.n && !*any; done += LINK_PIPELINE_MAX) {
        bool there[LINK_PIPELINE_MAX];
        const uint32_t left = range.n - done;
        const uint32_t n = left < LINK_PIPELINE_MAX ? left : LINK_PIPELINE_MAX;
        if (!reader_find_totals(fleet->link,
                                (struct chunk_range){range.resolution, range.first + done, n},
                                there, sentence)) {
            return false;
        }
        for (uint32_t i = 0; i < n; i++) {
            *any = *any || there[i];
        }
    }
    return true;
}

/* find_any for chunks of 10 ms windows, which are seconds. Every event is in all resolutions, so
 * only seconds of existing minutes need be asked for: an hour has 60 minutes but 3,600 seconds. */
static bool find_any_10ms(struct fleet *fleet, int64_t first, int64_t end, bool *any,
                          char *sentence) {
    bool minute[LINK_PIPELINE_MAX];
    const int64_t first_minute = first / MINUTE_CHUNKS, last_minute = (end - 1) / MINUTE_CHUNKS;
    const uint32_t minutes = (uint32_t)(last_minute - first_minute + 1);
    if (!reader_find_totals(fleet->link, (struct chunk_range){RESOLUTION_1S, first_minute, minutes},
                            minute, sentence)) {
        return false;
    }
    for (uint32_t i = 0; i < minutes && !*any; i++) {
        const int64_t from = (first_minute + i) * MINUTE_CHUNKS, to = from + MINUTE_CHUNKS;
        const int64_t low = from < first ? first : from, high = to < end ? to : end;
        if (minute[i] &&
            !find_any(fleet, (struct chunk_range){RESOLUTION_10MS, low, (uint32_t)(high - low)},
                      any, sentence)) {
            return false;
        }
    }
    return true;
}

/* Whether all chunks from `first` to the last possible one are known to be empty. False with
 * *failed when Redis failed. */
static bool is_empty_ahead(struct fleet *fleet, enum resolution r, int64_t first, bool *failed) {
    struct fleet_ahead *ahead = &fleet->ahead[r];
    const int64_t steady_us = clock_steady_us();
    if (first < window_chunk(r, window_at(r, fleet->now_us + AHEAD_US))) {
        return false;
    }
    if (!ahead->read_us || steady_us - ahead->read_us > AHEAD_KEPT_US || first < ahead->first) {
        char sentence[LINK_WHY_MAX], why[SOURCE_WHY_MAX];
        const int64_t end = window_chunk(r, window_at(r, fleet->now_us + FUTURE_MAX_US)) + 1;
        const struct chunk_range all = {r, first, first < end ? (uint32_t)(end - first) : 0};
        *ahead = (struct fleet_ahead){.read_us = steady_us, .first = first, .end = end};
        if (all.n > 0 &&
            !(r == RESOLUTION_10MS ? find_any_10ms(fleet, first, end, &ahead->any, sentence)
                                   : find_any(fleet, all, &ahead->any, sentence))) {
            ahead->read_us = 0;
            source_redis_explain(fleet->source, sentence, why);
            *failed = !fleet_fail(fleet, why);
            return false;
        }
    }
    return !ahead->any;
}

static bool read_windows(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    struct fleet *fleet = cls;
    char why[FLEET_WHY_MAX];
    bool failed = false;
    if (!fleet_is_here(fleet, why)) {
        return false;
    }
    const int64_t low = window_chunk(r, first), high = window_chunk(r, first + n - 1);
    if (is_empty_ahead(fleet, r, low, &failed)) {
        memset(out, 0, n * sizeof *out);
        return true;
    }
    if (failed || !make_fresh(fleet, r, low, high)) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        out[i] = find_place(fleet, r, window_chunk(r, first + i))->count[window_slot(r, first + i)];
    }
    return true;
}

struct query_reader fleet_reader(struct fleet *fleet, enum resolution r, int64_t now_us) {
    const int64_t kept_us = fleet->source->kept_us[r],
                  oldest_us = now_us - kept_us - HORIZON_MAX_US;
    fleet->now_us = now_us;
    return (struct query_reader){.read = read_windows,
                                 .cls = fleet,
                                 .oldest = window_at(r, oldest_us > 0 ? oldest_us : 0),
                                 .newest = window_at(r, now_us + FUTURE_MAX_US),
                                 .kept = window_at(r, now_us > kept_us ? now_us - kept_us : 0)};
}
