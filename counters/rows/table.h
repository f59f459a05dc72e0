/* The rows of one report: one accumulator state for each key in each window. One memory-mapped
 * file a report and definition, reports/NAME.DIGEST.aforo in the state directory, of fixed size.
 *
 *   file     | header, definition | section 0 | section 1 | ...
 *   section  one writer and one window width: section of writer w, width k. Writer 0 is what was
 *            read back from the store (the flush thread); worker thread n is writer n, until the
 *            clock is set: then it goes on as another one (tables_move.c).
 *            | page | windows: a ring of entries | heads | arena of rows, a circle |
 *   window   | epoch | touched | matched | rows | newest row | values of each `by` field |
 *            | state of the base row |
 *   row      | lengths, checksum | touched | hash | next in bucket, next in window | window |
 *            | state | key |
 *
 * `matched` is the number of events that came to the window: the sum of the counts of its rows,
 * base row included. A report without keys has base rows only. In one with keys the base row is
 * `(other)`: where events go whose key found no room, so that totals stay exact; its place is
 * always there.
 *
 * Rows have different lengths and are numbered by where they begin in a stream of 8-byte units that
 * only grows; its place in the circle is that number modulo the circle. A chain runs from newer
 * rows to older ones, so a link to a number that the circle has moved past ends it: nothing is ever
 * deleted from a chain. The circle moves past a row only when its window is past the horizon.
 *
 * A reader believes a row when its `touched` (the transaction that changed it last) is the same
 * before and after, is committed, and the circle has not moved past it. */
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
#define TABLE_FIELDS_MAX 8 /* `by` fields */
#define TABLE_STATE_WORDS_MAX 8192
#define TABLE_WRITERS_MOST COUNTERS_SHARDS_MOST /* sections of a width */

/* A key is the values of the `by` fields with this between them. */
#define TABLE_KEY_SEPARATOR '\x1f'
#define TABLE_OTHER "(other)" /* the value of a field that has too many */

/* What a table is made of. `definition` goes into the file, so that it explains itself. */
struct table_config {
    char name[TABLE_NAME_MAX];
    char digest[TABLE_DIGEST_MAX];
    const char *definition;
    size_t definition_len;
    unsigned widths;
    int64_t width_us[TABLE_WIDTHS_MAX]; /* of the windows; each divides a day */
    bool keyed;
    size_t state_words; /* of one row; word 0 is its count of events */
    int64_t memory;     /* bytes for all sections; at least table_bytes_min */
    uint64_t keys_max;  /* rows of one window in one section, without the base row */
    unsigned fields;    /* of `by` */
    uint64_t field_max[TABLE_FIELDS_MAX]; /* different values in one window; 0: any number */
};

/* What all tables of a directory share. */
struct table_span {
    unsigned workers; /* worker threads; sections for one more are made */
    int64_t horizon_us, future_us;
};

/* Bytes that the file needs at the least, and how many rows of `key_len` bytes of key it has room
 * for in all, in each window's section of it. Pure. */
int64_t table_bytes_min(const struct table_config *config, const struct table_span *span);
int64_t table_rows(const struct table_config *config, const struct table_span *span,
                   size_t key_len);
size_t table_row_bytes(const struct table_config *config, size_t key_len);

struct table;
struct table_section; /* one writer's, one width's */

/* ---- the owner of a section; within a transaction where it says so ---- */

/* A key, as it is stored: bytes, and its hash (XXH3 with the table's seed, table_hash). */
struct table_key {
    const char *bytes;
    size_t len;
    uint64_t hash;
    /* of each `by` field: where its value begins in bytes, and its length; for field_max */
    unsigned fields;
    uint16_t at[TABLE_FIELDS_MAX], field_len[TABLE_FIELDS_MAX];
};

uint64_t table_hash(const struct table *table, const char *bytes, size_t len);

/* A row that is being changed. Who keeps it (table_keep_row) need not look for it again. */
struct table_row {
    word *state;   /* [state_words] */
    word *touched; /* NULL: its base row, or the open transaction has made it */
    word *window;  /* touched and matched of its window */
    const struct undo_file *file;
    int64_t number;   /* of the window; it is the row's, */
    uint64_t until;   /* until the section's tail is beyond this, */
    uint32_t version; /* and while this is the section's */
    bool made;        /* by the open transaction */
    bool other;       /* it is the base row of a table with keys: the key found no room */
    bool refused;     /* it is not the row of the key itself: that found no room */
};

/* How many events matched in a row's window. */
#define TABLE_MATCHED(row) (&(row)->window[1])

struct table_section *table_section(const struct table *table, unsigned worker, unsigned width);

/* The window's start for an event time (t_us >= 0): aligned to the epoch, UTC. */
static inline int64_t table_window(int64_t width_us, int64_t t_us) {
    return t_us / width_us;
}

/* What "now" is: windows that ended before now - horizon may be let go. Once a wake-up. */
void table_set_now_owner(struct table_section *section, int64_t now_us);

/* The row of a key in a window, made when it is not there, and noted as touched by the open
 * transaction. `key` NULL: the base row. False: the window has no place any more (it is older than
 * what is kept); nothing was changed. Within a transaction. Wait-free, no system call. */
bool table_touch_owner(struct table_section *section, struct undo *undo, int64_t window,
                       const struct table_key *key, struct table_row *row);

/* The most words that one touch notes for undo; the state's own come on top. */
#define TABLE_TOUCH_PUTS (9 + 3 * TABLE_FIELDS_MAX)

