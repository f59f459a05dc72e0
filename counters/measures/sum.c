/* sum(x): the numbers of a field, added up. Two words: what is above zero and what is below apart,
 * so that either only grows and a late copy of it is known by being smaller. */
#include "counters/measures/kinds.h"

#include <stdio.h>

enum { PLUS, MINUS, WORDS };

static const char *sum_open(struct measure *measure) {
    measure->words = WORDS;
    return NULL;
}

static struct undo_change *sum_plan(const struct measure *measure, const struct aforo_event *event,
                                    const struct measure_rows *rows, struct undo_change *change) {
    (void)measure;
    const int64_t number = event_number(event);
    const size_t side = number < 0 ? MINUS : PLUS;
    const uint64_t size = number < 0 ? (uint64_t)-number : (uint64_t)number;
    for (size_t k = 0; k < rows->n; k++) {
        word *sum = measure_state(rows, k) + side;
        const uint64_t next = measure_load(sum) + size;
        if (next >= (uint64_t)MEASURE_SUM_END) {
            return NULL;
        }
        *change++ = (struct undo_change){sum, next};
    }
    return change;
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
                                         .plan = sum_plan,
                                         .merge = sum_merge,
                                         .emit = sum_emit,
                                         .absorb = sum_absorb,
                                         .puts = sum_puts};
