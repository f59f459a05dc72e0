/* Converts states of rows to rows as the store takes them: the components of all measures. By the
 * flush thread. */
#ifndef AFORO_SERVER_FLUSH_ROWS_GATHER_H
#define AFORO_SERVER_FLUSH_ROWS_GATHER_H

#include "redis/rows_pack.h"
#include "reports/definitions.h"
#include "server/flush/rows_collect.h"

/* Rows gathered for one call of the store; all zeros is empty. What a measure returns is valid for
 * a moment only, so names and bytes are copied. */
struct rows_gather {
    struct rows_bytes row;       /* struct rows_row[] */
    struct rows_bytes component; /* struct rows_component[] */
    struct rows_bytes text;      /* names, each with its NUL, and bytes */
    /* struct rows_at[]: where each component's name and bytes are in `text` */
    struct rows_bytes at;
    size_t n;
    bool failed; /* out of memory */
};

/* Empties it but keeps its memory. */
void rows_gather_begin(struct rows_gather *gather);
void rows_gather_free(struct rows_gather *gather);

/* Adds a row; its key must stay valid until the rows are used. Running out of memory shows in
 * `failed`. */
void rows_gather_add(struct rows_gather *gather, const struct report *report,
                     const struct rows_one *row);

/* Whether there is as much as one call should carry. */
bool rows_gather_is_full(const struct rows_gather *gather);

/* The n rows gathered, valid until the next call on this gather; NULL when out of memory. Their
 * keys still point to those of the rows that were added. */
struct rows_row *rows_gather_end(struct rows_gather *gather);

/* The value of a row's component; 0 if it has none. row may be NULL. */
int64_t rows_value(const struct rows_row *row, const char *component);

/* Converts one component of the store to the form that measures use. */
struct component rows_to_component(const struct rows_component *component);

#endif
