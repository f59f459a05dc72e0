/* Writes the state file to the disk once a second, so that a power loss costs no more, and looks
 * whether it is still where it was. A thread of its own: a slow disk then holds up no worker. */
#ifndef AFORO_SERVER_PROCESS_SYNCER_H
#define AFORO_SERVER_PROCESS_SYNCER_H

#include "counters/counters.h"
#include "counters/rows/tables.h"

#include <stdatomic.h>
#include <stdbool.h>

struct syncer;

struct syncer_config {
    struct counters *counters;
    const char *dir; /* the state directory, for the log */
    /* set while the state file is gone: what was acknowledged is lost then when this process ends
     */
    _Atomic bool *state_is_lost;
    struct tables *tables; /* of reports; NULL: none */
    /* set while the last try to write failed; NULL: nobody asks */
    _Atomic bool *state_is_unwritten;
};

/* Starts the thread; what config points to must outlive it. NULL when out of memory or threads. By
 * main. */
struct syncer *syncer_start(const struct syncer_config *config);

/* Ends it and frees it; NULL is allowed. What was counted since it wrote last is in the mapping,
 * which counters_close writes. By main. */
void syncer_stop(struct syncer *syncer);

#endif
