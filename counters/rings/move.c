/* Decides which shard of the file a worker counts in after the clock was set.
 *
 * A shard's rings hold one stretch of time: two chunks that are a ring's length apart share a
 * place. While time merely passes, the older one is past the horizon by then. After the clock was
 * set it may not be:
 *
 *   set back      what was counted ahead occupies the places that the present needs
 *   step ahead    what is counted now takes the places of what was the present; when the clock is
 *                 set back, that is the present again
 *
 * In both cases nothing is overwritten: the worker continues in another shard, as if it were
 * another worker, and all are summed. It returns to a shard that has room for the present, so a
 * clock that is ahead for a while costs one more shard. */
#include "counters/state/map.h"
#include "counters/state/state_file.h"

#include <errno.h>

#define AHEAD_US (60 * US_PER_S) /* protected places are kept at least this long */

void shard_protect_owner(struct shard *shard, int64_t from_us, int64_t to_us, int64_t until_us) {
    shard->protect_from_us = from_us;
    shard->protect_to_us = to_us;
    shard->protect_until_us = until_us;
    if (shard->first) {
        atomic_store_explicit(&shard->first->protect_from_us, (uint64_t)from_us,
                              memory_order_relaxed);
        atomic_store_explicit(&shard->first->protect_to_us, (uint64_t)to_us, memory_order_relaxed);
        atomic_store_explicit(&shard->first->protect_until_us, (uint64_t)until_us,
                              memory_order_relaxed);
    }
}

void shard_begin(struct shard *holder, struct shard *home) {
    *holder = (struct shard){.hi_us = -1, .first = home->page};
    shard_hold(holder, home);
    /* a worker that was not there before does as the first */
    const struct shard_page *noted =
        atomic_load(&home->page->protect_until_us) ? home->page : home->counters->shard[1].page;
    holder->protect_from_us = (int64_t)atomic_load(&noted->protect_from_us);
    holder->protect_to_us = (int64_t)atomic_load(&noted->protect_to_us);
    holder->protect_until_us = (int64_t)atomic_load(&noted->protect_until_us);
}

/* Whether a window of this coarser chunk, from lo_us on, has counts but no longer the finer chunk
 * of its parts: further events there would make the sums disagree. */
static bool has_lost_parts(const struct shard *shard, enum resolution r, const struct chunk *chunk,
                           int64_t lo_us) {
    const enum resolution finer = (enum resolution)(r - 1);
    const int64_t first =
        chunk_first_window(r, (int64_t)atomic_load_explicit(&chunk->epoch, memory_order_relaxed));
    for (uint32_t i = 0; i < shard->ring[r].slots; i++) {
        const struct chunk *part = ring_place(&shard->ring[finer], first + i);
        if (window_start_us(r, first + i + 1) > lo_us &&
            atomic_load_explicit(&chunk->count[i], memory_order_relaxed) != 0 &&
            atomic_load_explicit(&part->epoch, memory_order_relaxed) != (uint64_t)(first + i)) {
            return true;
        }
    }
    return false;
}

bool shard_has_room(const struct shard *shard, int64_t lo_us) {
    const int64_t floor_us = shard_floor_us(shard);
    if (floor_us > lo_us && floor_us != chunk_start_us(RESOLUTION_1MIN, EPOCH_NONE + 1)) {
        return false;
    }
    for (int r = RESOLUTION_1S; r < RESOLUTIONS; r++) {
        const struct ring *ring = &shard->ring[r];
        for (int64_t place = 0; place < ring->chunks; place++) {
            const struct chunk *chunk = ring_place(ring, place);
            const int64_t epoch =
                (int64_t)atomic_load_explicit(&chunk->epoch, memory_order_relaxed);
            if (epoch != EPOCH_NONE && chunk_start_us((enum resolution)r, epoch + 1) > lo_us &&
                has_lost_parts(shard, (enum resolution)r, chunk, lo_us)) {
                return false;
            }
        }
    }
    return true;
}

/* Whether this shard, as time goes on in it, would recycle a chunk of the time that the clock
 * stepped away from. */
static bool would_lose_protected(const struct shard *shard, const struct shard *holder) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct ring *ring = &shard->ring[r];
        const int64_t width_us = chunk_width_us((enum resolution)r);
        const int64_t first = holder->protect_from_us / width_us,
                      last = holder->protect_to_us / width_us;
        /* this chunk and older ones are recycled */
        const int64_t taken = (holder->hi_us + AHEAD_US) / width_us - ring->chunks;
        for (int64_t place = 0; taken >= first && place < ring->chunks; place++) {
            const int64_t epoch = (int64_t)atomic_load_explicit(&ring_place(ring, place)->epoch,
                                                                memory_order_relaxed);
            if (epoch != EPOCH_NONE && epoch >= first && epoch <= last && epoch <= taken) {
                return true;
            }
        }
    }
    return false;
}

bool shard_suits(const struct shard *shard, const struct shard *holder) {
    const int64_t now_us = holder->hi_us - counters_future_us(holder->counters);
    return shard_has_room(shard, now_us - counters_horizon_us(holder->counters)) &&
           !(now_us < holder->protect_until_us && would_lose_protected(shard, holder));
}

/* The shard to continue in: of those that nobody else holds and that have room, the one with the
 * newest counts, which is where the worker was before. NULL: there is none. */
static struct shard *find_free_shard(const struct shard *holder) {
    struct counters *counters = holder->counters;
    struct shard *best = NULL;
    uint64_t newest_best = 0;
    for (unsigned i = 1; i < atomic_load(&counters->shards); i++) {
        struct shard *shard = &counters->shard[i];
        const uint64_t newest =
            atomic_load_explicit(&shard->page->newest[RESOLUTION_10MS], memory_order_relaxed);
        if ((!counters->held[i] || shard == holder->home) && shard_suits(shard, holder) &&
            (!best || newest > newest_best)) {
            best = shard;
            newest_best = newest;
        }
    }
    return best;
}

bool shard_move_owner(struct shard *holder) {
    struct counters *counters = holder->counters;
    if (!counters->writable || holder == holder->home) { /* the read-back shard never moves */
        return false;
    }
    pthread_mutex_lock(&counters->mutex);
    struct shard *to = find_free_shard(holder);
    to = to ? to : state_add_shard(counters);
    const int error = errno;
    if (to) {
        counters->held[holder->home - counters->shard] = false;
        counters->held[to - counters->shard] = true;
        shard_hold(holder, to);
    }
    pthread_mutex_unlock(&counters->mutex);
    errno = error;
    return to != NULL;
}
