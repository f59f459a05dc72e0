#include "replay/rebuild.h"

#include "counters/rows/tables.h"
#include "replay/event.h"
#include "replay/internal.h"
#include "reports/add.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN_US (10 * US_PER_S) /* what passed the horizon more recently may not be flushed */
#define TURN_US US_PER_MS         /* by how much the clock advances before it is set again */

struct rebuilding;

/* A shard of the log, and the worker that wrote it. */
struct group {
    struct rebuilding *rebuilding;
    size_t first, end; /* pieces */
    struct shard *shard;
    struct adder *adder;        /* NULL: no reports */
    struct replay_event *event; /* the same */
    struct line_reader reader;
    int64_t now_us;
    uint64_t events, unread;
    bool failed;
    char why[REPLAY_WHY_MAX];
};

struct rebuilding {
    const struct rebuild *config;
    struct replay *replay;
    int64_t from_us;
    unsigned workers; /* the larger of then and now */
    struct counters *counters;
    struct tables *tables; /* NULL: no reports */
    struct reports reports;
    struct group *group; /* [groups] */
    size_t groups;
};

bool rebuild_finds(const char *log_dir, const char *node) {
    struct eventlog_pieces pieces = {0};
    char why[EVENTLOG_READ_WHY_MAX];
    bool any = false;
    if (eventlog_pieces_add(&pieces, log_dir, node, why)) {
        for (size_t i = 0; i < pieces.n; i++) {
            /* one that starts later, without a line, tells of events that were not kept */
            any = any || pieces.piece[i].bytes > 0 || pieces.piece[i].first > 1;
        }
    }
    eventlog_pieces_free(&pieces);
    return any;
}

/* ---- a shard ---- */

static void set_now(struct group *group, int64_t now_us) {
    group->now_us = now_us;
    shard_set_now_owner(group->shard, now_us);
    if (group->adder) {
        adder_set_now_owner(group->adder, now_us);
    }
}

static enum shard_verdict count(struct group *group, int64_t time_us) {
    uint64_t unfit;
    return group->adder ? adder_add_owner(group->adder, group->shard, &group->event->record, &unfit)
                        : shard_add_owner(group->shard, time_us);
}

/* The event was accepted at the time, by a clock read a moment before its arrival; where that makes
 * a difference, the clock is set to fit. */
static bool count_line(struct group *group, const char *text, const struct line_found *found) {
    const struct rebuild *config = group->rebuilding->config;
    const int64_t time_us = found->time_us, arrival_us = time_us + found->lag_us;
    if (arrival_us < group->now_us - TURN_US || arrival_us > group->now_us + TURN_US) {
        set_now(group, arrival_us);
    }
    if (group->event) {
        group->unread += !replay_event_read(group->event, text, found);
    }
    enum shard_verdict verdict = count(group, time_us);
    if (verdict != SHARD_COUNTED) {
        set_now(group, verdict == SHARD_TOO_LATE ? time_us + config->horizon_us
                                                 : time_us - config->future_us);
        verdict = count(group, time_us);
    }
    group->events++;
    return verdict == SHARD_COUNTED;
}

__attribute__((format(printf, 2, 3))) static void fail(struct group *group, const char *format,
                                                       ...) {
    va_list arguments;
    va_start(arguments, format);
    if (!group->failed) { /* only the first failure is reported */
        vsnprintf(group->why, sizeof group->why, format, arguments);
    }
    va_end(arguments);
    group->failed = true;
}

static bool take_lines(void *cls, const struct eventlog_lines *lines) {
    struct group *group = cls;
    struct line_found found;
    uint64_t sequence = lines->sequence;
    for (size_t at = 0; at < lines->len && !group->failed; at += found.len, sequence++) {
        line_scan(&group->reader, lines->text + at, lines->len - at, &found);
        if (found.kind == LINE_WRONG) {
            fail(group, "%.300s: record %" PRIu64 " is no record", lines->where->file, sequence);
        } else if (replay_is_meant(group->rebuilding->replay, &found) &&
                   !count_line(group, lines->text + at, &found)) {
            fail(group, "%.300s: record %" PRIu64 " finds no window", lines->where->file, sequence);
        }
    }
    return !group->failed;
}

static void take_damage(void *cls, const struct eventlog_damage *damage) {
    fail(cls, "%.300s: records from %" PRIu64 " on cannot be read: %s", damage->where->file,
         damage->first, damage->why);
}

