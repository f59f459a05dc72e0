/* An event -> the rows of all reports, and the dense windows: one transaction. By a worker's
 * thread, which owns its adder. */
#ifndef AFORO_REPORTS_ADD_H
#define AFORO_REPORTS_ADD_H

#include "counters/counters.h"
#include "counters/rows/tables.h"
#include "ingest/fields.h"
#include "reports/definitions.h"

/* Definitions in force, with their tables. Constant but for the tables' contents. */
struct reports {
    const struct definitions *definitions;
    struct tables *tables;
    struct table *table[REPORTS_MAX];
    uint64_t puts; /* the most words that one event notes for undo */
};

/* What a worker has of them. */
struct adder;

/* NULL when out of memory. worker: 1 .. workers. */
struct adder *adder_new(const struct reports *reports, unsigned worker);
void adder_free(struct adder *adder);

/* Once a wake-up, as shard_set_now_owner. */
void adder_set_now_owner(struct adder *adder, int64_t now_us);

/* Counts one event, at record->us: in each report it belongs to, and then in the shard's dense
 * windows. Not SHARD_COUNTED: nothing was changed. *unfit: bit i: field i kept the event out of a
 * report that needs it. Wait-free, no system call. */
enum shard_verdict adder_add_owner(struct adder *adder, struct shard *shard,
                                   const struct record *record, uint64_t *unfit);

/* Events that field i kept out of report r, since the start; any thread. */
uint64_t adder_unfit(const struct adder *adder, unsigned report, unsigned field);

#endif
