/* Does the store still have what it acknowledged? An older copy of it may have come back behind an
 * open connection; keys may have expired by a clock that stepped, or been evicted or deleted. So
 * once a second the flush compares values: of each server the chunk that it acknowledged last; the
 * last chunk of each pipeline since the previous check, because replication and files keep a prefix
 * of what was written, and the server may have lost what came after that prefix and acknowledged
 * more since; and a few older chunks in turn. A node that finds a loss tells all nodes, so that
 * those with nothing new to send also send again. */
#include "server/flush/internal.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <inttypes.h>
#include <string.h>

#define LOOK_US US_PER_S
#define RENEW_US (STORE_LEASE_MS / 3 * US_PER_MS)
#define CLOSE_US (60 * US_PER_S)
/* as in store.h: a clock that is off by more than this closes nothing */
#define CLOCK_MARGIN_US (3600 * US_PER_S)
#define TURN_CHUNKS 3   /* older chunks compared at a time */
#define TURN_PLACES 512 /* places of the memory searched for them */
#define OFTEN 8         /* resends a minute; beyond that, each waits longer */
#define WAIT_FIRST_US (US_PER_S / 2)
#define WAIT_LAST_US (10 * US_PER_S)
#define MINUTE_US (60 * US_PER_S)

void watch_lost(struct flush *flush, struct known_chunk *chunk) {
    struct watch *watch = &flush->watch;
    /* A chunk that was acknowledged after everything was sent again is a new loss; until then,
     * whatever is missing belongs to the same one. */
    const bool another = chunk && !watch->lost;
    if (chunk) {
        chunk->generation = 0;
        chunk->there = 0;
    }
    watch->lost = watch->lost || chunk;
    if (another || watch->told_generation != flush->known.generation) {
        watch->told_generation = flush->known.generation;
        watch->tell = true;
        pthread_mutex_lock(&flush->mutex);
        flush->status.losses++;
        pthread_mutex_unlock(&flush->mutex);
        log_line(LOG_WARN,
                 "the store has lost what it acknowledged: sending the whole horizon again",
                 "store=%s", flush->config.store->ops->address(flush->config.store));
    }
}

void watch_begin(struct flush *flush) {
    struct watch *watch = &flush->watch;
    char why[STORE_WHY_MAX] = "";
    watch->lost = false; /* but the other nodes must still be told what they do not know yet */
    watch->due_us = 0;
    memset(watch->last, 0, sizeof watch->last);
    watch->end_count = 0;
    if (!flush->config.store->ops->sums(flush->config.store,
                                        &(struct store_sums){NULL, 0, NULL, &watch->number}, why)) {
        flush_error(flush, "cannot ask the store for losses", why);
    }
}

void watch_end(struct flush *flush, const struct store_place *place) {
    struct watch *watch = &flush->watch;
    for (size_t i = 0; i < watch->end_count; i++) {
        if (watch->ends[i].resolution == place->resolution &&
            watch->ends[i].chunk == place->chunk) {
            return;
        }
    }
    if (watch->end_count <= FLUSH_ENDS) {
        watch->ends[watch->end_count++] = *place;
    }
    if (watch->end_count > FLUSH_ENDS) {
        watch->due_us = 0; /* check before any is forgotten */
    }
}

/* What was compared need not be compared again, except the last: a loss may fall between it and the
 * next. */
static void forget_ends(struct watch *watch) {
    if (watch->end_count) {
        watch->ends[0] = watch->ends[watch->end_count - 1];
        watch->end_count = 1;
    }
}

/* ---- comparing ---- */

/* Whether the chunk was acknowledged and is too young to have expired. */
static bool should_be_there(const struct flush *flush, const struct store_place *place) {
    const struct known_chunk *known = known_find(&flush->known, place->resolution, place->chunk);
    return known && place->chunk && known->there && known->generation == flush->known.generation &&
           chunk_start_us(place->resolution, place->chunk + 1) >=
               clock_wall_us() - counters_horizon_us(flush->config.counters);
}

/* Picks the next few of all that we remember. */
static size_t take_turn(struct flush *flush, struct store_place *places) {
    struct store_place *turn = &flush->watch.turn;
    size_t n = 0;
    for (int looked = 0; looked < TURN_PLACES && n < TURN_CHUNKS; looked++) {
        const struct known_ring *ring = &flush->known.ring[turn->resolution];
        if (turn->chunk >= ring->places) {
            *turn =
                (struct store_place){(enum resolution)((turn->resolution + 1) % RESOLUTIONS), 0};
            continue;
        }
        const struct known_chunk *known = known_place(ring, turn->chunk++);
        const struct store_place place = {turn->resolution, known->chunk};
        if (should_be_there(flush, &place)) {
            places[n++] = place;
        }
    }
    return n;
}

