/* A stretch of a log -> a state directory. */
#include "replay/replay.h"

#include "counters/counters.h"
#include "counters/rows/tables.h"
#include "replay/event.h"
#include "replay/internal.h"
#include "reports/add.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 256
_Static_assert(REPLAY_WHY_MAX >= COUNTERS_WHY_MAX, "its sentences fit");

struct run;

/* A thread's data. */
struct worker {
    struct run *run;
    struct shard *shard;
    struct adder *adder;        /* NULL: no reports */
    struct replay_event *event; /* the same */
    struct line_reader reader;
    struct replay_tally tally;
    bool named;    /* damage in the current piece was reported */
    uint64_t told; /* events reported as progress */
    size_t n;      /* times not counted yet */
    int64_t us[BATCH];
};

/* One run. */
struct run {
    struct replay *replay;
    const struct replay_stretch *stretch;
    const struct replay_target *target;
    struct counters *counters;
    struct tables *tables; /* NULL: no reports */
    struct reports reports;
    pthread_mutex_t mutex; /* for the target's damage function */
    struct worker *worker; /* [config.threads] */
};

/* ---- lines ---- */

static void count_batch(struct worker *worker) {
    for (size_t done = 0; done < worker->n;) {
        enum shard_verdict verdict;
        done += shard_add_batch_owner(worker->shard, worker->us + done, worker->n - done, &verdict);
        if (done < worker->n) {
            worker->tally.unplaced++;
            done++;
        }
    }
    worker->tally.counted += worker->n;
    worker->n = 0;
}

/* Counts the event that was read last. */
static void count_event(struct worker *worker) {
    uint64_t unfit = 0;
    if (adder_add_owner(worker->adder, worker->shard, &worker->event->record, &unfit) !=
        SHARD_COUNTED) {
        worker->tally.unplaced++;
    }
    worker->tally.counted++;
}

static void take_damage(void *cls, const struct eventlog_damage *damage) {
    struct worker *worker = cls;
    const struct replay_target *target = worker->run->target;
    worker->tally.damages++;
    if (target->damage) {
        pthread_mutex_lock(&worker->run->mutex);
        target->damage(target->cls, damage);
        pthread_mutex_unlock(&worker->run->mutex);
    }
}

static void pass_over(void *cls, const struct eventlog_damage *damage) {
    (void)cls;
    (void)damage; /* reported before anything was counted */
}

static bool is_within(const struct replay_stretch *stretch, const struct line_found *found) {
    return found->time_us >= stretch->from_us && found->time_us < stretch->to_us;
}

/* Counts an event that is a single object, as most in batches are, which also finds its line's end.
 * False when it is not one, or the line has more. */
static bool take_object(struct worker *worker, const struct eventlog_lines *lines, size_t at,
                        struct line_found *found) {
    const char *text = lines->text + at;
    if (!worker->adder || !line_scan_object(&worker->reader, text, lines->len - at, found) ||
        !replay_is_meant(worker->run->replay, found) || !is_within(worker->run->stretch, found) ||
        (found->len = replay_event_read_object(worker->event, text, found)) == 0) {
        return false;
    }
    count_event(worker);
    return true;
}

static void take_line(struct worker *worker, const struct eventlog_lines *lines, size_t at,
                      const struct line_found *found) {
    if (!replay_is_meant(worker->run->replay, found)) {
        worker->tally.refused += found->kind == LINE_REFUSED;
        return;
    }
    if (!is_within(worker->run->stretch, found)) {
        return;
    }
    worker->tally.late += found->kind == LINE_REFUSED;
    if (worker->adder) {
        worker->tally.unread += !replay_event_read(worker->event, lines->text + at, found);
        count_event(worker);
        return;
    }
    worker->us[worker->n++] = found->time_us;
    if (worker->n == BATCH) {
        count_batch(worker);
    }
}

static void take_wrong(struct worker *worker, const struct eventlog_lines *lines,
                       uint64_t sequence) {
    if (!worker->named) {
        take_damage(worker, &(const struct eventlog_damage){lines->where, sequence, sequence,
                                                            "it is no record"});
    }
}

