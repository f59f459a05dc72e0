/* count: the number of events. One word. */
#include "counters/measures/kinds.h"

static const char *count_open(struct measure *measure) {
    measure->words = 1;
    return NULL;
}

static void count_merge(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    into[0] += from[0];
}

static void count_emit(const struct measure *measure, const uint64_t *state,
                       const struct component_taker *taker) {
    component_give(taker, measure->text, COMPONENT_ADD, (int64_t)state[0]);
}

static bool count_absorb(const struct measure *measure, uint64_t *state,
                         const struct component *component) {
    if (!component_is(component, measure->text, COMPONENT_ADD) || component->value < 0) {
        return false;
    }
    state[0] += (uint64_t)component->value;
    return true;
}

static size_t count_puts(const struct measure *measure) {
    (void)measure;
    return 1;
}

const struct measure_kind measure_count = {.name = "count",
                                           .class = MEASURE_SUM,
                                           .wants = MEASURE_WANTS_NOTHING,
                                           .open = count_open,
                                           .grows = MEASURE_GROWS_BY_ONE,
                                           .plan = measure_plan_growth,
                                           .merge = count_merge,
                                           .emit = count_emit,
                                           .absorb = count_absorb,
                                           .puts = count_puts};
