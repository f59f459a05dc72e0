/* What the built-in measures share, and how figures read their states. */
#ifndef AFORO_COUNTERS_MEASURES_KINDS_H
#define AFORO_COUNTERS_MEASURES_KINDS_H

#include "counters/measures/measure.h"

#include <string.h>

#define MEASURE(kind) extern const struct measure_kind measure_##kind;
#include "counters/measures/measures.def"
#undef MEASURE

/* Passes a component that is a number to `taker`. */
static inline void component_give(const struct component_taker *taker, const char *name,
                                  enum component_rule rule, int64_t value) {
    taker->take(taker->cls, &(struct component){.name = name, .rule = rule, .value = value});
}

/* Whether the component has the measure's own name and this rule. */
static inline bool component_is(const struct component *component, const char *name,
                                enum component_rule rule) {
    return component->rule == rule && strcmp(component->name, name) == 0;
}

/* The number of the event's only argument. */
static inline int64_t event_number(const struct aforo_event *event) {
    return event->argument[0]->number;
}

/* Encodes an extreme number as a word that is never 0 and is larger the more extreme the number is
 * (extreme.c). */
#define EXTREME_MIDDLE (INT64_C(1) << 62) /* numbers are below 2^53, times below 2^58 */

static inline uint64_t encode_lowest(int64_t number) {
    return (uint64_t)(EXTREME_MIDDLE - number);
}

static inline uint64_t encode_highest(int64_t number) {
    return (uint64_t)(EXTREME_MIDDLE + number);
}

/* Wide enough for squares, and for sums of many nodes times a power of ten. */
__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 unsigned_wide;

/* ---- what figures read; any thread ---- */

/* Whether the store knows the sum: COMPONENT_UNKNOWN. */
static inline bool sum_is_known(const uint64_t *state) {
    return state[0] < COMPONENT_UNKNOWN && state[1] < COMPONENT_UNKNOWN;
}

/* The sum; |sum| < 2^53 for one writer. */
static inline int64_t sum_read(const uint64_t *state) {
    return (int64_t)(state[0] - state[1]);
}

/* Decodes the state of min and first, and of max and last. False when there is no value yet. */
bool lowest_read(const uint64_t *state, int64_t *value);
bool highest_read(const uint64_t *state, int64_t *value);

/* The value of the earliest or latest event, and whether it is a number. Returns its length; *bytes
 * points into the state. */
size_t edge_read(const uint64_t *state, const char **bytes, bool *number);

/* The quantile for 0 < share < 1: *twice is twice the middle of the bucket it falls into. False
 * when there are no values yet. */
bool quantiles_read(const uint64_t *state, double share, uint64_t *twice);

/* Stores up to n of the most frequent values in item[], the most frequent first, and returns how
 * many. They point into the state. */
struct figure_item;
size_t top_read(const struct measure *measure, const uint64_t *state, size_t n,
                struct figure_item *item);

/* How many different values there were: exact while they are few. */
uint64_t distinct_read(const uint64_t *state);

/* The sum of squares, put together from its digits, and whether the store knows all of these. */
bool squares_are_known(const uint64_t *state);
unsigned_wide squares_read(const uint64_t *state);

#endif
