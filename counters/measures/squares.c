/* squares(x): the sum of the squares of a field's numbers, from which `stddev` is computed. A
 * square has up to 80 bits: four words each sum one digit of 20 bits, so that every word only grows
 * and stays below 2^53 for 8 * 10^9 events. |x| < 2^40; larger numbers do not fit.
 *
 *   squares(x)  squares(x):20  squares(x):40  squares(x):60     named by the digit's lowest bit */
#include "counters/measures/kinds.h"

#include <stdio.h>

#define DIGITS 4
#define DIGIT_BITS 20
#define DIGIT_MASK ((UINT64_C(1) << DIGIT_BITS) - 1)
#define NUMBER_END (INT64_C(1) << (DIGITS * DIGIT_BITS / 2))

static const char *squares_open(struct measure *measure) {
    measure->words = DIGITS;
    return NULL;
}

static uint64_t find_digit(unsigned_wide square, unsigned i) {
    return (uint64_t)(square >> (i * DIGIT_BITS)) & DIGIT_MASK;
}

static unsigned_wide square_of(const struct aforo_event *event) {
    const int64_t number = event_number(event);
    const uint64_t size = number < 0 ? (uint64_t)-number : (uint64_t)number;
    return (unsigned_wide)size * size;
}

static struct undo_change *squares_plan(const struct measure *measure,
                                        const struct aforo_event *event,
                                        const struct measure_rows *rows,
                                        struct undo_change *change) {
    (void)measure;
    const int64_t number = event_number(event);
    if (number <= -NUMBER_END || number >= NUMBER_END) {
        return NULL;
    }
    const unsigned_wide square = square_of(event);
    for (size_t k = 0; k < rows->n; k++) {
        word *state = measure_state(rows, k);
        for (unsigned i = 0; i < DIGITS; i++) {
            const uint64_t digit = find_digit(square, i), sum = measure_load(&state[i]) + digit;
            if (sum >= (uint64_t)MEASURE_SUM_END) {
                return NULL;
            }
            *change = (struct undo_change){&state[i], sum};
            change += digit > 0;
        }
    }
    return change;
}

static void squares_merge(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    for (unsigned i = 0; i < DIGITS; i++) {
        into[i] += from[i];
    }
}

static void name_digit(const struct measure *measure, unsigned i,
                       char name[MEASURE_COMPONENT_MAX]) {
    const int len = snprintf(name, MEASURE_COMPONENT_MAX, "%s", measure->text);
    if (i > 0) {
        snprintf(name + len, (size_t)(MEASURE_COMPONENT_MAX - len), ":%u", i * DIGIT_BITS);
    }
}

static void squares_emit(const struct measure *measure, const uint64_t *state,
                         const struct component_taker *taker) {
    char name[MEASURE_COMPONENT_MAX];
    for (unsigned i = 0; i < DIGITS; i++) {
        if (i == 0 || state[i] > 0) {
            name_digit(measure, i, name);
            component_give(taker, name, COMPONENT_ADD, (int64_t)state[i]);
        }
    }
}

static bool squares_absorb(const struct measure *measure, uint64_t *state,
                           const struct component *component) {
    char name[MEASURE_COMPONENT_MAX];
    for (unsigned i = 0; i < DIGITS; i++) {
        name_digit(measure, i, name);
        if (component_is(component, name, COMPONENT_ADD) && component->value >= 0) {
            state[i] += (uint64_t)component->value;
            return true;
        }
    }
    return false;
}

static size_t squares_puts(const struct measure *measure) {
    (void)measure;
    return DIGITS;
}

bool squares_are_known(const uint64_t *state) {
    bool known = true;
    for (unsigned i = 0; i < DIGITS; i++) {
        known = known && state[i] < COMPONENT_UNKNOWN;
    }
    return known;
}

unsigned_wide squares_read(const uint64_t *state) {
    unsigned_wide sum = 0;
    for (unsigned i = 0; i < DIGITS; i++) {
        sum += (unsigned_wide)state[i] << (i * DIGIT_BITS);
    }
    return sum;
}

const struct measure_kind measure_squares = {.name = "squares",
                                             .class = MEASURE_SUM,
                                             .wants = MEASURE_WANTS_NUMBER,
                                             .end = NUMBER_END,
                                             .open = squares_open,
                                             .plan = squares_plan,
                                             .merge = squares_merge,
                                             .emit = squares_emit,
                                             .absorb = squares_absorb,
                                             .puts = squares_puts};
