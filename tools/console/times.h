/* Times as people write them on a command line, and this machine's zone. The zone comes from the
 * environment (TZ) and the system's tables; one thread. */
#ifndef AFORO_TOOLS_CONSOLE_TIMES_H
#define AFORO_TOOLS_CONSOLE_TIMES_H

#include "view/windows.h"

#define TIMES_WHY_MAX 192

/* Reads `text` into *us (microseconds since the epoch, UTC; may be negative). It is one of
 *   -1h                          that long before now_us (units as for all durations), cut to the
 *                                second from 1 s on and to the minute from 1 h on: finer windows
 *                                are not kept for so long
 *   now, today                   today begins at midnight
 *   2016-05-28, 2016-05-28 11:11 the beginning of that day or minute
 *   what an event may carry      see ingest/timestamp.h
 * With `local`, times that name no zone are of this machine's zone, else UTC. False, with a
 * sentence in `why` that does not repeat the text, when it is none of these. */
bool times_read(const char *text, int64_t now_us, bool local, int64_t *us, char why[TIMES_WHY_MAX]);

/* Fills *zone with this machine's, named "CET/CEST" if clocks change, else "UTC" and the like. */
void times_zone(struct rows_zone *zone);

#endif
