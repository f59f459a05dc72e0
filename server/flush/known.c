#include "server/flush/known.h"

#include "counters/state/reference.h"

#include <stdlib.h>
#include <string.h>

/* a ring holds up to 7 chunks more than the span; a clock that was set back counts in these */
#define RING_SPARE 8

struct others_chunk {
    int64_t chunk;
    uint64_t count[];
};

bool known_make(struct known *known, const struct counters *counters) {
    const int64_t span_us = counters_horizon_us(counters) + counters_future_us(counters);
    known->generation = 1;
    bool ok = true;
    for (int r = 0; r < RESOLUTIONS; r++) {
        struct known_ring *ring = &known->ring[r];
        ring->back = span_us / chunk_width_us((enum resolution)r) + RING_SPARE;
        ring->places = ring->back + 1;
        ring->stride = sizeof(struct known_chunk) + resolution_table[r].slots * sizeof(uint64_t);
        ring->remembered_from = INT64_MAX; /* nothing yet */
        ring->base = calloc((size_t)ring->places, ring->stride);
        ok = ok && ring->base;
    }
    return ok;
}

void known_free(struct known *known) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        free(known->ring[r].base);
        free(known->others[r].base);
    }
}

struct known_chunk *known_place(const struct known_ring *ring, int64_t place) {
    return (struct known_chunk *)(ring->base + (size_t)place * ring->stride);
}

static struct known_chunk *place_of(const struct known_ring *ring, int64_t chunk) {
    return known_place(ring, chunk % ring->places);
}

/* Whether the file had nothing of this chunk when it was opened. */
static bool was_empty(const struct known_ring *ring, int64_t chunk) {
    return chunk >= ring->remembered_from &&
           (chunk <= ring->remembered_to || chunk > ring->held_to);
}

struct known_chunk *known_at(struct known *known, enum resolution r, int64_t chunk) {
    struct known_chunk *place = place_of(&known->ring[r], chunk);
    if (place->chunk != chunk) {
        /* Neither remembered nor forgotten before, so nothing was ever sent of it. */
        const bool first = chunk > place->highest && was_empty(&known->ring[r], chunk);
        const int64_t highest = chunk > place->highest ? chunk : place->highest;
        memset(place, 0, known->ring[r].stride);
        place->chunk = chunk;
        place->highest = highest;
        place->whole = first;
    }
    return place;
}

struct known_chunk *known_find(const struct known *known, enum resolution r, int64_t chunk) {
    struct known_chunk *place = place_of(&known->ring[r], chunk);
    return place->chunk == chunk ? place : NULL;
}

void known_leave_behind(struct known_ring *ring, int64_t from, int64_t to, int64_t now_us) {
    ring->left_us = now_us;
    ring->left_next = 0;
    from = from > 1 ? from : 1; /* nothing is ever counted in chunk 0 */
    ring->left_from = ring->left_behind && ring->left_from < from ? ring->left_from : from;
    ring->left_behind = ring->left_behind > to ? ring->left_behind : to;
    ring->own_from = ring->own_behind && ring->own_from < from ? ring->own_from : from;
    ring->own_behind = ring->own_behind > to ? ring->own_behind : to;
}

static struct others_chunk *others_place(const struct known *known, enum resolution r,
                                         int64_t chunk) {
    const struct known_others *others = &known->others[r];
    return (struct others_chunk *)(others->base +
                                   (size_t)(chunk % known->ring[r].places) * others->stride);
}

const uint64_t *known_others(const struct known *known, enum resolution r, int64_t chunk) {
    if (!known->others[r].base) {
        return NULL;
    }
    const struct others_chunk *place = others_place(known, r, chunk);
    return place->chunk == chunk ? place->count : NULL;
}

void known_ours(const struct known *known, const struct counters *counters, enum resolution r,
                int64_t chunk, uint64_t *count) {
    const uint64_t *others = known_others(known, r, chunk);
    counters_read_rest(counters, r, chunk_first_window(r, chunk), resolution_table[r].slots, count);
    for (uint32_t slot = 0; others && slot < resolution_table[r].slots; slot++) {
        count[slot] -= count[slot] < others[slot] ? count[slot] : others[slot];
    }
}

uint64_t known_sum(const struct known_chunk *chunk, enum resolution r) {
    uint64_t sum = 0;
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
        sum += chunk->sent[slot];
    }
    return sum;
}

/* ---- from the references ---- */

/* Whether a pass examines the chunk, counted back from the newest. Older ones are never sent
 * again. */
static bool is_recent(const struct known *known, const struct counters *counters, enum resolution r,
                      int64_t chunk) {
    int64_t oldest, newest;
    return counters_span(counters, r, &oldest, &newest) && chunk <= newest &&
           chunk > newest - known->ring[r].places;
}

