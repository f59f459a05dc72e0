/* When aforod starts without a state, but an event log has this node's events, the state is rebuilt
 * from the log (replay/rebuild.h). By main, before the state is opened. */
#ifndef AFORO_SERVER_EVENTLOG_REBUILD_H
#define AFORO_SERVER_EVENTLOG_REBUILD_H

#include "counters/counters.h"
#include "server/options.h"

struct definitions;

/* Whether there is a state, or anything else in its place. */
bool rebuild_finds_state(const struct options *options);

/* Rebuilds the state. Does nothing without --event-log, if there is a state, or if the log has no
 * events of this node. *rebuilt: a state was made. False, with a line on stderr that names the
 * remedy, when the state cannot be made as it was. */
bool rebuild_lost_state(const struct options *options, unsigned workers,
                        const struct definitions *definitions, bool *rebuilt);

/* Notes beside the log which state it goes with, so that a later start without a state and without
 * --node-id knows its node. To be called when both are open. */
void rebuild_note_state(const struct options *options, const struct counters *counters);

#endif
