/* The fast path: an event time in, three counters up. */
#include "counters/rings/shard.h"

#include "counters/state/state_file.h"

#include <assert.h>
#include <string.h>

#define SLOT_10MS_US UINT32_C(10000)
#define SLOTS_A_SECOND 100

size_t shard_bytes(const int64_t chunks[RESOLUTIONS]) {
    size_t bytes = RING_PAGE;
    for (int r = 0; r < RESOLUTIONS; r++) {
        bytes += ring_bytes((enum resolution)r, chunks[r]);
    }
    return bytes;
}

static void forget_places(struct shard *shard) {
    for (int i = 0; i < SECOND_PLACES; i++) {
        shard->place[i].second = -1;
    }
}

void shard_bind(struct shard *shard, struct counters *counters, unsigned char *base,
                const int64_t chunks[RESOLUTIONS]) {
    *shard = (struct shard){
        .page = (struct shard_page *)base, .counters = counters, .home = shard, .hi_us = -1};
    base += RING_PAGE;
    for (int r = 0; r < RESOLUTIONS; r++) {
        shard->ring[r] = ring_at((enum resolution)r, base, chunks[r]);
        base += ring_bytes((enum resolution)r, chunks[r]);
    }
    forget_places(shard);
}

void shard_hold(struct shard *holder, struct shard *home) {
    holder->page = home->page;
    memcpy(holder->ring, home->ring, sizeof holder->ring);
    holder->counters = home->counters;
    holder->home = home;
    forget_places(holder);
}

int64_t shard_floor_us(const struct shard *shard) {
    /* A clock that was never set starts in 1970, whose first hour is chunk number 0: EPOCH_NONE. */
    int64_t floor_us = chunk_start_us(RESOLUTION_1MIN, EPOCH_NONE + 1);
    for (int r = 0; r < RESOLUTIONS; r++) {
        const int64_t oldest =
            (int64_t)atomic_load_explicit(&shard->page->newest[r], memory_order_relaxed) -
            shard->ring[r].chunks + RING_MARGIN;
        const int64_t start_us = chunk_start_us((enum resolution)r, oldest);
        floor_us = start_us > floor_us ? start_us : floor_us;
    }
    return floor_us;
}

struct chunk *shard_find_sum(const struct shard *shard, enum resolution r, int64_t number,
                             counter **count) {
    const enum resolution next = (enum resolution)(r + 1);
    struct chunk *chunk = ring_place(&shard->ring[next], window_chunk(next, number));
    *count = &chunk->count[window_slot(next, number)];
    const uint64_t epoch = atomic_load_explicit(&chunk->epoch, memory_order_relaxed);
    return epoch == (uint64_t)window_chunk(next, number) ? chunk : NULL;
}

/* How long to wait before moving is tried again after it failed. */
#define STUCK_US US_PER_S

static enum shard_move try_move(struct shard *shard, int64_t now_us) {
    if (shard->stuck_us && now_us >= shard->stuck_us && now_us < shard->stuck_us + STUCK_US) {
        return SHARD_STUCK;
    }
    const struct shard *before = shard->home;
    const bool fits = shard_move_owner(shard);
    shard->stuck_us = fits ? 0 : now_us;
    return !fits ? SHARD_STUCK : shard->home == before ? SHARD_STAYED : SHARD_MOVED;
}

/* Sets the accepted span. False when this shard has no places for all of it because they are
 * occupied by chunks of a much later time. That happens only after the clock was set back. */
static bool set_span(struct shard *shard, int64_t now_us) {
    const int64_t lo_us = now_us - counters_horizon_us(shard->counters);
    const int64_t first_us = chunk_start_us(RESOLUTION_1MIN, EPOCH_NONE + 1);
    const int64_t floor_us = shard_floor_us(shard);
    shard->lo_us = lo_us > floor_us ? lo_us : floor_us;
    shard->hi_us = now_us + counters_future_us(shard->counters);
    /* before anything is counted there */
    atomic_store_explicit(&shard->present_us, shard->hi_us, memory_order_release);
    return floor_us <= lo_us || floor_us == first_us;
}

