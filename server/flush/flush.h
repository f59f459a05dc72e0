/* The flush: one thread, between the rings and the store, which sends what has changed since the
 * store acknowledged it.
 *
 *   away  --connected-->  leasing  --the name is ours-->  reading back  --raised to it-->  sending
 *     ^                      |  held by another, which lives: we are a copy, and take another name
 *     +-- connection lost ---+-------------------------------+-------------------------------+
 *
 * For each chunk the flush remembers what the store has acknowledged. A pass compares the rings
 * with that, from the newest chunk to the oldest, and sends the windows that differ, as absolute
 * values; what is not acknowledged is simply sent again. Once a second the flush checks that the
 * store still has what it acknowledged (watch.c), and sends everything again if it does not. */
#ifndef AFORO_SERVER_FLUSH_FLUSH_H
#define AFORO_SERVER_FLUSH_FLUSH_H

#include "counters/counters.h"
#include "counters/time/durations.h"
#include "server/flush/store.h"

struct flush;
struct tables;
struct visible_queue;

/* What the flush contributes to the node's description of itself (flush_config: describe). */
struct flush_told {
    int64_t lag_us;
    int64_t complete_through_us; /* as in struct flush_status */
    uint64_t visible_p99_us;     /* likewise */
    bool ends;                   /* the node is stopping; this is its last description */
};

#define FLUSH_WORDS_MAX 1024

struct flush_config {
    struct counters *counters;
    struct store *store; /* the flush takes ownership */
    int64_t interval_us;
    struct tables *tables;       /* rows of reports; NULL: none; outlives the flush */
    struct visible_queue *queue; /* [queues], one per worker; NULL: none; outlives the flush */
    unsigned queues;
    /* Writes the node's description of itself (NUL-terminated). The flush thread calls it about
     * once a second. NULL: the node does not describe itself. */
    void (*describe)(void *cls, const struct flush_told *told, char words[FLUSH_WORDS_MAX]);
    void *cls;
};

enum flush_state { FLUSH_AWAY, FLUSH_LEASING, FLUSH_READING_BACK, FLUSH_SENDING };

/* A snapshot of the flush's state, made by flush_status. */
struct flush_status {
    bool connected; /* and the read-back is complete: it is flushing */
    bool may_evict; /* the store is configured to evict keys */
    enum flush_state state;
    int64_t last_flush_us; /* steady clock at the last pass that left nothing unsent; 0: never */
    int64_t lag_us;        /* time since the last complete pass; 0 up to two intervals */
    /* wall clock: every event acknowledged to a client before this is in the store; 0: not known
     * yet. It is the start of the last pass that covered the whole horizon and left nothing
     * unsent */
    int64_t complete_through_us;
    uint64_t passes;
    uint64_t chunks_sent;
    uint64_t errors;
    uint64_t losses;  /* times the store was found to lack what it had acknowledged to this node */
    uint64_t resends; /* times the whole horizon was sent again */
    /* events whose chunks were closed for good before this node could send them */
    uint64_t too_late;
    struct durations_total took;    /* of passes that sent something */
    struct durations_total visible; /* see visible.h */
    /* 99th percentile of `visible` over the last 30 to 60 s, rounded up to a bound of the
     * histogram; 0: no event became visible */
    uint64_t visible_p99_us;
    char last_error[STORE_WHY_MAX];
    char holder[STORE_HOLDER_MAX]; /* who holds the lease of our name; empty: we do, or nobody */
    /* the name this node had before it turned out to be a copy; empty: it is none */
    char copy_of[COUNTERS_NODE_MAX];
};

/* The name of a state for pages and logs, e.g. "reading back"; constant. Any thread. */
const char *flush_state_name(enum flush_state state);

/* Starts the thread. By main, before any worker counts: the read-back compares the store with what
 * the file holds at this moment. Returns NULL and fills why (COUNTERS_WHY_MAX bytes) when the
 * file's reference cannot be read or memory or threads run out; the store is closed then. */
struct flush *flush_start(const struct flush_config *config, char *why);

/* Sends what is left until deadline_us (steady clock), then ends the thread and frees everything.
 * Returns true when nothing was left unsent. By main, after the workers have stopped counting. If
 * the store is away and something is unsent, it waits for the store until the deadline and logs at
 * once that it does so; if nothing is unsent, it does not wait. */
bool flush_stop(struct flush *flush, int64_t deadline_us);

/* The same without a thread, for a program that drives many flushes (bench/fleet); one thread at a
 * time. flush_new returns NULL as flush_start does. flush_turn connects if necessary, sends what
 * changed, and returns the microseconds to wait before the next call. */
struct flush *flush_new(const struct flush_config *config, char *why);
int64_t flush_turn(struct flush *flush);
void flush_free(struct flush *flush);

/* Copies the status to *out. Any thread. */
void flush_status(struct flush *flush, struct flush_status *out);

#endif
