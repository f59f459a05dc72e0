/* What is shown of a row: figures, each made from the states of measures. `count`, `sum(x)`,
 * `min(x)`, `max(x)`, `first`, `last`, `distinct(x)`, `digest` show a measure; `p50(x)` `p99.9(x)`
 * show a quantile of quantiles(x), `topN(x)` of top(x); `avg(x)`, `rate`, `stddev(x)` are derived.
 * Pure, any thread. */
#ifndef AFORO_COUNTERS_MEASURES_FIGURE_H
#define AFORO_COUNTERS_MEASURES_FIGURE_H

#include "counters/measures/measure.h"

#define FIGURE_MEASURES_MAX 3 /* that one figure is made of */
#define FIGURE_WHY_MAX 256
#define FIGURE_VALUE_MAX 4096 /* bytes of a value as text, with its NUL */
#define FIGURE_ITEMS_MAX 100  /* of a list: N of topN */

struct figure_kind;

struct figure {
    const struct figure_kind *kind;
    char text[MEASURE_TEXT_MAX];          /* as written, canonical */
    char argument_text[MEASURE_TEXT_MAX]; /* the fields between the parentheses */
    double parameter;                     /* p99 -> 0.99, top20 -> 20; else 0 */
    unsigned measures;
    char needs[FIGURE_MEASURES_MAX][MEASURE_TEXT_MAX]; /* canonical texts of the measures */
    uint8_t measure[FIGURE_MEASURES_MAX]; /* their numbers in the report; set by the report */
    unsigned decimals;                    /* of its field; set by the report */
};

/* Reads one item of `show:`. False fills why: "unknown measure `avg2`; did you mean `avg`?". */
bool figure_parse(const char *text, struct figure *figure, char why[FIGURE_WHY_MAX]);

/* The same of a figure that shows measure_absent: it has no value. False: no such text can be. */
bool figure_parse_absent(const char *text, struct figure *figure);

/* Whether a figure of aforo's own, or of a loaded measure, is called so: "p99" and "top" are, "p"
 * is not. */
bool figure_is_taken(const char *name);

/* Whether it needs a field of a number type, any field, or none. */
enum measure_wants figure_wants(const struct figure *figure);

enum figure_type {
    FIGURE_NONE,   /* nothing yet: no value */
    FIGURE_NUMBER, /* text is a number: JSON shows it bare */
    FIGURE_TIME,   /* us */
    FIGURE_TEXT,
    FIGURE_LIST /* item[0 .. items) */
};

/* One value that came often. It came at the most `count` times, and at the least `count - error`
 * times: error 0 is exact. */
struct figure_item {
    const char *bytes; /* of the value: any bytes; within the state */
    size_t len;
    uint64_t count, error;
};

struct figure_value {
    enum figure_type type;
    int64_t us;
    size_t items;
    struct figure_item item[FIGURE_ITEMS_MAX]; /* the most frequent first */
    size_t len;
    char text[FIGURE_VALUE_MAX]; /* NUL-terminated; of FIGURE_NUMBER and FIGURE_TEXT */
};

/* The value of a figure. `state` is the row's whole state, `measure` the report's measures;
 * width_us: of the window, for rate. Only what belongs to the type is filled. */
void figure_value(const struct figure *figure, const struct measure *measure, const uint64_t *state,
                  int64_t width_us, struct figure_value *value);

#endif
