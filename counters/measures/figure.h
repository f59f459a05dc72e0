/* Figures: what a report shows of a row, each computed from the states of measures. `count`,
 * `sum(x)`, `min(x)`, `max(x)`, `first`, `last`, `distinct(x)` and `digest` show a measure itself;
 * `p50(x)` and `p99.9(x)` show a quantile of quantiles(x), `topN(x)` shows top(x); `avg(x)`, `rate`
 * and `stddev(x)` are derived. Pure, any thread. */
#ifndef AFORO_COUNTERS_MEASURES_FIGURE_H
#define AFORO_COUNTERS_MEASURES_FIGURE_H

#include "counters/measures/measure.h"

#define FIGURE_MEASURES_MAX 3 /* most measures that one figure is computed from */
#define FIGURE_WHY_MAX 256
#define FIGURE_VALUE_MAX 4096 /* bytes of a value's text, with its NUL */
#define FIGURE_ITEMS_MAX 100  /* longest list: the N of topN */

struct figure_kind;

struct figure {
    const struct figure_kind *kind;
    char text[MEASURE_TEXT_MAX];          /* canonical spelling */
    char argument_text[MEASURE_TEXT_MAX]; /* what is between the parentheses */
    double parameter;                     /* p99 -> 0.99, top20 -> 20; else 0 */
    unsigned measures;
    char needs[FIGURE_MEASURES_MAX][MEASURE_TEXT_MAX]; /* canonical texts of the measures */
    uint8_t measure[FIGURE_MEASURES_MAX]; /* their indexes in the report; set by the report */
    unsigned decimals;                    /* of the field it shows; set by the report */
};

/* Parses one item of `show:`. False fills `why`: "unknown measure `avg2`; did you mean `avg`?". */
bool figure_parse(const char *text, struct figure *figure, char why[FIGURE_WHY_MAX]);

/* The same for a figure that shows measure_absent and so has no value. False when no figure could
 * be spelled like that. */
bool figure_parse_absent(const char *text, struct figure *figure);

/* Whether a built-in figure or a loaded measure uses this name: true for "p99" and "top", false for
 * "p". */
bool figure_is_taken(const char *name);

/* Which kind of field the figure needs: one of a number type, any field, or none. */
enum measure_wants figure_wants(const struct figure *figure);

enum figure_type {
    FIGURE_NONE,   /* no value yet */
    FIGURE_NUMBER, /* `text` is a number, which JSON shows without quotes */
    FIGURE_TIME,   /* `us` */
    FIGURE_TEXT,
    FIGURE_LIST /* item[0 .. items) */
};

/* One frequent value. It occurred at most `count` times and at least `count - error` times; with
 * error 0 the count is exact. */
struct figure_item {
    const char *bytes; /* the value, any bytes; points into the state */
    size_t len;
    uint64_t count, error;
};

struct figure_value {
    enum figure_type type;
    int64_t us;
    /* of FIGURE_NUMBER: orders rows of one width by the figure, which `text` shows rounded. Not of
     * edges, which have no order. */
    long double rank;
    size_t items;
    struct figure_item item[FIGURE_ITEMS_MAX]; /* the most frequent first */
    size_t len;
    char text[FIGURE_VALUE_MAX]; /* NUL-terminated; for FIGURE_NUMBER and FIGURE_TEXT */
};

/* Computes the value of a figure. `state` is the row's whole state, `measure` the report's
 * measures, width_us the width of the window (for rate). Only the members that belong to the type
 * are filled. */
void figure_value(const struct figure *figure, const struct measure *measure, const uint64_t *state,
                  int64_t width_us, struct figure_value *value);

#endif
