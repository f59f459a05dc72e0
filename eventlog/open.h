/* Opening and freeing the log. Private to the library. */
#ifndef AFORO_EVENTLOG_OPEN_H
#define AFORO_EVENTLOG_OPEN_H

#include "eventlog/log.h"

/* Frees everything and deletes prepared files that were not used. The log thread must have ended,
 * and no tail may be waiting. */
void log_free(struct eventlog *log);

#endif
