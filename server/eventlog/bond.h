/* Which event log a state goes with: each is told of the other, so that a log is known to lack what
 * its state has counted without it. By main. */
#ifndef AFORO_SERVER_EVENTLOG_BOND_H
#define AFORO_SERVER_EVENTLOG_BOND_H

#include "counters/counters.h"
#include "server/options.h"

#define BOND_WHY_MAX 128

/* Once the state and the log, if there is one, are open, and before anything is counted.
 * has_counts: the state had been there, and was not made of this log. False, and it is said with
 * what to do, when the log that the state went with cannot be told. */
bool bond_settle(const struct options *options, const struct counters *counters, bool has_counts);

/* Whether the log of that node has all events that arrived from from_us on, as far as the states
 * that it went with know. False fills why. */
bool bond_covers(const char *log_dir, const char *node, int64_t from_us, char why[BOND_WHY_MAX]);

#endif
