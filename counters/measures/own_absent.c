/* The placeholder for a loaded measure that is not loaded here: keeps its place in a row, and skips
 * it. */
#include "counters/measures/own.h"

#include <string.h>

/* Stored definitions give the size of its state. */
static const char *absent_open(struct measure *measure) {
    return measure->words > 0 ? NULL : "is not loaded";
}

static void absent_add(const struct measure *measure, const struct measure_target *target,
                       const struct aforo_event *event) {
    (void)measure, (void)target, (void)event;
}

static void absent_merge(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure, (void)into, (void)from;
}

static void absent_emit(const struct measure *measure, const uint64_t *state,
                        const struct component_taker *taker) {
    (void)measure, (void)state, (void)taker;
}

static bool absent_absorb(const struct measure *measure, uint64_t *state,
                          const struct component *component) {
    (void)state;
    return component->rule == COMPONENT_BLOB && strcmp(component->name, measure->text) == 0;
}

static size_t absent_puts(const struct measure *measure) {
    return measure->words;
}

const struct measure_kind measure_absent = {.name = "",
                                            .class = MEASURE_NEWEST,
                                            .wants = MEASURE_WANTS_OWN,
                                            .open = absent_open,
                                            .add = absent_add,
                                            .merge = absent_merge,
                                            .emit = absent_emit,
                                            .absorb = absent_absorb,
                                            .puts = absent_puts};