static bool take_lines(void *cls, const struct eventlog_lines *lines) {
    struct worker *worker = cls;
    struct line_found found;
    uint64_t sequence = lines->sequence;
    if (worker->event) {
        json_lines_begin(&worker->event->objects, lines->text, lines->len);
    }
    for (size_t at = 0; at < lines->len; at += found.len, sequence++) {
        if (take_object(worker, lines, at, &found)) {
            continue;
        }
        line_scan(&worker->reader, lines->text + at, lines->len - at, &found);
        if (__builtin_expect(found.kind == LINE_WRONG, 0)) {
            take_wrong(worker, lines, sequence);
        } else {
            take_line(worker, lines, at, &found);
        }
    }
    count_batch(worker);
    const struct replay_target *target = worker->run->target;
    if (target->progress) {
        target->progress(target->cls, worker->tally.counted - worker->told, 0);
        worker->told = worker->tally.counted;
    }
    return !replay_is_stopped(worker->run->replay);
}

static void count_piece(void *cls, unsigned thread, size_t item) {
    struct run *run = cls;
    struct worker *worker = &run->worker[thread];
    const struct replay *replay = run->replay;
    const struct eventlog_piece *piece = &replay->pieces.piece[item];
    const struct replay_stretch *stretch = run->stretch;
    const struct piece_span *span = &replay->span[item];
    const struct eventlog_lines_taker taker = {take_lines, span->damaged ? pass_over : take_damage,
                                               worker};
    worker->named = span->damaged;
    if (span->min_us >= stretch->to_us || span->max_us < stretch->from_us) {
        return;
    }
    eventlog_piece_read(piece, stretch->from_us, stretch->to_us, &taker);
    if (run->target->progress) {
        run->target->progress(run->target->cls, 0, piece->bytes);
    }
}

/* ---- damage ---- */

/* One naming. */
struct naming {
    const struct replay *replay;
    const struct replay_target *target;
    struct line_reader reader;
    uint64_t damages;
};

static void name_damage(void *cls, const struct eventlog_damage *damage) {
    struct naming *naming = cls;
    naming->damages++;
    if (naming->target->damage) {
        naming->target->damage(naming->target->cls, damage);
    }
}

static bool name_wrong(void *cls, const struct eventlog_lines *lines) {
    struct naming *naming = cls;
    struct line_found found;
    uint64_t sequence = lines->sequence;
    for (size_t at = 0; at < lines->len; at += found.len, sequence++) {
        line_scan(&naming->reader, lines->text + at, lines->len - at, &found);
        if (found.kind == LINE_WRONG) {
            name_damage(naming, &(const struct eventlog_damage){lines->where, sequence, sequence,
                                                                "it is no record"});
        }
    }
    return !replay_is_stopped(naming->replay);
}

void replay_name_damages(struct replay *replay, const struct replay_target *target,
                         struct replay_tally *tally) {
    struct naming naming = {.replay = replay, .target = target};
    const struct eventlog_lines_taker taker = {name_wrong, name_damage, &naming};
    const struct replay_config *config = &replay->config;
    for (size_t i = 0; !replay->named && i < replay->pieces.n; i++) {
        if (replay->span[i].damaged) {
            eventlog_piece_read(&replay->pieces.piece[i], config->from_us, config->to_us, &taker);
        }
    }
    replay->named = true;
    tally->damages += naming.damages;
}

/* ---- the state ---- */

static bool open_reports(struct run *run, char *why) {
    const unsigned threads = run->replay->config.threads;
    uint64_t repaired = 0;
    run->tables = tables_open(run->counters, threads, true, NULL, &repaired, why);
    return run->tables && reports_bind(&run->reports, run->target->definitions, run->tables, why);
}

