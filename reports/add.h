/* An event -> the rows of all reports, and the dense windows: one transaction. By a worker's
 * thread, which owns its adder. */
#ifndef AFORO_REPORTS_ADD_H
#define AFORO_REPORTS_ADD_H

#include "counters/counters.h"
#include "counters/rows/tables.h"
#include "ingest/fields.h"
#include "reports/definitions.h"
#include "reports/left_out.h"

/* Definitions in force, with their tables. Constant but for the tables' contents. */
struct reports {
    const struct definitions *definitions;
    struct tables *tables;
    struct table *table[REPORTS_MAX];
};

/* Opens or makes the table of each report. False fills why (COUNTERS_WHY_MAX). Neither definitions
 * nor tables become the reports' own. Main's thread, as tables_get. */
bool reports_bind(struct reports *reports, const struct definitions *definitions,
                  struct tables *tables, char *why);

/* What a worker has of them. */
struct adder;

/* NULL when out of memory. worker: 1 .. workers. */
struct adder *adder_new(const struct reports *reports, unsigned worker);
void adder_free(struct adder *adder);

/* Once a wake-up, as shard_set_now_owner: what tables_set_now_owner says. */
enum tables_move adder_set_now_owner(struct adder *adder, int64_t now_us);

/* Why the event that was counted last, and whose *unfit is not 0, was kept out of a report; NULL:
 * it was not. Until the next event. By the adder's thread. */
const struct left_out *adder_left_out_owner(const struct adder *adder, unsigned report);

/* Counts one event, at record->us: in each report it belongs to, and then in the shard's dense
 * windows. Not SHARD_COUNTED: nothing was changed. Bit i of *unfit is added when field i kept the
 * event out of a report: it is missing and needed, or not of its type and needed or looked at by
 * `when`, or no measure takes it (a sum beyond 2^53). Wait-free, no system call, no allocation. */
enum shard_verdict adder_add_owner(struct adder *adder, struct shard *shard,
                                   const struct record *record, uint64_t *unfit);

/* The same for an event without a time of its own, as shard_add_arrival_owner: never refused. */
void adder_add_arrival_owner(struct adder *adder, struct shard *shard, const struct record *record,
                             int64_t arrival_us, uint64_t *unfit);

/* Events that field i kept out of report r, since the start; any thread. */
uint64_t adder_unfit(const struct adder *adder, unsigned report, unsigned field);

/* Events whose window had no place in report r: the clock was set, and there was no room on the
 * disk for rows beside those that were there (TABLES_STUCK). They are in `events` alone. Any
 * thread.
 */
uint64_t adder_gone(const struct adder *adder, unsigned report);

#endif
