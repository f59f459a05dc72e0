/* A state that was lost, made again of a log that was kept: its events are counted in the order in
 * which they came, by as many workers as there were, with the clock as it was then. So windows and
 * rows are those that were lost, from the beginning of the oldest window that may still change. */
#ifndef AFORO_REPLAY_REBUILD_H
#define AFORO_REPLAY_REBUILD_H

#include "counters/counters.h"
#include "replay/replay.h"

struct rebuild {
    const char *log_dir;
    const char *node;
    const char *dir; /* where the state is made; its parent exists, and it holds none */
    unsigned workers;
    int64_t horizon_us, future_us;
    int64_t now_us;
    const struct definitions *definitions; /* for that many workers; NULL: no reports */
};

struct rebuilt {
    uint64_t events;
    int64_t from_us; /* events of earlier times are not in it */
};

/* Whether the log has records of that node. */
bool rebuild_finds(const char *log_dir, const char *node);

/* Where windows begin of which some may still change, or be sent: events of earlier times are not
 * needed. */
int64_t rebuild_start(const struct rebuild *rebuild);

/* False fills why (REPLAY_WHY_MAX): it cannot be made exactly as it was, and nothing can be used of
 * `dir`. One thread; it starts others. */
bool rebuild_state(const struct rebuild *rebuild, struct rebuilt *rebuilt, char *why);

#endif
