/* min(x), max(x), first, last: the lowest and the highest of numbers and of event times. One word,
 * which is 0 for "nothing yet" and larger the more extreme the number is:
 *
 *   highest   2^62 + number         lowest   2^62 - number
 *
 * So for all four, merging two states means taking the larger word. */
#include "counters/measures/kinds.h"

bool lowest_read(const uint64_t *state, int64_t *value) {
    *value = EXTREME_MIDDLE - (int64_t)state[0];
    return state[0] != 0;
}

bool highest_read(const uint64_t *state, int64_t *value) {
    *value = (int64_t)state[0] - EXTREME_MIDDLE;
    return state[0] != 0;
}

static const char *extreme_open(struct measure *measure) {
    measure->words = 1;
    return NULL;
}

static struct undo_change *take(const struct measure_rows *rows, uint64_t encoded,
                                struct undo_change *change) {
    for (size_t k = 0; k < rows->n; k++) {
        word *best = measure_state(rows, k);
        *change = (struct undo_change){best, encoded};
        change += encoded > measure_load(best);
    }
    return change;
}

#define PLAN(title, encoded)                                                                       \
    static struct undo_change *title##_plan(                                                       \
        const struct measure *measure, const struct aforo_event *event,                            \
        const struct measure_rows *rows, struct undo_change *change) {                             \
        (void)measure;                                                                             \
        return take(rows, encoded, change);                                                        \
    }

PLAN(min, encode_lowest(event_number(event)))
PLAN(max, encode_highest(event_number(event)))
PLAN(first, encode_lowest(event->us))
PLAN(last, encode_highest(event->us))

static void extreme_merge(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    into[0] = from[0] > into[0] ? from[0] : into[0];
}

static void lowest_emit(const struct measure *measure, const uint64_t *state,
                        const struct component_taker *taker) {
    int64_t value;
    if (lowest_read(state, &value)) {
        component_give(taker, measure->text, COMPONENT_MIN, value);
    }
}

static void highest_emit(const struct measure *measure, const uint64_t *state,
                         const struct component_taker *taker) {
    int64_t value;
    if (highest_read(state, &value)) {
        component_give(taker, measure->text, COMPONENT_MAX, value);
    }
}

/* Whether the value of a component is possible: what a store holds may be damaged. */
static bool is_sane(int64_t value) {
    return value > -EXTREME_MIDDLE && value < EXTREME_MIDDLE;
}

static bool lowest_absorb(const struct measure *measure, uint64_t *state,
                          const struct component *component) {
    if (!component_is(component, measure->text, COMPONENT_MIN) || !is_sane(component->value)) {
        return false;
    }
    extreme_merge(measure, state, &(const uint64_t){encode_lowest(component->value)});
    return true;
}

static bool highest_absorb(const struct measure *measure, uint64_t *state,
                           const struct component *component) {
    if (!component_is(component, measure->text, COMPONENT_MAX) || !is_sane(component->value)) {
        return false;
    }
    extreme_merge(measure, state, &(const uint64_t){encode_highest(component->value)});
    return true;
}

static size_t extreme_puts(const struct measure *measure) {
    (void)measure;
    return 1;
}

#define EXTREME(title, wanted, side)                                                               \
    const struct measure_kind measure_##title = {.name = #title,                                   \
                                                 .class = MEASURE_JOIN,                            \
                                                 .wants = (wanted),                                \
                                                 .open = extreme_open,                             \
                                                 .plan = title##_plan,                             \
                                                 .merge = extreme_merge,                           \
                                                 .emit = side##_emit,                              \
                                                 .absorb = side##_absorb,                          \
                                                 .puts = extreme_puts};

EXTREME(min, MEASURE_WANTS_NUMBER, lowest)
EXTREME(max, MEASURE_WANTS_NUMBER, highest)
EXTREME(first, MEASURE_WANTS_NOTHING, lowest)
EXTREME(last, MEASURE_WANTS_NOTHING, highest)
