/* What is wrong with definitions, and where: one line a case. */
#include "reports/definitions.h"

#include "tests/unit/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US (3600 * US_PER_S)

static struct definitions_for purpose(void) {
    return (struct definitions_for){.span = {2, HOUR_US, 60 * US_PER_S}, .file = "r"};
}

/* The text is refused, in one line that begins and ends like this. */
static void expect_refused(const char *text, size_t len, const char *begin, const char *end) {
    const struct definitions_for its = purpose();
    char why[DEFINITIONS_WHY_MAX] = "";
    ck_assert_msg(definitions_read(text, len, &its, why) == NULL, "%s", text);
    ck_assert_msg(strncmp(why, begin, strlen(begin)) == 0, "%s\n%s, not %s", text, why, begin);
    ck_assert_msg(strstr(why, end) != NULL, "%s\n%s, not %s", text, why, end);
    ck_assert_msg(strchr(why, '\n') == NULL, "%s", why);
}

struct mistake {
    const char *text, *place, *why;
};

static void expect_all(const struct mistake *mistakes, size_t n) {
    for (size_t i = 0; i < n; i++)
        expect_refused(mistakes[i].text, strlen(mistakes[i].text), mistakes[i].place,
                       mistakes[i].why);
}

#define EXPECT_ALL(mistakes) expect_all(mistakes, sizeof mistakes / sizeof *mistakes)

START_TEST(of_yaml) {
    static const struct mistake mistakes[] = {
        {"", "r:1:1: ", "there is nothing in it"},
        {"# only this\n", "r:1:1: ", "there is nothing in it"},
        {"~", "r:1:1: ", "there is nothing in it"},
        {"a: b: c", "r:1:5: ", "not YAML: mapping values are not allowed"},
        {"a: [1", "r:", "not YAML: "},
        {"a: \"", "r:1:", "not YAML: found unexpected end of stream"},
        {"\ta: 1", "r:1:1: ", "not YAML: found character that cannot start any token"},
        {"fields: {}\n  x\xff: 1", "r:2:4: ", "not YAML in UTF-8: "},
        {"a: \x01", "r:1:4: ", "not YAML in UTF-8: control characters are not allowed"},
        {"a: &x 1\nb: *x", "r:1:4: ", "anchors (&) have no meaning here"},
        {"a: *x", "r:1:4: ", "aliases (*) have no meaning here"},
        {"a: !!int 1", "r:1:4: ", "tags (!) have no meaning here"},
        {"--- {}\n--- {}\n", "r:2:1: ", "a second document (---) has no meaning here"},
        {"{[a]: 1}", "r:1:2: ", "a name is meant here, not a list"},
        {"reports: []\nfields: {}\nreports: []",
         "r:3:1: ", "`reports` is here twice; first in line 1"},
        {"a: [[[[[[[[]]]]]]]]", "r:1:11: ", "more than 8 lists and maps within each other"},
        {"a: \"x\\0y\"", "r:1:4: ", "a NUL is no part of any text here"},
    };
    EXPECT_ALL(mistakes);
}
END_TEST

START_TEST(of_shape) {
    static const struct mistake mistakes[] = {
        {"[]", "r:1:1: ", "a list is here; meant is a map of `fields:` and `reports:`"},
        {"reports", "r:1:1: ", "text is here; meant is a map"},
        {"fields: {}", "r:1:1: ", "`reports:` is missing"},
        {"report: []", "r:1:1: ", "unknown key `report`; did you mean `reports`?"},
        {"xyz: []", "r:1:1: ", "unknown key `xyz`; there are measures, fields, reports"},
        {"fields: []\nreports: []", "r:1:9: ", "a list is here; meant is NAME: PLACE"},
        {"reports: {}", "r:1:10: ", "a map is here; meant is a list of reports"},
        {"reports:", "r:1:9: ", "nothing is here; meant is a list of reports"},
        {"reports: [x]", "r:1:11: ", "text is here; meant is a report"},
    };
    EXPECT_ALL(mistakes);
}
END_TEST

#define FIELD(text) "reports: []\nfields:\n  " text