enum shard_move shard_set_now_owner(struct shard *shard, int64_t now_us) {
    bool fits = set_span(shard, now_us);
    const int64_t until_us = now_us + counters_horizon_us(shard->counters);
    if (__builtin_expect(shard->protect_until_us > until_us, 0)) { /* the clock was set back */
        shard_protect_owner(shard, shard->protect_from_us, shard->protect_to_us, until_us);
    }
    if (__builtin_expect(fits && !shard->looked, 0)) { /* an earlier run's counts may be ahead */
        fits = shard == shard->home || shard_suits(shard, shard);
        shard->looked = true;
    }
    if (__builtin_expect(fits, 1)) {
        return SHARD_STAYED;
    }
    const enum shard_move moved = try_move(shard, now_us);
    if (moved == SHARD_MOVED) {
        set_span(shard, now_us);
    }
    return moved;
}

enum shard_move shard_step_ahead_owner(struct shard *shard, int64_t from_us, int64_t now_us) {
    const int64_t horizon_us = counters_horizon_us(shard->counters);
    const int64_t to_us = from_us + counters_future_us(shard->counters);
    const int64_t lo_us = from_us - horizon_us;
    const bool first = from_us >= shard->protect_until_us; /* of several steps in a horizon */
    shard_protect_owner(
        shard, first || lo_us < shard->protect_from_us ? lo_us : shard->protect_from_us,
        first || to_us > shard->protect_to_us ? to_us : shard->protect_to_us, now_us + horizon_us);
    set_span(shard, now_us);
    const enum shard_move moved = try_move(shard, now_us);
    set_span(shard, now_us);
    return moved;
}

/* Announces the newest chunk before its place is taken from an older one. Readers check the
 * announcement again after reading, and so never accept a sum while one shard's part of it was
 * being recycled (merge.c, was_taken). */
static struct chunk *claim_chunk(struct shard *shard, enum resolution r, int64_t number,
                                 bool *recycled) {
    counter *newest = &shard->page->newest[r];
    if ((uint64_t)number > atomic_load_explicit(newest, memory_order_relaxed)) {
        atomic_store_explicit(newest, (uint64_t)number, memory_order_release);
    }
    struct chunk *chunk = ring_claim_owner(&shard->ring[r], number, recycled);
    counter *oldest = &shard->page->oldest[r];
    const uint64_t first = atomic_load_explicit(oldest, memory_order_relaxed);
    if (chunk && (first == 0 || (uint64_t)number < first)) {
        atomic_store_explicit(oldest, (uint64_t)number, memory_order_release);
    }
    return chunk;
}

/* Whether a second's 10 ms windows, or a minute's seconds, are gone while their sum is still held,
 * as a recovery may leave it. Further events there would make the sums disagree. */
static bool part_is_gone(const struct shard *shard, enum resolution r, int64_t number) {
    const enum resolution next = (enum resolution)(r + 1);
    const struct chunk *chunk = ring_place(&shard->ring[r], number);
    const struct chunk *sums = ring_place(&shard->ring[next], window_chunk(next, number));
    return atomic_load_explicit(&chunk->epoch, memory_order_relaxed) != (uint64_t)number &&
           atomic_load_explicit(&sums->epoch, memory_order_relaxed) ==
               (uint64_t)window_chunk(next, number) &&
           atomic_load_explicit(&sums->count[window_slot(next, number)], memory_order_relaxed) != 0;
}

/* Fills `place` for a second. False, with nothing changed, when one of the rings has moved past it
 * or has lost its parts. */
