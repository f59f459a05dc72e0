#include "reports/definitions.h"

#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

#define HOUR_US (3600 * US_PER_S)

static const struct definitions_for purpose = {
    .span = {.workers = 2, .horizon_us = HOUR_US, .future_us = 60 * US_PER_S}, .file = "r.yaml"};

static struct definitions *read_for(const char *text, const struct definitions_for *for_what) {
    char why[DEFINITIONS_WHY_MAX] = "";
    struct definitions *definitions = definitions_read(text, strlen(text), for_what, why);
    ck_assert_msg(definitions != NULL, "%s\n%s", text, why);
    return definitions;
}

static struct definitions *read_text(const char *text) {
    return read_for(text, &purpose);
}

static const char billing[] = "fields:\n"
                              "  flight:  form.flight\n"
                              "  client:  {from: form.client, type: int}\n"
                              "  seconds: {from: form.seconds, type: int}\n"
                              "  route:   [json.route, query.route]\n"
                              "  ms:      {from: json.ms, type: int}\n"
                              "  price:   {from: json.price, type: decimal2}\n"
                              "reports:\n"
                              "  - name: billing\n"
                              "    by: [flight, client]\n"
                              "    windows: [1d, 1min]\n"
                              "    show: [sum(seconds), avg(price), first, last]\n"
                              "    keys: {max: 20000, per_field: {client: 500}}\n"
                              "  - name: slow\n"
                              "    when: ms > 1000 or route == \"/pay\"\n"
                              "    by: route\n"
                              "    windows: [1s, 1min]\n"
                              "    show: [count, max(ms)]\n"
                              "  - {name: all, windows: 1h, show: count, keep: 7d, memory: 8MiB}\n";

/* ---- what is read ---- */

START_TEST(fields_are_as_declared) {
    struct definitions *definitions = read_text(billing);
    const struct field *field = definitions->fields.field;
    ck_assert_uint_eq(definitions->fields.n, 6);
    ck_assert_str_eq(field[0].name, "flight");
    ck_assert_int_eq(field[0].type, FIELD_TEXT);
    ck_assert_uint_eq(field[0].places, 1);
    ck_assert_int_eq(field[0].place[0].source, FIELD_FORM);
    ck_assert_str_eq(field[0].place[0].name, "flight");
    ck_assert_int_eq(field[1].type, FIELD_INT);
    ck_assert_uint_eq(field[3].places, 2);
    ck_assert_int_eq(field[3].place[1].source, FIELD_QUERY);
    ck_assert_int_eq(field[5].type, FIELD_DECIMAL);
    ck_assert_uint_eq(field[5].decimals, 2);
    ck_assert_uint_eq(fields_count(definitions->compiled), 6);
    definitions_free(definitions);
}
END_TEST

START_TEST(a_field_without_a_place_is_looked_for_by_its_name) {
    struct definitions *definitions =
        read_text("fields: {a: , b: ~, c: {type: decimal9}, d: {from: header.X-Who}}\nreports: []");
    static const enum field_source usual[] = {FIELD_FORM, FIELD_JSON, FIELD_LINE, FIELD_QUERY};
    for (unsigned i = 0; i < 3; i++) {
        const struct field *field = &definitions->fields.field[i];
        ck_assert_uint_eq(field->places, 4);
        for (unsigned j = 0; j < 4; j++) {
            ck_assert_int_eq(field->place[j].source, usual[j]);
            ck_assert_str_eq(field->place[j].name, field->name);
        }
    }
    ck_assert_uint_eq(definitions->fields.field[2].decimals, 9);
    ck_assert_str_eq(definitions->fields.field[3].place[0].name, "x-who");
    definitions_free(definitions);
}
END_TEST

