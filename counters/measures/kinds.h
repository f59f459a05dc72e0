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

/* ---- what figures read; any thread ---- */

static inline int64_t sum_read(const uint64_t *state) {
    return (int64_t)(state[0] - state[1]);
}

/* What is left of min, first and max, last: false when nothing yet. */
bool lowest_read(const uint64_t *state, int64_t *value);
bool highest_read(const uint64_t *state, int64_t *value);

/* A quantile, 0 < share < 1: *twice is two times the middle of the bucket that it is in. False when
 * nothing yet. */
bool quantiles_read(const uint64_t *state, double share, uint64_t *twice);

#endif
