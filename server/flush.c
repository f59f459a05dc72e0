#include "server/flush.h"

#include "server/clock.h"
#include "server/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEND_CHUNKS 32            /* chunks in one pipeline: a few milliseconds of the store's time */
#define PASS_CHUNKS 512           /* chunks that one pass sends at the most: a resend is paced by the interval */
#define FULL_PASS_US US_PER_S     /* late events wait no longer than this */
#define RECENT_US (4 * US_PER_S)  /* what every pass looks at */
#define RING_SPARE 8              /* a ring holds up to 7 chunks more than the span; a clock set back counts there */
#define BACKOFF_FIRST_US (50 * US_PER_MS)
#define BACKOFF_LAST_US (2 * US_PER_S)
#define COUNT_MAX (UINT64_C(1) << 53)

/* What the store has acknowledged of one chunk. Before read-back: what the file held when we started. */
struct acked {
    int64_t chunk;
    uint64_t total; /* counters_chunk_total before the windows were read that the store now has */
    bool known;     /* the store has this chunk from this node */
    uint32_t failed_round; /* the round in which the store would not take it */
    uint64_t count[];
};

struct acked_ring {
    unsigned char *base;
    int64_t places;
    int64_t back;  /* chunks before the newest that are looked at */
    size_t stride;
    int64_t newest; /* as of the last pass */
    int64_t left_from, left_behind; /* chunks that are not of the present since the clock was set; left_behind 0: none */
};

struct flush {
    struct flush_config config;
    struct acked_ring ring[RESOLUTIONS];
    struct store_chunk *batch; /* [SEND_CHUNKS] */
    uint64_t batch_total[SEND_CHUNKS];
    size_t batched;
    size_t sent_this_pass;
    bool failed_this_pass;
    bool left_out;        /* in this pass: what had failed in this round already */
    uint32_t round;       /* from 1: each chunk that is to be sent is tried once a round */
    bool round_is_over;   /* nothing is left that was not tried in it */
    int64_t round_us;     /* steady clock: when the next one may begin */
    bool told;            /* that a part of the store fails; since the last complete pass */
    bool read_back;       /* done for this process */
    bool lost;            /* the store has forgotten: send all again */
    bool probe_due;
    struct store_window probe; /* the newest 1 min chunk we know to be there; window < 0: none */
    int64_t full_pass_us; /* steady clock of the last full pass */
    int64_t backoff_us;
    int64_t complete_us;  /* steady clock of the last complete pass */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t wake;
    bool stopping;
    int64_t deadline_us;
    struct flush_status status;
};

static struct acked *acked_place(const struct acked_ring *ring, int64_t chunk) {
    return (struct acked *)(ring->base + (size_t)(chunk % ring->places) * ring->stride);
}

/* The memory of a chunk, emptied when its place remembered another. */
static struct acked *acked_at(const struct acked_ring *ring, int64_t chunk) {
    struct acked *acked = acked_place(ring, chunk);
    if (acked->chunk != chunk) {
        memset(acked, 0, ring->stride);
        acked->chunk = chunk;
    }
    return acked;
}

/* Chunks [from, to] are looked at until all of them are acknowledged, whatever the present is by then. */
static void leave_behind(struct acked_ring *ring, int64_t from, int64_t to) {
    from = from > 0 ? from : 0;
    ring->left_from = ring->left_behind && ring->left_from < from ? ring->left_from : from;
    ring->left_behind = ring->left_behind > to ? ring->left_behind : to;
}

static void acked_forget(struct flush *flush) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        struct acked_ring *ring = &flush->ring[r];
        int64_t oldest, newest, ahead;
        memset(ring->base, 0, (size_t)ring->places * ring->stride);
        if (counters_span(flush->config.counters, (enum resolution)r, &oldest, &newest) &&
            counters_span_ahead(flush->config.counters, (enum resolution)r, &oldest, &ahead) && ahead > newest) {
            leave_behind(ring, newest + 1, ahead);
        }
    }
}

