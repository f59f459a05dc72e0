/* count: each event is one, and so is it told. */
#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

START_TEST(each_event_is_one) {
    struct measure measure;
    struct lab_event event;
    lab_open(&measure, "count");
    struct lab_state state = lab_state_new(&measure);
    for (int64_t n = 0; n < 5; n++) {
        struct lab_components *components = lab_emit(&state);
        ck_assert_uint_eq(components->n, 1);
        ck_assert_str_eq(components->name[0], "count");
        ck_assert_int_eq(components->component[0].rule, COMPONENT_ADD);
        ck_assert_int_eq(components->component[0].value, n);
        lab_components_free(components);
        lab_number(&event, n, -n);
        ck_assert(lab_add(&state, &event.event));
    }
    struct figure_value value;
    lab_figure("count", &state, 5, 3, &value);
    ck_assert_str_eq(value.text, "5");
    lab_state_free(&state);
    lab_close(&measure);
}
END_TEST

START_TEST(what_a_store_says_is_added) {
    struct measure measure;
    lab_open(&measure, "count");
    struct lab_state state = lab_state_new(&measure);
    struct component component = {.name = "count", .rule = COMPONENT_ADD, .value = 7};
    ck_assert(measure.kind->absorb(&measure, state.words, &component));
    ck_assert(measure.kind->absorb(&measure, state.words, &component));
    component.value = 0;
    ck_assert(measure.kind->absorb(&measure, state.words, &component));
    component.value = -1;
    ck_assert(!measure.kind->absorb(&measure, state.words, &component));
    ck_assert_uint_eq(state.words[0], 14);
    lab_state_free(&state);
    lab_close(&measure);
}
END_TEST

CHECK_MAIN("measures: count", each_event_is_one, what_a_store_says_is_added)
