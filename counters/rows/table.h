/* The rows of one report: the state of all its measures, for each key in each window. There is one
 * memory-mapped file for each report and definition, reports/NAME.DIGEST.aforo in the state
 * directory, of fixed size.
 *
 *   file     | header, definition | section 0 | section 1 | ...
 *   section  one writer and one window width: section of writer w, width k. Writer 0 is what was
 *            read back from the store (the flush thread). Worker thread n is writer n until the
 *            clock is set; then it may continue as another writer (tables_move.c).
 *            | page | windows: a ring of entries | heads | arena of rows, a circle |
 *   window   | epoch | touched | matched | rows | newest row | values of each `by` field |
 *            | state of the base row |
 *   row      | lengths, checksum | touched | hash | next in bucket, next in window | window |
 *            | state | key |
 *
 * `matched` is the number of events counted in the window: the sum of the counts of its rows, base
 * row included. A report without keys has base rows only. In one with keys the base row is
 * `(other)`: it takes the events whose key found no room, so that totals stay exact. Its place is
 * always there.
 *
 * Rows differ in length and are numbered by where they begin in an ever-growing stream of 8-byte
 * units; a row's place in the circle is that number modulo the circle's length. A chain runs from
 * newer rows to older ones, so a link to a number that the circle has moved past ends it: nothing
 * is ever deleted from a chain. The circle moves past a row only when its window is past the
 * horizon.
 *
 * A reader accepts a row when its `touched` (the last transaction that changed it) is the same
 * before and after reading, that transaction is committed, and the circle has not moved past the
 * row. */
#ifndef AFORO_COUNTERS_ROWS_TABLE_H
#define AFORO_COUNTERS_ROWS_TABLE_H

#include "counters/counters.h"
#include "counters/rows/undo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_WIDTHS_MAX 8
#define TABLE_NAME_MAX 48   /* of a report, with its NUL: [a-z0-9_-] */
#define TABLE_DIGEST_MAX 17 /* 16 hex digits and a NUL */
#define TABLE_DEFINITION_MAX 32768
#define TABLE_KEY_MAX 4096 /* bytes of a key */
#define TABLE_FIELDS_MAX 8 /* fields in `by` */
#define TABLE_STATE_WORDS_MAX 8192
#define TABLE_WRITERS_MOST COUNTERS_SHARDS_MOST /* sections of a width */

/* Separates the values of the `by` fields in a key. */
#define TABLE_KEY_SEPARATOR '\x1f'
#define TABLE_OTHER "(other)" /* stands for the values of a field that has too many */

/* What a table is made from. `definition` is stored in the file, so that the file explains
 * itself. */
struct table_config {
    char name[TABLE_NAME_MAX];
    char digest[TABLE_DIGEST_MAX];
    const char *definition;
    size_t definition_len;
    unsigned widths;
    int64_t width_us[TABLE_WIDTHS_MAX]; /* of the windows; each divides a day */
    bool keyed;
    size_t state_words; /* of one row; word 0 counts its events */
    int64_t memory;     /* bytes for all sections; at least table_bytes_min */
    uint64_t keys_max;  /* most rows of one window in one section, base row excluded */
    unsigned fields;    /* number of `by` fields */
    uint64_t field_max[TABLE_FIELDS_MAX]; /* most different values in one window; 0: unlimited */
};

/* What all tables of a directory share. */
struct table_span {
    unsigned workers; /* worker threads; each has sections, and so has the read-back */
    int64_t horizon_us, future_us;
};

/* The least number of bytes that the file needs; how many rows with keys of `key_len` bytes it has
 * room for in all; how many in each window of width number `width`, in one section, when all
 * windows have as many; the bytes of one such row. Pure. */
int64_t table_bytes_min(const struct table_config *config, const struct table_span *span);
int64_t table_rows(const struct table_config *config, const struct table_span *span,
                   size_t key_len);
int64_t table_window_rows(const struct table_config *config, const struct table_span *span,
                          unsigned width, size_t key_len);
size_t table_row_bytes(const struct table_config *config, size_t key_len);