static bool acked_make(struct flush *flush) {
    const struct counters *counters = flush->config.counters;
    const int64_t span_us = counters_horizon_us(counters) + counters_future_us(counters);
    for (int r = 0; r < RESOLUTIONS; r++) {
        struct acked_ring *ring = &flush->ring[r];
        ring->back = span_us / chunk_width_us((enum resolution)r) + RING_SPARE;
        ring->places = ring->back + 1;
        ring->stride = sizeof(struct acked) + resolution_table[r].slots * sizeof(uint64_t);
        ring->base = calloc((size_t)ring->places, ring->stride); /* untouched pages cost nothing */
        if (!ring->base) {
            return false;
        }
    }
    flush->batch = calloc(SEND_CHUNKS, sizeof *flush->batch);
    return flush->batch != NULL;
}

/* ---- status: the only thing other threads see ------------------------------------------------------------------ */

static void note_error(struct flush *flush, const char *msg, const char *why) {
    char quoted[2 * STORE_WHY_MAX];
    pthread_mutex_lock(&flush->mutex);
    const bool connected = flush->config.store->ops->connected(flush->config.store) && flush->read_back;
    const bool news = connected ? !flush->told : flush->status.connected || strcmp(flush->status.last_error, why) != 0;
    flush->told = flush->told || connected;
    flush->status.connected = connected;
    flush->status.errors++;
    snprintf(flush->status.last_error, sizeof flush->status.last_error, "%s", why);
    pthread_mutex_unlock(&flush->mutex);
    if (news) { /* a store that is away, or a part of one, is told of once, not ten times a second */
        log_line(LOG_WARN, msg, "store=%s error=%s", flush->config.store->ops->address(flush->config.store), log_quote(why, quoted, sizeof quoted));
    }
}

void flush_status(struct flush *flush, struct flush_status *out) {
    pthread_mutex_lock(&flush->mutex);
    *out = flush->status;
    const int64_t since_us = clock_steady_us() - flush->complete_us;
    out->lag_us = since_us > 2 * flush->config.interval_us ? since_us : 0;
    pthread_mutex_unlock(&flush->mutex);
}

/* ---- sending ------------------------------------------------------------------------------------------------------ */

static void take_ack(struct flush *flush, const struct store_chunk *chunk, uint64_t total, enum store_ack ack) {
    struct acked *acked = acked_at(&flush->ring[chunk->resolution], chunk->chunk);
    if (ack == STORE_FAILED) {
        flush->failed_this_pass = true;
        acked->failed_round = flush->round;
        return;
    }
    if (ack == STORE_NEW && acked->known) {
        flush->lost = true;
    }
    for (uint32_t i = 0; i < chunk->n; i++) {
        acked->count[chunk->slot[i]] = chunk->count[i];
    }
    acked->total = total;
    acked->known = true;
    if (chunk->resolution == RESOLUTION_1MIN) {
        flush->probe = (struct store_window){RESOLUTION_1MIN, chunk_first_window(RESOLUTION_1MIN, chunk->chunk), 0};
    }
}

static void send_batch(struct flush *flush) {
    if (flush->batched == 0) {
        return;
    }
    enum store_ack ack[SEND_CHUNKS];
    char why[STORE_WHY_MAX] = "";
    struct store *store = flush->config.store;
    for (size_t i = 0; i < flush->batched; i++) {
        ack[i] = STORE_FAILED;
    }
    if (!store->ops->send(store, flush->batch, flush->batched, ack, why)) {
        flush->failed_this_pass = true;
        note_error(flush, "flush failed", why);
    }
    for (size_t i = 0; i < flush->batched; i++) {
        take_ack(flush, &flush->batch[i], flush->batch_total[i], ack[i]);
    }
    flush->sent_this_pass += flush->batched;
    flush->batched = 0;
    flush->probe_due = false;
}

