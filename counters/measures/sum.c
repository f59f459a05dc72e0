/* sum(x): the sum of a field's numbers. Two words, one for positive and one for negative numbers,
 * so that both only grow and an outdated copy is recognized by being smaller. */
#include "counters/measures/kinds.h"

#include <stdio.h>

enum { PLUS, MINUS, WORDS };

static const char *sum_open(struct measure *measure) {
    measure->words = WORDS;
    return NULL;
}

static void sum_merge(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    into[PLUS] += from[PLUS];
    into[MINUS] += from[MINUS];
}

static void name_minus(const struct measure *measure, char name[MEASURE_COMPONENT_MAX]) {
    snprintf(name, MEASURE_COMPONENT_MAX, "%s-", measure->text);
}

static void sum_emit(const struct measure *measure, const uint64_t *state,
                     const struct component_taker *taker) {
    component_give(taker, measure->text, COMPONENT_ADD, (int64_t)state[PLUS]);
    if (state[MINUS] > 0) {
        char name[MEASURE_COMPONENT_MAX];
        name_minus(measure, name);
        component_give(taker, name, COMPONENT_ADD, (int64_t)state[MINUS]);
    }
}

static bool sum_absorb(const struct measure *measure, uint64_t *state,
                       const struct component *component) {
    char minus[MEASURE_COMPONENT_MAX];
    name_minus(measure, minus);
    const bool is_minus = component_is(component, minus, COMPONENT_ADD);
    if ((!is_minus && !component_is(component, measure->text, COMPONENT_ADD)) ||
        component->value < 0) {
        return false;
    }
    state[is_minus ? MINUS : PLUS] += (uint64_t)component->value;
    return true;
}

static size_t sum_puts(const struct measure *measure) {
    (void)measure;
    return 1;
}

const struct measure_kind measure_sum = {.name = "sum",
                                         .class = MEASURE_SUM,
                                         .wants = MEASURE_WANTS_NUMBER,
                                         .open = sum_open,
                                         .grows = MEASURE_GROWS_BY_NUMBER,
                                         .plan = measure_plan_growth,
                                         .merge = sum_merge,
                                         .emit = sum_emit,
                                         .absorb = sum_absorb,
                                         .puts = sum_puts};
