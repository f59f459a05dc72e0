/* The folder reports/ of a state directory: the undo records of all workers, and one file for each
 * report and definition, from this run and from earlier ones. */
#ifndef AFORO_COUNTERS_ROWS_TABLES_H
#define AFORO_COUNTERS_ROWS_TABLES_H

#include "counters/counters.h"
#include "counters/rows/table.h"
#include "counters/rows/undo.h"

struct tables;

/* ---- before the threads start, and after they ended ---- */

/* Opens the folder for writing, or creates it when it is missing and `make` is set. Transactions
 * that an earlier run left open are rolled back; those it had committed are completed in the dense
 * rings. To be called after counters_open, before any worker counts. Adds the number of
 * transactions that were rolled back or completed to *repaired. NULL fills `why`
 * (COUNTERS_WHY_MAX). The result is also NULL when there is no folder and none was to be made; then
 * *none is set, unless `none` is NULL. Close with tables_close. */
struct tables *tables_open(struct counters *counters, unsigned workers, bool make, bool *none,
                           uint64_t *repaired, char *why);

/* Opens the folder read-only, whether or not a server has it open. NULL with *none set when there
 * is no folder; any other NULL fills `why`. */
struct tables *tables_open_readonly(const char *dir, bool *none, char *why);

/* Writes back, unmaps and frees. NULL is allowed. */
void tables_close(struct tables *tables);

/* Copies the folder of state directory `from` into state directory `to`, which exists and has no
 * such folder, whether or not a server counts in `from`. Each row is as it was at some moment
 * during the call and includes what was acknowledged before it. Also true when there is no folder
 * to copy. False fills `why`. */
bool tables_backup(const char *from, const char *to, char *why);

/* ---- main's thread, at start and at a reload; one such call at a time ---- */

/* The table of a report, opened or created. An existing one keeps the sizes it was made with,
 * whatever memory the configuration has now. NULL fills `why`: no disk space, or a damaged file.
 * The result belongs to `tables` and stays readable until tables_close. */
struct table *tables_get(struct tables *tables, const struct table_config *config, char *why);

/* Removes the file of a table that is no longer needed: its newest window must be past the horizon
 * and nobody may write to it. False when it is still needed or cannot be removed. Its memory stays
 * until tables_close. */
bool tables_remove(struct tables *tables, struct table *table, int64_t now_us);

/* ---- any thread ---- */

/* All open tables, including those of definitions that are no longer in force and those whose file
 * was removed. */
size_t tables_count(const struct tables *tables);
struct table *tables_at(const struct tables *tables, size_t i);

/* Whether the table's file was removed; it then holds nothing that is still needed. */
bool table_is_removed(const struct table *table);

/* The folder's descriptor, for other files kept in it. Owned by `tables`. */
int tables_dir(const struct tables *tables);

/* The undo record of a writer; 0 is the flush thread's. To be used by the thread that holds the
 * writer. */
struct undo *tables_undo(struct tables *tables, unsigned writer);

/* Which writer worker 1..workers is now, which gives its undo record and its section in each table
 * that is in use. */
unsigned tables_writer(const struct tables *tables, unsigned worker);

/* ---- the worker's thread, between two events ---- */

/* What the worker counts as: the writer that it was, or another one because the clock was set.
 * TABLES_STUCK: it needs another one and cannot have it (no disk space, no memory, too many
 * writers). Events whose window has no place are then left out of reports, and what the clock
 * stepped away from is kept no longer. */
enum tables_move { TABLES_STAYED, TABLES_MOVED, TABLES_STUCK };

/* Sets "now": makes sure that the sections have places for [now - horizon, now + future]. Call it
 * once per wake-up, before table_set_now_owner; after TABLES_MOVED the latter applies to other
 * sections. Only when the clock was set may this take a lock, make system calls and look at all
 * windows. */
enum tables_move tables_set_now_owner(struct tables *tables, unsigned worker, int64_t now_us);

/* Reports that the clock was set from from_us to now_us. What was the present until then may become
 * so again, and is kept as long as if no time had passed. Call it before tables_set_now_owner. */
void tables_step_owner(struct tables *tables, unsigned worker, int64_t from_us, int64_t now_us);

/* Writes what changed to disk (msync). False with errno set on failure. */
bool tables_sync(struct tables *tables);

#endif
