/* Finds out which hours a log has events of. The headers of blocks tell, except for blocks that
 * span a long time, and for tails: there the lines are read. */
#include "replay/internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDE_US (2 * REPLAY_HOUR_US) /* a block that spans more is read */

/* ---- hours ---- */

static void add_hour(struct hours *hours, int64_t hour) {
    size_t at = hours->n;
    while (at > 0 && hours->hour[at - 1] > hour) {
        at--;
    }
    if ((at > 0 && hours->hour[at - 1] == hour) || hours->failed) {
        return;
    }
    if (hours->n == hours->cap) {
        const size_t cap = 2 * hours->cap + 64;
        int64_t *more = realloc(hours->hour, cap * sizeof *more);
        if (!more) {
            hours->failed = true;
            return;
        }
        hours->hour = more;
        hours->cap = cap;
    }
    memmove(hours->hour + at + 1, hours->hour + at, (hours->n - at) * sizeof *hours->hour);
    hours->hour[at] = hour;
    hours->n++;
}

/* ---- several threads ---- */

struct pool_thread {
    const struct pool *pool;
    _Atomic size_t *next;
    unsigned number;
};

static void *run_thread(void *cls) {
    const struct pool_thread *thread = cls;
    const struct pool *pool = thread->pool;
    for (size_t item = atomic_fetch_add(thread->next, 1); item < pool->items;
         item = atomic_fetch_add(thread->next, 1)) {
        if (pool->stop && atomic_load_explicit(pool->stop, memory_order_relaxed)) {
            break;
        }
        pool->work(pool->cls, thread->number, item);
    }
    return NULL;
}

bool pool_run(const struct pool *pool) {
    _Atomic size_t next = 0;
    struct pool_thread *thread = calloc(pool->threads, sizeof *thread);
    pthread_t *id = calloc(pool->threads, sizeof *id);
    unsigned started = 0;
    bool ok = thread && id;
    for (unsigned i = 0; ok && i < pool->threads; i++) {
        thread[i] = (struct pool_thread){pool, &next, i};
        ok = pthread_create(&id[i], NULL, run_thread, &thread[i]) == 0;
        started += ok;
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(id[i], NULL);
    }
    free(id);
    free(thread);
    return ok;
}

/* ---- a piece ---- */

/* What one thread finds out. */
struct looking {
    struct replay *replay;
    struct hours hours;
    struct line_reader reader;
    struct piece_span *span; /* of the current piece */
    bool wide, damaged;
};

static void note_time(struct looking *looking, int64_t us) {
    struct piece_span *span = looking->span;
    const size_t n = looking->hours.n;
    const int64_t hour = us >= 0 ? us / REPLAY_HOUR_US : -1;
    span->min_us = us < span->min_us ? us : span->min_us;
    span->max_us = us > span->max_us ? us : span->max_us;
    if (n == 0 || looking->hours.hour[n - 1] != hour) {
        add_hour(&looking->hours, hour);
    }
}

static void note_block(void *cls, int64_t min_us, int64_t max_us) {
    struct looking *looking = cls;
    const struct replay_config *config = &looking->replay->config;
    if (max_us - min_us > WIDE_US || min_us < 0) {
        looking->wide = true;
    } else if (max_us >= config->from_us && min_us < config->to_us) {
        for (int64_t us = min_us; us <= max_us; us += REPLAY_HOUR_US) {
            note_time(looking, us);
        }
        note_time(looking, max_us);
    }
}

static bool look_at_lines(void *cls, const struct eventlog_lines *lines) {
    struct looking *looking = cls;
    struct line_found found;
    for (size_t at = 0; at < lines->len; at += found.len) {
        line_scan(&looking->reader, lines->text + at, lines->len - at, &found);
        looking->damaged |= found.kind == LINE_WRONG;
        if (replay_is_meant(looking->replay, &found)) {
            note_time(looking, found.time_us);
        }
    }
    return !replay_is_stopped(looking->replay);
}

/* replay_name_damages reports it, whichever stretches are counted. */
static void note_damage(void *cls, const struct eventlog_damage *damage) {
    struct looking *looking = cls;
    (void)damage;
    looking->damaged = true;
}

static void look_at_piece(void *cls, unsigned thread, size_t item) {
    struct looking *looking = (struct looking *)cls + thread;
    struct replay *replay = looking->replay;
    const struct replay_config *config = &replay->config;
    looking->span = &replay->span[item];
    *looking->span = (struct piece_span){INT64_MAX, INT64_MIN, false};
    looking->wide = looking->damaged = false;
    const struct eventlog_piece *piece = &replay->pieces.piece[item];
    if (!eventlog_piece_spans(piece, note_block, looking) || looking->wide) {
        const struct eventlog_lines_taker taker = {look_at_lines, note_damage, looking};
        *looking->span = (struct piece_span){INT64_MAX, INT64_MIN, false};
        eventlog_piece_read(piece, config->from_us, config->to_us, &taker);
    }
    looking->span->damaged = looking->damaged;
}

