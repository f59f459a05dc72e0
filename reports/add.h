/* Counts an event in the rows of all reports and in the dense windows, in one transaction. By a
 * worker's thread, which owns its adder. */
#ifndef AFORO_REPORTS_ADD_H
#define AFORO_REPORTS_ADD_H

#include "counters/counters.h"
#include "counters/rows/tables.h"
#include "ingest/fields.h"
#include "reports/definitions.h"
#include "reports/left_out.h"

/* The definitions in force and their tables. Constant except for the tables' contents. */
struct reports {
    const struct definitions *definitions;
    struct tables *tables;
    struct table *table[REPORTS_MAX];
};

/* Opens or creates the table of each report. False fills `why` (COUNTERS_WHY_MAX). Neither
 * definitions nor tables become the reports' property. Main's thread, like tables_get. */
bool reports_bind(struct reports *reports, const struct definitions *definitions,
                  struct tables *tables, char *why);

/* A worker's access to them. */
struct adder;

/* NULL when memory runs out. worker: 1 .. workers. Free it with adder_free. */
struct adder *adder_new(const struct reports *reports, unsigned worker);
void adder_free(struct adder *adder);

/* Sets "now" once per wake-up, like shard_set_now_owner; the result is that of
 * tables_set_now_owner. */
enum tables_move adder_set_now_owner(struct adder *adder, int64_t now_us);

/* Why the last event, whose *unfit was not 0, was kept out of a report; NULL when it was not. Valid
 * until the next event. By the adder's thread. */
const struct left_out *adder_left_out_owner(const struct adder *adder, unsigned report);

/* Counts one event, at record->us, in each report it belongs to and then in the shard's dense
 * windows. Unless the result is SHARD_COUNTED, nothing was changed. Sets bit i of *unfit when field
 * i kept the event out of a report: because it is needed and missing, of another type but needed or
 * used by `when`, or not accepted by a measure (a sum beyond 2^53). Wait-free, no system call, no
 * allocation. */
enum shard_verdict adder_add_owner(struct adder *adder, struct shard *shard,
                                   const struct record *record, uint64_t *unfit);

/* The same for an event without a time of its own; like shard_add_arrival_owner, never refused. */
void adder_add_arrival_owner(struct adder *adder, struct shard *shard, const struct record *record,
                             int64_t arrival_us, uint64_t *unfit);

/* Number of events that field i kept out of report r since the start. Any thread. */
uint64_t adder_unfit(const struct adder *adder, unsigned report, unsigned field);

/* Number of events whose window had no place in report r: the clock was set, and no rows could be
 * added beside those that exist (TABLES_STUCK). They are counted in the dense windows only. Any
 * thread. */
uint64_t adder_gone(const struct adder *adder, unsigned report);

#endif
