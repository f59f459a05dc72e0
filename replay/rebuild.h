/* Rebuilds a lost state from a log that was kept: counts its events in the order in which they
 * arrived, with as many workers as there were and the clock as it was. So windows and rows are the
 * same as those lost, from the start of the oldest window that may still change. */
#ifndef AFORO_REPLAY_REBUILD_H
#define AFORO_REPLAY_REBUILD_H

#include "counters/counters.h"
#include "replay/replay.h"

struct rebuild {
    const char *log_dir;
    const char *node;
    const char *dir; /* where to make the state: must hold none; its parent must exist */
    unsigned workers;
    int64_t horizon_us, future_us;
    int64_t now_us;
    const struct definitions *definitions; /* for that many workers; NULL: no reports */
};

struct rebuilt {
    uint64_t events;
    int64_t from_us; /* events with earlier times are not included */
};

/* Whether the log has records of that node. */
bool rebuild_finds(const char *log_dir, const char *node);

/* The start of the oldest window that may still change or be sent: events with earlier times are
 * not needed. */
int64_t rebuild_start(const struct rebuild *rebuild);

/* False fills `why` (REPLAY_WHY_MAX): the state cannot be rebuilt exactly, and the contents of
 * `dir` must not be used. Called from one thread; it starts others. */
bool rebuild_state(const struct rebuild *rebuild, struct rebuilt *rebuilt, char *why);

#endif