static bool look_at_all(struct replay *replay) {
    const unsigned threads = replay->config.threads;
    struct looking *looking = calloc(threads, sizeof *looking);
    replay->span = calloc(replay->pieces.n + 1, sizeof *replay->span);
    bool ok = looking && replay->span;
    for (unsigned i = 0; ok && i < threads; i++) {
        looking[i].replay = replay;
    }
    const struct pool pool = {look_at_piece, looking, threads, replay->pieces.n,
                              replay->config.stop};
    ok = ok && pool_run(&pool);
    for (unsigned i = 0; looking && i < threads; i++) {
        for (size_t h = 0; h < looking[i].hours.n; h++) {
            add_hour(&replay->hours, looking[i].hours.hour[h]);
        }
        ok = ok && !looking[i].hours.failed;
        free(looking[i].hours.hour);
    }
    free(looking);
    return ok && !replay->hours.failed;
}

/* ---- the log ---- */

struct replay *replay_open(const struct replay_config *config, char why[REPLAY_WHY_MAX]) {
    _Static_assert(REPLAY_WHY_MAX >= EVENTLOG_READ_WHY_MAX, "its sentences fit");
    struct replay *replay = calloc(1, sizeof *replay);
    if (!replay) {
        snprintf(why, REPLAY_WHY_MAX, "out of memory");
        return NULL;
    }
    replay->config = *config;
    bool ok = true;
    for (unsigned i = 0; ok && i < config->dirs; i++) {
        ok = eventlog_pieces_add(&replay->pieces, config->dir[i], config->node, why);
    }
    ok = ok && eventlog_pieces_are_once(&replay->pieces, why);
    if (ok && !look_at_all(replay)) {
        snprintf(why, REPLAY_WHY_MAX, "out of memory or threads");
        ok = false;
    }
    if (!ok) {
        replay_close(replay);
        return NULL;
    }
    return replay;
}

void replay_close(struct replay *replay) {
    if (replay) {
        eventlog_pieces_free(&replay->pieces);
        free(replay->hours.hour);
        free(replay->span);
    }
    free(replay);
}

const char *replay_node(const struct replay *replay) {
    const struct eventlog_pieces *pieces = &replay->pieces;
    for (size_t i = 1; i < pieces->n; i++) {
        if (strcmp(pieces->piece[i].node, pieces->piece[0].node) != 0) {
            return NULL;
        }
    }
    return pieces->n > 0 ? pieces->piece[0].node : NULL;
}

size_t replay_stretches(const struct replay *replay, int64_t length_us,
                        struct replay_stretch **stretches) {
    const struct hours *hours = &replay->hours;
    const int64_t length = length_us / REPLAY_HOUR_US;
    size_t n = 0;
    *stretches = calloc(hours->n + 1, sizeof **stretches);
    for (size_t i = 0; *stretches && i < hours->n; i++) {
        if (hours->hour[i] < 0) { /* there are no windows before 1970 */
            continue;
        }
        const int64_t from_us = hours->hour[i] / length * length_us;
        if (n == 0 || (*stretches)[n - 1].from_us != from_us) {
            (*stretches)[n++] = (struct replay_stretch){from_us, from_us + length_us};
        }
    }
    return n;
}

bool replay_span(const struct replay *replay, struct replay_stretch *span) {
    const struct hours *hours = &replay->hours;
    size_t first = 0;
    while (first < hours->n && hours->hour[first] < 0) {
        first++;
    }
    if (first == hours->n) {
        return false;
    }
    span->from_us = hours->hour[first] * REPLAY_HOUR_US;
    span->to_us = (hours->hour[hours->n - 1] + 1) * REPLAY_HOUR_US;
    return true;
}

int64_t replay_stretch_length(const struct definitions *definitions) {
    static const int64_t lengths[] = {1, 2, 3, 4, 6, 8, 12, 24}; /* hours */
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const int64_t length_us = lengths[i] * REPLAY_HOUR_US;
        bool fits = true;
        for (unsigned r = 0; r < definitions->reports; r++) {
            const struct table_config *table = &definitions->report[r].table;
            for (unsigned k = 0; k < table->widths; k++) {
                fits = fits && length_us % table->width_us[k] == 0;
            }
        }
        if (fits) {
            return length_us;
        }
    }
    return REPLAY_DAY_US;
}

static bool touches(const struct piece_span *span, const struct replay_stretch *stretch) {
    return span->min_us < stretch->to_us && span->max_us >= stretch->from_us;
}

uint64_t replay_bytes(const struct replay *replay, const struct replay_stretch *stretch) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < replay->pieces.n; i++) {
        bytes += touches(&replay->span[i], stretch) ? replay->pieces.piece[i].bytes : 0;
    }
    return bytes;
}
