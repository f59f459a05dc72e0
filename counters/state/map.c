/* The disk blocks of the state file and their mapping: as many as its header names, and more when
 * another shard is needed. */
#include "counters/state/map.h"

#include "counters/state/header.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

_Static_assert(sizeof(struct shard_page) <= RING_PAGE, "a shard's own numbers are one page");

size_t state_count_bytes(const struct state_header *header) {
    return RING_PAGE + header->shards * shard_bytes(header->chunks);
}

/* Reserves the blocks now, so that a full disk is an error here and not a SIGBUS later. For blocks
 * that exist this only looks at the file's extents. */
bool state_reserve(const struct counters *counters, size_t bytes, char *why) {
    const int error = posix_fallocate(counters->fd, 0, (off_t)bytes);
    struct rlimit limit;
    if (error == EFBIG && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < bytes) {
        return state_refuse(why,
                            "%s: cannot reserve %zu bytes: files may be %llu bytes long at the "
                            "most (ulimit -f, LimitFSIZE=); raise that limit",
                            counters->path, bytes, (unsigned long long)limit.rlim_cur);
    }
    if (error) {
        return state_refuse(
            why,
            "%s: cannot reserve %zu bytes: %s; free some space or choose another --state directory",
            counters->path, bytes, strerror(error));
    }
    return true;
}

bool state_map_file(struct counters *counters, char *why) {
    counters->map_bytes = state_count_bytes(&counters->header);
    const int protection = counters->writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *map = mmap(NULL, counters->map_bytes, protection, MAP_SHARED, counters->fd, 0);
    if (map == MAP_FAILED) {
        return state_refuse(why, "%s: cannot map %zu bytes: %s", counters->path,
                            counters->map_bytes, strerror(errno));
    }
    counters->map = map;
    counters->mapped = counters->header.shards;
    counters->shards = counters->mapped;
    /* untouched pages cost nothing */
    counters->shard = calloc(COUNTERS_SHARDS_MOST, sizeof *counters->shard);
    if (!counters->shard) {
        return state_refuse(why, "out of memory for %u shards", counters->shards);
    }
    for (unsigned i = 0; i < counters->shards; i++) {
        shard_bind(&counters->shard[i], counters,
                   counters->map + RING_PAGE + i * shard_bytes(counters->header.chunks),
                   counters->header.chunks);
    }
    return true;
}

void state_unmap(struct counters *counters) {
    for (unsigned i = counters->mapped; i < counters->shards; i++) {
        munmap(counters->shard[i].page, shard_bytes(counters->header.chunks));
    }
    if (counters->map) {
        munmap(counters->map, counters->map_bytes);
    }
    free(counters->shard);
}

bool state_lengthen(struct counters *counters, uint32_t shards, char *why) {
    struct state_header *header = &counters->header;
    struct state_header longer = *header;
    longer.shards = shards;
    if (!state_reserve(counters, state_count_bytes(&longer), why)) {
        return false;
    }
    /* Nothing follows what the header names, unless an earlier growth was cut short: clear it. */
    if (ftruncate(counters->fd, (off_t)state_count_bytes(header))) {
        return state_refuse(why, "%s: cannot grow: %s", counters->path, strerror(errno));
    }
    if (!state_reserve(counters, state_count_bytes(&longer), why)) {
        return false;
    }
    header->shards = shards;
    return true;
}

struct shard *state_add_shard(struct counters *counters) {
    char why[COUNTERS_WHY_MAX];
    const uint32_t before = counters->header.shards;
    const size_t bytes = shard_bytes(counters->header.chunks),
                 at = state_count_bytes(&counters->header);
    if (before >= COUNTERS_SHARDS_MOST || !state_lengthen(counters, before + 1, why)) {
        errno = before >= COUNTERS_SHARDS_MOST ? EMFILE : ENOSPC;
        return NULL;
    }
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, counters->fd, (off_t)at);
    if (map == MAP_FAILED || !state_write_header(counters, why)) {
        const int error = errno;
        counters->header.shards = before;
        if (map != MAP_FAILED) {
            munmap(map, bytes);
        }
        errno = error;
        return NULL;
    }
    struct shard *shard = &counters->shard[before];
    shard_bind(shard, counters, map, counters->header.chunks);
    atomic_store_explicit(&counters->shards, before + 1, memory_order_release);
    return shard;
}

bool counters_sync(struct counters *counters) {
    bool ok = msync(counters->map, counters->map_bytes, MS_SYNC) == 0;
    const unsigned shards = atomic_load_explicit(&counters->shards, memory_order_acquire);
    for (unsigned i = counters->mapped; ok && i < shards; i++) {
        ok = msync(counters->shard[i].page, shard_bytes(counters->header.chunks), MS_SYNC) == 0;
    }
    return ok;
}
