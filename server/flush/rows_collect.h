/* The rows of one window of a table, merged over its sections, with what changed of them: as
 * report_read, for whoever must know which section and which transaction they are of. By the flush
 * thread. */
#ifndef AFORO_SERVER_FLUSH_ROWS_COLLECT_H
#define AFORO_SERVER_FLUSH_ROWS_COLLECT_H

#include "counters/rows/table.h"
#include "reports/definitions.h"

/* Which sections. */
enum rows_sections {
    ROWS_ALL_SECTIONS,
    ROWS_COUNTED, /* what workers counted: all but the read-back's */
};

/* What is asked for. */
struct rows_question {
    const struct report *report;
    const struct table *table;
    unsigned width;
    int64_t window;
    enum rows_sections sections;
    /* [touched_n] of the table's sections: rows touched by later transactions, or in other
     * sections, have changed; NULL: all have */
    const uint64_t *touched;
    unsigned touched_n;
};

struct rows_one {
    const char *key; /* as in report_row */
    size_t key_len;
    uint64_t *state;  /* [state_words] */
    uint64_t lacking; /* measures of which events are missing: report_lacking */
    bool changed;
};

struct rows_collected {
    size_t n;
    struct rows_one *row;
    void *memory;
};

/* False when out of memory, or rows could not be read; the caller frees with rows_collected_free
 * then, too. */
bool rows_collect(const struct rows_question *question, struct rows_collected *collected);
/* The row of a key; NULL when there is none. */
const struct rows_one *rows_collected_find(const struct rows_collected *collected, const char *key,
                                           size_t key_len);
void rows_collected_free(struct rows_collected *collected);

/* The measures' merge of two states: into := both. */
void rows_merge(const struct report *report, uint64_t *into, const uint64_t *from);

#endif