START_TEST(of_fields) {
    static const struct mistake mistakes[] = {
        {FIELD("a: frm.x"), "r:3:6: ", "`frm.x` is no place of a field; did you mean `form.NAME`?"},
        {FIELD("a: x"), "r:3:6: ", "`x` is no place of a field; there are form.NAME, query.NAME"},
        {FIELD("a: form"), "r:3:6: ", "`form` is no place of a field; did you mean `form.NAME`?"},
        {FIELD("a: form."), "r:3:6: ", "a name is missing behind `form.`"},
        {FIELD("a: line.b=c"), "r:3:12: ", "this byte is in no name of line"},
        {FIELD("a: \"header.b c\""), "r:3:15: ", "this byte is in no name of header"},
        {FIELD("a: \"form.\\x01\""), "r:3:6: ", "this byte is in no name of form"},
        {FIELD("a: json..b"), "r:3:6: ", "a path of JSON is names with a point between"},
        {FIELD("a: [form.b, form.b]"), "r:3:15: ", "`form.b` is here twice"},
        {FIELD("a: [header.B, header.b]"), "r:3:17: ", "`header.b` is here twice"},
        {FIELD("a: []"), "r:3:6: ", "0 entries; from 1 to 8 are meant"},
        {FIELD("a: [form.b, []]"), "r:3:15: ", "a list is here; meant is form.NAME"},
        {FIELD("a: {form: form.b}"), "r:3:7: ", "unknown key `form`; did you mean `from`?"},
        {FIELD("a: {type: integer}"), "r:3:13: ", "unknown type `integer`; did you mean `int`?"},
        {FIELD("a: {type: float}"), "r:3:13: ", "unknown type `float`; did you mean `decimal2`?"},
        {FIELD("a: {type: decimal}"),
         "r:3:13: ", "unknown type `decimal`; did you mean `decimal1`?"},
        {FIELD("a: {type: decimal10}"), "r:3:13: ", "unknown type `decimal10`"},
        {FIELD("a: {type: }"), "r:3:13: ", "nothing is here; meant is text, int, or decimal1"},
        {FIELD("1a: form.b"), "r:3:3: ", "`1a` is no name of a field"},
        {FIELD("a-b: form.b"), "r:3:3: ", "`a-b` is no name of a field: letters, digits and _"},
        {FIELD("\"\": form.b"), "r:3:3: ", "`` is no name of a field"},
        {FIELD("in: form.b"), "r:3:3: ", "`in` has a meaning of its own here: no field's name"},
        {FIELD("a23456789012345678901234567890123: form.b"), "r:3:3: ", "longer than 31 bytes"},
    };
    EXPECT_ALL(mistakes);
}
END_TEST

#define REPORT(text)                                                                               \
    "fields: {route: json.route, ms: {type: int}, client: {type: int}}\nreports:\n  - " text

START_TEST(of_reports) {
    static const struct mistake mistakes[] = {
        {REPORT("{name: r, windows: 1s}"), "r:3:5: ", "this report has no `show:`"},
        {REPORT("{name: r, show: count}"), "r:3:5: ", "this report has no `windows:`"},
        {REPORT("{windows: 1s, show: count}"), "r:3:5: ", "this report has no `name:`"},
        {REPORT("{nmae: r, windows: 1s, show: count}"),
         "r:3:6: ", "unknown key `nmae`; did you mean `name`?"},
        {REPORT("{name: Big, windows: 1s, show: count}"),
         "r:3:12: ", "`Big` is no name of a report"},
        {REPORT("{name: aB, windows: 1s, show: count}"), "r:3:13: ", "`aB` is no name of a report"},
        {REPORT("{name: \"\", windows: 1s, show: count}"), "r:3:", "no name of a report"},
        {REPORT("{name: [], windows: 1s, show: count}"),
         "r:3:12: ", "a list is here; meant is a name"},
        {REPORT("{name: events, windows: 1s, show: count}"),
         "r:3:12: ", "`events` is there already"},
        {REPORT(
             "{name: a23456789012345678901234567890123456789012345678, windows: 1s, show: count}"),
         "r:3:12: ", "a name of 48 bytes; at most 47"},
        {REPORT("{name: r, windows: 1s, show: count}\n  - {name: r, windows: 1s, show: count}"),
         "r:4:12: ", "there is another report `r`"},
        {REPORT("{name: r, when: ms > , windows: 1s, show: count}"),
         "r:3:25: ", "when: a number was meant before the end"},
        {REPORT("{name: r, when: \"mss > 1\", windows: 1s, show: count}"),
         "r:3:22: ", "when: `mss` is no field of `fields:`; did you mean `ms`?"},
        {REPORT("{name: r, when: [], windows: 1s, show: count}"),
         "r:3:21: ", "a list is here; meant is a condition"},
        {REPORT("{name: r, by: [rout], windows: 1s, show: count}"),
         "r:3:20: ", "unknown field `rout`; did you mean `route`?"},
        {REPORT("{name: r, by: [xyzzy], windows: 1s, show: count}"),
         "r:3:20: ", "unknown field `xyzzy`; fields are declared in `fields:`"},
        {REPORT("{name: r, by: [ms, ms], windows: 1s, show: count}"),
         "r:3:24: ", "`ms` is here twice"},
        {REPORT("{name: r, by: {ms: 1}, windows: 1s, show: count}"),
         "r:3:19: ", "a map is here; meant is a list of fields"},
        {REPORT("{name: r, by: [1,2,3,4,5,6,7,8,9], windows: 1s, show: count}"),
         "r:3:19: ", "9 entries; from 1 to 8 are meant"},
    };
    EXPECT_ALL(mistakes);
}
END_TEST

