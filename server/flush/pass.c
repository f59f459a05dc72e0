#include "server/flush/internal.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <inttypes.h>

/* chunks that one pass sends at most: the interval paces a resend */
#define PASS_CHUNKS 512
#define PASS_US US_PER_S      /* how long one pass lasts at most */
#define FULL_PASS_US US_PER_S /* late events wait at most this long */
/* what every pass examines: a late event in a 10 ms window that the live page shows need not wait
 * for a full pass */
#define RECENT_US (12 * US_PER_S)
#define SLOW_US (200 * US_PER_MS) /* after a slower pipeline, the next has half as many chunks */
#define FAST_US (50 * US_PER_MS)  /* after a faster one, the next may have twice as many */
/* a worker may count there for a while, before it notices that the clock was set */
#define LEFT_US (3 * US_PER_S)
/* after so many chunks without counts, the next one that has any is looked up */
#define LEFT_EMPTY 10000
#define COUNT_MAX (UINT64_C(1) << 53)

/* ---- what the store says ---- */

static void note_stored(struct flush *flush, size_t i, struct known_chunk *known, uint64_t had) {
    const struct store_place *place = &flush->pass.batch[i].place;
    const bool all = flush->pass.all[i], less = had < known->there;
    const uint64_t sent = known_sum(known, place->resolution);
    known->generation = flush->known.generation;
    known->total = flush->pass.total[i];
    known->there = sent;
    known->adopted = false;
    if (less) {
        /* NULL: all of it has just been sent again or will be */
        watch_lost(flush, all ? NULL : known);
    }
    flush->watch
        .last[flush->config.store->ops->server(flush->config.store, place) % FLUSH_SERVERS_MAX] =
        *place;
    if (had > sent && known->whole) {
        identity_doubt(flush, known);
    }
    known->whole = known->whole || had <= sent;
}

/* The chunk is closed: what it lacks of ours will never get into it. */
static void note_closed(struct flush *flush, struct known_chunk *known,
                        const struct store_place *place) {
    const uint64_t sum = known_sum(known, place->resolution), told = known->there + known->too_late;
    /* each event counts once, by its second */
    if (sum <= told || place->resolution != RESOLUTION_1S) {
        return;
    }
    known->too_late += sum - told;
    pthread_mutex_lock(&flush->mutex);
    flush->status.too_late += sum - told;
    pthread_mutex_unlock(&flush->mutex);
    if (!flush->watch.closed_told) {
        flush->watch.closed_told = true;
        log_line(LOG_WARN,
                 "the store has closed windows for good that this node still had counts of: they "
                 "stay here only; "
                 "/stats counts them as too_late",
                 "events=%" PRIu64, sum - told);
    }
}

/* The store was sent this and, as far as we know, has it. */
static void note_told(struct known_chunk *known, const struct store_chunk *chunk) {
    for (uint32_t i = 0; i < chunk->n; i++) {
        if (chunk->count[i] > known->sent[chunk->slot[i]]) {
            known->sent[chunk->slot[i]] = chunk->count[i];
        }
    }
}

static void take_ack(struct flush *flush, size_t i, const struct store_ack *ack) {
    const struct store_place *place = &flush->pass.batch[i].place;
    struct known_chunk *known = known_at(&flush->known, place->resolution, place->chunk);
    if (ack->outcome != STORE_FOREIGN) { /* else what is read back would be mistaken for this */
        note_told(known, &flush->pass.batch[i]);
    }
    switch (ack->outcome) {
    case STORE_STORED:
        note_stored(flush, i, known, ack->had);
        break;
    case STORE_CLOSED:
        note_closed(flush, known, place);
        known->generation = flush->known.generation;
        known->total = flush->pass.total[i];
        break;
    case STORE_FOREIGN:
        known->generation = 0;
        identity_doubt(flush, known);
        break;
    case STORE_FAILED:
        flush->pass.failed = true;
        known->generation = 0; /* it may or may not have arrived: send all of it once more */
        known->failed_round = flush->pass.round;
        break;
    }
}

/* A store that is slow per chunk gets fewer at a time, so that each pipeline ends within its
 * time-out. */
