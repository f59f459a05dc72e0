/* Items of `show:`: what they are made of, how they are written, what is wrong with them; measures
 * by name. (figure.c, figures.c, measure.c) */
#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

#include <string.h>

static struct figure figure;
static char why[FIGURE_WHY_MAX];

START_TEST(what_they_need) {
    static const struct {
        const char *written, *text, *argument, *needs[FIGURE_MEASURES_MAX + 1];
        double parameter;
        enum measure_wants wants;
    } rows[] = {
        {"count", "count", "", {"count"}, 0, MEASURE_WANTS_NOTHING},
        {" sum( seconds ) ", "sum(seconds)", "seconds", {"sum(seconds)"}, 0, MEASURE_WANTS_NUMBER},
        {"min(ms)", "min(ms)", "ms", {"min(ms)"}, 0, MEASURE_WANTS_NUMBER},
        {"max(ms)", "max(ms)", "ms", {"max(ms)"}, 0, MEASURE_WANTS_NUMBER},
        {"avg (ms)", "avg(ms)", "ms", {"sum(ms)", "count"}, 0, MEASURE_WANTS_NUMBER},
        {"first", "first", "", {"first"}, 0, MEASURE_WANTS_NOTHING},
        {"last", "last", "", {"last"}, 0, MEASURE_WANTS_NOTHING},
        {"stddev(ms)",
         "stddev(ms)",
         "ms",
         {"squares(ms)", "sum(ms)", "count"},
         0,
         MEASURE_WANTS_NUMBER},
        {"p50(ms)", "p50(ms)", "ms", {"quantiles(ms)"}, 0.5, MEASURE_WANTS_NUMBER},
        {"p99.90( ms )", "p99.9(ms)", "ms", {"quantiles(ms)"}, 0.999, MEASURE_WANTS_NUMBER},
        {"p99.0(ms)", "p99(ms)", "ms", {"quantiles(ms)"}, 0.99, MEASURE_WANTS_NUMBER},
        {"p0.5(ms)", "p0.5(ms)", "ms", {"quantiles(ms)"}, 0.005, MEASURE_WANTS_NUMBER},
        {"digest", "digest", "", {"digest"}, 0, MEASURE_WANTS_ALL},
        {"first( b )", "first(b)", "b", {"earliest(b)"}, 0, MEASURE_WANTS_VALUE},
        {"last(b)", "last(b)", "b", {"latest(b)"}, 0, MEASURE_WANTS_VALUE},
        {"top3(b)", "top3(b)", "b", {"top(b)"}, 3, MEASURE_WANTS_VALUE},
        {"distinct(b)", "distinct(b)", "b", {"distinct(b)"}, 0, MEASURE_WANTS_VALUE},
        {"rate", "rate", "", {"count"}, 0, MEASURE_WANTS_NOTHING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_msg(figure_parse(rows[i].written, &figure, why), "%s", why);
        ck_assert_str_eq(figure.text, rows[i].text);
        ck_assert_str_eq(figure.argument_text, rows[i].argument);
        ck_assert_double_eq_tol(figure.parameter, rows[i].parameter, 1e-12);
        ck_assert_int_eq(figure_wants(&figure), rows[i].wants);
        unsigned n = 0;
        for (; rows[i].needs[n]; n++) {
            ck_assert_str_eq(figure.needs[n], rows[i].needs[n]);
            struct measure measure;
            ck_assert_msg(measure_name(&measure, figure.needs[n]), "%s", figure.needs[n]);
        }
        ck_assert_uint_eq(figure.measures, n);
    }
}
END_TEST

START_TEST(what_is_wrong) {
    static const struct {
        const char *written, *why;
    } rows[] = {
        {"avg2", "unknown measure `avg2`; did you mean `avg`?"},
        {"cuont", "unknown measure `cuont`; did you mean `count`?"},
        {"sum", "`sum` needs a field: `sum(FIELD)`"},
        {"sum()", "`sum` needs a field: `sum(FIELD)`"},
        {"count(x)", "`count` takes no field: write `count`"},
        {"first()", "`first` takes no field: write `first`"},
        {"p100(x)", "unknown measure `p100`; a quantile is p50, p99, p99.9: above 0, below 100, 4 "
                    "digits behind the point"},
        {"p0(x)", "unknown measure `p0`; a quantile is p50, p99, p99.9: above 0, below 100, 4 "
                  "digits behind the point"},
        {"p05(x)", "unknown measure `p05`; a quantile is p50, p99, p99.9: above 0, below 100, 4 "
                   "digits behind the point"},
        {"top0(x)", "unknown measure `top0`; the most frequent are top1 to top100"},
        {"top101(x)", "unknown measure `top101`; the most frequent are top1 to top100"},
        {"top(x)", "unknown measure `top`; the most frequent are top1 to top100"},
        {"p99.99999(x)", "unknown measure `p99.99999`; a quantile is p50, p99, p99.9: above 0, "
                         "below 100, 4 digits behind the point"},
        {"topp(x)", "unknown measure `topp`; did you mean `top10`?"},
        {"quantiles(x)", "unknown measure `quantiles`; there are count, sum, min, max, avg, "
                         "stddev, p99, first, last, distinct, top10, digest, rate"},
        {"sum(a, b)", "`sum` takes one field, not `a, b`"},
        {"sum(a", "`sum(a` lacks its closing parenthesis at the end"},
        {"sum(a) b", "`sum(a) b` lacks its closing parenthesis at the end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_msg(!figure_parse(rows[i].written, &figure, why), "%s", rows[i].written);
        ck_assert_str_eq(why, rows[i].why);
    }
    ck_assert(!figure_parse("tangerines", &figure, why));
    ck_assert_ptr_nonnull(strstr(why, "unknown measure `tangerines`; there are count, sum"));
    ck_assert(!figure_parse("", &figure, why));
    char lengthy[400];
    memset(lengthy, 'x', sizeof lengthy);
    lengthy[sizeof lengthy - 1] = '\0';
    for (size_t len = 20; len < sizeof lengthy; len++) {
        lengthy[len] = '\0';
        ck_assert(!figure_parse(lengthy, &figure, why));
        lengthy[len] = 'x';
    }
}
END_TEST

START_TEST(rates_are_of_a_second) {
    struct measure measure;
    lab_open(&measure, "count");
    struct lab_state state = lab_state_new(&measure);
    struct figure_value value;
    lab_figure("rate", &state, 7, 0, &value);
    ck_assert_str_eq(value.text, "7.000");
    ck_assert(figure_parse("rate", &figure, why));
    const uint64_t row[] = {7};
    figure_value(&figure, &measure, row, 60000000, &value);
    ck_assert_str_eq(value.text, "0.117");
    figure_value(&figure, &measure, row, 10000, &value);
    ck_assert_str_eq(value.text, "700.000");
    lab_state_free(&state);
    lab_close(&measure);
}
END_TEST

START_TEST(kinds_are_found) {
    ck_assert_ptr_nonnull(measure_find("sum"));
    ck_assert_ptr_null(measure_find("su"));
    struct measure measure;
    ck_assert(!measure_name(&measure, "sum(x"));
    ck_assert(!measure_name(&measure, "nothing(x)"));
    ck_assert(measure_name(&measure, "sum(x)"));
    ck_assert_str_eq(measure.argument_text, "x");
}
END_TEST

CHECK_MAIN("measures: figures", what_they_need, what_is_wrong, rates_are_of_a_second,
           kinds_are_found)
