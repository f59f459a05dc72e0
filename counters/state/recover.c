/* Whether a file's rings can be trusted, and the repair of what a crash left half done. */
#include "counters/state/recover.h"

#include "counters/state/header.h"
#include "counters/time/civil.h"

#include <sys/mman.h>

/* No chunk may be of a year that no timestamp can express: computing with its number would
 * overflow. */
bool state_check_spans(const struct counters *counters, char *why) {
    for (unsigned i = 0; i < counters->shards; i++) {
        const struct shard_page *page = counters->shard[i].page;
        for (int r = 0; r < RESOLUTIONS; r++) {
            const uint64_t end = (uint64_t)(CIVIL_END_US / chunk_width_us((enum resolution)r));
            if (atomic_load(&page->newest[r]) >= end || atomic_load(&page->oldest[r]) >= end) {
                return state_refuse(
                    why,
                    "%s: is damaged: shard %u holds windows of a time beyond the year 9999; move "
                    "the file away (what was flushed is still in Redis)",
                    counters->path, i);
            }
        }
    }
    return true;
}

/* Checks the same for every place of the rings, before anything is computed from them. */
static bool check_epochs(const struct counters *counters, const struct shard *shard, char *why) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        const uint64_t end = (uint64_t)(CIVIL_END_US / chunk_width_us((enum resolution)r));
        for (int64_t place = 0; place < shard->ring[r].chunks; place++) {
            if (atomic_load_explicit(&ring_place(&shard->ring[r], place)->epoch,
                                     memory_order_relaxed) >= end) {
                return state_refuse(why,
                                    "%s: is damaged: it holds windows of a time beyond the year "
                                    "9999; move the file away "
                                    "(what was flushed is still in Redis)",
                                    counters->path);
            }
        }
    }
    return true;
}

bool state_recover(struct counters *counters, enum recovery recovery, uint64_t *repaired,
                   char *why) {
    for (unsigned i = 0; i < counters->shards; i++) {
        char what[COUNTERS_WHY_MAX];
        if (!check_epochs(counters, &counters->shard[i], why)) {
            return false;
        }
        shard_repair(&counters->shard[i], i, recovery, repaired);
        if (!shard_verify(&counters->shard[i], i, what)) {
            return state_refuse(
                why,
                "%s: is damaged: %.250s; move the file away (what was flushed is still in Redis); "
                "of a running server 'aforo backup' makes a copy that is whole",
                counters->path, what);
        }
        /* Pages that were checked need not stay in memory; the file keeps their contents. */
        madvise(counters->shard[i].page, shard_bytes(counters->header.chunks), MADV_DONTNEED);
    }
    return state_check_spans(counters, why);
}

/* Checks every invariant of a cleanly closed file. A file that a server has open, or that a killed
 * one left, may be in the middle of an event and is taken as it is. */
bool state_check_closed(struct counters *counters, char *why) {
    char what[COUNTERS_WHY_MAX];
    for (unsigned i = 0; counters->header.clean && i < counters->shards; i++) {
        if (!shard_verify_closed(&counters->shard[i], i, what)) {
            /* Unless a server has opened it meanwhile and counts. */
            return state_read_header(counters, why) &&
                   (!counters->header.clean ||
                    state_refuse(why,
                                 "%s: is damaged: %.300s; move the file away (what was flushed is "
                                 "still in Redis)",
                                 counters->path, what));
        }
    }
    return true;
}