static void pace_batches(struct pass *pass, int64_t took_us) {
    if (took_us > SLOW_US && pass->batch_most > 1) {
        pass->batch_most /= 2;
    } else if (took_us < FAST_US && pass->batch_most < FLUSH_BATCH) {
        pass->batch_most *= 2;
    }
}

static void send_batch(struct flush *flush) {
    struct pass *pass = &flush->pass;
    if (pass->batched == 0) {
        return;
    }
    struct store_ack ack[FLUSH_BATCH];
    char why[STORE_WHY_MAX] = "";
    struct store *store = flush->config.store;
    for (size_t i = 0; i < pass->batched; i++) {
        ack[i] = (struct store_ack){STORE_FAILED, 0, 0};
    }
    const int64_t before_us = clock_steady_us();
    if (!store->ops->send(store, pass->batch, pass->batched, ack, why)) {
        pass->failed = true;
        flush_error(flush, "flush failed", why);
    }
    const int64_t took_us = clock_steady_us() - before_us;
    pass_note_clock(flush); /* soon after it is set, since a kill may follow */
    pace_batches(pass, took_us);
    for (size_t i = 0; i < pass->batched; i++) {
        take_ack(flush, i, &ack[i]);
    }
    if (ack[pass->batched - 1].outcome == STORE_STORED) {
        watch_end(flush, &pass->batch[pass->batched - 1].place);
    }
    log_line(LOG_DEBUG, "flushed", "chunks=%zu took_us=%" PRId64 " ok=%s", pass->batched, took_us,
             *why ? "no" : "yes");
    pass->sent += pass->batched;
    pass->batched = 0;
}

/* ---- what changed ---- */

/* Fills the chunk of the batch with the windows to send: those that grew, or `all` of them if the
 * store may have lost some. */
static void gather(struct flush *flush, struct known_chunk *known, bool all,
                   struct store_chunk *chunk) {
    const enum resolution r = chunk->place.resolution;
    uint64_t count[SLOTS_MAX];
    known_ours(&flush->known, flush->config.counters, r, known->chunk, count);
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
        uint64_t ours = count[slot];
        /* the rings have begun to forget the window; what was sent is still true */
        if (all && ours < known->sent[slot]) {
            ours = known->sent[slot];
        }
        if (ours && ours < COUNT_MAX && (all || ours > known->sent[slot])) {
            chunk->slot[chunk->n] = (uint8_t)slot;
            chunk->count[chunk->n++] = ours;
        }
    }
}

/* Puts a chunk into the batch if its total differs from what the store has and it was not tried in
 * this round. The total is read before the windows, so a later change always makes the total differ
 * again. False when it has no counts. */
static bool consider(struct flush *flush, enum resolution r, int64_t number) {
    struct pass *pass = &flush->pass;
    const uint64_t total = counters_chunk_total_rest(flush->config.counters, r, number);
    const struct known_chunk *remembered = known_find(&flush->known, r, number);
    if (total == 0 || (remembered && remembered->total == total &&
                       remembered->generation == flush->known.generation)) {
        return total != 0;
    }
    struct known_chunk *known = known_at(&flush->known, r, number);
    if (known->failed_round == pass->round) {
        pass->left_out = true;
        return true;
    }
    struct store_chunk *chunk = &pass->batch[pass->batched];
    *chunk = (struct store_chunk){.place = {r, number}, .there = known->there};
    pass->all[pass->batched] = known->generation != flush->known.generation;
    gather(flush, known, pass->all[pass->batched], chunk);
    if (chunk->n == 0) { /* the change had already been read and sent with the one before it */
        known->total = total;
        known->generation = flush->known.generation;
        return true;
    }
    pass->total[pass->batched++] = total;
    if (pass->batched >= pass->batch_most) {
        send_batch(flush);
    }
    return true;
}

/* A store that is still connected failed only in part (one master of a cluster is away), so sending
 * to the other parts continues. A store that hangs as a whole is no longer connected, and costs one
 * time-out. */