START_TEST(reports_are_as_written) {
    struct definitions *definitions = read_text(billing);
    ck_assert_uint_eq(definitions->reports, 3);
    const struct report *report = &definitions->report[0];
    ck_assert_str_eq(report->table.name, "billing");
    ck_assert_uint_eq(strlen(report->table.digest), 16);
    ck_assert(report->table.keyed);
    ck_assert_uint_eq(report->by, 2);
    ck_assert_uint_eq(report->by_field[1], 1);
    ck_assert_uint_eq(report->table.widths, 2);
    ck_assert_int_eq(report->table.width_us[0], 60 * US_PER_S); /* the narrowest first */
    ck_assert_int_eq(report->table.width_us[1], 24 * HOUR_US);
    ck_assert_uint_eq(report->table.keys_max, 20000);
    ck_assert_uint_eq(report->table.field_max[0], 0);
    ck_assert_uint_eq(report->table.field_max[1], 500);
    ck_assert_uint_eq(report->needs, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 5);
    ck_assert_int_eq(report->keep_us[0], 24 * HOUR_US);
    ck_assert_int_eq(report->keep_us[1], 400 * 24 * HOUR_US);
    ck_assert_ptr_null(report->when);
    report = &definitions->report[1];
    ck_assert_ptr_nonnull(report->when);
    ck_assert_uint_eq(report->table.keys_max, REPORT_KEYS_DEFAULT);
    ck_assert_int_eq(report->keep_us[0], 2 * HOUR_US);
    ck_assert_uint_eq(report->needs, 1 << 3 | 1 << 4);
    report = &definitions->report[2];
    ck_assert(!report->table.keyed);
    ck_assert_int_eq(report->keep_us[0], 7 * 24 * HOUR_US);
    ck_assert_int_eq(report->table.memory, 8 << 20);
    definitions_free(definitions);
}
END_TEST

START_TEST(measures_stand_once_and_in_one_order) {
    struct definitions *definitions = read_text(billing);
    const struct report *report = &definitions->report[0];
    static const char *const texts[] = {"count", "first", "last", "sum(price)", "sum(seconds)"};
    size_t at = 0;
    ck_assert_uint_eq(report->measures, 5);
    for (unsigned i = 0; i < report->measures; i++) {
        ck_assert_str_eq(report->measure[i].text, texts[i]);
        ck_assert_uint_eq(report->measure[i].at, at);
        at += report->measure[i].words;
    }
    ck_assert_uint_eq(report->table.state_words, at);
    ck_assert_uint_eq(report->measure[3].field[0], 5);
    ck_assert_str_eq(report->measure[3].argument_name[0], "price");
    const struct figure *avg = &report->figure[1];
    ck_assert_str_eq(avg->text, "avg(price)");
    ck_assert_uint_eq(avg->decimals, 2);
    for (unsigned i = 0; i < avg->measures; i++)
        ck_assert_str_eq(report->measure[avg->measure[i]].text, avg->needs[i]);
    definitions_free(definitions);
}
END_TEST

START_TEST(windows_are_kept_beyond_the_horizon_by_default) {
    static const char text[] = "reports: [{name: r, windows: [10ms, 1s, 1min, 1d], show: count}]";
    const struct definitions_for to_read = {.span.horizon_us = 5 * HOUR_US, .file = "r.yaml"};
    struct definitions *definitions = read_for(text, &to_read);
    const int64_t *keep_us = definitions->report[0].keep_us;
    ck_assert_int_eq(keep_us[0], 6 * HOUR_US);
    ck_assert_int_eq(keep_us[1], 6 * HOUR_US);
    ck_assert_int_eq(keep_us[2], 24 * HOUR_US);
    ck_assert_int_eq(keep_us[3], 400 * 24 * HOUR_US);
    definitions_free(definitions);
}
END_TEST

START_TEST(names_of_the_time_are_the_callers) {
    static const char *const names[] = {"at", "when"};
    struct definitions_for timed = purpose;
    timed.times = 2;
    timed.time = names;
    struct definitions *definitions = read_for("reports: []", &timed);
    ck_assert_uint_eq(definitions->fields.times, 2);
    ck_assert_str_eq(definitions->fields.time[1], "when");
    definitions_free(definitions);
}
END_TEST

/* ---- the canonical text and the digest ---- */

static void digest_of(const char *text, char digest[TABLE_DIGEST_MAX]) {
    struct definitions *definitions = read_text(text);
    strcpy(digest, definitions->report[0].table.digest);
    definitions_free(definitions);
}

#define FIELDS_AND "fields: {a: {type: int}, b: form.b, c: json.c, d: {type: int}}\nreports:\n  - "

