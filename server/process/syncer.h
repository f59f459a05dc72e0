/* The syncer writes the state file to disk once a second, so that a power loss costs no more than
 * that, and checks that the file is still where it was. It is a thread of its own, so that a slow
 * disk holds up no worker. */
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
    /* set while the state file is gone: what was acknowledged is then lost when this process
     * ends */
    _Atomic bool *state_is_lost;
    struct tables *tables; /* of reports; NULL: none */
    /* set if the last attempt to write failed; NULL: nobody asks */
    _Atomic bool *state_is_unwritten;
};

/* Starts the thread; what config points to must outlive it. NULL when out of memory or threads. By
 * main. */
struct syncer *syncer_start(const struct syncer_config *config);

/* Ends the thread and frees the syncer; NULL is allowed. What was counted since the last write is
 * in the mapping, which counters_close writes. By main. */
void syncer_stop(struct syncer *syncer);

#endif
