/* The rows of one window of a table, merged over its sections, with a mark on those that changed:
 * like report_read, for a caller that must tell sections and transactions apart. By the flush
 * thread. */
#ifndef AFORO_SERVER_FLUSH_ROWS_COLLECT_H
#define AFORO_SERVER_FLUSH_ROWS_COLLECT_H

#include "counters/rows/table.h"
#include "reports/definitions.h"

/* Which sections to read. */
enum rows_sections {
    ROWS_ALL_SECTIONS,
    ROWS_COUNTED, /* what workers counted: all but the read-back's section */
};

/* What to read. */
struct rows_question {
    const struct report *report;
    const struct table *table;
    unsigned width;
    int64_t window;
    enum rows_sections sections;
    /* [touched_n], one per section of the table: rows touched by later transactions, or in other
     * sections, have changed; NULL: all have */
    const uint64_t *touched;
    unsigned touched_n;
};

struct rows_one {
    const char *key; /* as in report_row */
    size_t key_len;
    uint64_t *state;  /* [state_words] */
    uint64_t lacking; /* measures that lack events: report_lacking */
    bool changed;
};

struct rows_collected {
    size_t n;
    struct rows_one *row;
    void *memory;
};

/* Reads the rows. False when out of memory or when rows could not be read. The caller frees with
 * rows_collected_free, also after false. */
bool rows_collect(const struct rows_question *question, struct rows_collected *collected);
/* The row of a key; NULL when there is none. */
const struct rows_one *rows_collected_find(const struct rows_collected *collected, const char *key,
                                           size_t key_len);
void rows_collected_free(struct rows_collected *collected);

/* Merges the state `from` into `into`, by the rules of the report's measures. */
void rows_merge(const struct report *report, uint64_t *into, const uint64_t *from);

#endif