START_TEST(of_windows_and_figures) {
    static const struct mistake mistakes[] = {
        {REPORT("{name: r, windows: [7min], show: count}"),
         "r:3:25: ", "`7min` divides no day; 6min and 8min do"},
        {REPORT("{name: r, windows: [1m], show: count}"),
         "r:3:25: ", "`1m` is no width of windows"},
        {REPORT("{name: r, windows: [5ms], show: count}"),
         "r:3:25: ", "`5ms`: windows are 10ms to 1d wide"},
        {REPORT("{name: r, windows: [2d], show: count}"),
         "r:3:25: ", "`2d`: windows are 10ms to 1d wide"},
        {REPORT("{name: r, windows: [1s, 1000ms], show: count}"),
         "r:3:29: ", "a width of `1000ms` is here twice"},
        {REPORT("{name: r, windows: [], show: count}"),
         "r:3:24: ", "0 entries; from 1 to 8 are meant"},
        {REPORT("{name: r, windows: 1s, show: [avg2(ms)]}"),
         "r:3:35: ", "unknown measure `avg2`; did you mean `avg`?"},
        {REPORT("{name: r, windows: 1s, show: [sum(mss)]}"),
         "r:3:35: ", "unknown field `mss`; did you mean `ms`?"},
        {REPORT("{name: r, windows: 1s, show: [sum(route)]}"),
         "r:3:35: ", "`sum(route)` needs a number, and `route` is text"},
        {REPORT("{name: r, windows: 1s, show: [count, count]}"),
         "r:3:42: ", "`count` is here twice"},
        {REPORT("{name: r, windows: 1s, show: [p99(ms), p99.0(ms)]}"),
         "r:3:44: ", "`p99(ms)` is here twice"},
        {REPORT("{name: r, windows: 1s, show: [sum]}"), "r:3:35: ", "`sum` needs a field"},
        {REPORT("{name: r, windows: 1s, show: [[count]]}"),
         "r:3:35: ", "a list is here; meant is a list of figures"},
    };
    EXPECT_ALL(mistakes);
}
END_TEST

#define KEYED(text) REPORT("{name: r, by: [route, client], windows: 1s, show: count, " text "}")
#define BARE(text) REPORT("{name: r, windows: 1s, show: count, " text "}")

START_TEST(of_sizes) {
    static const struct mistake mistakes[] = {
        {KEYED("keys: 5"),
         "r:3:68: ", "text is here; meant is {max: 20000, per_field: {client: 500}}"},
        {KEYED("keys: {mx: 5}"), "r:3:69: ", "unknown key `mx`; did you mean `max`?"},
        {KEYED("keys: {max: 0}"), "r:3:74: ", "`0`; meant is a number from 1 to 10000000"},
        {KEYED("keys: {max: many}"), "r:3:74: ", "`many`; meant is a number"},
        {KEYED("keys: {max: \"5\"}"), "r:3:74: ", "`5`; meant is a number"},
        {KEYED("keys: {max: 5, per_field: {client: 6}}"),
         "r:3:97: ", "`6`; meant is a number from 1 to 5"},
        {KEYED("keys: {per_field: {clint: 6}}"),
         "r:3:81: ", "unknown field of `by` `clint`; did you mean `client`?"},
        {KEYED("keys: {per_field: {ms: 6}}"),
         "r:3:81: ", "unknown field of `by` `ms`; there are route, client"},
        {BARE("keys: {max: 5}"), "r:3:47: ", "a report without `by` has no keys to bound"},
        {BARE("keep: soon"), "r:3:47: ", "`soon` is no duration; meant is 36h or 7d"},
        {BARE("keep: 0"), "r:3:47: ", "`0` is no duration"},
        {BARE("keep: []"), "r:3:47: ", "a list is here; meant is a duration: 7d"},
        {BARE("keep: 90min"),
         "r:3:47: ", "`90min`; rows are kept for 2 h at the least (the horizon and 1 h)"},
        {BARE("keep: 401d"), "r:3:47: ", "for 400 d at the most"},
        {BARE("memory: lots"), "r:3:49: ", "`lots` is no size of memory"},
        {BARE("memory: 2T"), "r:3:49: ", "`2T` is no size of memory; meant is 64MiB, to 1TiB"},
        {BARE("memory: {}"), "r:3:49: ", "a map is here; meant is a size: 256MiB"},
        {BARE("memory: 64KiB"), "r:3:49: ", "`64KiB` is too small: this report needs "},
    };
    EXPECT_ALL(mistakes);
}
END_TEST

