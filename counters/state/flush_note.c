/* What the flush notes for its next run, in the page of the shard that it owns. */
#include "counters/state/fnv.h"
#include "counters/state/state_file.h"
#include "counters/time/civil.h"

#include <stdlib.h>
#include <string.h>

/* a difference of the clocks that is not worth a write */
#define CLOCKS_SLACK_US (100 * US_PER_MS)

static uint64_t hash_boot(const struct counters *counters) {
    const char *boot = counters->header.boot;
    return fnv1a64(FNV1A64_BASIS, boot, strnlen(boot, BOOT_ID_MAX));
}

static uint64_t hash_node(const struct counters *counters) {
    const char *node = counters_node_id(counters);
    return fnv1a64(FNV1A64_BASIS, node, strlen(node));
}

/* A killed thread has executed a prefix of the stores. */
static void put(counter *word, uint64_t value) {
    atomic_store_explicit(word, value, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

static uint64_t get(const counter *word) {
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* 0 for what cannot be a time, as after a power loss. */
static int64_t get_us(const counter *word) {
    return get(word) < (uint64_t)CIVIL_END_US ? (int64_t)get(word) : 0;
}

static int64_t get_chunk(const counter *word, enum resolution r) {
    return get(word) < (uint64_t)(CIVIL_END_US / chunk_width_us(r)) ? (int64_t)get(word) : 0;
}

/* Whether the page says the same already: an idle server then writes nothing. */
static bool is_noted(const struct counters *counters, const struct counters_flush_note *note) {
    struct counters_flush_note there;
    counters_find_flush_note_owner(counters, &there);
    const int64_t off_us = (note->wall_us - note->steady_us) - (there.wall_us - there.steady_us);
    return there.wall_us && llabs(off_us) < CLOCKS_SLACK_US &&
           memcmp(there.left_from, note->left_from, sizeof note->left_from) == 0 &&
           memcmp(there.left_to, note->left_to, sizeof note->left_to) == 0;
}

/* First what was left, then the clocks: a next run that has only the first finds one step twice,
 * rather than never. A range whose end is not behind its begin is none. */
void counters_note_flush_owner(struct counters *counters, const struct counters_flush_note *note) {
    struct shard_page *page = counters->shard[0].page;
    if (is_noted(counters, note)) {
        return;
    }
    const uint64_t node = hash_node(counters);
    if (get(&page->flush_node) != node) { /* a range of another's */
        for (int r = 0; r < RESOLUTIONS; r++) {
            put(&page->flush_left_to[r], 0);
        }
        put(&page->flush_node, node);
    }
    for (int r = 0; r < RESOLUTIONS; r++) {
        if (!note->left_to[r]) {
            put(&page->flush_left_to[r], 0);
        }
        put(&page->flush_left_from[r], (uint64_t)note->left_from[r]);
        put(&page->flush_left_to[r], (uint64_t)note->left_to[r]);
    }
    put(&page->flush_wall_us, (uint64_t)note->wall_us);
    put(&page->flush_steady_us, (uint64_t)note->steady_us);
    put(&page->flush_boot, hash_boot(counters));
}

void counters_find_flush_note_owner(const struct counters *counters,
                                    struct counters_flush_note *note) {
    const struct shard_page *page = counters->shard[0].page;
    const bool ours = get(&page->flush_node) == hash_node(counters);
    *note = (struct counters_flush_note){0};
    for (int r = 0; r < RESOLUTIONS && ours; r++) {
        note->left_from[r] = get_chunk(&page->flush_left_from[r], (enum resolution)r);
        note->left_to[r] = get_chunk(&page->flush_left_to[r], (enum resolution)r);
    }
    if (*counters->header.boot && get(&page->flush_boot) == hash_boot(counters)) {
        note->wall_us = get_us(&page->flush_wall_us);
        note->steady_us = get_us(&page->flush_steady_us);
    }
}
