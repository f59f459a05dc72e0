#include "server/flush/flush.h"

#include "server/flush/internal.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST_US (50 * US_PER_MS)
#define BACKOFF_LAST_US (2 * US_PER_S)
/* between two checks of a lease that somebody else holds */
#define LEASE_WAIT_US (500 * US_PER_MS)
#define LOOK_US US_PER_S /* at most, between two checks of the store */
/* between two passes while there is more to send than one pass does */
#define RESEND_US (100 * US_PER_MS)
#define NODE_US (900 * US_PER_MS)     /* between two descriptions of this node */
#define NODE_FAILED_US (5 * US_PER_S) /* the same after the store refused one */

const char *flush_state_name(enum flush_state state) {
    static const char *const names[] = {[FLUSH_AWAY] = "away",
                                        [FLUSH_LEASING] = "leasing",
                                        [FLUSH_READING_BACK] = "reading back",
                                        [FLUSH_SENDING] = "sending"};
    return names[state];
}

/* ---- status: the only thing other threads see ---- */

void flush_error(struct flush *flush, const char *msg, const char *why) {
    struct store *store = flush->config.store;
    char quoted[2 * STORE_WHY_MAX], address[2 * STORE_WHY_MAX];
    pthread_mutex_lock(&flush->mutex);
    const bool connected = store->ops->connected(store) && flush->state == FLUSH_SENDING;
    const bool news = connected
                          ? !flush->told
                          : flush->status.connected || strcmp(flush->status.last_error, why) != 0;
    flush->told = flush->told || connected;
    flush->status.connected = connected;
    flush->status.errors++;
    snprintf(flush->status.last_error, sizeof flush->status.last_error, "%.*s", STORE_WHY_MAX - 1,
             why);
    pthread_mutex_unlock(&flush->mutex);
    /* a store that is away, or a part of one, is logged once, not ten times a second */
    if (news) {
        log_line(LOG_WARN, msg, "store=%s error=%s",
                 log_quote(store->ops->address(store), address, sizeof address),
                 log_quote(why, quoted, sizeof quoted));
    }
}

void flush_set_state(struct flush *flush, enum flush_state state) {
    flush->state = state;
    pthread_mutex_lock(&flush->mutex);
    flush->status.state = state;
    flush->status.connected = state == FLUSH_SENDING;
    pthread_mutex_unlock(&flush->mutex);
}

void flush_resend(struct flush *flush) {
    for (int r = 0; r < RESOLUTIONS; r++) { /* including what a clock that was ahead left */
        int64_t oldest, newest, ahead;
        if (counters_span(flush->config.counters, (enum resolution)r, &oldest, &newest) &&
            counters_span_ahead(flush->config.counters, (enum resolution)r, &oldest, &ahead) &&
            ahead > newest) {
            known_leave_behind(&flush->known.ring[r], newest + 1, ahead, clock_steady_us());
        }
    }
    flush->known.generation++;
    flush->pass.full_us = 0;
    pthread_mutex_lock(&flush->mutex);
    flush->status.resends++;
    pthread_mutex_unlock(&flush->mutex);
}

void flush_status(struct flush *flush, struct flush_status *out) {
    pthread_mutex_lock(&flush->mutex);
    *out = flush->status;
    const int64_t since_us = clock_steady_us() - flush->complete_us;
    out->lag_us = since_us > 2 * flush->config.interval_us ? since_us : 0;
    out->visible_p99_us = durations_bound_of(&out->visible, &flush->recent.before[0], 990);
    pthread_mutex_unlock(&flush->mutex);
}

/* ---- from away to sending ---- */

static bool connect_store(struct flush *flush) {
    struct store *store = flush->config.store;
    char why[STORE_WHY_MAX] = "";
    if (store->ops->connected(store) && flush->state != FLUSH_AWAY) {
        return true;
    }
    flush->state = FLUSH_AWAY; /* the visible status stays as it is until the reason is known */
    flush->identity.waiting_us = 0; /* what we connect to next may be an older copy */
    if (!store->ops->connect(store, why)) {
        flush_error(flush, "cannot reach the store", why);
        flush_set_state(flush, FLUSH_AWAY);
        return false;
    }
    flush_set_state(flush, FLUSH_LEASING);
    return true;
}