START_TEST(of_memory_that_was_not_asked_for) {
    static const char text[] = REPORT("{name: r, by: route, windows: [1min, 10ms], show: p99(ms)}");
    expect_refused(text, strlen(text), "r:3:5: ",
                   "at the least, most of it for windows of 10ms over a horizon of 1 h: take wider "
                   "ones or fewer measures, lower the horizon, or write memory: ");
    /* and what it says to write is right */
    struct definitions_for its = purpose();
    char why[DEFINITIONS_WHY_MAX], asked[400];
    ck_assert_ptr_null(definitions_read(text, strlen(text), &its, why));
    snprintf(asked, sizeof asked, "%.*s, %s}\n", (int)strlen(text) - 1, text,
             strstr(why, "memory: "));
    struct definitions *definitions = definitions_read(asked, strlen(asked), &its, why);
    ck_assert_msg(definitions != NULL, "%s", why);
    definitions_free(definitions);
    its.span.workers = 0; /* only read: nothing is held against a horizon */
    definitions = definitions_read(text, strlen(text), &its, why);
    ck_assert_ptr_nonnull(definitions);
    definitions_free(definitions);
}
END_TEST

START_TEST(of_too_many) {
    static char text[DEFINITIONS_BYTES_MAX + 2];
    size_t len = (size_t)sprintf(text, "reports: []\nfields: {");
    for (int i = 0; i <= FIELDS_MAX; i++)
        len += (size_t)sprintf(text + len, "f%d: , ", i);
    len += (size_t)sprintf(text + len, "}");
    expect_refused(text, len, "r:2:9: ", "65 fields; at most 64");
    len = (size_t)sprintf(text, "reports:\n");
    for (int i = 0; i <= REPORTS_MAX; i++)
        len += (size_t)sprintf(text + len, "  - {name: r%d, windows: 1s, show: count}\n", i);
    expect_refused(text, len, "r:2:3: ", "33 reports; at most 32");
    len = (size_t)sprintf(text, "[");
    for (int i = 0; i < 257; i++)
        len += (size_t)sprintf(text + len, "a,");
    expect_refused(text, len, "r:1:514: ", "more than 256 entries in a list");
    memset(text, '#', sizeof text);
    expect_refused(text, DEFINITIONS_BYTES_MAX + 1, "r:1:1: ", "1048577 bytes; at most 1048576");
}
END_TEST

START_TEST(of_more_changes_than_can_be_undone) {
    static char text[8000];
    size_t len = (size_t)sprintf(text, "fields: {a: {type: int}, b: {type: int}}\nreports:\n");
    for (int i = 0; i < REPORTS_MAX; i++)
        len += (size_t)sprintf(
            text + len,
            "  - {name: r%d, windows: [1min,2min,3min,4min,5min,6min,8min,9min], show: [sum(a), "
            "sum(b), min(a), min(b), max(a), max(b), first, last, avg(a), distinct(a), "
            "distinct(b), p50(a), p50(b), top5(a), top5(b), digest], memory: 1GiB}\n",
            i);
    expect_refused(text, len, "r:", "words; at most 4092: take widths, measures or reports away");
}
END_TEST

START_TEST(of_a_definition_that_is_too_long) {
    static char text[200000];
    size_t len = (size_t)sprintf(text, "fields:\n");
    for (int i = 0; i < FIELDS_MAX; i++) {
        len += (size_t)sprintf(text + len, "  f%d: [", i);
        for (int j = 0; j < FIELD_PLACES_MAX; j++)
            len += (size_t)sprintf(text + len, "form.%d%0100d, ", j, i);
        len += (size_t)sprintf(text + len, "]\n");
    }
    len += (size_t)sprintf(text + len, "reports: [{name: r, windows: 1min, show: digest}]");
    expect_refused(text, len, "r:66:11: ", "the definition of report `r` takes 5");
}
END_TEST

START_TEST(with_a_file_that_is_oddly_called) {
    struct definitions_for its = purpose();
    char why[DEFINITIONS_WHY_MAX], name[400];
    memset(name, '\n', sizeof name);
    name[sizeof name - 1] = '\0';
    its.file = name;
    ck_assert_ptr_null(definitions_read("", 0, &its, why));
    ck_assert_ptr_null(strchr(why, '\n'));
    ck_assert_ptr_nonnull(strstr(why, ":1:1: there is nothing in it"));
}
END_TEST

CHECK_MAIN("mistakes in definitions", of_yaml, of_shape, of_fields, of_reports,
           of_windows_and_figures, of_sizes, of_memory_that_was_not_asked_for, of_too_many,
           of_more_changes_than_can_be_undone, of_a_definition_that_is_too_long,
           with_a_file_that_is_oddly_called)