/* If the number of losses has changed, another node has reported a loss. */
static void hear_of_losses(struct flush *flush, uint64_t number) {
    struct watch *watch = &flush->watch;
    if (number == watch->number) {
        return;
    }
    /* The other nodes know, unless the number itself was lost: then those that had not read it must
     * be told again. */
    watch->tell = number < watch->number;
    watch->number = number;
    watch->lost = true;
    watch->told_generation = flush->known.generation;
    log_line(
        LOG_WARN,
        "another node found that the store has lost something: sending the whole horizon again",
        "store=%s", flush->config.store->ops->address(flush->config.store));
}

bool watch_compare(struct flush *flush) {
    struct store_place places[STORE_SEND_MAX];
    uint64_t sums[STORE_SEND_MAX];
    size_t n = take_turn(flush, places);
    for (size_t i = 0; i < flush->watch.end_count; i++) {
        if (should_be_there(flush, &flush->watch.ends[i])) {
            places[n++] = flush->watch.ends[i];
        }
    }
    for (size_t i = 0; i < FLUSH_SERVERS_MAX && n < STORE_SEND_MAX; i++) {
        if (should_be_there(flush, &flush->watch.last[i])) {
            places[n++] = flush->watch.last[i];
        }
    }
    char why[STORE_WHY_MAX] = "";
    /* One of a cluster's servers may be away for long; what the others have is compared
     * regardless. */
    uint64_t number = flush->watch.number;
    bool same = flush->config.store->ops->sums(flush->config.store,
                                               &(struct store_sums){places, n, sums, &number}, why);
    if (same) {
        forget_ends(&flush->watch);
    } else {
        flush_error(flush, "the store does not answer", why);
    }
    hear_of_losses(flush, number);
    same = same && !flush->watch.lost;
    for (size_t i = 0; i < n; i++) {
        struct known_chunk *known =
            known_find(&flush->known, places[i].resolution, places[i].chunk);
        if (sums[i] == STORE_SUM_UNKNOWN) {
            continue;
        }
        if (sums[i] < known->there) {
            watch_lost(flush, known);
            same = false;
        } else if (known->whole && sums[i] > known_sum(known, places[i].resolution)) {
            identity_doubt(flush, known);
            same = false;
        }
    }
    return rows_compare(flush) && same;
}

/* ---- once a second ---- */

static void tell_loss(struct flush *flush) {
    struct watch *watch = &flush->watch;
    char why[STORE_WHY_MAX] = "";
    if (!flush->config.store->ops->tell_loss(flush->config.store, &watch->number, why)) {
        flush_error(flush, "cannot tell the other nodes of a loss", why);
    } else {
        watch->tell = false;
    }
}

static void close_old(struct flush *flush, int64_t now_us) {
    struct watch *watch = &flush->watch;
    char why[STORE_WHY_MAX] = "";
    int64_t ahead_us = 0;
    watch->close_due_us = now_us + CLOSE_US;
    if (!flush->config.store->ops->close_old(flush->config.store, clock_wall_us(), &ahead_us,
                                             why)) {
        flush_error(flush, "cannot close windows that are over", why);
        return;
    }
    const bool off = ahead_us > CLOCK_MARGIN_US || ahead_us < -CLOCK_MARGIN_US;
    if (off && !watch->clock_told) {
        log_line(LOG_WARN,
                 "this clock and the store's differ by more than an hour: no window is closed by "
                 "it; set it right",
                 "ahead_ms=%" PRId64, ahead_us / US_PER_MS);
    }
    watch->clock_told = off;
}

/* Sends everything again if something is gone, but not too often, or a store that evicts would be
 * flooded. */
static void heal(struct flush *flush, int64_t now_us) {
    struct watch *watch = &flush->watch;
    const int64_t since_us = now_us - watch->resent_us;
    int64_t wait_us = WAIT_FIRST_US;
    for (unsigned i = OFTEN; i < watch->recent && wait_us < WAIT_LAST_US; i++) {
        wait_us *= 2;
    }
    if (!watch->lost ||
        (watch->resent_us && since_us < (wait_us < WAIT_LAST_US ? wait_us : WAIT_LAST_US))) {
        return;
    }
    watch->recent = since_us > MINUTE_US ? 1 : watch->recent + 1;
    watch->resent_us = now_us;
    watch->lost = false;
    const bool told = watch->told_generation == flush->known.generation;
    flush_resend(flush);
    watch->told_generation = told ? flush->known.generation : 0;
}

bool watch_run(struct flush *flush) {
    struct watch *watch = &flush->watch;
    const int64_t now_us = clock_steady_us();
    const bool overdue = now_us - flush->identity.renewed_us >= RENEW_US;
    if (overdue && !identity_lease(flush)) {
        return false;
    }
    if (now_us >= watch->due_us) {
        watch->due_us = now_us + LOOK_US;
        watch_compare(flush);
        if (now_us >= watch->close_due_us &&
            flush->config.store->ops->connected(flush->config.store)) {
            close_old(flush, now_us);
        }
    }
    if (watch->tell && flush->config.store->ops->connected(flush->config.store)) {
        tell_loss(flush);
    }
    heal(flush, now_us);
    return flush->state == FLUSH_SENDING &&
           flush->config.store->ops->connected(flush->config.store);
}
