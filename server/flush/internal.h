/* What the files of the flush share. Everything here belongs to the flush thread, except what the
 * mutex guards. */
#ifndef AFORO_SERVER_FLUSH_INTERNAL_H
#define AFORO_SERVER_FLUSH_INTERNAL_H

#include "server/flush/flush.h"
#include "server/flush/known.h"
#include "server/flush/rows_known.h"
#include "server/flush/visible.h"

#include <pthread.h>

/* chunks in one pipeline at most: a few milliseconds of the store's time */
#define FLUSH_BATCH 32
#define FLUSH_SERVERS_MAX 64 /* cluster servers whose last acknowledged chunk is kept */
#define FLUSH_DOUBTED 64     /* chunks whose part at the store is read back at a time */
#define FLUSH_ENDS 32        /* pipelines between two checks whose last chunk is kept */

/* What a pass gathers and finds. */
struct pass {
    struct store_chunk batch[FLUSH_BATCH];
    uint64_t total[FLUSH_BATCH];
    bool all[FLUSH_BATCH]; /* batch[i] has all windows of its chunk */
    size_t batched;
    size_t batch_most; /* chunks per pipeline; fewer than FLUSH_BATCH while the store is slow */
    size_t sent;       /* chunks, in this pass */
    size_t rows_sent;  /* calls for rows, in this pass */
    int64_t end_us;    /* steady clock: a pass that is not done by then continues in the next one */
    int64_t full_us;   /* steady clock of the last full pass; 0: the next one must be full */
    uint32_t round;    /* from 1; each chunk that must be sent is tried once a round */
    int64_t round_us;  /* steady clock: when the next round may begin */
    int64_t wall_us, steady_us; /* both clocks when they were last compared; 0: never */
    bool failed;                /* in this pass the store refused something, or did not answer */
    bool left_out;              /* this pass skipped what had already failed in this round */
    bool round_is_over;         /* everything was tried in this round */
    /* steady clock: when the next pass may begin, if the interval is longer than the time between
     * two checks of the store */
    int64_t due_us;
};

/* Whether the store still has what it acknowledged. */
struct watch {
    /* the last chunk that each server acknowledged; chunk 0: none */
    struct store_place last[FLUSH_SERVERS_MAX];
    /* the last chunk of each pipeline since the last check, each place once; first, that of the
     * pipeline before the check */
    struct store_place ends[FLUSH_ENDS + 1];
    size_t end_count;
    struct store_place turn;  /* the older ones were compared up to here */
    uint64_t number;          /* number of losses, as the store last reported it */
    bool lost;                /* something is gone, and not everything was sent again since */
    bool tell;                /* the other nodes have not been told yet */
    uint32_t told_generation; /* the generation in which we told them, or they told us */
    unsigned recent;          /* resends in the last minute */
    int64_t resent_us;        /* steady clock of the last */
    int64_t due_us;           /* steady clock: when to check again */
    int64_t close_due_us;     /* the same, for closing old chunks */
    bool clock_told;          /* it was logged that the store's clock differs from ours */
    bool closed_told;         /* it was logged that something came too late */
};