static bool find_second(struct shard *shard, int64_t second, struct second_place *place) {
    const int64_t t_us = second * US_PER_S;
    const int64_t number[RESOLUTIONS] = {
        second,
        window_chunk(RESOLUTION_1S, window_at(RESOLUTION_1S, t_us)),
        window_chunk(RESOLUTION_1MIN, window_at(RESOLUTION_1MIN, t_us)),
    };
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct chunk *there = ring_place(&shard->ring[r], number[r]);
        if (atomic_load_explicit(&there->epoch, memory_order_relaxed) > (uint64_t)number[r] ||
            (r + 1 < RESOLUTIONS && part_is_gone(shard, (enum resolution)r, number[r]))) {
            return false;
        }
    }
    bool recycled = false;
    struct chunk *chunk[RESOLUTIONS];
    for (int r = 0; r < RESOLUTIONS; r++) {
        chunk[r] = claim_chunk(shard, (enum resolution)r, number[r], &recycled);
    }
    if (recycled) {
        forget_places(shard); /* one may point to the recycled chunk */
    }
    *place = (struct second_place){
        .second = second,
        .ten_ms = chunk[RESOLUTION_10MS],
        .s = chunk[RESOLUTION_1S],
        .s_count = &chunk[RESOLUTION_1S]->count[window_slot(RESOLUTION_1S, second)],
        .min = chunk[RESOLUTION_1MIN],
        .min_count = &chunk[RESOLUTION_1MIN]->count[window_slot(RESOLUTION_1MIN, second / 60)],
    };
    return true;
}

/* Counts `by` events of one 10 ms window: first the note of what is being added, which recovery
 * relies on, then three counts, finest to coarsest, in each chunk the count before the total. A
 * processor retires stores in program order, so a killed thread has executed a prefix of them. The
 * signal fences keep the compiler to that order and cost nothing. */
