/* What the files of the flush share: everything here is the flush thread's own, but for what the
 * mutex guards. */
#ifndef AFORO_SERVER_FLUSH_INTERNAL_H
#define AFORO_SERVER_FLUSH_INTERNAL_H

#include "server/flush/flush.h"
#include "server/flush/known.h"
#include "server/flush/rows_known.h"
#include "server/flush/visible.h"

#include <pthread.h>

/* chunks in one pipeline, at the most: a few milliseconds of the store's time */
#define FLUSH_BATCH 32
#define FLUSH_SERVERS_MAX 64 /* of a cluster, whose last acknowledged chunk is remembered */
#define FLUSH_ENDS 32        /* pipelines between two looks whose last chunk is remembered */

/* What a pass gathers and finds. */
struct pass {
    struct store_chunk batch[FLUSH_BATCH];
    uint64_t total[FLUSH_BATCH];
    bool all[FLUSH_BATCH]; /* all windows of the chunk are in it */
    size_t batched;
    size_t batch_most;          /* fewer than FLUSH_BATCH while the store is slow */
    size_t sent;                /* chunks, in this pass */
    size_t rows_sent;           /* calls for rows, in this pass */
    int64_t end_us;             /* steady clock: a pass that takes longer goes on in the next */
    int64_t full_us;            /* steady clock of the last full pass; 0: the next is one */
    uint32_t round;             /* from 1: each chunk that is to be sent is tried once a round */
    int64_t round_us;           /* steady clock: when the next round may begin */
    int64_t wall_us, steady_us; /* the clocks when they were last compared; 0: never */
    bool failed;        /* in this pass: the store would not take something, or did not answer */
    bool left_out;      /* in this pass: what had failed in this round already */
    bool round_is_over; /* nothing is left that was not tried in it */
    /* steady clock: when the next pass may begin, where passes come less often than looks at the
     * store */
    int64_t due_us;
};

/* Whether the store still has what it acknowledged. */
struct watch {
    /* acknowledged last by each server; chunk 0: none */
    struct store_place last[FLUSH_SERVERS_MAX];
    struct store_place ends[FLUSH_ENDS + 1]; /* the last of each pipeline since the last look, each
                                              * place once, and of the one before it, first */
    size_t end_count;
    struct store_place turn;  /* up to here the older ones were compared */
    uint64_t number;          /* of losses, as the store said last */
    bool lost;                /* something is gone, and not all was sent again since */
    bool tell;                /* the other nodes do not know yet */
    uint32_t told_generation; /* in which they were told, or told us */
    unsigned recent;          /* resends in the last minute */
    int64_t resent_us;        /* steady clock of the last */
    int64_t due_us;           /* steady clock: when to look again */
    int64_t close_due_us;     /* the same, for closing what is over */
    bool clock_told;          /* that the store's clock is not ours */
    bool closed_told;         /* that something came too late */
};

/* Who we are to the store. */
struct identity {
    char owner[COUNTERS_OWNER_MAX];
    bool held;             /* the lease was ours when the store was last asked */
    bool read_back;        /* under this name, since somebody else may have written there */
    bool read_back_before; /* once at least, in this process: things were sent since */
    int64_t renewed_us;    /* steady clock */
    /* since then it has been somebody else's, who has not renewed it; 0: it is not */
    int64_t waiting_us;
    char holder[STORE_HOLDER_MAX]; /* the lease as it reads since then */
};

struct flush {
    struct flush_config config;
    enum flush_state state;
    struct known known;
    struct pass pass;
    struct watch watch;
    struct identity identity;
    struct rows_known rows;
    struct visible visible;
    int64_t backoff_us;
    int64_t node_due_us; /* steady clock: when to tell of this node again */
    bool told;           /* that a part of the store fails; since the last complete pass */
    int64_t complete_us; /* steady clock of the last complete pass */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t wake;
    bool stopping;
    int64_t deadline_us;
    struct flush_status status;
    struct visible_recent recent;
};

/* ---- flush.c ---- */

/* Counts an error, and logs it when it is news: a store that is away, or a part of one, is told of
 * once. */
void flush_error(struct flush *flush, const char *msg, const char *why);
void flush_set_state(struct flush *flush, enum flush_state state);

/* All is to be sent again. */
void flush_resend(struct flush *flush);

