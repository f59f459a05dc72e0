/* Metrics as text: both formats byte by byte, which one is asked for, and labels of strangers. */
#include "tests/unit/check_main.h"
#include "view/exposition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct exposition_labels none = {NULL, 0};
static struct exposition out;

static void begin(enum exposition_format format) {
    text_free(&out.text);
    out = (struct exposition){.format = format};
}

static void text_is(const char *expected) {
    text_add(&out.text, "", 1);
    ck_assert_str_eq(out.text.bytes, expected);
}

static void write_all(enum exposition_format format) {
    const struct exposition_label labels[] = {{"reason", "late"}, {"node", "a"}};
    struct durations_total durations = {{0}, 0};
    durations_note(&durations, 900);
    durations_note(&durations, 1000);
    durations_note(&durations, 1000001);
    durations_note(&durations, UINT64_C(9000000000));
    begin(format);
    exposition_family(&out, "a_total", EXPOSITION_COUNTER, "things");
    exposition_sample(&out, none, 7, 0);
    exposition_sample(&out, (struct exposition_labels){labels, 1}, 8, 0);
    exposition_family(&out, "b_seconds", EXPOSITION_GAUGE, "time");
    exposition_sample(&out, (struct exposition_labels){labels, 2}, 1500, 3);
    exposition_sample(&out, none, -1, 6);
    exposition_sample(&out, none, 2000000, 6);
    exposition_sample(&out, none, 0, 6);
    exposition_family(&out, "c_info", EXPOSITION_INFO, "what it is");
    exposition_sample(&out, (struct exposition_labels){labels, 1}, 1, 0);
    exposition_family(&out, "d_seconds", EXPOSITION_HISTOGRAM, "durations");
    exposition_durations(&out, (struct exposition_labels){labels, 1}, &durations, 1000, 2500000);
    exposition_end(&out);
}

#define SAMPLES_OF_B                                                                               \
    "# HELP b_seconds Time.\n# TYPE b_seconds gauge\n"                                             \
    "b_seconds{reason=\"late\",node=\"a\"} 1.5\nb_seconds -0.000001\nb_seconds 2\nb_seconds 0\n"
#define SAMPLES_OF_D                                                                               \
    "# HELP d_seconds Durations.\n# TYPE d_seconds histogram\n"                                    \
    "d_seconds_bucket{reason=\"late\",le=\"0.001\"} 2\n"                                           \
    "d_seconds_bucket{reason=\"late\",le=\"0.0025\"} 2\n"                                          \
    "d_seconds_bucket{reason=\"late\",le=\"0.005\"} 2\n"                                           \
    "d_seconds_bucket{reason=\"late\",le=\"0.01\"} 2\n"                                            \
    "d_seconds_bucket{reason=\"late\",le=\"0.025\"} 2\n"                                           \
    "d_seconds_bucket{reason=\"late\",le=\"0.05\"} 2\n"                                            \
    "d_seconds_bucket{reason=\"late\",le=\"0.1\"} 2\n"                                             \
    "d_seconds_bucket{reason=\"late\",le=\"0.25\"} 2\n"                                            \
    "d_seconds_bucket{reason=\"late\",le=\"0.5\"} 2\n"                                             \
    "d_seconds_bucket{reason=\"late\",le=\"1.0\"} 2\n"                                             \
    "d_seconds_bucket{reason=\"late\",le=\"2.5\"} 3\n"                                             \
    "d_seconds_bucket{reason=\"late\",le=\"+Inf\"} 4\n"                                            \
    "d_seconds_sum{reason=\"late\"} 9001.001901\n"                                                 \
    "d_seconds_count{reason=\"late\"} 4\n"

START_TEST(prometheus) {
    write_all(EXPOSITION_PROMETHEUS);
    text_is(
        "# HELP a_total Things.\n# TYPE a_total counter\n"
        "a_total 7\na_total{reason=\"late\"} 8\n" SAMPLES_OF_B
        "# HELP c_info What it is.\n# TYPE c_info gauge\nc_info{reason=\"late\"} 1\n" SAMPLES_OF_D);
}
END_TEST

START_TEST(openmetrics) {
    write_all(EXPOSITION_OPENMETRICS);
    text_is("# HELP a Things.\n# TYPE a counter\n"
            "a_total 7\na_total{reason=\"late\"} 8\n" SAMPLES_OF_B
            "# HELP c What it is.\n# TYPE c info\nc_info{reason=\"late\"} 1\n" SAMPLES_OF_D
            "# EOF\n");
}
END_TEST

