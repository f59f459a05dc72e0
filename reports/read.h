/* The rows of a report, merged over all workers: for pages, the console and the flush. */
#ifndef AFORO_REPORTS_READ_H
#define AFORO_REPORTS_READ_H

#include "counters/rows/table.h"
#include "reports/definitions.h"

/* One key in one window. */
struct report_row {
    const char *key; /* the values of the `by` fields, parted by REPORT_KEY_SEPARATOR */
    size_t key_len;
    bool other;            /* the overflow row: key is that of `(other)` */
    const uint64_t *state; /* [table.state_words], merged */
};

/* Values of a key are text, escaped so that they never hold the separator: %XX for bytes below
 * 0x20, for 0x7f and for %, and for a ( at the beginning, so that no value reads `(other)`. */
#define REPORT_KEY_SEPARATOR '\x1f'
#define REPORT_OTHER "(other)"

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

/* The value of `by` field number i of a key, unescaped, into buf (FIELD_TEXT_MAX); its length. */
size_t report_key_value(const char *key, size_t key_len, unsigned i, char *buf);

#endif