/* ---- pass.c: what changed ---- */

/* Looks at what may have changed and sends it. True when nothing is left unsent. */
bool pass_run(struct flush *flush, bool full);

/* Between two passes that are far apart: only rows that the tables are about to let go. */
void pass_run_edge(struct flush *flush);

/* Has the wall clock been set since this was last called? Then what was the present until now, and
 * may hold counts that were never looked at, is looked at until it is acknowledged. Before anything
 * is counted, before each pass, and while nothing can be sent. */
void pass_note_clock(struct flush *flush);

/* What failed is tried again: all of the horizon is looked at for it. */
void pass_begin_round(struct flush *flush);

/* Has this run counted anything that the store has not acknowledged? */
bool pass_unsent(const struct flush *flush);

/* ---- watch.c: is the store what it was ---- */

/* Once a second, and before anything is sent: leases, losses, values. False when nothing may be
 * sent now. */
bool watch_run(struct flush *flush);

/* Compares now. True when the store has what it acknowledged, as far as that shows. */
bool watch_compare(struct flush *flush);

/* The store has lost something: of this chunk, which is to be sent again; or (NULL) of one that
 * was. */
void watch_lost(struct flush *flush, struct known_chunk *chunk);

/* Connected anew: what others told of before does not matter, all is sent again. */
void watch_begin(struct flush *flush);

/* A pipeline has ended with this chunk, and the store has acknowledged it. */
void watch_end(struct flush *flush, const struct store_place *place);

/* ---- visible.c: how long until an event is visible ---- */

/* Takes the events that the workers have noted. Before a pass, and while there is none. */
void visible_take(struct flush *flush);

/* After a pass: notes in *seen how long those events took that the store has now. */
void visible_settle(struct flush *flush, struct durations_total *seen);

/* ---- rows_pass.c: rows of reports ---- */

/* Looks at what may have changed and sends it. True when nothing was left out that could be tried.
 */
bool rows_pass(struct flush *flush, bool full);

/* The same of windows that are past the horizon only: the tables are about to let them go, so they
 * do not wait for all the others. In each full pass, before anything else. */
void rows_pass_edge(struct flush *flush);

/* As pass_unsent. */
bool rows_unsent(const struct flush *flush);

/* Compares the window of each report that was acknowledged last. True when the store has it. */
bool rows_compare(struct flush *flush);

/* The store has lost something of rows: of this window, which is to be sent again; or (NULL) of one
 * that was. */
void rows_lost(struct flush *flush, struct rows_window *known);

/* ---- rows_back.c: the read-back of rows ---- */

/* Notes what the tables hold, on the disk: what the store may have of it is not to be added. Before
 * any worker counts. False fills why. */
bool rows_remember(struct rows_known *known, const char *node, char *why);

/* The name of a table's reference (ROWS_REFERENCE_NAME_MAX). */
void rows_reference_name(const struct rows_table *table, char *name);

/* Raises us to what the store has of one report, unless that was done; or of all, again. False: not
 * yet. */
bool rows_read_back_table(struct flush *flush, struct rows_table *table);
bool rows_read_back(struct flush *flush);

/* ---- rows_copy.c: this server is a copy ---- */

/* What others report of a table's rows, when this node is a copy, into table->others. False fills
 * why. */
bool rows_load_others(const struct rows_known *known, struct rows_table *table, const char *node,
                      char *why);

/* Before this node takes the name `node`, because it is a copy: notes on the disk what the other
 * one reports. False: the store or the disk did not do; it was told. */
bool rows_give_away(struct flush *flush, const char *node);

/* After it has: nothing of its own rows was ever sent under this name. */
void rows_become_copy(struct flush *flush, const char *node);

/* ---- identity.c: the lease of the name, and the read-back ---- */

/* Takes or renews the lease. True when the name is ours, and what is ours may be sent; else state
 * says what to do next. */
bool identity_lease(struct flush *flush);

/* Raises us to what the store has. False: not yet. */
bool identity_read_back(struct flush *flush);

/* Somebody may have written under our name: nothing is sent until it is known who, and what; of
 * this chunk (NULL: of any), too, which may be older than what is read back otherwise. */
void identity_doubt(struct flush *flush, struct known_chunk *chunk);

/* Gives the lease back, if it is ours. */
void identity_release(struct flush *flush);

#endif