static bool may_go_on(const struct flush *flush) {
    const struct pass *pass = &flush->pass;
    return flush->state == FLUSH_SENDING && pass->sent + pass->batched < PASS_CHUNKS &&
           (!pass->failed || flush->config.store->ops->connected(flush->config.store)) &&
           clock_steady_us() < pass->end_us;
}

/* Examines chunks [oldest, newest], newest first. True when it got through all of them. */
static bool consider_range(struct flush *flush, enum resolution r, int64_t oldest, int64_t newest) {
    for (int64_t chunk = newest; chunk >= oldest; chunk--) {
        if (flush->pass.batched == 0 && !may_go_on(flush)) {
            return false;
        }
        consider(flush, r, chunk);
    }
    return true;
}

/* Examines what was left behind, newest first, from where the previous pass had to stop: these
 * chunks and the current ones may share places in the memory and evict each other. True when it got
 * through all of them and none failed. */
static bool consider_left(struct flush *flush, enum resolution r) {
    struct known_ring *ring = &flush->known.ring[r];
    if (!ring->left_next) {
        ring->left_next = ring->left_behind;
        ring->left_failed = false;
    }
    for (int empty = 0; ring->left_next >= ring->left_from; ring->left_next--) {
        if (flush->pass.batched == 0 && !may_go_on(flush)) {
            ring->left_failed = ring->left_failed || flush->pass.failed || flush->pass.left_out ||
                                flush->state != FLUSH_SENDING;
            return false;
        }
        if (consider(flush, r, ring->left_next)) {
            if (!ring->left_next) { /* the clock was set meanwhile: there is more to examine */
                return false;
            }
            empty = 0;
        } else if (++empty == LEFT_EMPTY) { /* a clock may be set by decades */
            ring->left_next =
                counters_find_held(flush->config.counters, r, ring->left_next - 1) + 1;
            empty = 0;
        }
    }
    ring->left_next = 0;
    return true;
}

/* Has passes examine once more what a clock that was ahead counted beyond the present, if it was
 * set back before a pass got there. */
static void note_ahead(struct flush *flush, enum resolution r, int64_t newest) {
    struct known_ring *ring = &flush->known.ring[r];
    int64_t oldest, ahead = newest;
    uint64_t sum = 0;
    counters_span_ahead(flush->config.counters, r, &oldest, &ahead);
    for (int64_t chunk = newest + 1; chunk <= ahead; chunk++) {
        sum += counters_chunk_total_rest(flush->config.counters, r, chunk);
    }
    if (sum > ring->ahead) {
        known_leave_behind(ring, newest + 1, ahead, clock_steady_us());
    }
    ring->ahead = sum;
}

/* Examines one resolution. If the wall clock was set, so that the newest chunk jumped back, or
 * ahead by more than a pass looks back, the chunks that were current before the jump are included
 * until they are all acknowledged. */
static bool pass_resolution(struct flush *flush, enum resolution r, bool full) {
    struct known_ring *ring = &flush->known.ring[r];
    int64_t oldest, newest;
    if (!counters_span(flush->config.counters, r, &oldest, &newest)) {
        return true;
    }
    if (ring->newest && (newest > ring->newest + ring->back || newest < ring->newest)) {
        known_leave_behind(ring, ring->newest - ring->back, ring->newest, clock_steady_us());
    }
    ring->newest = newest;
    if (full) {
        note_ahead(flush, r, newest);
    }
    const int64_t recent = RECENT_US / chunk_width_us(r) + 1;
    const int64_t back =
        full ? ring->back : recent + counters_future_us(flush->config.counters) / chunk_width_us(r);
    const int64_t from = newest - back > oldest ? newest - back : oldest;
    bool whole = consider_range(flush, r, from, newest);
    if (whole && ring->left_behind) {
        /* first, before the rings move past it */
        whole = consider_left(flush, r);
        send_batch(flush);
        const bool all = whole && !ring->left_failed && !flush->pass.failed &&
                         !flush->pass.left_out && flush->state == FLUSH_SENDING;
        if (all && clock_steady_us() - ring->left_us > LEFT_US) {
            ring->left_behind = ring->own_behind = 0;
        }
    }
    return whole;
}

