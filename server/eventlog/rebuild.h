/* A start without a state, beside an event log that has this node's events: the state is rebuilt
 * from it (replay/rebuild.h). By main, before the state is opened. */
#ifndef AFORO_SERVER_EVENTLOG_REBUILD_H
#define AFORO_SERVER_EVENTLOG_REBUILD_H

#include "counters/counters.h"
#include "server/options.h"

struct definitions;

/* Whether there is a state, or something in its place. */
bool rebuild_finds_state(const struct options *options);

/* Does nothing without --event-log, or where there is a state, or the log has none of its events.
 * *rebuilt: a
 * state was made. False, and it is said with what to do, when it cannot be made as it was. */
bool rebuild_lost_state(const struct options *options, unsigned workers,
                        const struct definitions *definitions, bool *rebuilt);

/* Notes beside the log which state it goes with: so a start without one, and without --node-id,
 * knows its node. Once both are open. */
void rebuild_note_state(const struct options *options, const struct counters *counters);

#endif
