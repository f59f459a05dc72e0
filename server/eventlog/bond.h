/* The bond between a state and an event log: each records the other, so that it is known what a log
 * lacks because its state counted without it. By main. */
#ifndef AFORO_SERVER_EVENTLOG_BOND_H
#define AFORO_SERVER_EVENTLOG_BOND_H

#include "counters/counters.h"
#include "server/options.h"

#define BOND_WHY_MAX 128

/* Settles the bond. To be called after the state and the log, if there is one, are open, and before
 * anything is counted. has_counts: the state already existed and was not rebuilt from this log.
 * False, with a line on stderr that names the remedy, when a file of the bond cannot be written,
 * for example in the log that the state went with before. */
bool bond_settle(const struct options *options, const struct counters *counters, bool has_counts);

/* Whether that node's log has all events that arrived from from_us (wall clock) on, as far as the
 * states that it went with have recorded. False fills why. */
bool bond_covers(const char *log_dir, const char *node, int64_t from_us, char why[BOND_WHY_MAX]);

#endif
