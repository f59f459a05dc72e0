/* What changed since it was acknowledged? Send it. One thread, between the rings and the store.
 *
 *   away  --connected-->  leasing  --the name is ours-->  reading back  --raised to it-->  sending
 *     ^                      |  held by another, which lives: we are a copy, and take another name
 *     +-- connection lost ---+-------------------------------+-------------------------------+
 *
 * For each chunk the flush remembers what the store has acknowledged. A pass compares, from the
 * newest chunk to the oldest, and sends the windows that differ, as absolute values; without an
 * acknowledgement it simply sends again. Once a second it looks whether the store still has what
 * it acknowledged (watch.c), and sends everything again when it has not. */
#ifndef AFORO_SERVER_FLUSH_FLUSH_H
#define AFORO_SERVER_FLUSH_FLUSH_H

#include "counters/counters.h"
#include "counters/time/durations.h"
#include "server/flush/store.h"

struct flush;
struct tables;
struct visible_queue;

/* What the flush knows of a node that is told of. */
struct flush_told {
    int64_t lag_us;
    int64_t complete_through_us; /* as in struct flush_status */
    uint64_t visible_p99_us;     /* likewise */
    bool ends;                   /* the node stops, and says nothing more */
};

#define FLUSH_WORDS_MAX 1024

struct flush_config {
    struct counters *counters;
    struct store *store; /* owned by the flush from now on */
    int64_t interval_us;
    struct tables *tables;       /* rows of reports; NULL: none; outlives the flush */
    struct visible_queue *queue; /* [queues] of the workers; NULL: none; outlives the flush */
    unsigned queues;
    /* Writes what the node says of itself, about once a second, by the flush thread; NULL: it says
     * nothing. */
    void (*describe)(void *cls, const struct flush_told *told, char words[FLUSH_WORDS_MAX]);
    void *cls;
};

enum flush_state { FLUSH_AWAY, FLUSH_LEASING, FLUSH_READING_BACK, FLUSH_SENDING };

/* A copy of how the flush is doing. */
struct flush_status {
    bool connected; /* and read back: it is flushing */
    bool may_evict; /* the store may throw away what it was told */
    enum flush_state state;
    int64_t last_flush_us; /* steady clock at the last pass that left nothing unsent; 0: never */
    int64_t lag_us;        /* how long there has been something unsent */
    /* wall clock: all that was acknowledged until then is in the store; 0: not known yet. A pass
     * that looked at the whole horizon and left nothing behind began then */
    int64_t complete_through_us;
    uint64_t passes;
    uint64_t chunks_sent;
    uint64_t errors;
    uint64_t losses;  /* times the store had lost what it acknowledged to this node */
    uint64_t resends; /* times the whole horizon was sent again */
    /* events of chunks that were closed for good before this node could send them */
    uint64_t too_late;
    struct durations_total took;    /* of passes that sent something */
    struct durations_total visible; /* see visible.h */
    /* a bound of `visible` within which 99 of 100 events were that became visible in the last half
     * minute to minute; 0: none did */
    uint64_t visible_p99_us;
    char last_error[STORE_WHY_MAX];
    char holder[STORE_HOLDER_MAX]; /* who holds the lease of our name; empty: we, or nobody */
    /* the name this node had before it turned out to be a copy; empty: it did not */
    char copy_of[COUNTERS_NODE_MAX];
};

const char *flush_state_name(enum flush_state state);

/* Starts the thread. Call it before any worker counts: what the file holds now is what read-back
 * compares with. NULL, why (COUNTERS_WHY_MAX) filled, when that cannot be read, or when out of
 * memory or threads (the store is closed then). */
struct flush *flush_start(const struct flush_config *config, char *why);

/* Sends what is left, until deadline_us (steady clock), ends the thread and frees all. True when
 * nothing was left. What has not reached a store that is away is waited for, and that is said at
 * once; with nothing unsent it is not. The workers must have stopped counting. */
bool flush_stop(struct flush *flush, int64_t deadline_us);

/* The same without a thread, for who drives many of them (bench/fleet); one thread at a time.
 * flush_turn connects when need be, sends what changed, and returns the microseconds to wait before
 * the next call. NULL as above. */
struct flush *flush_new(const struct flush_config *config, char *why);
int64_t flush_turn(struct flush *flush);
void flush_free(struct flush *flush);

/* Any thread. */
void flush_status(struct flush *flush, struct flush_status *out);

#endif
