/* Sums stay exact: below 2^53 on either side of zero, and what would go beyond is told before;
 * and the figures that are made of them (figures.c). */
#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

#define END (INT64_C(1) << 53)

static struct measure measure;
static struct lab_state state;
static struct lab_event event;

static void set_up(void) {
    lab_open(&measure, "sum(x)");
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

START_TEST(below_zero_is_apart) {
    ck_assert(add(12) && add(-5) && add(0) && add(-7));
    struct lab_components *components = lab_emit(&state);
    ck_assert_uint_eq(components->n, 2);
    ck_assert_int_eq(lab_find(components, "sum(x)")->value, 12);
    ck_assert_int_eq(lab_find(components, "sum(x)-")->value, 12);
    ck_assert_int_eq(components->component[0].rule, COMPONENT_ADD);
    lab_components_free(components);
}
END_TEST

START_TEST(nothing_below_zero_is_not_told) {
    ck_assert(add(0));
    struct lab_components *components = lab_emit(&state);
    ck_assert_uint_eq(components->n, 1);
    ck_assert_int_eq(lab_find(components, "sum(x)")->value, 0);
    lab_components_free(components);
}
END_TEST

START_TEST(a_sum_never_reaches_2_to_53) {
    ck_assert(add(END - 1));
    ck_assert(!add(1));
    ck_assert(add(0) && add(-END + 1));
    ck_assert(!add(-1));
    struct figure_value value;
    lab_figure("sum(x)", &state, 4, 0, &value);
    ck_assert_str_eq(value.text, "0");
}
END_TEST

START_TEST(shown_with_the_decimals_of_the_field) {
    struct figure_value value;
    lab_figure("sum(x)", &state, 1, 2, &value);
    ck_assert_str_eq(value.text, "0.00");
    ck_assert(add(1234));
    lab_figure("sum(x)", &state, 1, 2, &value);
    ck_assert_int_eq(value.type, FIGURE_NUMBER);
    ck_assert_str_eq(value.text, "12.34");
    ck_assert_uint_eq(value.len, 5);
    ck_assert(add(-1239));
    lab_figure("sum(x)", &state, 2, 2, &value);
    ck_assert_str_eq(value.text, "-0.05");
    lab_figure("avg(x)", &state, 2, 2, &value);
    ck_assert_str_eq(value.text, "-0.0250");
    lab_figure("avg(x)", &state, 3, 0, &value);
    ck_assert_str_eq(value.text, "-1.67");
}
END_TEST

static const struct check_fixture with_a_sum = {
    .timeout_s = 60, .set_up = set_up, .tear_down = tear_down};
CHECK_MAIN_WITH(with_a_sum, "measures: sum", below_zero_is_apart, nothing_below_zero_is_not_told,
                a_sum_never_reaches_2_to_53, shown_with_the_decimals_of_the_field)
