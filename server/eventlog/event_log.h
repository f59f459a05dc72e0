/* The event log of this node, as the options have it. By main. */
#ifndef AFORO_SERVER_EVENTLOG_EVENT_LOG_H
#define AFORO_SERVER_EVENTLOG_EVENT_LOG_H

#include "counters/counters.h"
#include "eventlog/log.h"
#include "server/options.h"

/* Opens the log into *log and starts its thread, once counters and rows are recovered; without
 * --event-log there is none. False, and it is said, when it cannot be. */
bool event_log_open(const struct options *options, struct counters *counters, unsigned workers,
                    struct eventlog **log);

/* Closes and seals it, until deadline_us of the steady clock; after the workers have ended. NULL is
 * allowed. */
void event_log_close(struct eventlog *log, int64_t deadline_us);

#endif
