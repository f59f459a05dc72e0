/* The rows of a report, merged over all writers: for pages, the console and the flush. */
#ifndef AFORO_REPORTS_READ_H
#define AFORO_REPORTS_READ_H

#include "counters/rows/table.h"
#include "reports/definitions.h"

/* One key in one window. Its pointers are valid as long as the struct report_rows it is in. */
struct report_row {
    const char *key; /* values of the `by` fields, separated by REPORT_KEY_SEPARATOR */
    size_t key_len;
    bool other;            /* the overflow row: key is `(other)` in all fields */
    const uint64_t *state; /* [table.state_words], merged */
};

/* Values in a key are text, escaped so that they never contain the separator: %XX for bytes below
 * 0x20, for 0x7f and for %, and for a ( at the beginning, so that no value reads `(other)`. A
 * number has one text, with all the decimals of its field: 7 for 07 and 7.0. */
#define REPORT_KEY_SEPARATOR TABLE_KEY_SEPARATOR
#define REPORT_OTHER TABLE_OTHER

/* All rows of one window, sorted by key bytes, `(other)` last. */
struct report_rows {
    size_t n;
    struct report_row *row;
    void *memory; /* holds everything this points to */
};

/* Reads one window. False when memory runs out. The caller frees *rows with report_rows_free. Any
 * thread. */
bool report_read(const struct report *report, const struct table *table, unsigned width,
                 int64_t window, struct report_rows *rows);
void report_rows_free(struct report_rows *rows);

/* ---- the same for rows that are not in a table ---- */

struct report_gatherer;

/* NULL when memory runs out. Ended by report_gatherer_end. One thread. */
struct report_gatherer *report_gatherer_new(const struct report *report);

/* Adds a copy of a row; the states of rows with the same key are merged. The overflow row has
 * row->key NULL, or a key that is `(other)` in every field. `lacking` (bit = measure number):
 * measures whose state in this row misses events. A measure that is missing events is left empty
 * after a merge, since a figure of only some of the events would be wrong. False when memory runs
 * out. */
bool report_gatherer_add(struct report_gatherer *gatherer, const struct report_row *row,
                         uint64_t lacking);

/* Which measures miss events that a state counts: those whose states neither add up nor join and
 * which are empty. That is so where a row was read back from the store and their bytes could not be
 * told apart from what was there. Pure. */
uint64_t report_lacking(const struct report *report, const uint64_t *state);

/* Whether a measure's bytes must be told apart: merging a part of them twice would count it
 * twice. */
bool report_measure_is_whole(const struct measure *measure);

/* Returns the rows, sorted like those of report_read, and frees the gatherer. With rows NULL it
 * only frees, and gatherer may be NULL. False when memory runs out. */
bool report_gatherer_end(struct report_gatherer *gatherer, struct report_rows *rows);

/* Writes the value of `by` field number i of a key, unescaped, to buf (FIELD_TEXT_MAX) and returns
 * its length. The key `(other)` has that value in every field; a field beyond the key's last is
 * empty. */
size_t report_key_value(const char *key, size_t key_len, unsigned i, char *buf);

/* Whether that value is `(other)`, which stands for events that found no room. When a sender's
 * value reads `(other)`, it is escaped in the key and does not count. */
bool report_key_is_other(const char *key, size_t key_len, unsigned i);

/* ---- keys; pure ---- */

#define REPORT_KEY_FULL ((size_t)-1)

/* Escapes a text value for a key into out[cap]. Returns its length, or REPORT_KEY_FULL when there
 * is not enough room. */
size_t report_key_escape(const char *text, size_t len, char *out, size_t cap);

/* The same for a fixed-point number: -12.30 for -1230 with 2 decimals. */
size_t report_key_number(int64_t number, unsigned decimals, char *out, size_t cap);

#endif
