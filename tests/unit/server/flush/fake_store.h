/* A store of a few parts in memory that answers what the test tells it to, and a clock that stands
 * still until the test moves it: steady and wall clock of the whole program. */
#ifndef AFORO_TESTS_UNIT_FAKE_STORE_H
#define AFORO_TESTS_UNIT_FAKE_STORE_H

#include "server/flush/store.h"

#define FAKE_PARTS 1024
#define FAKE_ROWS 512
#define FAKE_COMPONENTS 8 /* of a row */
#define FAKE_ANSWER_ALL 0 /* for fake_store.refuse_chunk: every chunk of that resolution */

/* A row of this node's part of a window of a report. */
struct fake_row {
    char report[ROWS_REPORT_MAX], width[ROWS_WIDTH_MAX], key[64];
    int64_t width_us, window;
    uint64_t count;
    size_t n;
    char name[FAKE_COMPONENTS][64];
    struct rows_component component[FAKE_COMPONENTS]; /* without bytes */
};

struct fake_store {
    struct store store; /* what the flush has of it; the first member */
    struct store_part part[FAKE_PARTS];
    size_t parts;
    struct fake_row row[FAKE_ROWS];
    size_t rows;

    /* ---- how it answers ---- */
    bool away; /* cannot be connected to */
    bool connected;
    bool read_back_fails, sums_fail, sums_unknown, tell_fails, close_fails;
    bool read_back_by_other; /* was_read_back */
    enum store_lease lease;  /* what was taken is kept from then on */
    const char *holder;
    /* of the chunk of that number, or of all; STORE_STORED to begin with */
    enum store_outcome outcome[RESOLUTIONS];
    int64_t refuse_chunk;
    enum store_outcome rows_outcome; /* of rows; STORE_STORED to begin with */
    bool loses_connection;           /* when it does not take something */
    bool knows_owners; /* a part without ours_only is taken over only by one who knows its sum */
    uint64_t losses;
    int64_t ahead_us;   /* of our clock, as close_old says */
    int64_t took_us;    /* that long one call of send takes */
    bool by_resolution; /* a server each: else one has all */

    /* ---- what it was asked ---- */
    unsigned connects, leases, releases, sends, read_backs, compares, tells, closes;
    size_t sent; /* chunks in all calls of send */
    unsigned told_reports, row_sends, rows_read_backs;
    size_t rows_sent;            /* in all calls of send_rows */
    struct store_rows last_rows; /* the last call of send_rows, without its rows */
    char last_definition[512], last_windows[128];
    size_t most;                              /* chunks in the largest call */
    struct store_chunk last;                  /* the last chunk of the last call */
    struct chunk_range range[RESOLUTIONS];    /* the longest that was read back */
    struct chunk_range last_range;            /* the last that was */
    struct store_place asked[STORE_SEND_MAX]; /* in the last call of sums */
    size_t asked_n;
    bool claim_waiting;
    char claim_dead[STORE_HOLDER_MAX];
    char node[64]; /* the name it was told last; empty: none */
    bool closed;
};

extern int64_t fake_steady_us, fake_wall_us;

/* Both clocks go on. */
void fake_clock_advance(int64_t us);

/* An empty store, connected to by nobody, that gives the lease and takes everything. */
void fake_store_make(struct fake_store *fake);

/* This node's part of a chunk there, made when there is none; the caller fills it. */
struct store_part *fake_store_part(struct fake_store *fake, enum resolution r, int64_t chunk);

/* The same, NULL when there is none. */
struct store_part *fake_store_find(struct fake_store *fake, enum resolution r, int64_t chunk);

/* A row as this store has it; NULL when there is none. What it has of a component; -1: nothing. */
struct fake_row *fake_store_row(struct fake_store *fake, const struct rows_place *place,
                                const char *key);
int64_t fake_store_component(struct fake_store *fake, const struct rows_place *place,
                             const char *key, const char *component);

/* Takes a row as send_rows does. */
void fake_store_put_row(struct fake_store *fake, const struct rows_place *place,
                        const struct rows_row *row);

/* One window of it is at least `count`. */
void fake_store_raise(struct fake_store *fake, enum resolution r, int64_t window, uint64_t count);

/* What it has of one window of this node. */
uint64_t fake_store_count(struct fake_store *fake, enum resolution r, int64_t window);

/* ---- fake_rows.c: for fake_store_make ---- */

bool fake_tell_report(struct store *store, const struct store_report *report,
                      char why[STORE_WHY_MAX]);
bool fake_send_rows(struct store *store, const struct store_rows *rows, struct store_ack *ack,
                    char why[STORE_WHY_MAX]);
bool fake_read_back_rows(struct store *store, const struct store_rows_range *range,
                         const struct store_rows_taker *taker, char why[STORE_WHY_MAX]);
bool fake_rows_sum(struct store *store, const struct rows_place *place, uint64_t *sum,
                   char why[STORE_WHY_MAX]);

#endif
