/* The folder reports/ of a state directory: the undo records of all workers, and one file for each
 * report and definition, of this run and of earlier ones. */
#ifndef AFORO_COUNTERS_ROWS_TABLES_H
#define AFORO_COUNTERS_ROWS_TABLES_H

#include "counters/counters.h"
#include "counters/rows/table.h"
#include "counters/rows/undo.h"

struct tables;

/* ---- before the threads start, and after they ended ---- */

/* Opens the folder for writing; makes it when it is missing and `make` is set. What an earlier run
 * left open is put back, and what it had committed is completed in the dense rings. Called after
 * counters_open, before any worker counts. NULL with `why` (COUNTERS_WHY_MAX) on failure; `none`,
 * when not NULL, is set when there is no folder and none was to be made (the result is NULL then,
 * too). `repaired` gets the number of transactions that were undone or completed added. */
struct tables *tables_open(struct counters *counters, unsigned workers, bool make, bool *none,
                           uint64_t *repaired, char *why);

/* To read only, whether a server has it or not; NULL, *none set, when there is no folder. */
struct tables *tables_open_readonly(const char *dir, bool *none, char *why);

/* Writes back, unmaps, frees. NULL is allowed. */
void tables_close(struct tables *tables);

/* Copies the folder of state directory `from` into state directory `to`, which is there and has
 * none; whether a server counts in it or not. Each row is as it was at some moment of the call, and
 * what was acknowledged before it is in. True, too, when there is no folder to be copied. False
 * fills why. */
bool tables_backup(const char *from, const char *to, char *why);

/* ---- main's thread, at start and at a reload; not while another such call is under way ---- */

/* The table of a report, opened or made. One that is there keeps the sizes that it was made with,
 * whatever memory the configuration has now. NULL fills why: no disk space, or a file that is
 * damaged. The result belongs to `tables` and stays readable until tables_close. */
struct table *tables_get(struct tables *tables, const struct table_config *config, char *why);

/* Removes the file of a table that is over: its newest window is past the horizon, and nobody
 * writes to it. False when it is not yet, or cannot be removed. The memory stays. */
bool tables_remove(struct tables *tables, struct table *table, int64_t now_us);

/* ---- any thread ---- */

/* All tables that are open, also those of definitions that are no longer in force, and those whose
 * file was removed. */
size_t tables_count(const struct tables *tables);
struct table *tables_at(const struct tables *tables, size_t i);

/* Whether its file was removed: there is nothing in it any more that anybody may want. */
bool table_is_removed(const struct table *table);

/* The folder's descriptor, for what is kept beside the tables. */
int tables_dir(const struct tables *tables);

/* A writer's hold on its undo record; 0 is the flush thread's. By the thread that holds it. */
struct undo *tables_undo(struct tables *tables, unsigned writer);

/* Which writer a worker is now: whose undo record is its own, and whose section in each table that
 * was asked for. Worker 1 .. workers. */
unsigned tables_writer(const struct tables *tables, unsigned worker);

/* ---- by the worker's thread, between two events ---- */

/* Whether the worker counts as the writer that it was, as another one since the clock was set, or
 * ought to and cannot (no disk space, no memory, too many writers): events whose window has no
 * place are then left out of reports, and what the clock stepped away from is not kept longer. */
enum tables_move { TABLES_STAYED, TABLES_MOVED, TABLES_STUCK };

/* Sets what "now" is: the sections have places for [now - horizon, now + future]. Once a wake-up,
 * before table_set_now_owner; after TABLES_MOVED that is to be called for other sections. Only when
 * the clock was set it may take a lock, make system calls and look at all windows. */
enum tables_move tables_set_now_owner(struct tables *tables, unsigned worker, int64_t now_us);

/* The clock was set, from from_us to now_us in no time: what was the present until then may become
 * it again, and is kept as long as if no time had passed. Before tables_set_now_owner. */
void tables_step_owner(struct tables *tables, unsigned worker, int64_t from_us, int64_t now_us);

/* Writes what changed to the disk (msync). False, errno set, when the disk refused. */
bool tables_sync(struct tables *tables);

#endif