/* Puts a chunk into the batch when its total differs from what the store has, and was not tried in this round. The total
 * is read before the windows, so a later change always shows as a total that differs again. */
static void consider(struct flush *flush, enum resolution r, int64_t number) {
    const uint64_t total = counters_chunk_total_rest(flush->config.counters, r, number);
    const struct acked *remembered = acked_place(&flush->ring[r], number);
    if (total == 0 || (remembered->chunk == number && remembered->total == total)) {
        return;
    }
    struct acked *acked = acked_at(&flush->ring[r], number);
    if (acked->failed_round == flush->round) {
        flush->left_out = true;
        return;
    }
    uint64_t count[SLOTS_MAX];
    counters_read_rest(flush->config.counters, r, chunk_first_window(r, number), resolution_table[r].slots, count);
    struct store_chunk *chunk = &flush->batch[flush->batched];
    *chunk = (struct store_chunk){.resolution = r, .chunk = number};
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
        if (count[slot] > acked->count[slot] && count[slot] < COUNT_MAX) {
            chunk->slot[chunk->n] = (uint8_t)slot;
            chunk->count[chunk->n++] = count[slot];
        }
    }
    if (chunk->n == 0) { /* what changed was already read, and sent, with the change before it */
        acked->total = total;
    } else {
        flush->batch_total[flush->batched++] = total;
        if (flush->batched == SEND_CHUNKS) {
            send_batch(flush);
        }
    }
}

/* A store that is still connected failed in a part only (one master of a cluster is away): what other parts keep goes on.
 * One that hangs as a whole is not connected any more, and costs one time-out. */
static bool pass_may_go_on(const struct flush *flush) {
    return (!flush->failed_this_pass || flush->config.store->ops->connected(flush->config.store)) &&
           flush->sent_this_pass + flush->batched < PASS_CHUNKS;
}

/* Chunks [oldest, newest], newest first. True when all were looked at. */
static bool consider_range(struct flush *flush, enum resolution r, int64_t oldest, int64_t newest) {
    for (int64_t chunk = newest; chunk >= oldest; chunk--) {
        if (!pass_may_go_on(flush)) {
            return false;
        }
        consider(flush, r, chunk);
    }
    return true;
}

/* One resolution. When the newest chunk has jumped ahead by more than we look back, or back (the wall clock was set), what
 * was the present before the jump is looked at too, until it is all acknowledged. */
static bool pass_resolution(struct flush *flush, enum resolution r, bool full) {
    struct acked_ring *ring = &flush->ring[r];
    int64_t oldest, newest;
    if (!counters_span(flush->config.counters, r, &oldest, &newest)) {
        return true;
    }
    if (ring->newest && (newest > ring->newest + ring->back || newest < ring->newest)) {
        leave_behind(ring, ring->newest - ring->back, ring->newest);
    }
    ring->newest = newest;
    const int64_t recent = RECENT_US / chunk_width_us(r) + 1;
    const int64_t back = full ? ring->back : recent + counters_future_us(flush->config.counters) / chunk_width_us(r);
    const int64_t from = newest - back > oldest ? newest - back : oldest;
    bool whole = consider_range(flush, r, from, newest);
    if (whole && ring->left_behind) {
        whole = consider_range(flush, r, ring->left_from, ring->left_behind); /* the rings may have moved past it: be quick */
        send_batch(flush);
        ring->left_behind = whole && !flush->failed_this_pass && !flush->left_out ? 0 : ring->left_behind;
    }
    return whole;
}

