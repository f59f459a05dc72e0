/* The reports in force: their definitions, their tables, and one adder per worker; read from
 * --reports when the server starts and again on SIGHUP, while the workers go on.
 *
 * Main makes a whole new set and swaps a pointer, as in server/access/access.h; a worker adopts it
 * at its next wake-up, and the old set is freed when all have. A report whose definition has not
 * changed keeps its table. If the definition has changed or is gone, the old table is flushed until
 * its horizon ends, and then removed. */
#ifndef AFORO_SERVER_REPORTS_REPORT_SETS_H
#define AFORO_SERVER_REPORTS_REPORT_SETS_H

#include "counters/counters.h"
#include "reports/add.h"
#include "server/reports/time_names.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Constant once made, except its counters. */
struct report_set {
    struct reports reports; /* the first member: a pointer to it is one to the set */
    struct definitions *definitions;
    unsigned workers;
    struct adder *adder[COUNTERS_WORKERS_MAX]; /* [workers] */
    /* events that fields kept out of reports before the last reload */
    _Atomic uint64_t unfit_before[REPORTS_MAX][FIELDS_MAX];
    _Atomic uint64_t gone_before[REPORTS_MAX]; /* the same for events whose window was gone */
    uint64_t gone_told[REPORTS_MAX];           /* main's own: how many of them were logged */
};

/* What a worker uses in this turn. It belongs to the worker, except where a member says
 * otherwise. */
struct report_view {
    struct report_set *set; /* NULL: no reports */
    struct adder *adder;    /* NULL: there are no reports to add to */
    _Atomic uint64_t seen;  /* the generation of these two; read by main */
    SLIST_ENTRY(report_view) entry;
};

SLIST_HEAD(report_views, report_view);

/* All zeros except the configuration: no reports. It belongs to main, except where a member says
 * otherwise. */
struct report_sets {
    const char *path; /* of the definitions; NULL: no reports */
    /* the state directory, which records crashes of measures; NULL: they are not recorded */
    const char *state;
    struct table_span span;
    struct time_names times;               /* the names of an event's time: --time-field */
    struct tables *tables;                 /* NULL: there is no folder of reports */
    struct definitions *loaded;            /* between report_sets_load and _open */
    _Atomic(struct report_set *) in_force; /* read by the workers */
    _Atomic uint64_t generation;           /* raised after each change of it */
    _Atomic bool not_read;                 /* the last reload found a mistake; read by any thread */
    bool repaired;             /* the start completed or undid what a crash had left half done */
    struct report_views views; /* of all workers */
};

/* Reads the definitions that `path` names, if any. By main, before anything is opened. False when
 * one is wrong; one line on stderr has said so. */
bool report_sets_load(struct report_sets *sets);

/* Opens the tables, including those of earlier runs, and completes or undoes what a crash left half
 * done. By main, after counters_open and before any worker counts. False: one line on stderr has
 * said why. */
bool report_sets_open(struct report_sets *sets, struct counters *counters);

/* Registers a worker's view, which must be all zeros and stay in place as long as
 * report_sets_reload may be called. By main, before the threads start, once for each worker. */
void report_sets_join(struct report_sets *sets, struct report_view *view);

/* By main, on SIGHUP: reads the definitions again. A mistake is logged, and the previous ones stay
 * in force. Returns when the workers use the new ones. */
void report_sets_reload(struct report_sets *sets);

/* By main, once a minute: removes the tables of reports that are over, and logs, one line per
 * report, how many more events were left out because their window was gone. now_us: wall clock. */
void report_sets_tidy(struct report_sets *sets, int64_t now_us);

/* Frees everything, and logs what report_sets_tidy has not logged yet. By main, after the threads
 * have ended. */
void report_sets_close(struct report_sets *sets);

/* Events that a field kept out of a report since the server started, over all workers. By any
 * worker, for the set of its view. */
uint64_t report_set_unfit(const struct report_set *set, unsigned report, unsigned field);

/* Events that a report left out because their window was gone (adder_gone) since the server
 * started, over all workers. By any worker, for the set of its view. */
uint64_t report_set_gone(const struct report_set *set, unsigned report);

/* The out-of-line part of report_sets_refresh_owner. */
void report_sets_adopt_owner(const struct report_sets *sets, struct report_view *view,
                             uint64_t generation, unsigned worker);

/* By the worker, between two calls of the library: from here on it uses what is in force now.
 * `worker` is its number, from 0; the worker of --admin-listen has the number after the last, and
 * no adder. */
static inline void report_sets_refresh_owner(const struct report_sets *sets,
                                             struct report_view *view, unsigned worker) {
    /* Acquire pairs with the release in report_sets_reload: whoever sees the generation sees its
     * set. */
    const uint64_t generation = atomic_load_explicit(&sets->generation, memory_order_acquire);
    if (__builtin_expect(generation != atomic_load_explicit(&view->seen, memory_order_relaxed),
                         0)) {
        report_sets_adopt_owner(sets, view, generation, worker);
    }
}

#endif
