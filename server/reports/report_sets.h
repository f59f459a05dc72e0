/* Which reports are in force: their definitions, tables, and one adder a worker; read from
 * --reports when the server starts and again on SIGHUP, while the workers go on.
 *
 * Main makes a whole new set and swaps a pointer, as server/access/access.h does it; a worker takes
 * it over at its next wake-up, and the old set is freed when all have. A report whose definition
 * has not changed keeps its table. Of one that has, or that is gone, the table is flushed to the
 * end of its horizon, and then removed. */
#ifndef AFORO_SERVER_REPORTS_REPORT_SETS_H
#define AFORO_SERVER_REPORTS_REPORT_SETS_H

#include "counters/counters.h"
#include "reports/add.h"
#include "server/reports/time_names.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Constant once it is made, but for what is counted. */
struct report_set {
    struct reports reports; /* the first member: a pointer to it is one to the set */
    struct definitions *definitions;
    unsigned workers;
    struct adder *adder[COUNTERS_WORKERS_MAX]; /* [workers] */
    /* events that fields kept out of reports before the definitions were read again */
    _Atomic uint64_t unfit_before[REPORTS_MAX][FIELDS_MAX];
    _Atomic uint64_t gone_before[REPORTS_MAX]; /* the same for events whose window was gone */
    uint64_t gone_told[REPORTS_MAX];           /* main's own: of so many the log has told */
};

/* What a worker uses in this turn; its own, except for what says otherwise. */
struct report_view {
    struct report_set *set; /* NULL: no reports */
    struct adder *adder;    /* NULL: there are none to be added to */
    _Atomic uint64_t seen;  /* the generation they are of; read by main */
    SLIST_ENTRY(report_view) entry;
};

SLIST_HEAD(report_views, report_view);

/* All zeros but for its configuration: no reports. Main's, except for what says otherwise. */
struct report_sets {
    const char *path;  /* of the definitions; NULL: no reports are asked for */
    const char *state; /* the directory, where crashes of measures are kept; NULL: they are not */
    struct table_span span;
    struct time_names times;               /* of events, as --time-field names them */
    struct tables *tables;                 /* NULL: there is no folder of reports */
    struct definitions *loaded;            /* between report_sets_load and _open */
    _Atomic(struct report_set *) in_force; /* read by the workers */
    _Atomic uint64_t generation;           /* raised after each change of it */
    _Atomic bool not_read;                 /* the last reload found a mistake; read by any thread */
    bool repaired;             /* the start completed or undid what a crash had left half done */
    struct report_views views; /* of all workers */
};

/* Reads the definitions that `path` names, when it names some. False when one is wrong: one line on
 * stderr said so. Before anything is opened. */
bool report_sets_load(struct report_sets *sets);

/* Opens the tables, those of earlier runs too, and mends what a crash has left half done. After
 * counters_open, before any worker counts. False: one line on stderr said why. */
bool report_sets_open(struct report_sets *sets, struct counters *counters);

/* Before the threads start, once for each worker, whose view is all zeros and stays where it is for
 * as long as report_sets_reload may be called. */
void report_sets_join(struct report_sets *sets, struct report_view *view);

/* By main, on SIGHUP: reads the definitions again. A mistake leaves those in force that were, and
 * is logged. Returns when the workers use what is new. */
void report_sets_reload(struct report_sets *sets);

/* By main, once a minute: removes the tables of reports that are over, and logs of how many events
 * more the window was gone, one line a report. */
void report_sets_tidy(struct report_sets *sets, int64_t now_us);

/* After the threads have ended; logs what report_sets_tidy has not yet. */
void report_sets_close(struct report_sets *sets);

/* Events that a field kept out of a report, since the server started, over all workers; any worker,
 * of the set of its view. */
uint64_t report_set_unfit(const struct report_set *set, unsigned report, unsigned field);

/* Events that a report left out because their window was gone (adder_gone), since the server
 * started, over all workers; any worker, of the set of its view. */
uint64_t report_set_gone(const struct report_set *set, unsigned report);

/* The out-of-line part of report_sets_refresh_owner. */
void report_sets_adopt_owner(const struct report_sets *sets, struct report_view *view,
                             uint64_t generation, unsigned worker);

/* By the worker, between two calls of the library: from here on it uses what is in force. `worker`
 * is its number, from 0; that of --admin-listen has one beyond them, and no adder. */
static inline void report_sets_refresh_owner(const struct report_sets *sets,
                                             struct report_view *view, unsigned worker) {
    /* Acquire, with the release in report_sets_reload: who sees the generation sees its set. */
    const uint64_t generation = atomic_load_explicit(&sets->generation, memory_order_acquire);
    if (__builtin_expect(generation != atomic_load_explicit(&view->seen, memory_order_relaxed),
                         0)) {
        report_sets_adopt_owner(sets, view, generation, worker);
    }
}

#endif