static void value_is(const char *value, const char *expected) {
    char line[1024];
    const struct exposition_label label = {"x", value};
    begin(EXPOSITION_PROMETHEUS);
    out.family = "a";
    exposition_sample(&out, (struct exposition_labels){&label, 1}, 1, 0);
    snprintf(line, sizeof line, "a{x=\"%s\"} 1\n", expected);
    text_is(line);
}

START_TEST(no_value_ends_its_line_or_its_quotes) {
    value_is("<script>alert(1)</script>", "<script>alert(1)</script>");
    value_is("a\"b", "a\\\"b");
    value_is("a\\b", "a\\\\b");
    value_is("a\nb", "a\\\\x0ab");
    value_is("\"} 1\nb 2", "\\\"} 1\\\\x0ab 2");
    value_is("\x1b[31m", "\\\\x1b[31m");
    value_is("\xc2\x9b", "\\\\xc2\\\\x9b"); /* CSI in one character */
    value_is("\xff\xc3\xa4", "\\\\xff\xc3\xa4");
    value_is("", "");
}
END_TEST

/* What a long value ends with; the rest is its beginning. */
static const char *shown_end(const char *value) {
    static char end[32];
    const struct exposition_label label = {"x", value};
    begin(EXPOSITION_PROMETHEUS);
    out.family = "a";
    exposition_sample(&out, (struct exposition_labels){&label, 1}, 1, 0);
    ck_assert_uint_lt(out.text.len, 5 * EXPOSITION_LABEL_MAX + 40);
    const char *from = out.text.bytes + out.text.len - 16;
    snprintf(end, sizeof end, "%.11s", from);
    return end;
}

START_TEST(long_values_are_cut_and_stay_apart) {
    static char one[10001], two[10001];
    char end[32];
    memset(one, 'a', sizeof one - 1);
    memset(two, 'a', sizeof two - 1);
    two[9999] = 'b';
    snprintf(end, sizeof end, "%s", shown_end(one));
    ck_assert_int_eq(strncmp(end, "...", 3), 0);
    ck_assert_str_ne(end, shown_end(two));
    ck_assert_str_eq(end, shown_end(one));
    memset(one, '\xff', sizeof one - 1); /* each byte becomes five */
    shown_end(one);
    memcpy(one + EXPOSITION_LABEL_MAX - 1, "\xc3\xa4", 2); /* no half of a character */
    shown_end(one);
    one[EXPOSITION_LABEL_MAX - 1] = '\0';
    const size_t most = strlen(one);
    ck_assert_uint_eq(most, EXPOSITION_LABEL_MAX - 1);
}
END_TEST

START_TEST(which_format_is_asked_for) {
    static const struct {
        const char *accept;
        enum exposition_format format;
    } rows[] = {
        {NULL, EXPOSITION_PROMETHEUS},
        {"", EXPOSITION_PROMETHEUS},
        {"*/*", EXPOSITION_PROMETHEUS},
        {"text/plain", EXPOSITION_PROMETHEUS},
        {"text/html,application/xhtml+xml,*/*;q=0.8", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text", EXPOSITION_OPENMETRICS},
        {"Application/OpenMetrics-Text; Version=1.0.0", EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
         "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         EXPOSITION_OPENMETRICS}, /* Prometheus 2.42 */
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
         "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
         "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
         EXPOSITION_OPENMETRICS}, /* Prometheus 3 */
        {"application/openmetrics-text;version=0.0.1", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text;q=0", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text;q=0.2,text/plain;q=0.3", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text;q=0.3, text/plain;q=0.300", EXPOSITION_OPENMETRICS},
        {"text/plain , application/openmetrics-text", EXPOSITION_OPENMETRICS},
        {";;,,;q=", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-texts", EXPOSITION_PROMETHEUS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_msg(exposition_choose(rows[i].accept) == rows[i].format, "%s", rows[i].accept);
    }
    ck_assert_str_eq(exposition_type(EXPOSITION_PROMETHEUS),
                     "text/plain; version=0.0.4; charset=utf-8");
    ck_assert_str_eq(exposition_type(EXPOSITION_OPENMETRICS),
                     "application/openmetrics-text; version=1.0.0; charset=utf-8");
}
END_TEST

CHECK_MAIN("exposition", prometheus, openmetrics, no_value_ends_its_line_or_its_quotes,
           long_values_are_cut_and_stay_apart, which_format_is_asked_for)
