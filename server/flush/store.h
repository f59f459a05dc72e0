/* The store, where summaries outlive the node. It is a table of functions, so that the flush knows
 * nothing of Redis and a test can substitute a store that fails. All calls except end_by are made
 * by the flush thread alone. They may block, each for at most a few of the store's own time-outs;
 * none of them allocates per event.
 *
 * A node's part of a chunk is what that node has reported of it: absolute values, one writer. The
 * store adds the parts up. */
#ifndef AFORO_SERVER_FLUSH_STORE_H
#define AFORO_SERVER_FLUSH_STORE_H

#include "counters/time/window.h"
#include "redis/rows.h"

#include <stddef.h>

#define STORE_WHY_MAX 256
#define STORE_HOLDER_MAX 256
#define STORE_SEND_MAX 64 /* chunks in one call of send, and places in one of sums */
#define STORE_LEASE_MS 10000
#define STORE_SUM_UNKNOWN UINT64_MAX

struct store_place {
    enum resolution resolution;
    int64_t chunk;
};

/* What this node has counted in some windows of one chunk: absolute values, never increments. */
struct store_chunk {
    struct store_place place;
    uint64_t there; /* sum of this node's part at the store, as far as we know */
    uint32_t n;     /* windows below, 1..SLOTS_MAX */
    uint8_t slot[SLOTS_MAX];
    uint64_t count[SLOTS_MAX]; /* below 2^53: the store's script computes in doubles */
};

enum store_outcome {
    STORE_FAILED, /* not known to be stored: send again */
    STORE_STORED,
    STORE_CLOSED, /* the chunk is closed for good: nothing was changed, and nothing will be */
    STORE_FOREIGN /* somebody else has written under this node's name: nothing was changed */
};

struct store_ack {
    enum store_outcome outcome;
    /* STORE_STORED: the sum of this node's part before the call; 0: the store had none */
    uint64_t had;
    uint64_t has; /* rows only, STORE_STORED: the sum after the call */
};

/* A part as the store has it. */
struct store_part {
    struct store_place place;
    uint64_t sum;
    uint64_t count[SLOTS_MAX];
    /* The counts that came from this owner, if that is known: all of them when this owner wrote the
     * part last, else what the part held when another owner took it over. */
    bool ours_known;
    bool ours_only; /* this owner wrote it last: all of it is ours */
    uint64_t ours[SLOTS_MAX];
};

/* What this node has counted in some rows of one window of a report: absolute values, never
 * increments. */
struct store_rows {
    struct rows_place place;
    /* sum of this node's part (the events of all its rows) at the store, as far as we know */
    uint64_t there;
    int64_t keep_s; /* how long the store keeps the window; at least an hour beyond the horizon */
    size_t n;
    const struct rows_row *row; /* [n], each key once */
};

/* A report as it is announced to the store. */
struct store_report {
    const char *report; /* NAME.DIGEST */
    const char *definition;
    size_t definition_len;
    const char *windows; /* see redis/rows.h */
};

/* Consecutive windows of one width of a report. */
struct store_rows_range {
    struct rows_place first;
    uint32_t n;
};

/* Receives the rows of this node's parts that are read back. */
struct store_rows_taker {
    void (*row)(void *cls, const struct rows_place *place, const struct rows_row *row);
    /* called after the rows of each window that has a part, with the part's sum */
    void (*window)(void *cls, const struct rows_place *place, uint64_t sum);
    void *cls;
};

/* A request for a lease. */
struct store_claim {
    const char *owner;
    /* Another owner has or had the lease. If it has vanished without having been given back, it is
     * not taken, since its owner may not know that yet. */
    bool waiting;
    /* A lease with exactly this text is taken over, whatever the store's clock says; "": none
     * is. */
    const char *dead;
};

/* Receives the parts that are read back; called once for each. */
struct store_taker {
    void (*each)(void *cls, const struct store_part *part);
    void *cls;
};

/* What is asked for, and where the answers go. */
struct store_sums {
    const struct store_place *places; /* [n] */
    size_t n;                         /* 0 to STORE_SEND_MAX */
    /* [n] of this node's parts; 0 where there is none, STORE_SUM_UNKNOWN where it could not be read
     */
    uint64_t *sums;
    /* the number of losses, which changes when this store has lost something; unchanged when it
     * could not be read; NULL: not asked for */
    uint64_t *losses;
};

enum store_lease {
    STORE_LEASE_FAILED, /* the store did not say */
    STORE_LEASE_KEPT,   /* it was ours, and still is */
    STORE_LEASE_TAKEN,  /* it was free, and is ours now */
    STORE_LEASE_HELD    /* somebody else has it */
};