START_TEST(the_digest_is_of_what_is_asked) {
    static const char first[] =
        FIELDS_AND "{name: r, when: a > 1 or b, by: [b, c], windows: [1s, 1min], show: [sum(a), "
                   "first], keys: {max: 9, per_field: {b: 2, c: 3}}}";
    static const char *const same[] = {
        "# a comment\nreports:\n  - name: \"r\"\n    keep: 3d\n    keys:\n      per_field: {c: 3, "
        "b: 2}\n      max: 9\n    when: '(a>1)   or b'\n    windows: [60s, 1000ms]\n    by: [b, "
        "c]\n    show: [first, avg(a), sum( a )]\nfields:\n  unused: ~\n  c: [json.c]\n  b: "
        "{from: form.b, type: text}\n  a: {type: int}\n",
        FIELDS_AND "{name: other, when: a > 1 or b, by: [b, c], windows: [1s, 1min], show: "
                   "[sum(a), first], keys: {max: 9, per_field: {b: 2, c: 3}}}"};
    static const char *const others[] = {
        FIELDS_AND "{name: r, when: a > 2 or b, by: [b, c], windows: [1s, 1min], show: [sum(a), "
                   "first], keys: {max: 9, per_field: {b: 2, c: 3}}}",
        FIELDS_AND "{name: r, when: a > 1 or b, by: [c, b], windows: [1s, 1min], show: [sum(a), "
                   "first], keys: {max: 9, per_field: {b: 2, c: 3}}}",
        FIELDS_AND "{name: r, when: a > 1 or b, by: [b, c], windows: [1s, 2min], show: [sum(a), "
                   "first], keys: {max: 9, per_field: {b: 2, c: 3}}}",
        FIELDS_AND "{name: r, when: a > 1 or b, by: [b, c], windows: [1s, 1min], show: [sum(d), "
                   "first], keys: {max: 9, per_field: {b: 2, c: 3}}}",
        FIELDS_AND "{name: r, when: a > 1 or b, by: [b, c], windows: [1s, 1min], show: [sum(a), "
                   "first], keys: {max: 8, per_field: {b: 2, c: 3}}}",
        FIELDS_AND "{name: r, when: a > 1 or b, by: [b, c], windows: [1s, 1min], show: [sum(a), "
                   "first], keys: {max: 9, per_field: {b: 2, c: 4}}}",
        FIELDS_AND "{name: r, when: a > 1 or b, by: [b, c], windows: [1s, 1min], show: [sum(a), "
                   "first], keys: {max: 9, per_field: {b: 2, c: 3}}, memory: 64MiB}",
        "fields: {a: {type: decimal1}, b: form.b, c: json.c}\nreports:\n  - {name: r, when: a > 1 "
        "or b, by: [b, c], windows: [1s, 1min], show: [sum(a), first], keys: {max: 9, per_field: "
        "{b: 2, c: 3}}}",
        "fields: {a: {type: int}, b: form.bb, c: json.c}\nreports:\n  - {name: r, when: a > 1 or "
        "b, by: [b, c], windows: [1s, 1min], show: [sum(a), first], keys: {max: 9, per_field: "
        "{b: 2, c: 3}}}"};
    char wanted[TABLE_DIGEST_MAX], digest[TABLE_DIGEST_MAX];
    digest_of(first, wanted);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        digest_of(same[i], digest);
        ck_assert_msg(strcmp(digest, wanted) == 0, "%s", same[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        digest_of(others[i], digest);
        ck_assert_msg(strcmp(digest, wanted) != 0, "%s", others[i]);
    }
}
END_TEST

START_TEST(nodes_of_other_threads_and_horizons_share_a_digest) {
    struct definitions_for other = purpose;
    other.span = (struct table_span){16, 24 * HOUR_US, HOUR_US};
    struct definitions *one = read_text(billing), *two = read_for(billing, &other);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_str_eq(one->report[i].table.digest, two->report[i].table.digest);
        ck_assert_str_eq(one->report[i].definition, two->report[i].definition);
    }
    definitions_free(one);
    definitions_free(two);
}
END_TEST

static void expect_same(const struct report *one, const struct report *two) {
    ck_assert_str_eq(one->definition, two->definition);
    ck_assert_str_eq(one->table.name, two->table.name);
    ck_assert_str_eq(one->table.digest, two->table.digest);
    ck_assert_int_eq(one->table.memory, two->table.memory);
    ck_assert_uint_eq(one->table.keys_max, two->table.keys_max);
    ck_assert_uint_eq(one->table.state_words, two->table.state_words);
    ck_assert_uint_eq(one->figures, two->figures);
    ck_assert_int_eq(one->when != NULL, two->when != NULL);
    for (unsigned i = 0; i < one->figures; i++) {
        ck_assert_str_eq(one->figure[i].text, two->figure[i].text);
        ck_assert_uint_eq(one->figure[i].decimals, two->figure[i].decimals);
    }
    for (unsigned i = 0; i < one->table.widths; i++)
        ck_assert_int_eq(one->keep_us[i], two->keep_us[i]);
}