/* Sends what was just read back: the store then has it as ours, whatever else the memory of these
 * chunks is needed for. */
static void consider_doubted(struct flush *flush) {
    struct identity *identity = &flush->identity;
    for (size_t i = 0; i < identity->doubted_n; i++) {
        consider(flush, identity->doubted[i].resolution, identity->doubted[i].chunk);
    }
    send_batch(flush);
    identity->doubted_n = 0;
}

/* Ends a pass that began at began_us (steady clock). through_us: the same by the wall clock if the
 * pass covered the whole horizon, else 0. */
static void finish(struct flush *flush, int64_t began_us, bool complete, int64_t through_us) {
    if (complete) { /* anything missing from now on is a new loss */
        flush->watch.told_generation = 0;
    }
    const int64_t took_us = clock_steady_us() - began_us;
    pthread_mutex_lock(&flush->mutex);
    if (flush->pass.sent > 0 || flush->pass.rows_sent > 0) {
        durations_note(&flush->status.took, took_us > 0 ? (uint64_t)took_us : 0);
    }
    visible_turn(&flush->recent, &flush->status.visible, began_us);
    visible_settle(flush, &flush->status.visible);
    flush->status.may_evict = flush->config.store->may_evict;
    flush->status.passes++;
    flush->status.chunks_sent += flush->pass.sent;
    if (complete) {
        flush->told = false;
        flush->complete_us = flush->status.last_flush_us = clock_steady_us();
        flush->status.complete_through_us =
            through_us ? through_us : flush->status.complete_through_us;
    }
    pthread_mutex_unlock(&flush->mutex);
}

bool pass_run(struct flush *flush, bool full) {
    struct pass *pass = &flush->pass;
    const int64_t now_us = clock_steady_us();
    full = full || now_us - pass->full_us >= FULL_PASS_US || pass->full_us == 0;
    pass_note_clock(flush);
    pass->sent = pass->batched = 0;
    pass->failed = pass->left_out = false;
    pass->end_us = now_us + PASS_US;
    const uint32_t generation = flush->known.generation;
    const int64_t wall_us = pass->wall_us;
    bool whole = true;
    consider_doubted(flush);
    if (full) {
        rows_pass_edge(flush);
    }
    /* the resolution with the fewest chunks first: it shows whether the store forgot */
    for (int r = RESOLUTIONS - 1; r >= 0 && whole; r--) {
        whole = pass_resolution(flush, (enum resolution)r, full);
    }
    send_batch(flush);
    whole = whole && rows_pass(flush, full);
    pass->round_is_over = whole && full;
    pass->full_us = !whole || pass->failed ? 0 : full ? now_us : pass->full_us;
    const bool complete = whole && !pass->failed && !pass->left_out && !flush->watch.lost &&
                          generation == flush->known.generation && flush->state == FLUSH_SENDING;
    finish(flush, now_us, complete, full ? wall_us : 0);
    return complete;
}

void pass_run_edge(struct flush *flush) {
    flush->pass.failed = flush->pass.left_out = false;
    flush->pass.end_us = clock_steady_us() + PASS_US;
    rows_pass_edge(flush);
}

void pass_begin_round(struct flush *flush) {
    flush->pass.round++;
    flush->pass.round_is_over = false;
    flush->pass.full_us = 0;
}

bool pass_unsent(const struct flush *flush) {
    const struct counters *counters = flush->config.counters;
    for (int r = 0; r < RESOLUTIONS; r++) {
        int64_t oldest, newest;
        if (!counters_span(counters, (enum resolution)r, &oldest, &newest)) {
            continue;
        }
        const int64_t back = newest - flush->known.ring[r].back;
        for (int64_t chunk = newest; chunk >= (back > oldest ? back : oldest); chunk--) {
            const uint64_t total = counters_chunk_total_rest(counters, (enum resolution)r, chunk);
            const struct known_chunk *known = known_find(&flush->known, (enum resolution)r, chunk);
            if (total && (!known || known->total != total)) {
                return true;
            }
        }
    }
    return rows_unsent(flush);
}