static void finish_pass(struct flush *flush, bool complete) {
    if (flush->lost) {
        flush->lost = false;
        log_line(LOG_WARN, "the store has forgotten what it acknowledged: sending the whole horizon again", "store=%s",
                 flush->config.store->ops->address(flush->config.store));
        acked_forget(flush);
        flush->full_pass_us = 0;
        complete = false;
        pthread_mutex_lock(&flush->mutex);
        flush->status.resends++;
        pthread_mutex_unlock(&flush->mutex);
    }
    pthread_mutex_lock(&flush->mutex);
    flush->status.passes++;
    flush->status.chunks_sent += flush->sent_this_pass;
    if (complete) {
        flush->told = false;
        flush->complete_us = flush->status.last_flush_us = clock_steady_us();
    }
    pthread_mutex_unlock(&flush->mutex);
}

/* With nothing to send, a store that went away or was emptied would go unnoticed: ask for something that should be there;
 * when nothing should, for anything, just to hear from it. */
static void probe(struct flush *flush) {
    const int64_t now_us = clock_wall_us();
    const int64_t known = flush->probe.window < 0 ? -1 : window_chunk(RESOLUTION_1MIN, flush->probe.window);
    const bool should_be_there =
        known >= 0 && chunk_start_us(RESOLUTION_1MIN, known + 1) >= now_us - counters_horizon_us(flush->config.counters);
    const int64_t chunk = should_be_there ? known : now_us / chunk_width_us(RESOLUTION_1MIN);
    char why[STORE_WHY_MAX] = "";
    struct store *store = flush->config.store;
    const enum store_ack ack = store->ops->probe(store, RESOLUTION_1MIN, chunk, why);
    if (ack == STORE_FAILED) {
        flush->failed_this_pass = true;
        note_error(flush, "the store does not answer", why);
    }
    flush->lost = flush->lost || (should_be_there && ack == STORE_NEW);
}

/* Looks at what may have changed and sends it. True when nothing is left unsent. */
static bool pass(struct flush *flush, bool full) {
    const int64_t now_us = clock_steady_us();
    full = full || now_us - flush->full_pass_us >= FULL_PASS_US || flush->full_pass_us == 0;
    flush->sent_this_pass = 0;
    flush->failed_this_pass = flush->left_out = false;
    flush->probe_due = full;
    bool whole = true;
    for (int r = RESOLUTIONS - 1; r >= 0 && whole; r--) { /* few chunks first: they show whether the store forgot */
        whole = pass_resolution(flush, (enum resolution)r, full);
    }
    send_batch(flush);
    flush->round_is_over = whole && full;
    flush->full_pass_us = !whole || flush->failed_this_pass ? 0 : full ? now_us : flush->full_pass_us;
    if (flush->probe_due) {
        probe(flush);
    }
    const bool complete = whole && !flush->failed_this_pass && !flush->left_out && !flush->lost;
    finish_pass(flush, complete);
    return complete;
}

/* ---- read-back: before the first flush ---------------------------------------------------------------------------- */

/* Remembers what the file holds at the start, in the memory that acknowledgements use later. When this file was never
 * read back, nothing of it can be in the store, and what the store has comes on top: only what an earlier try of the
 * read-back put into the read-back shard counts as held. */
static void remember_start(struct flush *flush) {
    const struct counters *counters = flush->config.counters;
    const bool was = counters_was_read_back(counters);
    for (int r = 0; r < RESOLUTIONS; r++) {
        struct acked_ring *ring = &flush->ring[r];
        int64_t oldest, newest;
        if (!counters_span(counters, (enum resolution)r, &oldest, &newest)) {
            continue;
        }
        oldest = newest - ring->back > oldest ? newest - ring->back : oldest;
        for (int64_t chunk = oldest; chunk <= newest; chunk++) {
            if (counters_chunk_total(counters, (enum resolution)r, chunk)) {
                (was ? counters_read : counters_read_back_shard)(
                    counters, (enum resolution)r, chunk_first_window((enum resolution)r, chunk),
                    resolution_table[r].slots, acked_at(ring, chunk)->count);
            }
        }
    }
}