/* True when something may be sent. After every connect the whole horizon is sent again, since the
 * store may now be older than what it once acknowledged. */
static bool get_ready(struct flush *flush) {
    if (!connect_store(flush)) {
        return false;
    }
    if (flush->state == FLUSH_SENDING) {
        return true;
    }
    if (!identity_lease(flush)) {
        return false;
    }
    if (!flush->identity.read_back) {
        flush_set_state(flush, FLUSH_READING_BACK);
        if (!identity_read_back(flush)) {
            flush_set_state(flush, FLUSH_LEASING);
            return false;
        }
    }
    flush_resend(flush);
    watch_begin(flush);
    flush_set_state(flush, FLUSH_SENDING);
    char quoted[2 * STORE_WHY_MAX];
    log_line(
        LOG_INFO, "flushing", "store=%s node=%s",
        log_quote(flush->config.store->ops->address(flush->config.store), quoted, sizeof quoted),
        counters_node_id(flush->config.counters));
    return true;
}

/* The next wait after a failure: twice the last. */
static int64_t back_off(struct flush *flush) {
    const int64_t wait = flush->backoff_us;
    flush->backoff_us = wait * 2 < BACKOFF_LAST_US ? wait * 2 : BACKOFF_LAST_US;
    return wait;
}

/* Sends this node's description of itself. That is for people, so a store that refuses it holds up
 * nothing else. */
static void tell_of_node(struct flush *flush, bool ends) {
    struct store *store = flush->config.store;
    const int64_t now_us = clock_steady_us();
    if (!flush->config.describe || !store->ops->tell_node || flush->state != FLUSH_SENDING ||
        !store->ops->connected(store) || (now_us < flush->node_due_us && !ends)) {
        return;
    }
    struct flush_status status;
    flush_status(flush, &status);
    const struct flush_told told = {status.lag_us, status.complete_through_us,
                                    status.visible_p99_us, ends};
    char words[FLUSH_WORDS_MAX], why[STORE_WHY_MAX];
    flush->config.describe(flush->config.cls, &told, words);
    const bool ok = store->ops->tell_node(store, words, why);
    flush->node_due_us = now_us + (ok ? NODE_US : NODE_FAILED_US);
    if (!ok) {
        flush_error(flush, "cannot tell of this node", why);
    }
}

int64_t flush_turn(struct flush *flush) {
    const int64_t interval_us = flush->config.interval_us;
    struct pass *pass = &flush->pass;
    visible_take(flush);
    if (!get_ready(flush) || !watch_run(flush)) {
        pass_note_clock(flush);
        return flush->identity.waiting_us ? LEASE_WAIT_US : back_off(flush);
    }
    const int64_t begin_us = clock_steady_us();
    /* a long interval must not delay the renewal of the lease */
    if (interval_us > LOOK_US && begin_us < pass->due_us) {
        tell_of_node(flush, false);
        pass_run_edge(flush); /* nor windows that the tables are about to drop */
        return pass->due_us - begin_us < LOOK_US ? pass->due_us - begin_us : LOOK_US;
    }
    pass->due_us = begin_us + interval_us;
    const bool complete = pass_run(flush, false);
    tell_of_node(flush, false);
    if (!flush->config.store->ops->connected(flush->config.store)) {
        const int64_t wait = back_off(flush);
        return wait > interval_us ? wait : interval_us;
    }
    if (complete) {
        flush->backoff_us = BACKOFF_FIRST_US;
        return interval_us < LOOK_US ? interval_us : LOOK_US;
    }
    pass->due_us = 0;
    /* A part of the store failed: the others are served at the usual pace, that part is retried at
     * a pace of its own. */
    const int64_t now_us = clock_steady_us();
    if (pass->round_is_over && (pass->left_out || pass->failed) && now_us >= pass->round_us) {
        pass->round_us = now_us + back_off(flush);
        pass_begin_round(flush);
    }
    return pass->failed || interval_us < RESEND_US ? interval_us : RESEND_US;
}

/* ---- the thread ---- */

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

