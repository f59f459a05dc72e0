/* The words for an event that a field keeps out of a report. */
#include "reports/left_out.h"

#include "tests/unit/check_main.h"

static struct measure measure;
static struct field field;
static struct record record;
static char why[LEFT_OUT_WHY_MAX];

/* What is said of a number that a measure does not take. */
static const char *explain(const char *text, enum field_type type, unsigned decimals,
                           int64_t number) {
    measure = (struct measure){0};
    ck_assert(measure_name(&measure, text));
    field = (struct field){.type = type, .decimals = decimals};
    record = (struct record){.present = 1};
    record.value[0] = (struct aforo_value){"", 0, AFORO_NUMBER, number};
    left_out_explain(&(const struct left_out){.fields = 1, .measure = &measure}, &field, 0, &record,
                     why);
    return why;
}

START_TEST(a_number_that_is_too_large_for_a_figure) {
    ck_assert_str_eq(explain("squares(ms)", FIELD_INT, 0, INT64_C(1) << 40),
                     "too large, and squares(ms) takes up to 1099511627775");
    ck_assert_str_eq(explain("squares(price)", FIELD_DECIMAL, 2, -(INT64_C(1) << 40)),
                     "too large, and squares(price) takes up to 10995116277.75");
    ck_assert_str_eq(explain("squares(ms)", FIELD_INT, 0, (INT64_C(1) << 40) - 1),
                     "its sum would leave the range of 2^53");
}
END_TEST

START_TEST(a_sum_that_is_full) {
    ck_assert_str_eq(explain("sum(ms)", FIELD_INT, 0, (INT64_C(1) << 53) - 1),
                     "its sum would leave the range of 2^53");
}
END_TEST

START_TEST(a_number_below_zero_and_a_bucket_that_is_full) {
    ck_assert_str_eq(explain("quantiles(ms)", FIELD_INT, 0, -1),
                     "negative, and quantiles(ms) takes 0 and more");
    ck_assert_str_eq(explain("quantiles(ms)", FIELD_INT, 0, 1),
                     "quantiles(ms) has room for no more like it");
}
END_TEST

CHECK_MAIN("left_out", a_number_that_is_too_large_for_a_figure, a_sum_that_is_full,
           a_number_below_zero_and_a_bucket_that_is_full)
