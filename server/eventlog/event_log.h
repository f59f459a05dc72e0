/* The event log of this node, as the options ask for it. By main. */
#ifndef AFORO_SERVER_EVENTLOG_EVENT_LOG_H
#define AFORO_SERVER_EVENTLOG_EVENT_LOG_H

#include "counters/counters.h"
#include "eventlog/log.h"
#include "server/options.h"

/* Opens the log into *log and starts its thread; without --event-log, it does nothing. To be called
 * after counters and rows are recovered. False, with a line on stderr, when it cannot be opened. */
bool event_log_open(const struct options *options, struct counters *counters, unsigned workers,
                    struct eventlog **log);

/* Seals and closes the log, by deadline_us (steady clock). After the workers have ended. NULL is
 * allowed. */
void event_log_close(struct eventlog *log, int64_t deadline_us);

#endif
