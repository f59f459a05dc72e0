/* What the built-in measures share, and what figures read of their states. */
#ifndef AFORO_COUNTERS_MEASURES_KINDS_H
#define AFORO_COUNTERS_MEASURES_KINDS_H

#include "counters/measures/measure.h"

#include <string.h>

#define MEASURE(kind) extern const struct measure_kind measure_##kind;
#include "counters/measures/measures.def"
#undef MEASURE

static inline void component_give(const struct component_taker *taker, const char *name,
                                  enum component_rule rule, int64_t value) {
    taker->take(taker->cls, &(struct component){.name = name, .rule = rule, .value = value});
}

/* Whether it is the component that is called as the measure itself, with this rule. */
static inline bool component_is(const struct component *component, const char *name,
                                enum component_rule rule) {
    return component->rule == rule && strcmp(component->name, name) == 0;
}

/* The number of the event's only field. */
static inline int64_t event_number(const struct aforo_event *event) {
    return event->argument[0]->number;
}

/* The word of an extreme number, which is never 0, and larger for the more extreme one (extreme.c).
 */
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

static inline int64_t sum_read(const uint64_t *state) {
    return (int64_t)(state[0] - state[1]);
}

/* What is left of min, first and max, last: false when nothing yet. */
bool lowest_read(const uint64_t *state, int64_t *value);
bool highest_read(const uint64_t *state, int64_t *value);

/* The value at the earliest or latest event, and whether it is a number; its bytes are in the
 * state.
 */
size_t edge_read(const uint64_t *state, const char **bytes, bool *number);

/* A quantile, 0 < share < 1: *twice is two times the middle of the bucket that it is in. False when
 * nothing yet. */
bool quantiles_read(const uint64_t *state, double share, uint64_t *twice);

/* The most frequent values, n at the most, the most frequent first; how many. They point into the
 * state. */
struct figure_item;
size_t top_read(const struct measure *measure, const uint64_t *state, size_t n,
                struct figure_item *item);

/* How many different values: exact while they are few. */
uint64_t distinct_read(const uint64_t *state);

unsigned_wide squares_read(const uint64_t *state);

#endif
