/* States of rows -> rows as the store takes them: components of all measures. By the flush thread.
 */
#ifndef AFORO_SERVER_FLUSH_ROWS_GATHER_H
#define AFORO_SERVER_FLUSH_ROWS_GATHER_H

#include "redis/rows_pack.h"
#include "reports/definitions.h"
#include "server/flush/rows_collect.h"

/* Rows that are gathered for one call of the store; all zeros is none. What a measure gives lasts
 * for a moment only, so names and bytes are copied. */
struct rows_gather {
    struct rows_bytes row;       /* struct rows_row[] */
    struct rows_bytes component; /* struct rows_component[] */
    struct rows_bytes text;      /* names, each with its NUL, and bytes */
    struct rows_bytes at;        /* struct rows_at[]: where those of each component are in text */
    size_t n;
    bool failed; /* out of memory */
};

/* Empties it, and keeps its memory. */
void rows_gather_begin(struct rows_gather *gather);
void rows_gather_free(struct rows_gather *gather);

/* Adds a row. */
void rows_gather_add(struct rows_gather *gather, const struct report *report,
                     const struct rows_one *row);

/* As much as one call should bring. */
bool rows_gather_is_full(const struct rows_gather *gather);

/* The rows, n of them, until the next call; NULL when memory was out. Keys are still those of the
 * rows that were added. */
struct rows_row *rows_gather_end(struct rows_gather *gather);

/* What a row has of a component, 0 when nothing; row may be NULL. */
int64_t rows_value(const struct rows_row *row, const char *component);

/* One component of the store's as measures have it. */
struct component rows_to_component(const struct rows_component *component);

#endif
