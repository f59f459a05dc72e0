#include "reports/read.h"

#include "tests/unit/check_main.h"

#include <string.h>

static void expect_escape(const char *text, size_t len, const char *escaped) {
    char out[64], back[FIELD_TEXT_MAX];
    const size_t n = report_key_escape(text, len, out, sizeof out);
    ck_assert_uint_eq(n, strlen(escaped));
    ck_assert_mem_eq(out, escaped, n);
    ck_assert_uint_eq(report_key_value(out, n, 0, back), len);
    ck_assert_mem_eq(back, text, len);
    for (size_t cap = 0; cap < n; cap++)
        ck_assert_uint_eq(report_key_escape(text, len, out, cap), REPORT_KEY_FULL);
}

START_TEST(texts) {
    expect_escape("", 0, "");
    expect_escape("/api/pay", 8, "/api/pay");
    expect_escape("a b\"'\\,\xc3\xa9\xff", 10, "a b\"'\\,\xc3\xa9\xff");
    expect_escape("\x1f\n\x7f%", 4, "%1F%0A%7F%25");
    expect_escape("%1F", 3, "%251F");
    expect_escape("(other)", 7, "%28other)");
    expect_escape("a(other)", 8, "a(other)");
}
END_TEST

static void expect_number(int64_t number, unsigned decimals, const char *text) {
    char out[32];
    const size_t len = report_key_number(number, decimals, out, sizeof out);
    ck_assert_uint_eq(len, strlen(text));
    ck_assert_mem_eq(out, text, len);
    ck_assert_uint_eq(report_key_number(number, decimals, out, len - 1), REPORT_KEY_FULL);
}

START_TEST(numbers) {
    expect_number(0, 0, "0");
    expect_number(7, 0, "7");
    expect_number(-7, 0, "-7");
    expect_number(1230, 2, "12.30");
    expect_number(-5, 2, "-0.05");
    expect_number(0, 9, "0.000000000");
    expect_number(INT64_C(9007199254740991), 0, "9007199254740991");
    expect_number(INT64_C(-9007199254740991), 9, "-9007199.254740991");
}
END_TEST

static void expect_value(const char *key, unsigned i, const char *value) {
    char buf[FIELD_TEXT_MAX];
    const size_t len = report_key_value(key, strlen(key), i, buf);
    ck_assert_uint_eq(len, strlen(value));
    ck_assert_mem_eq(buf, value, len);
}

START_TEST(values_of_keys) {
    expect_value("AA1\x1f"
                 "7\x1f%1Fz",
                 0, "AA1");
    expect_value("AA1\x1f"
                 "7\x1f%1Fz",
                 1, "7");
    expect_value("AA1\x1f"
                 "7\x1f%1Fz",
                 2, "\x1fz");
    expect_value("AA1\x1f"
                 "7",
                 2, "");
    expect_value("\x1f\x1f", 1, "");
    expect_value("(other)", 0, "(other)");
    expect_value("(other)", 3, "(other)");
    expect_value("AA1\x1f(other)", 1, "(other)");
    expect_value("%2", 0, "%2");
    expect_value("%zz%", 0, "%zz%");
}
END_TEST

CHECK_MAIN("keys of rows", texts, numbers, values_of_keys)