/* One window the store has from this node: raise ourselves to it. */
static void raise_to(void *cls, const struct store_window *window) {
    struct flush *flush = cls;
    const enum resolution r = window->resolution;
    struct acked *held = acked_at(&flush->ring[r], window_chunk(r, window->window));
    uint64_t *count = &held->count[window_slot(r, window->window)];
    if (window->count > *count) {
        shard_raise_owner(counters_readback_shard(flush->config.counters), r, window->window, window->count - *count);
        *count = window->count;
    }
}

/* The store may have been told of a 10 ms window and not yet of its second: within the read-back shard, raise each
 * coarser window to what its finer chunk sums to. */
static void settle_read_back(struct flush *flush, enum resolution fine, int64_t first, int64_t n) {
    const enum resolution coarse = (enum resolution)(fine + 1);
    const uint32_t slots = resolution_table[fine].slots;
    for (int64_t chunk = first; chunk < first + n; chunk++) {
        uint64_t count[SLOTS_MAX], window, sum = 0;
        counters_read_back_shard(flush->config.counters, fine, chunk_first_window(fine, chunk), slots, count);
        for (uint32_t i = 0; i < slots; i++) {
            sum += count[i];
        }
        counters_read_back_shard(flush->config.counters, coarse, chunk, 1, &window);
        if (sum > window) {
            shard_raise_owner(counters_readback_shard(flush->config.counters), coarse, chunk, sum - window);
        }
    }
}

static bool read_back(struct flush *flush) {
    const int64_t now_us = clock_wall_us();
    const int64_t from_us = now_us - counters_horizon_us(flush->config.counters);
    const int64_t to_us = now_us + counters_future_us(flush->config.counters);
    struct store *store = flush->config.store;
    char why[STORE_WHY_MAX] = "";
    int64_t first[RESOLUTIONS], n[RESOLUTIONS];
    for (int r = 0; r < RESOLUTIONS; r++) {
        first[r] = from_us / chunk_width_us((enum resolution)r);
        n[r] = to_us / chunk_width_us((enum resolution)r) - first[r] + 1;
        if (!store->ops->read_back(store, (enum resolution)r, first[r], n[r], raise_to, flush, why)) {
            note_error(flush, "cannot read back what the store has", why);
            return false;
        }
    }
    settle_read_back(flush, RESOLUTION_10MS, first[RESOLUTION_10MS], n[RESOLUTION_10MS]);
    settle_read_back(flush, RESOLUTION_1S, first[RESOLUTION_1S], n[RESOLUTION_1S]);
    if (!counters_set_read_back_owner(flush->config.counters)) {
        note_error(flush, "cannot write the state file", strerror(errno));
        return false;
    }
    return true;
}

/* ---- the thread ---------------------------------------------------------------------------------------------------- */

/* Connected, and read back once: may flush. After every connect the whole horizon is sent again: what the store says
 * it has may be older than what it once acknowledged. */
static bool ensure_ready(struct flush *flush) {
    struct store *store = flush->config.store;
    if (store->ops->connected(store) && flush->read_back) {
        return true;
    }
    char why[STORE_WHY_MAX] = "";
    if (!store->ops->connected(store) && !store->ops->connect(store, why)) {
        note_error(flush, "cannot reach the store", why);
        return false;
    }
    if (!flush->read_back && !read_back(flush)) {
        return false;
    }
    flush->read_back = true;
    acked_forget(flush);
    flush->full_pass_us = 0;
    pthread_mutex_lock(&flush->mutex);
    flush->status.connected = true;
    flush->status.resends++;
    pthread_mutex_unlock(&flush->mutex);
    log_line(LOG_INFO, "flushing", "store=%s", flush->config.store->ops->address(flush->config.store));
    return true;
}

/* Waits; returns true when it is time to stop. */
static bool wait_us(struct flush *flush, int64_t us) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t ns = until.tv_nsec + us % US_PER_S * 1000;
    until.tv_sec += us / US_PER_S + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&flush->mutex);
    while (!flush->stopping && pthread_cond_timedwait(&flush->wake, &flush->mutex, &until) == 0) {
    }
    const bool stopping = flush->stopping;
    pthread_mutex_unlock(&flush->mutex);
    return stopping;
}

