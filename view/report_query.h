/* Which rows of a report a question means: windows as everywhere (counters/query.h); in each, the
 * rows with all the values asked for; and optionally only those with the largest figure. One rule
 * for the server's /reports and the console program. No I/O; any thread.
 *
 * `(other)` is not a key, so it has no values to ask for and does not compete for the largest
 * figure. With `top` it is the last row of its window, since a larger key may be within it. A row
 * that is `(other)` in some fields does not compete either: the largest of these, at most `top`,
 * come before that last row. */
#ifndef AFORO_VIEW_REPORT_QUERY_H
#define AFORO_VIEW_REPORT_QUERY_H

#include "counters/query.h"
#include "reports/definitions.h"
#include "reports/read.h"

#define REPORT_WHY_MAX 512
#define REPORT_LAST_MAX 1000000000
#define REPORT_TOP_MAX 1000000000

/* A condition: the value that a `by` field must have. */
struct report_where {
    unsigned by; /* number of the `by` field */
    size_t len;
    char value[FIELD_TEXT_MAX + 1]; /* NUL-terminated */
};

struct report_query {
    const struct fields_config *fields;
    const struct report *report;
    unsigned width;               /* number of one of the report's */
    int64_t from_us, to_us, last; /* as in struct query */
    bool partial;
    unsigned wheres;
    struct report_where where[TABLE_FIELDS_MAX];
    int64_t top; /* how many rows of each window; 0: all, sorted by key */
    unsigned by; /* number of the figure by which `top` chooses */
};

/* ---- the words of a question; each: false (or NULL) with a sentence in `why` ---- */

/* Finds the report called `name`, which is NAME or NAME.DIGEST. The sentence lists the existing
 * ones. */
const struct report *report_find(const struct definitions *definitions, const char *name,
                                 char why[REPORT_WHY_MAX]);

/* Sets the window called `name`, e.g. "1min", or "60s", which is as long; NULL: the report's
 * first. */
bool report_query_set_width(struct report_query *query, const char *name, char why[REPORT_WHY_MAX]);

/* Adds a condition such as "flight=AA1". The value is written as in a cell of CSV (text.h). */
bool report_query_add_where(struct report_query *query, const char *text, char why[REPORT_WHY_MAX]);

/* Sets the figure for `top`, named as the report shows it, e.g. "sum(seconds)"; NULL: the report's
 * first one with an order. */
bool report_query_set_by(struct report_query *query, const char *figure, char why[REPORT_WHY_MAX]);

/* ---- which windows ---- */

/* A source of rows. */
struct report_reader {
    /* Sets *any to whether the window may have rows, which is cheaper than reading them. False: the
     * source failed. NULL: `read` is used instead. */
    bool (*holds)(void *cls, int64_t window, bool *any);
    /* Reads the rows of a window, sorted by key, `(other)` last; the caller frees them. False: the
     * source failed. */
    bool (*read)(void *cls, int64_t window, struct report_rows *rows);
    void *cls;
    int64_t oldest,
        newest; /* no window outside of these has rows; oldest > newest: there are none */
};

/* Finds the windows [*first, *end) that the query means at time now_us (wall clock); some of them
 * may be empty. */
enum query_outcome report_query_find(const struct report_query *query,
                                     const struct report_reader *reader, int64_t now_us,
                                     int64_t *first, int64_t *end);

/* ---- which rows of a window ---- */

/* Whether this row may include events of the key asked for: in every field that has another value,
 * it is `(other)`. */
bool report_query_may_hold(const struct report_query *query, const struct report_row *row);

/* Reduces rows->row[0 .. rows->n) to the rows that the query means, in the order in which they are
 * shown. False when out of memory. */
bool report_query_choose(const struct report_query *query, struct report_rows *rows);

#endif
