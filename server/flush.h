/* What changed since it was acknowledged? Send it. One thread, between the rings and the store.
 *
 * For each chunk the flush remembers what the store has acknowledged. A pass compares, from the newest chunk to the
 * oldest, and sends the windows that differ, as absolute values; without an acknowledgement it simply sends again. */
#ifndef AFORO_SERVER_FLUSH_H
#define AFORO_SERVER_FLUSH_H

#include "counters/counters.h"
#include "server/store.h"

struct flush;

struct flush_config {
    struct counters *counters;
    struct store *store;     /* owned by the flush from now on */
    int64_t interval_us;
};

/* A copy of how the flush is doing. */
struct flush_status {
    bool connected;          /* and read back: it is flushing */
    int64_t last_flush_us;   /* steady clock at the last pass that left nothing unsent; 0: never */
    int64_t lag_us;          /* how long there has been something unsent */
    uint64_t passes;
    uint64_t chunks_sent;
    uint64_t errors;
    uint64_t resends;        /* times the whole horizon was sent again */
    char last_error[STORE_WHY_MAX];
};

/* Starts the thread. Call it before any worker counts: what the file holds now is what read-back compares with. NULL
 * when out of memory or threads (the store is closed then). */
struct flush *flush_start(const struct flush_config *config);

/* Sends what is left, until deadline_us (steady clock), ends the thread and frees all. True when nothing was left. The
 * workers must have stopped counting. */
bool flush_stop(struct flush *flush, int64_t deadline_us);

/* The same without a thread, for who drives many of them (bench/fleet); one thread at a time. flush_turn connects when need
 * be, sends what changed, and returns the microseconds to wait before the next call. NULL when out of memory (the store is
 * closed then). */
struct flush *flush_new(const struct flush_config *config);
int64_t flush_turn(struct flush *flush);
void flush_free(struct flush *flush);

/* Any thread. */
void flush_status(struct flush *flush, struct flush_status *out);

#endif
