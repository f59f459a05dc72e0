/* Opening and freeing the log. Private to the library. */
#ifndef AFORO_EVENTLOG_OPEN_H
#define AFORO_EVENTLOG_OPEN_H

#include "eventlog/log.h"

/* Frees all; what was made ready and not used is removed. The log thread has ended, and no tail
 * waits. */
void log_free(struct eventlog *log);

#endif
