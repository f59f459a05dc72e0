/* A copy of a state file, also of one that a server counts in.
 *
 * A plain copy holds chunks of different moments, some of them half of one event, and is refused as
 * damaged. Here each chunk is read by the ring's protocol; then the copy is settled as after a
 * power loss: the finest windows are the truth wherever they are held. What was acknowledged before
 * the copy began is in it. */
#include "counters/reference.h"
#include "counters/state_file.h"

#define READ_TURNS_MAX 1000

/* One chunk as it was at some moment; one that was recycled each time we looked is left out. */
static void copy_chunk(const struct ring *from, const struct ring *to, int64_t place) {
    struct chunk *there = ring_place(from, place), *here = ring_place(to, place);
    for (int turn = 0; turn < READ_TURNS_MAX; turn++) {
        const uint64_t epoch = atomic_load_explicit(&there->epoch, memory_order_acquire);
        uint64_t count[SLOTS_MAX] = {0};
        const uint64_t total = ring_total(from, (int64_t)epoch);
        ring_read(from, (int64_t)epoch, 0, from->slots, count);
        if (epoch != EPOCH_NONE &&
            atomic_load_explicit(&there->epoch, memory_order_acquire) != epoch) {
            continue;
        }
        for (uint32_t i = 0; epoch != EPOCH_NONE && i < from->slots; i++) {
            atomic_store_explicit(&here->count[i], count[i], memory_order_relaxed);
        }
        atomic_store_explicit(&here->total, epoch == EPOCH_NONE ? 0 : total, memory_order_relaxed);
        atomic_store_explicit(&here->epoch, epoch, memory_order_relaxed);
        return;
    }
}

static void copy_shard(const struct counters *counters, unsigned index, struct shard *to) {
    const struct shard *from = &counters->shard[index];
    /* the finest last: it has all that the others have */
    for (int r = RESOLUTIONS - 1; r >= 0; r--) {
        for (int64_t place = 0; place < from->ring[r].chunks; place++) {
            copy_chunk(&from->ring[r], &to->ring[r], place);
        }
    }
    struct shard_tally tally;
    counters_tally_shard(counters, index, &tally);
    atomic_store(&to->page->received, tally.received);
    atomic_store(&to->page->counted, tally.counted);
    for (int i = 0; i < COUNTERS_REASONS; i++) {
        atomic_store(&to->page->refused[i], tally.refused[i]);
    }
}

static bool copy_all(const struct counters *counters, struct counters *copy, char *why) {
    uint64_t repaired = 0;
    for (unsigned i = 0; i < copy->shards; i++) {
        copy_shard(counters, i, &copy->shard[i]);
        shard_repair(&copy->shard[i], i, RECOVERY_TORN, &repaired);
        if (!shard_verify(&copy->shard[i], i, why)) {
            return false;
        }
    }
    return true;
}

bool counters_backup(const char *from, const char *to, char *why) {
    struct counters *counters = counters_open_readonly(from, why);
    struct counters *copy = counters ? counters_copy_new(counters, to, why) : NULL;
    const bool ok =
        copy &&
        counters_copy_end(
            copy, copy_all(counters, copy, why) && reference_copy(counters, copy, why), why);
    counters_close(counters);
    return ok;
}