/* The same for `events` events at once, or none: what was read back from the store. The state's
 * count has to be raised by as many within the transaction. In the sections of worker 0 a key
 * without room is no row of `(other)`: false, and nothing was changed. */
struct table_touch {
    int64_t window;
    const struct table_key *key;
    uint64_t events;
};
bool table_touch_events_owner(struct table_section *section, struct undo *undo,
                              const struct table_touch *touched, struct table_row *row);

/* The state of a row that is there, to look at before it is touched; NULL: it would be a new one,
 * all zeros, or go to `(other)`. Changes nothing. */
const word *table_look_owner(struct table_section *section, int64_t window,
                             const struct table_key *key);

/* As table_touch_owner, but that the row is not touched yet: who wants to change it does that with
 * table_note_touch_owner. Else what this has changed is put back. */
bool table_find_owner(struct table_section *section, struct undo *undo, int64_t window,
                      const struct table_key *key, struct table_row *row);

/* A row of a transaction that was committed, as later ones may use it. */
void table_keep_row(const struct table_row *row, struct table_row *kept);

/* Whether a row that was kept is still that of its key in its window, and may be changed as if it
 * had been found now; `hash` is the key's. False: it has to be looked for; nothing was changed. */
bool table_find_again_owner(struct table_section *section, struct undo *undo,
                            const struct table_row *kept, uint64_t hash);

#define TABLE_TOUCH_NOTES 3 /* of one row */

/* Notes what touching a row that was found for one event changes. */
static inline void table_note_touch_owner(struct undo_notes *notes, const struct table_row *row) {
    if (row->touched) {
        undo_note_owner(notes, row->touched);
    }
    undo_note_word_owner(notes, row->window, 0);
    undo_note_word_owner(notes, row->window, 1);
}

/* Touches row[0..rows), different ones of one writer: once all that is to be changed of them is
 * noted and counted, and before any of it is stored. */
static inline void table_store_touch_owner(const struct undo *undo,
                                           const struct table_row *const *row, size_t rows) {
    for (size_t i = 0; i < rows; i++) {
        if (row[i]->touched) {
            atomic_store_explicit(row[i]->touched, undo->sequence, memory_order_relaxed);
        }
        atomic_store_explicit(row[i]->window, undo->sequence, memory_order_relaxed);
    }
    /* Partner: the acquire fence of read_settled (table_read.c). Who sees one of the words that are
     * stored from here on sees that the row was touched when it looks again. */
    atomic_thread_fence(memory_order_release);
    for (size_t i = 0; i < rows; i++) {
        word *matched = TABLE_MATCHED(row[i]);
        atomic_store_explicit(matched, atomic_load_explicit(matched, memory_order_relaxed) + 1,
                              memory_order_relaxed);
    }
}

/* Takes back, within the open transaction, what it changed since it had `entries` notes; all of
 * them are of the section's file, and of touches only: no word of a state was stored since then, or
 * a reader might believe it. To be called for each section that was touched since then. */
void table_put_back_owner(struct table_section *section, struct undo *undo, uint32_t entries);

/* ---- any thread ---- */

/* A copy of one row of one section. */
struct table_copy {
    const char *key; /* key_len bytes; NULL: the base row */
    size_t key_len;
    const uint64_t *state; /* [state_words] */
    uint64_t touched;
    unsigned worker;
};

/* Who is given rows; false: no more are wanted. */
struct table_taker {
    bool (*take)(void *cls, const struct table_copy *copy);
    void *cls;
};

/* Gives copies of all rows of a window that hold events, of all workers' sections, in no order; the
 * same key may come once from each section. Only what is committed. False when the taker wanted no
 * more, or out of memory. */
bool table_read(const struct table *table, unsigned width, int64_t window,
                const struct table_taker *taker);

/* The highest committed transaction that touched a window in a section; 0: none. Unchanged since
 * last time means no row of it changed. Read it before reading the rows. While a transaction is
 * open in the window, the one before it stands for it: so it may also go back by a little. */
uint64_t table_touched(const struct table *table, unsigned worker, unsigned width, int64_t window);

/* The oldest and the newest window that may hold events; false when there is none. */
bool table_span_windows(const struct table *table, unsigned width, int64_t *oldest,
                        int64_t *newest);

/* The same of one writer: when the clock was set, there may be none for hours between two of them.
 */
bool table_span_writer(const struct table *table, unsigned worker, unsigned width, int64_t *oldest,
                       int64_t *newest);

/* How many windows of a width, one behind the other, a section has places for. */
int64_t table_windows(const struct table *table, unsigned width);

/* How a table is doing, over all sections, since it was made. */
struct table_status {
    uint64_t rows;        /* in the arenas now */
    uint64_t rows_room;   /* of a row as long as the average one */
    uint64_t other;       /* events that went to `(other)`, in the width that had most of them */
    uint64_t keys_wanted; /* about how many keys the fullest window of one thread had use for; 0:
                           * all found room */
    uint64_t memory;      /* bytes of the file */
};
void table_status(const struct table *table, struct table_status *status);

const struct table_config *table_config(const struct table *table);

/* Writers that have sections, the read-back's too. More may come while a server counts. */
unsigned table_workers(const struct table *table);

/* ---- when nobody writes ---- */

/* Every invariant: chains, places, lengths, checksums, and that each row stands in its window.
 * False fills why (COUNTERS_WHY_MAX). */
bool table_verify(const struct table *table, char *why);

#endif
