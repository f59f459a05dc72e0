/* Measures of one's own in definitions: loaded, shown, and refused. */
#include "counters/measures/own.h"
#include "reports/definitions.h"

#include "tests/unit/reports/reports_fixture.h"

#define FILE_IN(folder) folder "/r.yaml"

static const char text[] = "measures: [ewma.so, ./broken.so]\n"
                           "fields: {a: , ms: {type: int}}\n"
                           "reports:\n"
                           "  - {name: r, by: a, windows: 1s, show: [ewma(60s), broken(ms)]}\n";

static struct definitions *read_in(const char *file, const char *what, char *why) {
    const struct definitions_for purpose = {.span = {1, LAB_HORIZON_US, 0}, .file = file};
    return definitions_read(what, strlen(what), &purpose, why);
}

static void expect_refused(const char *what, const char *expected) {
    char why[DEFINITIONS_WHY_MAX] = "";
    ck_assert_ptr_null(read_in(FILE_IN(MEASURES), what, why));
    ck_assert_msg(strstr(why, expected) != NULL, "%s", why);
}

static struct definitions *read_stored(const char *what, char *why) {
    const struct definitions_for purpose = {.file = "stored"};
    return definitions_read(what, strlen(what), &purpose, why);
}

START_TEST(files_lie_beside_the_definitions) {
    char why[DEFINITIONS_WHY_MAX] = "";
    struct definitions *definitions = read_in(FILE_IN(MEASURES), text, why);
    ck_assert_msg(definitions != NULL, "%s", why);
    const struct report *report = &definitions->report[0];
    ck_assert_uint_eq(report->measures, 3);
    ck_assert_str_eq(report->measure[1].text, "broken(ms)");
    ck_assert_uint_eq(report->measure[1].arguments, 1);
    ck_assert_uint_eq(report->measure[1].field[0], 1);
    ck_assert_uint_eq(report->measure[2].arguments, 0);
    ck_assert_uint_eq(report->needs, 3);
    /* What is stored names no file, and can be read where they are loaded. */
    ck_assert_ptr_null(strstr(report->definition, "measures"));
    ck_assert_ptr_nonnull(
        strstr(report->definition, "own: {\"broken(ms)\": 2, \"ewma(60s)\": 65}"));
    struct definitions *again = read_stored(report->definition, why);
    ck_assert_msg(again != NULL, "%s", why);
    ck_assert_str_eq(again->report[0].table.digest, report->table.digest);
    definitions_free(again);
    definitions_free(definitions);
}
END_TEST

START_TEST(what_cannot_be_loaded) {
    expect_refused("measures: [a/b.so]\nreports: []",
                   "r.yaml:1:12: " MEASURES "/a/b.so: cannot be");
    expect_refused("measures: /a/b.so\nreports: []", "r.yaml:1:11: /a/b.so: cannot be opened");
    expect_refused("measures: {}\nreports: []", "r.yaml:1:11: a map is here; meant is a list of");
    expect_refused("measures: []\nreports: []", "r.yaml:1:11: 0 entries; from 1 to 16");
    expect_refused("reports: [{name: r, windows: 1s, show: ewma(60s)}]", "unknown measure `ewma`");
}
END_TEST

START_TEST(names_in_arguments_are_fields) {
    expect_refused("measures: broken.so\nfields: {ms: {type: int}}\n"
                   "reports: [{name: r, windows: 1s, show: broken(mss)}]",
                   "unknown field `mss`; did you mean `ms`?");
    expect_refused("measures: ewma.so\nreports: [{name: r, windows: 1s, show: ewma(60)}]",
                   "needs a half-life");
}
END_TEST

START_TEST(nothing_is_loaded_out_of_a_store) {
    const struct definitions_for purpose = {.file = FILE_IN(MEASURES)};
    char why[DEFINITIONS_WHY_MAX];
    ck_assert_ptr_null(definitions_read(text, strlen(text), &purpose, why));
    ck_assert_ptr_nonnull(strstr(why, "names no files to load"));
    ck_assert_ptr_null(own_at(0));
}
END_TEST

START_TEST(nothing_new_is_loaded_after_the_start) {
    static const char both[] = "measures: [ewma.so, broken.so]\nreports: []";
    char why[DEFINITIONS_WHY_MAX];
    struct definitions *definitions =
        read_in(FILE_IN(MEASURES), "measures: ewma.so\nreports: []", why);
    definitions_free(definitions);
    definitions_seal_measures();
    definitions = read_in(FILE_IN(MEASURES), "measures: ewma.so\nreports: []", why);
    ck_assert_ptr_nonnull(definitions);
    definitions_free(definitions);
    ck_assert_ptr_null(read_in(FILE_IN(MEASURES), both, why));
    ck_assert_ptr_nonnull(strstr(why, ":1:21: " MEASURES "/broken.so: was not there at the start"));
}
END_TEST

START_TEST(events_come_to_them) {
    char whole[1000];
    snprintf(whole, sizeof whole, "measures: [%s/ewma.so, %s/broken.so]%s", MEASURES, MEASURES,
             strchr(text, '\n'));
    struct lab *lab = lab_open(whole);
    uint64_t unfit;
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(lab_add(lab, 0, &(struct lab_event){T0, {"x", "40"}}, &unfit),
                         SHARD_COUNTED);
    struct report_rows rows = lab_read(lab, 0, 0, T0);
    ck_assert_uint_eq(rows.n, 1);
    ck_assert_uint_eq(rows.row[0].state[0], 10);
    ck_assert_str_eq(lab_figure(lab, 0, 0, &rows.row[0], 1), "40.000");
    report_rows_free(&rows);
    lab_close(lab);
}
END_TEST

CHECK_MAIN_WITH(in_state_dir, "one's own measures in definitions", files_lie_beside_the_definitions,
                what_cannot_be_loaded, names_in_arguments_are_fields,
                nothing_is_loaded_out_of_a_store, nothing_new_is_loaded_after_the_start,
                events_come_to_them)