static inline void add_events(struct shard *shard, const struct second_place *place, int64_t t_us,
                              uint64_t by) {
    counter *count =
        &place->ten_ms->count[(uint32_t)(t_us - place->second * US_PER_S) / SLOT_10MS_US];
    atomic_signal_fence(memory_order_seq_cst); /* the last event is complete first */
    atomic_store_explicit(&shard->page->adding_us, (uint64_t)t_us, memory_order_relaxed);
    atomic_store_explicit(&shard->page->adding_by, by, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    chunk_add_owner(place->ten_ms, count, by);
    atomic_signal_fence(memory_order_seq_cst);
    chunk_add_owner(place->s, place->s_count, by);
    atomic_signal_fence(memory_order_seq_cst);
    chunk_add_owner(place->min, place->min_count, by);
}

/* The first and the last time (both inclusive) of an event's 10 ms window, clipped to the accepted
 * span. */
static inline void find_window_bounds(const struct shard *shard, const struct second_place *place,
                                      int64_t t_us, int64_t *from_us, int64_t *to_us) {
    const int64_t second_us = place->second * US_PER_S;
    const int64_t window_us =
        second_us + (uint32_t)(t_us - second_us) / SLOT_10MS_US * SLOT_10MS_US;
    const int64_t last_us = window_us + SLOT_10MS_US - 1;
    *from_us = window_us > shard->lo_us ? window_us : shard->lo_us;
    *to_us = last_us < shard->hi_us ? last_us : shard->hi_us;
}

/* Where an event inside the span is counted; NULL when it is outside, with *verdict saying why. */
static inline struct second_place *find_place(struct shard *shard, int64_t t_us,
                                              enum shard_verdict *verdict) {
    *verdict = t_us < shard->lo_us ? SHARD_TOO_LATE : SHARD_TOO_FAR_AHEAD;
    if (t_us < shard->lo_us || t_us > shard->hi_us) {
        return NULL;
    }
    const int64_t second = (int64_t)((uint64_t)t_us / (uint64_t)US_PER_S);
    struct second_place *place = &shard->place[second & (SECOND_PLACES - 1)];
    if (__builtin_expect(place->second != second, 0) && !find_second(shard, second, place)) {
        *verdict = SHARD_TOO_LATE;
        return NULL;
    }
    *verdict = SHARD_COUNTED;
    return place;
}

enum shard_verdict shard_add_owner(struct shard *shard, int64_t event_us) {
    enum shard_verdict verdict;
    const struct second_place *place = find_place(shard, event_us, &verdict);
    if (place) {
        add_events(shard, place, event_us, 1);
    }
    return verdict;
}

/* How many of us[0..n), from the first on, lie in the first one's 10 ms window and inside the span;
 * at least 1. With times[], *by is their sum; 0 when the span does not include the whole window. */
static inline size_t count_run(const struct shard *shard, const struct second_place *place,
                               const int64_t *us, size_t n, const unsigned char *times,
                               uint64_t *by) {
    *by = times ? times[0] : 1;
    if ((n == 1 || (uint64_t)us[1] - (uint64_t)us[0] + SLOT_10MS_US > 2 * SLOT_10MS_US) &&
        *by == 1) {
        return 1; /* too far apart: scattered events cost only this check */
    }
    int64_t from_us, to_us;
    find_window_bounds(shard, place, us[0], &from_us, &to_us);
    const uint64_t width_us = (uint64_t)(to_us - from_us);
    if (times && width_us != SLOT_10MS_US - 1) {
        return 0;
    }
    size_t run = 1;
    /* one comparison for both ends */
    for (; run < n && (uint64_t)us[run] - (uint64_t)from_us <= width_us; run++) {
        *by += times ? times[run] : 1;
    }
    return run;
}

size_t shard_add_batch_owner(struct shard *shard, const int64_t *us, size_t n,
                             enum shard_verdict *verdict) {
    *verdict = SHARD_COUNTED;
    for (size_t i = 0; i < n;) {
        struct second_place *place = find_place(shard, us[i], verdict);
        if (!place) {
            return i;
        }
        uint64_t by;
        const int64_t first_us = us[i];
        i += count_run(shard, place, us + i, n - i, NULL, &by);
        add_events(shard, place, first_us, by);
    }
    return n;
}

size_t shard_add_windows_owner(struct shard *shard, const int64_t *us, const unsigned char *times,
                               size_t n, uint64_t *events) {
    *events = 0;
    for (size_t i = 0, run; i < n; i += run) {
        enum shard_verdict verdict;
        uint64_t by;
        const struct second_place *place = find_place(shard, us[i], &verdict);
        run = place ? count_run(shard, place, us + i, n - i, times + i, &by) : 0;
        if (run == 0) {
            return i;
        }
        add_events(shard, place, us[i], by);
        *events += by;
    }
    return n;
}

/* Where an arrival is counted, and at which time: never NULL. */
static inline struct second_place *find_arrival(struct shard *shard, int64_t arrival_us,
                                                int64_t *held_us) {
    const int64_t floor_us = shard_floor_us(shard);
    /* a clock that steps ahead takes effect at the next wake-up */
    const int64_t last_us = shard->hi_us + US_PER_S;
    int64_t t_us = arrival_us < last_us ? arrival_us : last_us;
    t_us = t_us > floor_us ? t_us : floor_us;
    int64_t second = t_us / US_PER_S;
    struct second_place *place = &shard->place[second & (SECOND_PLACES - 1)];
    bool found = place->second == second || find_second(shard, second, place);
    /* Everything that was recycled lies below the floor. A second may still have no place if a
     * recovery left it without its parts: skip those. */
    const int64_t turns_max = (shard->ring[RESOLUTION_1S].chunks + RING_MARGIN) *
                              chunk_width_us(RESOLUTION_1S) / US_PER_S;
    for (int64_t turns = 0; !found && turns < turns_max; turns++) {
        t_us = ++second * US_PER_S;
        place = &shard->place[second & (SECOND_PLACES - 1)];
        found = place->second == second || find_second(shard, second, place);
    }
    assert(found && "the ring cannot be without any second");
    *held_us = t_us;
    return place;
}

void shard_add_arrival_owner(struct shard *shard, int64_t arrival_us) {
    int64_t t_us;
    const struct second_place *place = find_arrival(shard, arrival_us, &t_us);
    add_events(shard, place, t_us, 1);
}

/* ---- what an event would change; for callers that also count it elsewhere ---- */

static void look_at(const struct shard *shard, const struct second_place *place, int64_t t_us,
                    struct shard_next *next) {
    const uint32_t slot = (uint32_t)(t_us - place->second * US_PER_S) / SLOT_10MS_US;
    next->shard = (uint64_t)(shard->home - shard->counters->shard);
    /* as window_at, without a 64-bit division */
    next->window = (uint64_t)place->second * SLOTS_A_SECOND + slot;
    next->count = atomic_load_explicit(&place->ten_ms->count[slot], memory_order_relaxed) + 1;
    next->place = place;
    next->held_us = t_us;
}

enum shard_verdict shard_look_owner(struct shard *shard, int64_t event_us,
                                    struct shard_next *next) {
    enum shard_verdict verdict;
    const struct second_place *place = find_place(shard, event_us, &verdict);
    if (place) {
        look_at(shard, place, event_us, next);
    }
    return verdict;
}

int64_t shard_look_arrival_owner(struct shard *shard, int64_t arrival_us, struct shard_next *next) {
    int64_t t_us;
    const struct second_place *place = find_arrival(shard, arrival_us, &t_us);
    look_at(shard, place, t_us, next);
    return t_us;
}

void shard_add_next_owner(struct shard *shard, const struct shard_next *next) {
    add_events(shard, next->place, next->held_us, 1);
}

bool shard_complete(struct shard *shard, int64_t window, uint64_t count) {
    const int64_t number = window_chunk(RESOLUTION_10MS, window);
    const struct chunk *there = ring_place(&shard->ring[RESOLUTION_10MS], number);
    const uint64_t epoch = atomic_load_explicit(&there->epoch, memory_order_relaxed);
    const uint32_t slot = window_slot(RESOLUTION_10MS, window);
    const uint64_t has = epoch == (uint64_t)number
                             ? atomic_load_explicit(&there->count[slot], memory_order_relaxed)
                             : 0;
    /* A place taken for this event alone was emptied by shard_repair. A count that lacks more than
     * one event belongs to other files than the transaction's. */
    struct second_place place;
    if ((epoch != (uint64_t)number && epoch != EPOCH_NONE) || has + 1 != count ||
        !find_second(shard, number, &place)) {
        return false;
    }
    add_events(shard, &place, window_start_us(RESOLUTION_10MS, window), 1);
    return true;
}

void shard_raise_owner(struct shard *shard, enum resolution r, int64_t window, uint64_t by) {
    if (by == 0 || window_chunk(r, window) <= EPOCH_NONE) {
        return; /* a chunk with an epoch holds events */
    }
    bool recycled = false;
    struct chunk *chunk = claim_chunk(shard, r, window_chunk(r, window), &recycled);
    if (recycled) {
        forget_places(shard);
    }
    if (!chunk) {
        return;
    }
    atomic_store_explicit(&shard->page->adding_us, (uint64_t)window_start_us(r, window),
                          memory_order_relaxed);
    atomic_store_explicit(&shard->page->adding_by, by, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    chunk_add_owner(chunk, &chunk->count[window_slot(r, window)], by);
}

/* Partner of both fences: counters_tally_shard in merge.c. */
static inline void tally_open_owner(struct shard_page *page) {
    counter_add_owner(&page->sequence, 1);
    atomic_thread_fence(memory_order_release);
}

static inline void tally_close_owner(struct shard_page *page) {
    atomic_store_explicit(&page->sequence,
                          atomic_load_explicit(&page->sequence, memory_order_relaxed) + 1,
                          memory_order_release);
}

void shard_tally_owner(struct shard *shard, const struct shard_tally *delta) {
    struct shard_page *page = shard->page;
    tally_open_owner(page);
    counter_add_owner(&page->received, delta->received);
    counter_add_owner(&page->counted, delta->counted);
    for (int i = 0; i < COUNTERS_REASONS; i++) {
        counter_add_owner(&page->refused[i], delta->refused[i]);
    }
    tally_close_owner(page);
}

void shard_tally_counted_owner(struct shard *shard) {
    struct shard_page *page = shard->page;
    tally_open_owner(page);
    counter_add_owner(&page->received, 1);
    counter_add_owner(&page->counted, 1);
    tally_close_owner(page);
}
