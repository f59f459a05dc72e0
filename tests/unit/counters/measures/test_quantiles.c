/* Buckets are those of Prometheus' native histograms, schema 5, held against logarithms; quantiles
 * are within 1.1 % of what sorting says. */
#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define END (INT64_C(1) << 53)
#define SAMPLES 5000
#define ERROR_MAX 0.011

static struct measure measure;
static struct lab_state state;
static struct lab_event event;

static void set_up(void) {
    lab_open(&measure, "quantiles(x)");
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

static void empty(void) {
    memset(state.words, 0, measure.words * sizeof(uint64_t));
}

/* Which bucket x falls into, by the name of the only component. */
static void demand_bucket(int64_t x) {
    char name[MEASURE_COMPONENT_MAX];
    const long double exact = x > 0 ? ceill(32 * log2l((long double)x)) : 0;
    snprintf(name, sizeof name, x == 0 ? "quantiles(x):zero" : "quantiles(x):%.0Lf", exact);
    empty();
    DEMAND(add(x), "%lld does not fit", (long long)x);
    struct lab_components *components = lab_emit(&state);
    DEMAND(components->n == 1 && strcmp(components->name[0], name) == 0 &&
               components->component[0].value == 1 &&
               components->component[0].rule == COMPONENT_ADD,
           "%lld is told as %s, not as %s", (long long)x, components->name[0], name);
    lab_components_free(components);
}

START_TEST(buckets_are_those_of_prometheus) {
    uint64_t seed = 5;
    for (int64_t x = 0; x <= 3000; x++) {
        demand_bucket(x);
    }
    for (int bits = 12; bits <= 53; bits++) {
        for (int i = 0; i < 40; i++) {
            demand_bucket((int64_t)(lab_random(&seed) >> (64 - bits)));
        }
        demand_bucket((INT64_C(1) << bits) - 1);
        if (bits < 53) {
            demand_bucket(INT64_C(1) << bits);
            demand_bucket((INT64_C(1) << bits) + 1);
        }
    }
    /* both sides of every bound */
    for (int k = 32 * 12; k < 53 * 32; k++) {
        const int64_t bound = (int64_t)floorl(exp2l(k / 32.0L));
        demand_bucket(bound - 1);
        demand_bucket(bound + 2 < END ? bound + 2 : bound);
    }
}
END_TEST

START_TEST(nothing_below_zero_fits) {
    ck_assert(!add(-1));
    ck_assert(!add(-END + 1));
    ck_assert(add(0));
}
END_TEST

static int compare(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void demand_quantiles(int64_t *sample, size_t n) {
    static const struct {
        const char *figure;
        size_t millionths;
    } rows[] = {{"p0.01(x)", 100},     {"p1(x)", 10000},    {"p50(x)", 500000},
                {"p90(x)", 900000},    {"p99(x)", 990000},  {"p99.9(x)", 999000},
                {"p99.99(x)", 999900}, {"p33.3(x)", 333000}};
    qsort(sample, n, sizeof *sample, compare);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct figure_value value;
        lab_figure(rows[i].figure, &state, n, 0, &value);
        ck_assert_int_eq(value.type, FIGURE_NUMBER);
        const double shown = atof(value.text);
        const double exact = (double)sample[(n * rows[i].millionths + 999999) / 1000000 - 1];
        DEMAND(fabs(shown - exact) <= ERROR_MAX * shown, "%s: %s is not near %.0f", rows[i].figure,
               value.text, exact);
    }
}

START_TEST(quantiles_are_near) {
    static int64_t sample[SAMPLES];
    uint64_t seed = 6;
    for (int bits = 1; bits <= 53; bits++) {
        empty();
        for (size_t i = 0; i < SAMPLES; i++) {
            sample[i] = (int64_t)(lab_random(&seed) >> (64 - bits) >> lab_random(&seed) % 8);
            ck_assert(add(sample[i]));
        }
        demand_quantiles(sample, SAMPLES);
    }
    empty();
    for (size_t i = 0; i < 1000; i++) {
        sample[i] = 55 + (int64_t)i % 2; /* the two that share the lowest bucket of two */
        ck_assert(add(sample[i]));
    }
    demand_quantiles(sample, 1000);
}
END_TEST

START_TEST(shown) {
    static const struct {
        int64_t number;
        unsigned decimals;
        const char *text;
    } rows[] = {{0, 0, "0"},    {1, 0, "1"},     {54, 0, "54"},     {55, 0, "55.5"},
                {0, 2, "0.00"}, {7, 2, "0.07"},  {55, 2, "0.555"},  {56, 0, "55.5"},
                {57, 0, "57"},  {5000, 0, NULL}, {END - 1, 0, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct figure_value value;
        empty();
        lab_figure("p50(x)", &state, 1, rows[i].decimals, &value);
        ck_assert_int_eq(value.type, FIGURE_NONE);
        ck_assert(add(rows[i].number));
        lab_figure("p50(x)", &state, 1, rows[i].decimals, &value);
        if (rows[i].text) {
            ck_assert_str_eq(value.text, rows[i].text);
        } else {
            ck_assert_ptr_null(strchr(value.text, '.'));
        }
    }
}
END_TEST

static struct component told(const char *name, int64_t value) {
    return (struct component){.name = name, .rule = COMPONENT_ADD, .value = value};
}

START_TEST(cells_hold_2_to_40) {
    const struct component much = told("quantiles(x):0", (INT64_C(1) << 32) - 2);
    ck_assert(measure.kind->absorb(&measure, state.words, &much));
    for (int i = 0; i < 3; i++) {
        ck_assert(add(1));
    }
    struct lab_components *components = lab_emit(&state);
    ck_assert_int_eq(components->component[0].value, (INT64_C(1) << 32) + 1);
    lab_components_free(components);

    const struct component more =
        told("quantiles(x):0", (INT64_C(1) << 40) - (INT64_C(1) << 32) - 3);
    ck_assert(measure.kind->absorb(&measure, state.words, &more));
    ck_assert(add(1));
    ck_assert(!add(1));
    ck_assert(add(2) && add(0)); /* the neighbours are untouched */
    struct lab_state both = lab_state_new(&measure);
    lab_merge(&both, &state);
    lab_merge(&both, &state);
    components = lab_emit(&both);
    ck_assert_uint_eq(components->n, 3);
    ck_assert_int_eq(lab_find(components, "quantiles(x):zero")->value, 2);
    ck_assert_int_eq(lab_find(components, "quantiles(x):0")->value, (INT64_C(1) << 40) - 1);
    ck_assert_int_eq(lab_find(components, "quantiles(x):32")->value, 2);
    lab_components_free(components);
    lab_state_free(&both);
}
END_TEST

START_TEST(names_that_are_no_bucket) {
    static const char *const names[] = {"quantiles(x):",      "quantiles(x):-1",
                                        "quantiles(x):1", /* nothing between 1 and 2 */
                                        "quantiles(x):1697",  "quantiles(x):+0",
                                        "quantiles(x):032",   "quantiles(x):32 ",
                                        "quantiles(x):zeros", "quantiles(x)",
                                        "quantiles(y):32",    "quantiles(x):99999999999999999999"};
    struct component component;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        component = told(names[i], 1);
        ck_assert_msg(!measure.kind->absorb(&measure, state.words, &component), "%s", names[i]);
    }
    component = told("quantiles(x):32", -1);
    ck_assert(!measure.kind->absorb(&measure, state.words, &component));
    component = told("quantiles(x):32", 0); /* a bucket is there, and empty */
    ck_assert(measure.kind->absorb(&measure, state.words, &component));
    component = told("quantiles(x):1696", 1);
    ck_assert(measure.kind->absorb(&measure, state.words, &component));
}
END_TEST

static const struct check_fixture with_quantiles = {
    .timeout_s = 100, .set_up = set_up, .tear_down = tear_down};
CHECK_MAIN_WITH(with_quantiles, "measures: quantiles", buckets_are_those_of_prometheus,
                nothing_below_zero_fits, quantiles_are_near, shown, cells_hold_2_to_40,
                names_that_are_no_bucket)