struct store {
    const struct store_ops *ops;
    bool may_evict; /* a server that it is connected to is configured to evict keys */
};

struct store_ops {
    /* Connects. Called again after any failure. True when ready; false with `why` filled: one
     * sentence that names the address (without the password), the reason and the remedy. */
    bool (*connect)(struct store *store, char why[STORE_WHY_MAX]);
    /* Sends chunks[0..n), n <= STORE_SEND_MAX, in one pipeline and fills ack[0..n). False (why
     * filled) when any of them failed; the connection may be gone then, which `connected` tells. */
    bool (*send)(struct store *store, const struct store_chunk *chunks, size_t n,
                 struct store_ack *ack, char why[STORE_WHY_MAX]);
    /* Reads this node's parts of a range of chunks and passes each that exists to the taker. False
     * (why filled) when not all could be read. */
    bool (*read_back)(struct store *store, struct chunk_range range,
                      const struct store_taker *taker, char why[STORE_WHY_MAX]);
    /* Announces a report, so that any reader can make sense of its rows. False: why filled. */
    bool (*tell_report)(struct store *store, const struct store_report *report,
                        char why[STORE_WHY_MAX]);
    /* Sends rows, and fills *ack; no other window is touched. A row is stored as a whole or not at
     * all. False: why filled, as for send. */
    bool (*send_rows)(struct store *store, const struct store_rows *rows, struct store_ack *ack,
                      char why[STORE_WHY_MAX]);
    /* Reads this node's parts of a range of windows. Sums (and values that wrap) are this node's
     * own; minima, maxima and the like are those of all nodes. False, why filled, when not all
     * could be read. */
    bool (*read_back_rows)(struct store *store, const struct store_rows_range *range,
                           const struct store_rows_taker *taker, char why[STORE_WHY_MAX]);
    /* Asks for the sum of this node's part of a window; 0 where there is none. False: why filled.
     */
    bool (*rows_sum)(struct store *store, const struct rows_place *place, uint64_t *sum,
                     char why[STORE_WHY_MAX]);
    /* Asks for the sums of this node's parts and for the number of losses, in one pipeline. It must
     * be cheap: the flush asks once a second. False, why filled, when anything could not be
     * read. */
    bool (*sums)(struct store *store, const struct store_sums *sums, char why[STORE_WHY_MAX]);
    /* Which of the store's servers keeps this chunk: a small number; 0 when there is only one. */
    unsigned (*server)(const struct store *store, const struct store_place *place);
    /* Takes or renews the lease of this node's name for STORE_LEASE_MS. STORE_LEASE_HELD fills
     * holder with a number, which each renewal increases, a blank, and the other owner; or leaves
     * it empty when the lease is gone and claim->waiting. */
    enum store_lease (*lease)(struct store *store, const struct store_claim *claim,
                              char holder[STORE_HOLDER_MAX], char why[STORE_WHY_MAX]);
    /* Whether the owner that held the lease when it was last requested has read back parts that we
     * wrote. */
    bool (*was_read_back)(const struct store *store);
    /* Gives the lease back, if it is ours. */
    void (*release)(struct store *store, const char *owner);
    /* Changes the number of losses, unless it already differs from *losses, so that all nodes hear
     * of a loss. Sets *losses to the number now in force. False: why filled. */
    bool (*tell_loss)(struct store *store, uint64_t *losses, char why[STORE_WHY_MAX]);
    /* Publishes this node's description of itself (NUL-terminated), for whoever asks which nodes
     * there are. False: why filled. The function is NULL for a store that nobody asks. */
    bool (*tell_node)(struct store *store, const char *words, char why[STORE_WHY_MAX]);
    /* Closes chunks whose time is over, whoever wrote them: at most an hour's worth per call. It
     * goes by the wall clock now_us, and only if the store's own clock agrees; *ahead_us: how far
     * ours is ahead of it. False: why filled. */
    bool (*close_old)(struct store *store, int64_t now_us, int64_t *ahead_us,
                      char why[STORE_WHY_MAX]);
    /* From now on, all calls concern the parts of the node of this name. */
    void (*rename)(struct store *store, const char *node);
    /* Any thread: once this moment has come (steady clock, microseconds), the call under way and
     * all later ones fail. */
    void (*end_by)(struct store *store, int64_t steady_us);
    bool (*connected)(const struct store *store);
    /* for the log: no password in it; lives as long as the store */
    const char *(*address)(const struct store *store);
    void (*close)(struct store *store); /* frees the store */
};

#endif
