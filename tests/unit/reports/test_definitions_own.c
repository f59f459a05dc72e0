/* Measures of one's own in definitions: what of their arguments is a field they are given, and an
 * event needs it; the rest is for themselves, and a mistake there has its place. */
#include "counters/measures/own.h"
#include "reports/definitions.h"

#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

static const struct definitions_for purpose = {
    .span = {.workers = 1, .horizon_us = 3600 * US_PER_S, .future_us = 60 * US_PER_S},
    .file = "r.yaml"};
static char why[DEFINITIONS_WHY_MAX];

static struct definitions *read_show(const char *show) {
    char text[512], own_why[OWN_WHY_MAX];
    ck_assert_msg(own_load(MEASURES "/ewma.so", own_why), "%s", own_why);
    ck_assert_msg(own_load(MEASURES "/broken.so", own_why), "%s", own_why);
    snprintf(text, sizeof text,
             "fields:\n"
             "  client: form.client\n"
             "  seconds: {from: form.seconds, type: int}\n"
             "reports:\n"
             "  - {name: all, windows: 1min, show: [%s]}\n",
             show);
    return definitions_read(text, strlen(text), &purpose, why);
}

START_TEST(fields_among_the_arguments) {
    struct definitions *definitions = read_show("ewma(60s), \"broken( seconds, 3, client )\"");
    ck_assert_msg(definitions, "%s", why);
    const struct report *report = &definitions->report[0];
    ck_assert_uint_eq(report->measures, 3);
    ck_assert_str_eq(report->measure[1].text, "broken(seconds,3,client)");
    ck_assert_uint_eq(report->measure[1].arguments, 2);
    ck_assert_uint_eq(report->measure[1].field[0], 1);
    ck_assert_uint_eq(report->measure[1].field[1], 0);
    ck_assert_str_eq(report->measure[2].text, "ewma(60s)");
    ck_assert_uint_eq(report->measure[2].arguments, 0);
    ck_assert_uint_eq(report->needs, 3);
    definitions_free(definitions);
}
END_TEST

START_TEST(what_the_measure_says_has_a_place) {
    ck_assert_ptr_null(read_show("ewma(60)"));
    ck_assert_str_eq(why,
                     "r.yaml:5:38: ewma(60): needs a half-life of 1s to 3600s, as in ewma(60s)");
    ck_assert_ptr_null(read_show("ewmaa(60s)"));
    ck_assert_str_eq(why, "r.yaml:5:39: unknown measure `ewmaa`; did you mean `ewma`?");
}
END_TEST

CHECK_MAIN("definitions: one's own measures", fields_among_the_arguments,
           what_the_measure_says_has_a_place)
