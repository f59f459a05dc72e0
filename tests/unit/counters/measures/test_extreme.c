/* min, max, first, last: numbers on both sides of zero, the ends of their range, and nothing yet.
 */
#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

#define MOST ((INT64_C(1) << 53) - 1)

static struct measure measure;
static struct lab_state state;
static struct lab_event event;

static void begin(const char *text) {
    lab_open(&measure, text);
    state = lab_state_new(&measure);
}

static void end(void) {
    lab_state_free(&state);
    lab_close(&measure);
}

/* Adds numbers[0..n) and demands what is published after each. */
static void demand(const char *text, enum component_rule rule, const int64_t (*pairs)[2],
                   size_t n) {
    begin(text);
    struct lab_components *components = lab_emit(&state);
    ck_assert_uint_eq(components->n, 0);
    lab_components_free(components);
    for (size_t i = 0; i < n; i++) {
        const bool of_time = measure.kind->wants == MEASURE_WANTS_NOTHING;
        lab_number(&event, of_time ? pairs[i][0] : 7, of_time ? 7 : pairs[i][0]);
        lab_add(&state, &event.event);
        components = lab_emit(&state);
        ck_assert_uint_eq(components->n, 1);
        ck_assert_str_eq(components->name[0], text);
        ck_assert_int_eq(components->component[0].rule, rule);
        ck_assert_int_eq(components->component[0].value, pairs[i][1]);
        lab_components_free(components);
    }
    end();
}

#define DEMAND_OF(text, rule, ...)                                                                 \
    do {                                                                                           \
        static const int64_t pairs[][2] = {__VA_ARGS__};                                           \
        demand(text, rule, pairs, sizeof pairs / sizeof pairs[0]);                                 \
    } while (0)

START_TEST(lowest) {
    DEMAND_OF("min(x)", COMPONENT_MIN, {0, 0}, {5, 0}, {-3, -3}, {-2, -3}, {-MOST, -MOST},
              {MOST, -MOST});
    DEMAND_OF("min(x)", COMPONENT_MIN, {MOST, MOST}, {MOST - 1, MOST - 1}, {0, 0});
    DEMAND_OF("first", COMPONENT_MIN, {1464433860000000, 1464433860000000}, {0, 0}, {1, 0});
}
END_TEST

START_TEST(highest) {
    DEMAND_OF("max(x)", COMPONENT_MAX, {0, 0}, {-5, 0}, {3, 3}, {2, 3}, {MOST, MOST},
              {-MOST, MOST});
    DEMAND_OF("max(x)", COMPONENT_MAX, {-MOST, -MOST}, {-MOST + 1, -MOST + 1}, {0, 0});
    DEMAND_OF("last", COMPONENT_MAX, {0, 0}, {253402300799999999, 253402300799999999},
              {1, 253402300799999999});
}
END_TEST

START_TEST(what_a_store_cannot_have_is_not_taken) {
    static const char *const texts[] = {"min(x)", "max(x)", "first", "last"};
    for (size_t i = 0; i < 4; i++) {
        begin(texts[i]);
        struct component component = {.name = texts[i],
                                      .rule = i % 2 ? COMPONENT_MAX : COMPONENT_MIN};
        component.value = INT64_MAX;
        ck_assert(!measure.kind->absorb(&measure, state.words, &component));
        component.value = INT64_MIN;
        ck_assert(!measure.kind->absorb(&measure, state.words, &component));
        component.value = INT64_C(1) << 62; /* the word would be 0, which is nothing */
        ck_assert(!measure.kind->absorb(&measure, state.words, &component));
        component.value = -component.value;
        ck_assert(!measure.kind->absorb(&measure, state.words, &component));
        ck_assert_uint_eq(state.words[0], 0);
        end();
    }
}
END_TEST

START_TEST(shown) {
    struct figure_value value;
    begin("min(x)");
    lab_figure("min(x)", &state, 1, 1, &value);
    ck_assert_int_eq(value.type, FIGURE_NONE);
    lab_number(&event, 7, -5);
    lab_add(&state, &event.event);
    lab_figure("min(x)", &state, 1, 1, &value);
    ck_assert_str_eq(value.text, "-0.5");
    lab_figure("min(x)", &state, 0, 1, &value); /* a row without events */
    ck_assert_int_eq(value.type, FIGURE_NONE);
    end();
    begin("last");
    lab_number(&event, 7, -5);
    lab_add(&state, &event.event);
    lab_figure("last", &state, 1, 0, &value);
    ck_assert_int_eq(value.type, FIGURE_TIME);
    ck_assert_int_eq(value.us, 7);
    end();
}
END_TEST

CHECK_MAIN("measures: min, max, first, last", lowest, highest,
           what_a_store_cannot_have_is_not_taken, shown)