static void say_what_is_waited_for(const struct flush *flush) {
    struct store *store = flush->config.store;
    char quoted[2 * STORE_WHY_MAX], why[2 * STORE_WHY_MAX];
    const int64_t left_us = flush->deadline_us - clock_steady_us();
    log_line(LOG_WARN,
             "waiting for the store to take what it does not have yet; a second signal ends this "
             "at once, and the next start sends it",
             "store=%s state=\"%s\" for_ms=%" PRId64 " error=%s",
             log_quote(store->ops->address(store), quoted, sizeof quoted),
             flush_state_name(flush->state), left_us > 0 ? left_us / US_PER_MS : 0,
             log_quote(flush->status.last_error, why, sizeof why));
}

/* Sends everything once more, until all of it is acknowledged and still there, or until the
 * deadline. */
static bool send_the_rest(struct flush *flush) {
    struct store *store = flush->config.store;
    bool complete = false, told = false;
    store->ops->end_by(store, flush->deadline_us);
    if (flush->state != FLUSH_SENDING && !pass_unsent(flush)) {
        return true;
    }
    do {
        pass_begin_round(flush);
        visible_take(flush);
        flush->watch.due_us = 0;
        flush->watch.resent_us = 0; /* a loss is repaired now or never */
        complete =
            get_ready(flush) && watch_run(flush) && pass_run(flush, true) && watch_compare(flush);
        if (!complete && (flush->pass.failed || flush->state != FLUSH_SENDING)) {
            if (!told) {
                say_what_is_waited_for(flush);
                told = true;
            }
            const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
            nanosleep(&pause, NULL);
        }
    } while (!complete && clock_steady_us() < flush->deadline_us);
    tell_of_node(flush, true);
    identity_release(flush);
    return complete;
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
    return (void *)(intptr_t)send_the_rest(flush);
}

void flush_free(struct flush *flush) {
    known_free(&flush->known);
    rows_known_free(&flush->rows);
    flush->config.store->ops->close(flush->config.store);
    pthread_mutex_destroy(&flush->mutex);
    pthread_cond_destroy(&flush->wake);
    free(flush);
}

struct flush *flush_new(const struct flush_config *config, char *why) {
    struct flush *flush = calloc(1, sizeof *flush);
    snprintf(why, COUNTERS_WHY_MAX, "out of memory");
    if (!flush) {
        config->store->ops->close(config->store);
        return NULL;
    }
    flush->config = *config;
    flush->backoff_us = BACKOFF_FIRST_US;
    flush->pass.round = 1;
    flush->pass.batch_most = FLUSH_BATCH;
    flush->complete_us = clock_steady_us();
    flush->visible.queue = config->queue;
    flush->visible.queues = config->queue ? config->queues : 0;
    counters_owner(config->counters, flush->identity.owner);
    flush->rows.tables = config->tables;
    flush->rows.horizon_us = counters_horizon_us(config->counters);
    flush->rows.future_us = counters_future_us(config->counters);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&flush->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&flush->mutex, NULL);
    if (!known_make(&flush->known, config->counters) ||
        !known_remember(&flush->known, config->counters, why) ||
        !rows_remember(&flush->rows, counters_node_id(config->counters), why)) {
        flush_free(flush);
        return NULL;
    }
    pass_continue(flush); /* the store may hang and the clock may be set before the first pass */
    return flush;
}

struct flush *flush_start(const struct flush_config *config, char *why) {
    struct flush *flush = flush_new(config, why);
    const int error = flush ? pthread_create(&flush->thread, NULL, flush_main, flush) : 0;
    if (error) {
        snprintf(why, COUNTERS_WHY_MAX, "cannot start the flush thread: %s", strerror(error));
        flush_free(flush);
        return NULL;
    }
    return flush;
}

bool flush_stop(struct flush *flush, int64_t deadline_us) {
    pthread_mutex_lock(&flush->mutex);
    flush->stopping = true;
    flush->deadline_us = deadline_us;
    if (!flush->status.connected) { /* do not wait for the call under way */
        flush->config.store->ops->end_by(flush->config.store, clock_steady_us());
    }
    pthread_cond_signal(&flush->wake);
    pthread_mutex_unlock(&flush->mutex);
    void *complete = NULL;
    pthread_join(flush->thread, &complete);
    flush_free(flush);
    return complete != NULL;
}
