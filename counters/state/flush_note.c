/* What the flush notes for its next run, in the page of the shard that it owns. */
#include "counters/state/fnv.h"
#include "counters/state/state_file.h"
#include "counters/time/civil.h"

#include <string.h>

static uint64_t hash_boot(const struct counters *counters) {
    return fnv1a64(FNV1A64_BASIS, counters->header.boot,
                   strnlen(counters->header.boot, BOOT_ID_MAX));
}

static void put(counter *word, uint64_t value) {
    atomic_store_explicit(word, value, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

/* 0 for what cannot be a time, as after a power loss. */
static int64_t get(const counter *word) {
    const uint64_t us = atomic_load_explicit(word, memory_order_relaxed);
    return us < (uint64_t)CIVIL_END_US ? (int64_t)us : 0;
}

/* A killed thread has executed a prefix of the stores. So what was left comes before the clocks:
 * the next run then finds one step twice rather than never. */
void counters_note_flush_owner(struct counters *counters, const struct counters_flush_note *note) {
    struct shard_page *page = counters->shard[0].page;
    put(&page->flush_left_from_us, (uint64_t)note->left_from_us);
    put(&page->flush_left_to_us, (uint64_t)note->left_to_us);
    put(&page->flush_wall_us, (uint64_t)note->wall_us);
    put(&page->flush_steady_us, (uint64_t)note->steady_us);
    put(&page->flush_boot, hash_boot(counters));
}

void counters_find_flush_note_owner(const struct counters *counters,
                                    struct counters_flush_note *note) {
    const struct shard_page *page = counters->shard[0].page;
    *note = (struct counters_flush_note){.left_from_us = get(&page->flush_left_from_us),
                                         .left_to_us = get(&page->flush_left_to_us)};
    if (*counters->header.boot &&
        atomic_load_explicit(&page->flush_boot, memory_order_relaxed) == hash_boot(counters)) {
        note->wall_us = get(&page->flush_wall_us);
        note->steady_us = get(&page->flush_steady_us);
    }
}
