#include "server/http/turn.h"

#include "server/process/clock.h"
#include "server/process/log.h"

#include <errno.h>
#include <string.h>

/* more than this is a step, not slewing; the rings have room for 4 s more than the span */
#define STEP_US (2 * US_PER_S)

static void log_move(struct worker *worker, enum shard_move move) {
    if (move == SHARD_MOVED) {
        metric_add_owner(&worker->metrics, METRIC_shards_taken, 1);
        log_line(LOG_WARN,
                 "the clock was set: what was counted keeps its places, and this worker counts in "
                 "another shard",
                 "worker=%u ahead_ms=%lld", worker->index,
                 (long long)(counters_ahead_us(worker->server->counters) / US_PER_MS));
    } else if (move == SHARD_STUCK && !worker->stuck) {
        log_line(
            LOG_ERROR,
            "the clock was set, and there is no place to count beside what was counted: events of "
            "the present that find none are refused as too late, arrivals counted in later windows",
            "worker=%u error=\"%s\" remedy=\"free disk space for the state file, %u shards at the "
            "most\"",
            worker->index, strerror(errno), COUNTERS_SHARDS_MOST);
    }
    worker->stuck = move == SHARD_STUCK;
}

/* Sets the time of this turn for the reports, after it is known which are in force. */
static void set_reports_now(struct worker *worker) {
    const enum tables_move move = adder_set_now_owner(worker->report_view.adder, worker->now_us);
    if (__builtin_expect(move == TABLES_MOVED, 0)) {
        log_line(LOG_WARN,
                 "the clock was set: rows of reports that were counted keep their places, and this "
                 "worker counts in other sections of their files",
                 "worker=%u", worker->index);
    } else if (__builtin_expect(move == TABLES_STUCK && !worker->rows_stuck, 0)) {
        log_line(LOG_ERROR,
                 "the clock was set, and there is no place for rows of reports beside those that "
                 "were counted: events of the present that find none are left out of reports",
                 "worker=%u error=\"%s\" remedy=\"free disk space for the files in reports/ of the "
                 "state directory, %d writers at the most\"",
                 worker->index, strerror(errno), TABLE_WRITERS_MOST);
    }
    worker->rows_stuck = move == TABLES_STUCK;
}

/* Sets the time of this turn. Comparison with the steady clock tells a wall clock that was set from
 * time that passed. */
static void set_now(struct worker *worker, int64_t now_us, int64_t steady_us) {
    const int64_t expected_us = worker->now_us + steady_us - worker_woke_us(worker);
    const int64_t step_us = now_us - expected_us;
    worker->now_us = now_us;
    atomic_store_explicit(&worker->woke_us, steady_us, memory_order_relaxed);
    if (!worker->shard) {
        return;
    }
    if (step_us > STEP_US || step_us < -STEP_US) {
        metric_add_owner(&worker->metrics,
                         step_us > 0 ? METRIC_clock_steps_ahead : METRIC_clock_steps_back, 1);
        if (worker->index == 0) { /* all workers see it, one logs it */
            log_line(LOG_WARN,
                     step_us > 0 ? "the wall clock has stepped ahead"
                                 : "the wall clock was set back",
                     "by_ms=%lld", (long long)(step_us > 0 ? step_us : -step_us) / US_PER_MS);
        }
        if (worker->server->report_sets.tables) {
            tables_step_owner(worker->server->report_sets.tables, worker->index + 1, expected_us,
                              now_us);
        }
    }
    const enum shard_move move = step_us > STEP_US
                                     ? shard_step_ahead_owner(worker->shard, expected_us, now_us)
                                     : shard_set_now_owner(worker->shard, now_us);
    if (__builtin_expect(move != SHARD_STAYED || worker->stuck, 0)) {
        log_move(worker, move);
    }
}

void turn_init(struct worker *worker) {
    const int64_t steady_us = clock_steady_us();
    atomic_store(&worker->woke_us, steady_us);
    worker->now_us = clock_wall_us();
    set_now(worker, worker->now_us, steady_us);
}

void turn_begin_owner(struct worker *worker) {
    worker->turn_due = false;
    set_now(worker, clock_wall_us(), clock_steady_us());
    metric_add_owner(&worker->metrics, METRIC_wakeups, 1);
    worker->visible_due = worker->visible && visible_is_due_owner(worker->visible);
    access_refresh_owner(&worker->server->access, &worker->access);
    report_sets_refresh_owner(&worker->server->report_sets, &worker->report_view, worker->index);
    if (worker->report_view.adder) {
        set_reports_now(worker);
    }
}