/* This node's name and lease at the store. */
struct identity {
    char owner[COUNTERS_OWNER_MAX];
    bool held; /* the lease was ours when we last asked the store */
    /* the read-back was made after the last time that somebody else may have written under this
     * name */
    bool read_back;
    bool read_back_before; /* at least once in this process; something may have been sent since */
    int64_t renewed_us;    /* steady clock */
    /* steady clock: since then somebody else has held the lease without renewing it; 0: nobody else
     * holds it */
    int64_t waiting_us;
    char holder[STORE_HOLDER_MAX]; /* the text of the lease since then */
    /* Chunks to read back, or just read back and not yet sent. Their places in the memory may be
     * needed for others, which are read back or examined as well. */
    struct store_place doubted[FLUSH_DOUBTED];
    size_t doubted_n;
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
    int64_t node_due_us; /* steady clock: when to send this node's description again */
    bool told; /* since the last complete pass, it was logged that a part of the store fails */
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

/* Counts an error, and logs it if it is news: an absent store, or part of one, is logged once. */
void flush_error(struct flush *flush, const char *msg, const char *why);
void flush_set_state(struct flush *flush, enum flush_state state);

/* Marks everything to be sent again. */
void flush_resend(struct flush *flush);

/* ---- pass.c: what changed ---- */

/* Examines what may have changed and sends it; full: the whole horizon. True when nothing is left
 * unsent. */
bool pass_run(struct flush *flush, bool full);

/* Between two passes that are far apart: sends only rows whose windows the tables are about to
 * drop. */
void pass_run_edge(struct flush *flush);

/* Detects that the wall clock was set since the last call. The chunks that were current until then
 * may hold counts that no pass has seen, so passes include them until they are acknowledged. To be
 * called before anything is counted, before each pass, and while nothing can be sent. */
void pass_note_clock(struct flush *flush);

/* Continues where the previous run ended: what it had left behind unsent, and a clock that was set
 * meanwhile. Before anything is counted. */
void pass_continue(struct flush *flush);

/* Begins a round: what failed is tried again, so the next pass covers the whole horizon. */
void pass_begin_round(struct flush *flush);

/* Whether this run has counted anything that the store has not acknowledged. */
bool pass_unsent(const struct flush *flush);

/* ---- watch.c: does the store still have what it acknowledged ---- */

/* Checks the lease, the number of losses and some values; once a second, and before anything is
 * sent. False when nothing may be sent now. */
bool watch_run(struct flush *flush);

/* Compares at once. True when no difference from what the store acknowledged was found. */
bool watch_compare(struct flush *flush);

/* The store has lost something of this chunk, which must be sent again. NULL: of a chunk that has
 * already been sent again. */
void watch_lost(struct flush *flush, struct known_chunk *chunk);

/* After a new connection: losses reported earlier no longer matter, since everything is sent
 * again. */
void watch_begin(struct flush *flush);

/* Notes that the store has acknowledged this chunk, the last of a pipeline. */
void watch_end(struct flush *flush, const struct store_place *place);

/* ---- visible.c: how long until an event is visible ---- */

/* Takes the events that the workers have noted. Before each pass, and also while no pass can
 * run. */
void visible_take(struct flush *flush);

/* After a pass: adds to *seen how long the events took that the store now has. */
void visible_settle(struct flush *flush, struct durations_total *seen);

/* ---- rows_pass.c: rows of reports ---- */

/* Examines what may have changed and sends it. True when everything that could be tried was
 * tried. */
bool rows_pass(struct flush *flush, bool full);

/* The same for windows past the horizon only: the tables are about to drop them, so they do not
 * wait for the others. In each full pass, before anything else. */
void rows_pass_edge(struct flush *flush);

/* pass_unsent, for rows. */
bool rows_unsent(const struct flush *flush);

/* Compares, for each report, the window that was acknowledged last. True when the store still has
 * all of them. */
bool rows_compare(struct flush *flush);

/* The store has lost rows of this window, which must be sent again. NULL: of a window that has
 * already been sent again. */
void rows_lost(struct flush *flush, struct rows_window *known);

/* ---- rows_back.c: the read-back of rows ---- */

/* Writes the tables' references to disk: what the tables hold now may be in the store too, and the
 * read-back must not add it again. Before any worker counts. False fills why. */
bool rows_remember(struct rows_known *known, const char *node, char *why);

/* Writes the file name of a table's reference to `name` (ROWS_REFERENCE_NAME_MAX bytes). */
void rows_reference_name(const struct rows_table *table, char *name);

/* Raise this node's rows to what the store has: of one report, unless that was done already; of all
 * reports, in any case. False: not possible yet. */
bool rows_read_back_table(struct flush *flush, struct rows_table *table);
bool rows_read_back(struct flush *flush);

/* ---- rows_copy.c: this server is a copy ---- */

/* If this node is a copy: loads what others report of a table's rows into table->others. False
 * fills why. */
bool rows_load_others(const struct rows_known *known, struct rows_table *table, const char *node,
                      char *why);

/* Before this node, being a copy, takes the name `node`: writes to disk what the other node
 * reports. False, and logged, when the store or the disk failed. */
bool rows_give_away(struct flush *flush, const char *node);

/* After it has taken the name: none of its rows was ever sent under it. */
void rows_become_copy(struct flush *flush, const char *node);

/* ---- identity.c: the lease of the name, and the read-back ---- */

/* Takes or renews the lease. True when the name is ours, and our parts may be sent; else the
 * flush's state says what to do next. */
bool identity_lease(struct flush *flush);

/* Raises this node's counts to what the store has. False: not possible yet. */
bool identity_read_back(struct flush *flush);

/* Somebody else may have written under our name: nothing is sent until the lease and a read-back
 * have settled who, and what. The read-back includes this chunk (NULL: no particular one) even if
 * it is older than what is usually read back. */
void identity_doubt(struct flush *flush, struct known_chunk *chunk);

/* Gives the lease back, if it is ours. */
void identity_release(struct flush *flush);

#endif
