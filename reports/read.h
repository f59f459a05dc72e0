/* The rows of a report, merged over all workers: for pages, the console and the flush. */
#ifndef AFORO_REPORTS_READ_H
#define AFORO_REPORTS_READ_H

#include "counters/rows/table.h"
#include "reports/definitions.h"

/* One key in one window. */
struct report_row {
    const char *key; /* the values of the `by` fields, parted by REPORT_KEY_SEPARATOR */
    size_t key_len;
    bool other;            /* the overflow row, of all fields: key is that of `(other)` */
    const uint64_t *state; /* [table.state_words], merged */
};

/* Values of a key are text, escaped so that they never hold the separator: %XX for bytes below
 * 0x20, for 0x7f and for %, and for a ( at the beginning, so that no value reads `(other)`. A
 * number has one text: 7 for 07 and 7.0, and all the decimals of its field. */
#define REPORT_KEY_SEPARATOR TABLE_KEY_SEPARATOR
#define REPORT_OTHER TABLE_OTHER

/* All rows of one window, sorted by key bytes, `(other)` last. */
struct report_rows {
    size_t n;
    struct report_row *row;
    void *memory; /* of all this points to */
};

/* False when out of memory. The caller frees with report_rows_free. Any thread. */
bool report_read(const struct report *report, const struct table *table, unsigned width,
                 int64_t window, struct report_rows *rows);
void report_rows_free(struct report_rows *rows);

/* ---- the same of rows that are not in a table ---- */

struct report_gatherer;

/* NULL when out of memory. The caller ends it. One thread. */
struct report_gatherer *report_gatherer_new(const struct report *report);

/* Takes a copy of a row; of rows with the same key the states are merged. row->key NULL: the
 * overflow row, and so is a key that is `(other)` in every field. `lacking`: it lacks events of its
 * measures whose bits (1 << number) are set; where they are merged, such a measure is left empty,
 * as a figure of some of the events would be wrong. False when out of memory. */
bool report_gatherer_add(struct report_gatherer *gatherer, const struct report_row *row,
                         uint64_t lacking);

/* Which measures lack events that a state counts: those whose states neither add up nor join, and
 * which hold nothing. So it is where a row was read back from the store and their bytes could not
 * be told apart from what was there. Pure. */
uint64_t report_lacking(const struct report *report, const uint64_t *state);

/* Whether a measure's bytes are to be told apart: a part of them merged twice would count twice. */
bool report_measure_is_whole(const struct measure *measure);

/* Gives the rows, sorted as those of report_read, and frees the gatherer; rows NULL: frees it
 * alone, and NULL is allowed for it. False when out of memory. */
bool report_gatherer_end(struct report_gatherer *gatherer, struct report_rows *rows);

/* The value of `by` field number i of a key, unescaped, into buf (FIELD_TEXT_MAX); its length. The
 * key `(other)` has that value in every field; a field beyond the key's last has none: 0. */
size_t report_key_value(const char *key, size_t key_len, unsigned i, char *buf);

/* Whether that value is `(other)`: those of events that found no room. A sender's value that reads
 * so is escaped in the key, and is none. */
bool report_key_is_other(const char *key, size_t key_len, unsigned i);

/* ---- keys; pure ---- */

#define REPORT_KEY_FULL ((size_t)-1)

/* Writes a value of text as a key has it into out[cap]. Returns its length; REPORT_KEY_FULL when
 * there is no room. */
size_t report_key_escape(const char *text, size_t len, char *out, size_t cap);

/* The same for a number in fixed point: -12.30 for -1230 of 2 decimals. */
size_t report_key_number(int64_t number, unsigned decimals, char *out, size_t cap);

#endif