/* Stores the arrival of a piece's first record; INT64_MAX: it has none. */
static bool note_first(void *cls, const struct eventlog_lines *lines) {
    struct line_reader reader = {.known = false};
    struct line_found found;
    line_scan(&reader, lines->text, lines->len, &found);
    *(int64_t *)cls = found.kind == LINE_WRONG ? INT64_MAX : found.time_us + found.lag_us;
    return false;
}

static void pass_over(void *cls, const struct eventlog_damage *damage) {
    (void)cls;
    (void)damage; /* reported when it is counted */
}

/* Whether everything before a piece arrived too long ago to matter: records are in order of
 * arrival. */
static bool begins_early(const struct rebuilding *rebuilding, size_t piece) {
    int64_t first_us = INT64_MAX;
    const struct eventlog_lines_taker taker = {note_first, pass_over, &first_us};
    eventlog_piece_read(&rebuilding->replay->pieces.piece[piece], INT64_MIN, INT64_MAX, &taker);
    return first_us < rebuilding->from_us - rebuilding->config->future_us;
}

/* Of a damaged piece nobody can tell which times it had. */
static bool is_needed(const struct group *group, size_t piece) {
    const struct piece_span *span = &group->rebuilding->replay->span[piece];
    bool needed = span->damaged;
    for (size_t later = piece + 1; needed && later < group->end; later++) {
        needed = !begins_early(group->rebuilding, later);
    }
    return needed || span->max_us >= group->rebuilding->from_us;
}

static void count_group(void *cls, unsigned thread, size_t item) {
    struct group *group = &((struct rebuilding *)cls)->group[item];
    const struct rebuilding *rebuilding = group->rebuilding;
    const struct eventlog_lines_taker taker = {take_lines, take_damage, group};
    (void)thread;
    for (size_t i = group->first; i < group->end && !group->failed; i++) {
        if (is_needed(group, i)) {
            eventlog_piece_read(&rebuilding->replay->pieces.piece[i], rebuilding->from_us,
                                INT64_MAX, &taker);
        }
    }
    const struct shard_tally tally = {.received = group->events, .counted = group->events};
    shard_tally_owner(group->shard, &tally);
}

/* ---- the state ---- */

static const struct eventlog_piece *piece_of(const struct rebuilding *rebuilding, size_t i) {
    return &rebuilding->replay->pieces.piece[i];
}

/* Makes a group for each shard that has pieces; a worker's number is its shard's. */
static bool find_groups(struct rebuilding *rebuilding, char *why) {
    const size_t pieces = rebuilding->replay->pieces.n;
    rebuilding->group = calloc(pieces + 1, sizeof *rebuilding->group);
    if (!rebuilding->group) {
        snprintf(why, REPLAY_WHY_MAX, "out of memory");
        return false;
    }
    rebuilding->workers = rebuilding->config->workers;
    for (size_t i = 0; i < pieces; i++) {
        const unsigned shard = piece_of(rebuilding, i)->shard;
        if (shard < 1 || shard > COUNTERS_WORKERS_MAX) {
            snprintf(why, REPLAY_WHY_MAX, "shard %u of the event log is of no worker", shard);
            return false;
        }
        if (i == 0 || piece_of(rebuilding, i - 1)->shard != shard) {
            rebuilding->group[rebuilding->groups++] =
                (struct group){.rebuilding = rebuilding, .first = i};
        }
        rebuilding->group[rebuilding->groups - 1].end = i + 1;
        rebuilding->workers = shard > rebuilding->workers ? shard : rebuilding->workers;
    }
    return true;
}

/* Retention removed what arrived before the first record left: checks that this was long enough
 * ago. */
static bool reaches_back(const struct rebuilding *rebuilding, char *why) {
    for (size_t i = 0; i < rebuilding->groups; i++) {
        const struct eventlog_piece *piece = piece_of(rebuilding, rebuilding->group[i].first);
        if (piece->first != 1 && !begins_early(rebuilding, rebuilding->group[i].first)) {
            snprintf(why, REPLAY_WHY_MAX,
                     "shard %u of the event log begins with record %" PRIu64
                     ": older ones of the horizon were removed",
                     piece->shard, piece->first);
            return false;
        }
    }
    return true;
}

