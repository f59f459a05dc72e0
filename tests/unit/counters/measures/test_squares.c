/* Sums of squares are exact up to 2^40, and so is the deviation made of them. */
#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

#include <string.h>

#define END (INT64_C(1) << 40)

static struct measure measure;
static struct lab_state state;
static struct lab_event event;

static void set_up(void) {
    lab_open(&measure, "squares(x)");
    state = lab_state_new(&measure);
}

static void tear_down(void) {
    lab_state_free(&state);
    lab_close(&measure);
}

static bool add(int64_t number) {
    lab_number(&event, 0, number);
    return lab_add(&state, &event.event);
}

START_TEST(digits_are_told) {
    ck_assert(add(3) && add(-4));
    struct lab_components *components = lab_emit(&state);
    ck_assert_uint_eq(components->n, 1);
    ck_assert_int_eq(lab_find(components, "squares(x)")->value, 25);
    struct component component = components->component[0];
    component.value = 0;
    ck_assert(measure.kind->absorb(&measure, state.words, &component));
    component.value = -1;
    ck_assert(!measure.kind->absorb(&measure, state.words, &component));
    lab_components_free(components);
    ck_assert(add(-(INT64_C(1) << 15)) && add(INT64_C(1) << 25) && add(END - 1));
    components = lab_emit(&state);
    ck_assert_uint_eq(components->n, 4); /* (2^40 - 1)^2 = 2^80 - 2^41 + 1 */
    ck_assert_int_eq(lab_find(components, "squares(x)")->value, 26);
    ck_assert_int_eq(lab_find(components, "squares(x):20")->value, 1 << 10);
    ck_assert_int_eq(lab_find(components, "squares(x):40")->value, (1 << 10) + (1 << 20) - 2);
    ck_assert_int_eq(lab_find(components, "squares(x):60")->value, (1 << 20) - 1);
    lab_components_free(components);
}
END_TEST

START_TEST(what_does_not_fit) {
    ck_assert(!add(END) && !add(-END) && add(END - 1) && add(-END + 1));
    state.words[0] = (UINT64_C(1) << 53) - 4;
    ck_assert(add(1) && !add(2) && add(1) && add(1) && !add(1) && add(0));
}
END_TEST

/* The deviation of a row with these states. */
static void demand_stddev(uint64_t count, uint64_t plus, uint64_t minus, const char *text) {
    struct figure figure;
    struct figure_value value;
    struct measure of[3];
    char why[FIGURE_WHY_MAX];
    uint64_t row[7] = {count, plus, minus};
    ck_assert(figure_parse("stddev(x)", &figure, why));
    lab_open(&of[0], "count");
    lab_open(&of[1], "sum(x)");
    of[1].at = 1;
    of[2] = measure;
    of[2].at = 3;
    memcpy(row + 3, state.words, measure.words * sizeof *row);
    for (unsigned i = 0; i < figure.measures; i++) {
        for (unsigned m = 0; m < 3; m++) {
            if (strcmp(figure.needs[i], of[m].text) == 0) {
                figure.measure[i] = (uint8_t)m;
            }
        }
    }
    figure.decimals = 1;
    figure_value(&figure, of, row, 1000000, &value);
    ck_assert_int_eq(value.type, FIGURE_NUMBER);
    ck_assert_str_eq(value.text, text);
}

START_TEST(deviations) {
    ck_assert(add(-20) && add(40)); /* -2.0, 4.0 */
    demand_stddev(2, 40, 20, "3.000");
    ck_assert(add(10));
    demand_stddev(3, 50, 20, "2.449"); /* sqrt(6) */

    /* far from zero, near each other: where doubles would show nothing or worse */
    memset(state.words, 0, measure.words * sizeof(uint64_t));
    ck_assert(add(END - 1) && add(END - 3));
    demand_stddev(2, 2 * (uint64_t)END - 4, 0, "0.100");

    memset(state.words, 0, measure.words * sizeof(uint64_t));
    ck_assert(add(7));
    demand_stddev(1, 7, 0, "0.000");
}
END_TEST

static const struct check_fixture with_squares = {
    .timeout_s = 60, .set_up = set_up, .tear_down = tear_down};
CHECK_MAIN_WITH(with_squares, "measures: squares", digits_are_told, what_does_not_fit, deviations)