START_TEST(a_definition_can_be_read_again) {
    static const char odd[] =
        "fields: {nil: \"form.a \\\"b\\\\ \\u2028\\u263a\", \"true\": json.user.id, c: {from: "
        "[line.x, header.X-Y], type: decimal3}}\n"
        "reports:\n"
        "  - {name: -, when: \"\\\"true\\\" == \\\"\\\"\", windows: 1s, show: count}\n";
    char why[DEFINITIONS_WHY_MAX];
    ck_assert_ptr_null(definitions_read(odd, strlen(odd), &purpose, why));
    static const char right[] =
        "fields: {nil: \"form.a \\\"b\\\\ \\u2028\\u263a\", \"true\": json.user.id, c: {from: "
        "[line.x, header.X-Y], type: decimal3}}\n"
        "reports:\n"
        "  - {name: _-9, when: \"true == \\\"\\\\\\\\ \\u0085\\\\\\\"\\\" and not c in (-1.5, "
        "2)\", "
        "by: [nil, c], windows: [10ms, 25ms], show: [max(c), rate], keys: {per_field: {c: 7}}, "
        "keep: 36h, memory: 1GiB}\n";
    static const char *const texts[] = {billing, right};
    for (size_t i = 0; i < 2; i++) {
        struct definitions *first = read_text(texts[i]);
        for (unsigned j = 0; j < first->reports; j++) {
            const struct report *report = &first->report[j];
            ck_assert_ptr_eq(report->table.definition, report->definition);
            ck_assert_uint_eq(report->table.definition_len, strlen(report->definition));
            struct definitions *again = read_text(report->definition);
            ck_assert_uint_eq(again->reports, 1);
            expect_same(report, &again->report[0]);
            definitions_free(again);
        }
        definitions_free(first);
    }
}
END_TEST

/* ---- widths ---- */

START_TEST(widths_and_their_names) {
    static const struct {
        const char *text;
        int64_t us;
        const char *name;
    } right[] = {{"10ms", 10000, "10ms"},       {"1000ms", US_PER_S, "1s"},
                 {"125ms", 125000, "125ms"},    {"60s", 60 * US_PER_S, "1min"},
                 {"90s", 90 * US_PER_S, "90s"}, {"15min", 900 * US_PER_S, "15min"},
                 {"24h", 24 * HOUR_US, "1d"},   {"1d", 24 * HOUR_US, "1d"}};
    static const char *const wrong[] = {
        "",    "1",    "s",      "01s", "7min", "1ms", "2d",   "1m",  "1 s",
        "+1s", "1.5s", "1001ms", "-1s", "1S",   "0s",  "11ms", "13h", "99999999999999999999s"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        int64_t us = 0;
        char name[16];
        ck_assert(report_width_read(right[i].text, strlen(right[i].text), &us));
        ck_assert_int_eq(us, right[i].us);
        report_width_name(us, name);
        ck_assert_str_eq(name, right[i].name);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int64_t us = 0;
        ck_assert_msg(!report_width_read(wrong[i], strlen(wrong[i]), &us), "%s", wrong[i]);
    }
}
END_TEST

/* ---- files ---- */

START_TEST(a_file_that_is_not_there_or_no_file) {
    char why[DEFINITIONS_WHY_MAX];
    ck_assert_ptr_null(definitions_load("/nowhere/r.yaml", &purpose.span, why));
    ck_assert_str_eq(why, "/nowhere/r.yaml: No such file or directory");
    ck_assert_ptr_null(definitions_load("/", &purpose.span, why));
    ck_assert_str_eq(why, "/: Is a directory");
    ck_assert_ptr_null(definitions_load("/dev/zero", &purpose.span, why));
    ck_assert_str_eq(why, "/dev/zero:1:1: 1048577 bytes; at most 1048576");
}
END_TEST

CHECK_MAIN("definitions", fields_are_as_declared, a_field_without_a_place_is_looked_for_by_its_name,
           reports_are_as_written, measures_stand_once_and_in_one_order,
           windows_are_kept_beyond_the_horizon_by_default, names_of_the_time_are_the_callers,
           the_digest_is_of_what_is_asked, nodes_of_other_threads_and_horizons_share_a_digest,
           a_definition_can_be_read_again, widths_and_their_names,
           a_file_that_is_not_there_or_no_file)
