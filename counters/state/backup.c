/* Copies a state file, even while a server counts in it.
 *
 * A plain copy would contain chunks of different moments, some in the middle of an event, and be
 * refused as damaged. Here each chunk is read by the ring's protocol. Then the copy is settled as
 * after a power loss, where the finest windows are the truth wherever they are held. What was
 * acknowledged before the copy began is in it. */
#include "counters/state/header.h"
#include "counters/state/map.h"
#include "counters/state/reference.h"
#include "counters/state/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_TURNS_MAX 1000

/* Copies one chunk as it was at some moment; skips one that was recycled at each attempt. */
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

/* What the next run on the copy must know, if the copy takes the place of its original. */
static void copy_notes(const struct shard_page *from, struct shard_page *to) {
    atomic_store(&to->protect_from_us, atomic_load(&from->protect_from_us));
    atomic_store(&to->protect_to_us, atomic_load(&from->protect_to_us));
    atomic_store(&to->protect_until_us, atomic_load(&from->protect_until_us));
    atomic_store(&to->flush_boot, atomic_load(&from->flush_boot));
    atomic_store(&to->flush_node, atomic_load(&from->flush_node));
    atomic_store(&to->flush_wall_us, atomic_load(&from->flush_wall_us));
    atomic_store(&to->flush_steady_us, atomic_load(&from->flush_steady_us));
    for (int r = 0; r < RESOLUTIONS; r++) {
        atomic_store(&to->flush_left_from[r], atomic_load(&from->flush_left_from[r]));
        atomic_store(&to->flush_left_to[r], atomic_load(&from->flush_left_to[r]));
    }
}

static void copy_shard(const struct counters *counters, unsigned index, struct shard *to) {
    const struct shard *from = &counters->shard[index];
    /* the finest last: it then includes all that the others have */
    for (int r = RESOLUTIONS - 1; r >= 0; r--) {
        for (int64_t place = 0; place < from->ring[r].chunks; place++) {
            copy_chunk(&from->ring[r], &to->ring[r], place);
        }
    }
    copy_notes(from->page, to->page);
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

/* Makes the directory, which must hold no state file, and in it, under another name, an empty file
 * of the copy's geometry. */
static bool make_file(struct counters *copy, const char *dir, char *why) {
    struct stat there;
    if (!state_lock_dir(copy, dir, why)) {
        return false;
    }
    if (fstatat(copy->dir_fd, STATE_FILE_NAME, &there, AT_SYMLINK_NOFOLLOW) == 0) {
        return state_refuse(why, "%s: is there already; choose another directory for the copy",
                            copy->path);
    }
    copy->fd = openat(copy->dir_fd, STATE_FILE_TEMPORARY,
                      O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (copy->fd < 0) {
        return state_refuse(why, "%s.new: cannot create: %s", copy->path, strerror(errno));
    }
    return state_reserve(copy, state_count_bytes(&copy->header), why) && state_map_file(copy, why);
}

/* Gives the copy its name, now that it is complete. */
static bool finish_file(struct counters *copy, char *why) {
    copy->header.clean = 1;
    if (!counters_sync(copy) || !state_write_header(copy, why) || fsync(copy->fd) ||
        renameat(copy->dir_fd, STATE_FILE_TEMPORARY, copy->dir_fd, STATE_FILE_NAME) ||
        fsync(copy->dir_fd)) {
        return state_refuse(why, "%s: cannot write: %s", copy->path, strerror(errno));
    }
    return true;
}

static bool write_copy(const struct counters *counters, const char *dir, char *why) {
    struct counters *copy = state_new(dir, true, why);
    if (!copy) {
        return false;
    }
    copy->header = counters->header;
    const bool ok = make_file(copy, dir, why) && copy_all(counters, copy, why) &&
                    reference_copy(counters, copy, why) && finish_file(copy, why);
    if (!ok && copy->fd >= 0) {
        unlinkat(copy->dir_fd, STATE_FILE_TEMPORARY, 0);
    }
    state_free(copy);
    return ok;
}

bool counters_backup(const char *from, const char *to, char *why) {
    struct counters *counters = counters_open_readonly(from, why);
    const bool ok = counters && write_copy(counters, to, why);
    counters_close(counters);
    return ok;
}
