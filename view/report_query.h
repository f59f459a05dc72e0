/* Which rows of a report are meant: windows as everywhere (counters/query.h), the rows of each that
 * have all the values asked for, and of these perhaps those with the largest figure. One rule for
 * the server's /reports and for the console program. No I/O; any thread.
 *
 * `(other)` is no key, so it has no values to be asked for and does not compete for the largest
 * figure. With `top` it is the last row of a window that has one: a larger key may be within. A row
 * that is `(other)` in some fields does not compete either: the largest of such, `top` of them at
 * the most, stand before that last one. */
#ifndef AFORO_VIEW_REPORT_QUERY_H
#define AFORO_VIEW_REPORT_QUERY_H

#include "counters/query.h"
#include "reports/definitions.h"
#include "reports/read.h"

#define REPORT_WHY_MAX 512
#define REPORT_LAST_MAX 1000000000
#define REPORT_TOP_MAX 1000000000

/* The value that a `by` field must have. */
struct report_where {
    unsigned by; /* number of the `by` field */
    size_t len;
    char value[FIELD_TEXT_MAX];
};

struct report_query {
    const struct fields_config *fields;
    const struct report *report;
    unsigned width;               /* number of one of the report's */
    int64_t from_us, to_us, last; /* as in struct query */
    bool partial;
    unsigned wheres;
    struct report_where where[TABLE_FIELDS_MAX];
    int64_t top; /* so many rows of each window; 0: all, sorted by key */
    unsigned by; /* number of the figure that is largest in them */
};

/* ---- what is asked, as words; each: false with a sentence in `why` ---- */

/* The report called `name`, which is NAME or NAME.DIGEST. The sentence lists those there are. */
const struct report *report_find(const struct definitions *definitions, const char *name,
                                 char why[REPORT_WHY_MAX]);

/* The window called `name`, e.g. "1min", or "60s", which is as long; NULL: the report's first. */
bool report_query_set_width(struct report_query *query, const char *name, char why[REPORT_WHY_MAX]);

/* "flight=AA1": adds to what must hold. The value is written as a cell of csv has it (text.h). */
bool report_query_add_where(struct report_query *query, const char *text, char why[REPORT_WHY_MAX]);

/* The figure, as the report shows it: "sum(seconds)"; NULL: its first that has an order. */
bool report_query_set_by(struct report_query *query, const char *figure, char why[REPORT_WHY_MAX]);

/* ---- which windows ---- */

/* A source of rows. */
struct report_reader {
    /* Whether the window may have rows, which is cheaper than to read them; false: the source
     * failed. NULL: read says it. */
    bool (*holds)(void *cls, int64_t window, bool *any);
    /* The rows of a window, sorted by key, `(other)` last; who called frees them. False: the
     * source failed. */
    bool (*read)(void *cls, int64_t window, struct report_rows *rows);
    void *cls;
    int64_t oldest,
        newest; /* outside of these no window has rows; oldest > newest: there are none */
};

/* The windows [*first, *end) that the query means at time now_us; windows between them may be
 * empty.
 */
enum query_outcome report_query_find(const struct report_query *query,
                                     const struct report_reader *reader, int64_t now_us,
                                     int64_t *first, int64_t *end);

/* ---- which rows of a window ---- */

/* Whether events of the key that is asked for may be in this row: it is `(other)` where it has not
 * the value. */
bool report_query_may_hold(const struct report_query *query, const struct report_row *row);

/* Leaves in rows->row[0 .. rows->n) those that are meant, in the order in which they are shown.
 * False when out of memory. */
bool report_query_choose(const struct report_query *query, struct report_rows *rows);

#endif