struct loader {
    struct known *known;
    const struct counters *counters;
    bool failed;
};

static void load_opened(void *cls, enum resolution r, int64_t chunk, const uint64_t *count) {
    struct loader *loader = cls;
    if (is_recent(loader->known, loader->counters, r, chunk)) {
        memcpy(known_at(loader->known, r, chunk)->sent, count,
               resolution_table[r].slots * sizeof *count);
    }
}

static void put_others(struct known *known, enum resolution r, int64_t chunk, const uint64_t *count,
                       bool *failed) {
    struct known_others *others = &known->others[r];
    if (!others->base) {
        others->stride = sizeof(struct others_chunk) + resolution_table[r].slots * sizeof(uint64_t);
        others->base = calloc((size_t)known->ring[r].places, others->stride);
        if (!others->base) {
            *failed = true;
            return;
        }
    }
    struct others_chunk *place = others_place(known, r, chunk);
    place->chunk = chunk;
    memcpy(place->count, count, resolution_table[r].slots * sizeof *count);
}

static void load_others(void *cls, enum resolution r, int64_t chunk, const uint64_t *count) {
    struct loader *loader = cls;
    if (is_recent(loader->known, loader->counters, r, chunk)) {
        put_others(loader->known, r, chunk, count, &loader->failed);
    }
}

void known_settle(struct known *known, const struct counters *counters, enum resolution r,
                  struct known_chunk *chunk) {
    const uint32_t slots = resolution_table[r].slots;
    uint64_t back[SLOTS_MAX];
    const uint64_t *others = known_others(known, r, chunk->chunk);
    counters_read_back_shard(counters, r, chunk_first_window(r, chunk->chunk), slots, back);
    for (uint32_t slot = 0; slot < slots; slot++) {
        const uint64_t sent = chunk->sent[slot] + back[slot], theirs = others ? others[slot] : 0;
        chunk->sent[slot] = sent > theirs ? sent - theirs : 0;
    }
    chunk->whole = true;
}

bool known_remember(struct known *known, const struct counters *counters, char *why) {
    struct loader loader = {known, counters, false};
    enum reference_kin kin = REFERENCE_NEW;
    if (!counters_find_reference(counters, REFERENCE_OPENED, &kin, why) ||
        !counters_read_reference(counters, REFERENCE_OTHERS, load_others, &loader, why) ||
        (kin == REFERENCE_AGREED &&
         !counters_read_reference(counters, REFERENCE_OPENED, load_opened, &loader, why))) {
        return false;
    }
    if (loader.failed) {
        memcpy(why, "out of memory", sizeof "out of memory");
        return false;
    }
    if (kin == REFERENCE_INHERITED) {
        counters_explain_inherited(counters, why);
        return false;
    }
    for (int r = 0; r < RESOLUTIONS; r++) {
        int64_t oldest, newest;
        known->ring[r].held_to = counters_find_held(counters, (enum resolution)r, INT64_MAX);
        if (!counters_span(counters, (enum resolution)r, &oldest, &newest)) {
            known->ring[r].remembered_from = 0;
            continue;
        }
        const int64_t from =
            newest - known->ring[r].back > oldest ? newest - known->ring[r].back : oldest;
        for (int64_t chunk = from; chunk <= newest; chunk++) {
            const uint64_t total = counters_chunk_total_rest(counters, (enum resolution)r, chunk);
            if (total) {
                struct known_chunk *place = known_at(known, (enum resolution)r, chunk);
                known_settle(known, counters, (enum resolution)r, place);
                place->total = total;
                place->inherited = true;
            }
        }
        known->ring[r].remembered_from = from;
        known->ring[r].remembered_to = newest;
    }
    return true;
}

struct range {
    struct known *known;
    const int64_t *first, *n;
};

static void load_range(void *cls, enum resolution r, int64_t chunk, const uint64_t *count) {
    const struct range *range = cls;
    if (chunk >= range->first[r] && chunk < range->first[r] + range->n[r]) {
        const struct known_chunk *there = known_find(range->known, r, chunk);
        if (!there || !there->whole) { /* else it was remembered at the start */
            struct known_chunk *place = known_at(range->known, r, chunk);
            memcpy(place->sent, count, resolution_table[r].slots * sizeof *count);
            place->inherited = true;
            place->whole = false; /* what was read back earlier must still be added */
        }
    }
}

bool known_remember_range(struct known *known, const struct counters *counters,
                          const int64_t first[RESOLUTIONS], const int64_t n[RESOLUTIONS],
                          char *why) {
    struct range range = {known, first, n};
    enum reference_kin kin = REFERENCE_NEW;
    return counters_find_reference(counters, REFERENCE_OPENED, &kin, why) &&
           (kin != REFERENCE_AGREED ||
            counters_read_reference(counters, REFERENCE_OPENED, load_range, &range, why));
}