struct table;
struct table_section; /* one writer's section of one width */

/* ---- the owner of a section; where stated, within a transaction ---- */

/* A key as it is stored: its bytes and their hash (table_hash: XXH3 with the table's seed). */
struct table_key {
    const char *bytes;
    size_t len;
    uint64_t hash;
    /* where each `by` field's value begins in `bytes`, and its length; for field_max */
    unsigned fields;
    uint16_t at[TABLE_FIELDS_MAX], field_len[TABLE_FIELDS_MAX];
};

/* The hash of a key. Any thread. */
uint64_t table_hash(const struct table *table, const char *bytes, size_t len);

/* A row that is being changed. It can be kept (table_keep_row) to save looking it up again. */
struct table_row {
    word *state;   /* [state_words] */
    word *touched; /* NULL: a base row, or made by the open transaction */
    word *window;  /* `touched` and `matched` of its window */
    const struct undo_file *file;
    int64_t number;   /* of the window. A kept row is valid */
    uint64_t until;   /* until the section's tail moves past this */
    uint32_t version; /* or the section's version changes */
    bool made;        /* by the open transaction */
    bool other;       /* base row of a table with keys: the key found no room */
    bool refused;     /* not the key's own row, which found no room */
};

/* The number of events counted in the row's window. */
#define TABLE_MATCHED(row) (&(row)->window[1])

/* The section of writer `worker` (< table_workers) and width number `width`; owned by the table. */
struct table_section *table_section(const struct table *table, unsigned worker, unsigned width);

/* The number of the window that holds event time t_us (>= 0), counted from the epoch, UTC. */
static inline int64_t table_window(int64_t width_us, int64_t t_us) {
    return t_us / width_us;
}

/* Sets "now": windows that ended before now - horizon may be dropped. Call it once per wake-up. */
void table_set_now_owner(struct table_section *section, int64_t now_us);

/* Finds the row of a key in a window, or makes it, and marks it as touched by the open transaction.
 * `key` NULL: the base row. False when the window no longer has a place, being older than what is
 * kept; nothing was changed. Within a transaction. Wait-free, no system call. */
bool table_touch_owner(struct table_section *section, struct undo *undo, int64_t window,
                       const struct table_key *key, struct table_row *row);

/* The most words that touching one row notes for undo, not counting those of its state. */
#define TABLE_TOUCH_PUTS (9 + 3 * TABLE_FIELDS_MAX)

/* The same for any number of events at once, possibly none: what was read back from the store. The
 * caller must raise the state's count by as many within the transaction. In the sections of worker
 * 0 a key without room does not go to `(other)`: the result is false, and nothing was changed. */
struct table_touch {
    int64_t window;
    const struct table_key *key;
    uint64_t events;
};
bool table_touch_events_owner(struct table_section *section, struct undo *undo,
                              const struct table_touch *touched, struct table_row *row);

/* The state of an existing row, to inspect before touching it. NULL when the row would be new (all
 * zeros) or go to `(other)`. Changes nothing. */
const word *table_look_owner(struct table_section *section, int64_t window,
                             const struct table_key *key);

/* Like table_touch_owner, but the row is not touched yet. To change it, touch it with
 * table_note_touch_owner; otherwise undo what this call changed with table_put_back_owner. */
bool table_find_owner(struct table_section *section, struct undo *undo, int64_t window,
                      const struct table_key *key, struct table_row *row);

/* Copies a row of a committed transaction to *kept, for use by later ones. */
void table_keep_row(const struct table_row *row, struct table_row *kept);

/* Whether a kept row is still the row of its key in its window, so that it may be changed as if it
 * had just been found. `hash` is the key's. False: it must be looked up again; nothing was
 * changed. */
bool table_find_again_owner(struct table_section *section, struct undo *undo,
                            const struct table_row *kept, uint64_t hash);

#define TABLE_TOUCH_NOTES 3 /* for one row */