static bool make_worker(struct run *run, struct worker *worker, unsigned i) {
    const struct definitions *definitions = run->target->definitions;
    const int64_t now_us = run->stretch->to_us;
    worker->run = run;
    worker->shard = counters_worker_shard(run->counters, i);
    if (shard_set_now_owner(worker->shard, now_us) == SHARD_STUCK) {
        return false;
    }
    if (run->tables && definitions) {
        worker->event = replay_event_new(definitions->compiled);
        worker->adder = adder_new(&run->reports, i + 1);
        return worker->event && worker->adder &&
               adder_set_now_owner(worker->adder, now_us) != TABLES_STUCK;
    }
    return true;
}

static bool make_workers(struct run *run, unsigned threads) {
    struct worker *worker = calloc(threads, sizeof *worker);
    run->worker = worker;
    if (!worker) {
        return false;
    }
    bool ok = true;
    for (unsigned i = 0; ok && i < threads; i++) {
        ok = make_worker(run, &worker[i], i);
    }
    return ok;
}

static bool open_state(struct run *run, char *why) {
    const struct replay_target *target = run->target;
    const unsigned threads = run->replay->config.threads;
    const struct counters_config config = {.dir = target->dir,
                                           .node_id = target->node_id,
                                           .workers = threads,
                                           .horizon_us =
                                               run->stretch->to_us - run->stretch->from_us,
                                           .future_us = target->future_us};
    run->counters = counters_open(&config, NULL, why);
    if (!run->counters) {
        return false;
    }
    counters_set_now(run->counters, run->stretch->to_us);
    if (target->definitions && target->definitions->reports > 0 && !open_reports(run, why)) {
        return false;
    }
    const bool ok = make_workers(run, threads);
    if (!ok) {
        snprintf(why, REPLAY_WHY_MAX, "out of memory");
    }
    return ok;
}

/* Sets the shard's statistics as a server does. */
static void end_worker(struct worker *worker, struct replay_tally *tally) {
    const struct replay_tally *its = &worker->tally;
    const struct shard_tally counted = {.received = its->counted - its->unplaced,
                                        .counted = its->counted - its->unplaced};
    if (worker->shard) {
        shard_tally_owner(worker->shard, &counted);
    }
    tally->counted += its->counted;
    tally->late += its->late;
    tally->refused += its->refused;
    tally->unread += its->unread;
    tally->unplaced += its->unplaced;
    tally->damages += its->damages;
    adder_free(worker->adder);
    replay_event_free(worker->event);
}

static void close_state(struct run *run, struct replay_tally *tally) {
    for (unsigned i = 0; run->worker && i < run->replay->config.threads; i++) {
        end_worker(&run->worker[i], tally);
    }
    free(run->worker);
    for (unsigned i = 0; run->reports.definitions && i < run->reports.definitions->reports; i++) {
        struct table_status status = {.other = 0};
        if (run->reports.table[i]) {
            table_status(run->reports.table[i], &status);
        }
        tally->other[i] += status.other;
    }
    tables_close(run->tables);
    counters_close(run->counters);
    pthread_mutex_destroy(&run->mutex);
}

bool replay_run(struct replay *replay, const struct replay_stretch *stretch,
                const struct replay_target *target, struct replay_tally *tally,
                char why[REPLAY_WHY_MAX]) {
    struct run run = {.replay = replay, .stretch = stretch, .target = target};
    replay_name_damages(replay, target, tally);
    pthread_mutex_init(&run.mutex, NULL);
    bool ok = open_state(&run, why);
    if (ok) {
        const struct pool pool = {count_piece, &run, replay->config.threads, replay->pieces.n,
                                  replay->config.stop};
        ok = pool_run(&pool);
        snprintf(why, REPLAY_WHY_MAX, "out of memory or threads");
    }
    if (ok && replay_is_stopped(replay)) {
        snprintf(why, REPLAY_WHY_MAX, "stopped");
        ok = false;
    }
    if (ok && target->goes_on && !counters_set_read_back_owner(run.counters)) {
        snprintf(why, REPLAY_WHY_MAX, "%.300s: cannot be written", target->dir);
        ok = false;
    }
    close_state(&run, tally);
    return ok;
}