/* ---- a copy ---- */

/* A walk over what others report. */
struct walk {
    const struct known *known;
    int r;
    int64_t place;
};

static bool next_others(void *cls, enum resolution *r, int64_t *chunk, uint64_t *count) {
    struct walk *walk = cls;
    for (; walk->r < RESOLUTIONS; walk->r++, walk->place = 0) {
        const struct known_others *others = &walk->known->others[walk->r];
        while (others->base && walk->place < walk->known->ring[walk->r].places) {
            const struct others_chunk *place =
                (const struct others_chunk *)(others->base +
                                              (size_t)walk->place++ * others->stride);
            if (place->chunk) {
                *r = (enum resolution)walk->r;
                *chunk = place->chunk;
                memcpy(count, place->count, resolution_table[walk->r].slots * sizeof *count);
                return true;
            }
        }
    }
    return false;
}

/* Adds to what others report everything of a chunk that we ever sent or read back. */
static void give_away(struct known *known, enum resolution r, bool *failed) {
    for (int64_t i = 0; i < known->ring[r].places; i++) {
        struct known_chunk *place = known_place(&known->ring[r], i);
        uint64_t count[SLOTS_MAX], any = 0;
        const uint64_t *others = known_others(known, r, place->chunk);
        for (uint32_t slot = 0; place->chunk && slot < resolution_table[r].slots; slot++) {
            count[slot] = place->sent[slot] + (others ? others[slot] : 0);
            any |= count[slot];
        }
        if (any) {
            put_others(known, r, place->chunk, count, failed);
        }
        memset(place, 0, known->ring[r].stride);
    }
}

int64_t known_run(const struct known *known, enum resolution r, int64_t place, int64_t *chunk) {
    const struct known_ring *ring = &known->ring[r];
    *chunk = 0;
    int64_t n = 0;
    for (; place + n < ring->places; n++) {
        const struct known_chunk *next = known_place(ring, place + n);
        if (known_sum(next, r) == 0 || (n > 0 && next->chunk != *chunk + n)) {
            break;
        }
        *chunk = n > 0 ? *chunk : next->chunk;
    }
    return n > 0 ? n : 1;
}

void known_find_left(struct known *known, enum resolution r, int64_t chunk, const uint64_t *ours) {
    struct known_chunk *place = known_find(known, r, chunk);
    if (place) {
        for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
            place->sent[slot] = ours[slot] < place->sent[slot] ? ours[slot] : place->sent[slot];
        }
        place->found = true;
    }
}

void known_settle_left(struct known *known, bool was_read_back) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct known_ring *ring = &known->ring[r];
        for (int64_t i = 0; i < ring->places; i++) {
            struct known_chunk *place = known_place(ring, i);
            if (!place->found && !place->inherited && !(was_read_back && place->there)) {
                memset(place->sent, 0, resolution_table[r].slots * sizeof place->sent[0]);
            }
            place->found = false;
        }
    }
}

struct opened {
    struct known *known;
    const struct counters *counters;
};

/* What the file held when it was opened counts as sent, whether or not the store ever had it. */
static void mark_opened(void *cls, enum resolution r, int64_t chunk, const uint64_t *count) {
    const struct opened *opened = cls;
    if (!is_recent(opened->known, opened->counters, r, chunk)) {
        return;
    }
    struct known_chunk *place = known_at(opened->known, r, chunk);
    memcpy(place->sent, count, resolution_table[r].slots * sizeof *count);
    known_settle(opened->known, opened->counters, r, place);
}

bool known_become_copy(struct known *known, struct counters *counters, const char *node,
                       char *why) {
    struct opened opened = {known, counters};
    bool failed = false;
    if (!counters_read_reference(counters, REFERENCE_OPENED, mark_opened, &opened, why)) {
        return false;
    }
    for (int r = 0; r < RESOLUTIONS; r++) {
        give_away(known, (enum resolution)r, &failed);
    }
    if (failed) {
        memcpy(why, "out of memory", sizeof "out of memory");
        return false;
    }
    struct walk walk = {.known = known};
    if (!counters_become_copy_owner(counters, node, next_others, &walk, why)) {
        return false;
    }
    for (int r = 0; r < RESOLUTIONS; r++) { /* what the file's earlier runs left is the other's */
        known->ring[r].left_from = known->ring[r].own_from;
        known->ring[r].left_behind = known->ring[r].own_behind;
        known->ring[r].left_next = 0;
    }
    return true;
}