/* Notes for undo the words that touching a row for one event changes. */
static inline void table_note_touch_owner(struct undo_notes *notes, const struct table_row *row) {
    if (row->touched) {
        undo_note_owner(notes, row->touched);
    }
    undo_note_word_owner(notes, row->window, 0);
    undo_note_word_owner(notes, row->window, 1);
}

/* Touches row[0..rows), different rows of one writer. To be called once all changes to them are
 * noted and counted, and before any of these is stored. */
static inline void table_store_touch_owner(const struct undo *undo,
                                           const struct table_row *const *row, size_t rows) {
    for (size_t i = 0; i < rows; i++) {
        if (row[i]->touched) {
            atomic_store_explicit(row[i]->touched, undo->sequence, memory_order_relaxed);
        }
        atomic_store_explicit(row[i]->window, undo->sequence, memory_order_relaxed);
    }
    /* Partner: the acquire fence of read_settled (table_read.c). A reader that sees a word stored
     * after this point sees, when it looks again, that the row was touched. */
    atomic_thread_fence(memory_order_release);
    for (size_t i = 0; i < rows; i++) {
        word *matched = TABLE_MATCHED(row[i]);
        atomic_store_explicit(matched, atomic_load_explicit(matched, memory_order_relaxed) + 1,
                              memory_order_relaxed);
    }
}

/* Restores, within the open transaction, all that was changed since the transaction had `entries`
 * undo notes. Since then all notes must be of the section's file and only from touching rows: if a
 * word of a state had been stored, a reader might have accepted it. Call it for each section
 * touched since then. */
void table_put_back_owner(struct table_section *section, struct undo *undo, uint32_t entries);

/* ---- any thread ---- */

/* A copy of one row of one section; valid during the taker's call only. */
struct table_copy {
    const char *key; /* key_len bytes; NULL: the base row */
    size_t key_len;
    const uint64_t *state; /* [state_words] */
    uint64_t touched;
    unsigned worker;
};

/* Receives rows; returns false to stop. */
struct table_taker {
    bool (*take)(void *cls, const struct table_copy *copy);
    void *cls;
};

/* Passes a copy of each row of a window that holds events to `taker`, from the sections of all
 * writers and in no particular order; a key may come once from each section. Only committed changes
 * are seen. False when the taker stopped or memory ran out. */
bool table_read(const struct table *table, unsigned width, int64_t window,
                const struct table_taker *taker);

/* The highest committed transaction that touched a window in a section; 0: none. If it is unchanged
 * since last time, no row of the window changed. Read it before reading the rows. While a
 * transaction is open in the window, the one before it is returned, so the value may also go back
 * slightly. */
uint64_t table_touched(const struct table *table, unsigned worker, unsigned width, int64_t window);

/* The oldest and the newest window that may hold events; false when there is none. */
bool table_span_windows(const struct table *table, unsigned width, int64_t *oldest,
                        int64_t *newest);

/* The same for one writer. After the clock was set, there may be a gap of hours between them. */
bool table_span_writer(const struct table *table, unsigned worker, unsigned width, int64_t *oldest,
                       int64_t *newest);

/* How many consecutive windows of a width a section has places for. */
int64_t table_windows(const struct table *table, unsigned width);

/* The condition of a table: all its sections, since it was made. */
struct table_status {
    uint64_t rows;        /* in the arenas now */
    uint64_t rows_room;   /* for rows of average length */
    uint64_t other;       /* events counted in `(other)`, in the width with the most of them */
    uint64_t keys_wanted; /* about how many keys one thread's fullest window needed; 0: all fit */
    uint64_t memory;      /* bytes of the file */
};
void table_status(const struct table *table, struct table_status *status);

/* What the table was made from; owned by the table. */
const struct table_config *table_config(const struct table *table);

/* Number of writers that have sections, read-back included. More may be added while a server
 * counts. */
unsigned table_workers(const struct table *table);

/* ---- while nobody writes ---- */

/* Checks every invariant: chains, places, lengths, checksums, and that each row belongs to its
 * window. False fills `why` (COUNTERS_WHY_MAX). */
bool table_verify(const struct table *table, char *why);

#endif