/* The next wait after a failure: twice the last. */
static int64_t back_off(struct flush *flush) {
    const int64_t wait = flush->backoff_us;
    flush->backoff_us = wait * 2 < BACKOFF_LAST_US ? wait * 2 : BACKOFF_LAST_US;
    return wait;
}

/* What failed is tried again: all of the horizon is looked at for it. */
static void begin_round(struct flush *flush) {
    flush->round++;
    flush->round_is_over = false;
    flush->full_pass_us = 0;
}

int64_t flush_turn(struct flush *flush) {
    const int64_t interval_us = flush->config.interval_us;
    if (!ensure_ready(flush)) {
        return back_off(flush);
    }
    const bool complete = pass(flush, false);
    if (!flush->config.store->ops->connected(flush->config.store)) {
        const int64_t wait = back_off(flush);
        return wait > interval_us ? wait : interval_us;
    }
    if (complete) {
        flush->backoff_us = BACKOFF_FIRST_US;
    }
    /* A part failed: the others are served at the usual pace, that part is tried at one of its own. */
    const int64_t now_us = clock_steady_us();
    if (flush->round_is_over && (flush->left_out || flush->failed_this_pass) && now_us >= flush->round_us) {
        flush->round_us = now_us + back_off(flush);
        begin_round(flush);
    }
    return interval_us;
}

static void *flush_main(void *cls) {
    struct flush *flush = cls;
    int64_t next_us = clock_steady_us();
    bool stopping = false;
    while (!stopping) {
        next_us += flush_turn(flush);
        const int64_t wait = next_us - clock_steady_us();
        next_us = wait > 0 ? next_us : clock_steady_us();
        stopping = wait_us(flush, wait > 0 ? wait : 0);
    }
    bool complete = false; /* everything once more, until all is acknowledged or the time is up */
    do {
        begin_round(flush);
        complete = ensure_ready(flush) && pass(flush, true);
        if (!complete && flush->failed_this_pass) {
            const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
            nanosleep(&pause, NULL);
        }
    } while (!complete && clock_steady_us() < flush->deadline_us);
    return (void *)(intptr_t)complete;
}

void flush_free(struct flush *flush) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        free(flush->ring[r].base);
    }
    free(flush->batch);
    flush->config.store->ops->close(flush->config.store);
    pthread_mutex_destroy(&flush->mutex);
    pthread_cond_destroy(&flush->wake);
    free(flush);
}

struct flush *flush_new(const struct flush_config *config) {
    struct flush *flush = calloc(1, sizeof *flush);
    if (!flush) {
        config->store->ops->close(config->store);
        return NULL;
    }
    flush->config = *config;
    flush->backoff_us = BACKOFF_FIRST_US;
    flush->round = 1;
    flush->complete_us = clock_steady_us();
    flush->probe.window = -1;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&flush->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&flush->mutex, NULL);
    if (!acked_make(flush)) {
        flush_free(flush);
        return NULL;
    }
    remember_start(flush);
    return flush;
}

struct flush *flush_start(const struct flush_config *config) {
    struct flush *flush = flush_new(config);
    if (flush && pthread_create(&flush->thread, NULL, flush_main, flush)) {
        flush_free(flush);
        return NULL;
    }
    return flush;
}

bool flush_stop(struct flush *flush, int64_t deadline_us) {
    pthread_mutex_lock(&flush->mutex);
    flush->stopping = true;
    flush->deadline_us = deadline_us;
    pthread_cond_signal(&flush->wake);
    pthread_mutex_unlock(&flush->mutex);
    void *complete = NULL;
    pthread_join(flush->thread, &complete);
    flush_free(flush);
    return complete != NULL;
}