static bool open_state(struct rebuilding *rebuilding, char *why) {
    const struct rebuild *config = rebuilding->config;
    const struct counters_config counters = {.dir = config->dir,
                                             .node_id = config->node,
                                             .workers = rebuilding->workers,
                                             .horizon_us = config->horizon_us,
                                             .future_us = config->future_us};
    uint64_t repaired = 0;
    rebuilding->counters = counters_open(&counters, NULL, why);
    if (!rebuilding->counters || !config->definitions) {
        return rebuilding->counters != NULL;
    }
    rebuilding->tables =
        tables_open(rebuilding->counters, rebuilding->workers, true, NULL, &repaired, why);
    return rebuilding->tables &&
           reports_bind(&rebuilding->reports, config->definitions, rebuilding->tables, why);
}

static bool bind_groups(struct rebuilding *rebuilding, char *why) {
    const struct definitions *definitions = rebuilding->config->definitions;
    for (size_t i = 0; i < rebuilding->groups; i++) {
        struct group *group = &rebuilding->group[i];
        const unsigned shard = piece_of(rebuilding, group->first)->shard;
        group->shard = counters_worker_shard(rebuilding->counters, shard - 1);
        if (rebuilding->tables && definitions->reports > 0) {
            group->event = replay_event_new(definitions->compiled);
            group->adder = adder_new(&rebuilding->reports, shard);
            if (!group->event || !group->adder) {
                snprintf(why, REPLAY_WHY_MAX, "out of memory");
                return false;
            }
        }
    }
    return true;
}

/* Counts everything, and reports the first shard that failed. */
static bool count_all(struct rebuilding *rebuilding, struct rebuilt *rebuilt, char *why) {
    const struct pool pool = {count_group, rebuilding, (unsigned)rebuilding->groups,
                              rebuilding->groups, NULL};
    bool ok = rebuilding->groups == 0 || pool_run(&pool);
    snprintf(why, REPLAY_WHY_MAX, "out of memory or threads");
    for (size_t i = 0; ok && i < rebuilding->groups; i++) {
        const struct group *group = &rebuilding->group[i];
        rebuilt->events += group->events;
        if (group->failed) {
            memcpy(why, group->why, sizeof group->why);
            ok = false;
        } else if (group->unread > 0) {
            snprintf(why, REPLAY_WHY_MAX,
                     "%" PRIu64 " events cannot be read as they were when they were counted",
                     group->unread);
            ok = false;
        }
    }
    return ok;
}

static void close_all(struct rebuilding *rebuilding) {
    for (size_t i = 0; i < rebuilding->groups; i++) {
        adder_free(rebuilding->group[i].adder);
        replay_event_free(rebuilding->group[i].event);
    }
    free(rebuilding->group);
    tables_close(rebuilding->tables);
    counters_close(rebuilding->counters);
    replay_close(rebuilding->replay);
}

int64_t rebuild_start(const struct rebuild *config) {
    const int64_t length_us =
        config->definitions ? replay_stretch_length(config->definitions) : REPLAY_HOUR_US;
    const int64_t from_us = config->now_us - config->horizon_us - MARGIN_US;
    return from_us > 0 ? from_us / length_us * length_us : 0;
}

bool rebuild_state(const struct rebuild *rebuild, struct rebuilt *rebuilt, char *why) {
    struct rebuilding rebuilding = {.config = rebuild, .from_us = rebuild_start(rebuild)};
    const struct replay_config config = {.dir = &rebuild->log_dir,
                                         .dirs = 1,
                                         .node = rebuild->node,
                                         .from_us = rebuilding.from_us,
                                         .to_us = INT64_MAX,
                                         .threads = rebuild->workers};
    *rebuilt = (struct rebuilt){.events = 0, .from_us = rebuilding.from_us};
    rebuilding.replay = replay_open(&config, why);
    bool ok = rebuilding.replay && find_groups(&rebuilding, why) &&
              reaches_back(&rebuilding, why) && open_state(&rebuilding, why) &&
              bind_groups(&rebuilding, why) && count_all(&rebuilding, rebuilt, why);
    /* The lost counts had reached the store or were about to: what it has is a part of what is
     * here. */
    if (ok && !counters_set_read_back_owner(rebuilding.counters)) {
        snprintf(why, REPLAY_WHY_MAX, "%.300s: cannot be written", rebuild->dir);
        ok = false;
    }
    close_all(&rebuilding);
    return ok;
}
