/* What becomes of values of others, byte by byte. */
#include "view/text.h"

#include "tests/unit/check_main.h"

#include <string.h>

typedef void (*adder)(struct text *text, const char *value, size_t len);

struct example {
    const char *value;
    size_t len;
    const char *shown;
};
#define VALUE(value) value, sizeof value - 1

static void demand(adder add, const struct example *examples, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct text text = {0};
        add(&text, examples[i].value, examples[i].len);
        text_add(&text, "", 1);
        ck_assert(!text.failed);
        ck_assert_str_eq(text.bytes, examples[i].shown);
        text_free(&text);
    }
}
#define DEMAND_ALL(add, examples) demand(add, examples, sizeof(examples) / sizeof *(examples))

START_TEST(values_on_a_line) {
    static const struct example examples[] = {
        {VALUE("AA1"), "AA1"},
        {VALUE("/pay?a&b%20"), "/pay?a&b%20"},
        {VALUE(""), "\"\""},
        {VALUE("-"), "\"-\""},
        {VALUE("-1"), "-1"},
        {VALUE("a b"), "\"a b\""},
        {VALUE("a,b"), "\"a,b\""},
        {VALUE("a=b"), "\"a=b\""},
        {VALUE("(other)"), "\"(other)\""},
        {VALUE("[x"), "\"[x\""},
        {VALUE("say \"hi\" \\ there"), "\"say \\\"hi\\\" \\\\ there\""},
        {VALUE("\x1b[31m\n\0\x7f"), "\"\\x1b[31m\\x0a\\x00\\x7f\""},
        {VALUE("M\xc3\xbcnchen\xff"), "\"M\\xc3\\xbcnchen\\xff\""},
    };
    DEMAND_ALL(text_add_plain, examples);
}
END_TEST

START_TEST(cells) {
    static const struct example examples[] = {
        {VALUE("AA1"), "AA1"},
        {VALUE(""), ""},
        {VALUE("a b"), "a b"},
        {VALUE(" a"), "\" a\""},
        {VALUE("a "), "\"a \""},
        {VALUE("a,b"), "\"a,b\""},
        {VALUE("say \"hi\""), "\"say \"\"hi\"\"\""},
        {VALUE("a\r\nb\t"), "\"a\r\nb\t\""},
        {VALUE("M\xc3\xbcnchen"), "M\xc3\xbcnchen"},
        {VALUE("\x1b[31m\0\x7f\xc2\x9b"), "\\x1b[31m\\x00\\x7f\\xc2\\x9b"},
        {VALUE("\xff\\xff\\y\\"), "\\xff\\x5cxff\\y\\"},
    };
    DEMAND_ALL(text_add_cell, examples);
}
END_TEST

START_TEST(json_strings) {
    static const struct example examples[] = {
        {VALUE("AA1"), "\"AA1\""},
        {VALUE(""), "\"\""},
        {VALUE("say \"hi\" \\"), "\"say \\\"hi\\\" \\\\\""},
        {VALUE("\n\x1b\0\x7f\xc2\x9b"), "\"\\u000a\\u001b\\u0000\\u007f\\u009b\""},
        {VALUE("M\xc3\xbcnchen \xf0\x9f\x98\x80"), "\"M\xc3\xbcnchen \xf0\x9f\x98\x80\""},
        {VALUE("\xff\\xff\xc2"), "\"\\\\xff\\\\x5cxff\\\\xc2\""},
        {VALUE("\xed\xa0\x80"), "\"\\\\xed\\\\xa0\\\\x80\""},
    };
    DEMAND_ALL(text_add_json, examples);
}
END_TEST

START_TEST(json_numbers) {
    static const struct example examples[] = {
        {VALUE("0"), "0"},
        {VALUE("-7"), "-7"},
        {VALUE("12.34"), "12.34"},
        {VALUE("9007199254740991"), "9007199254740991"},
        {VALUE("-9007199254740991.5"), "-9007199254740991.5"},
        {VALUE("9007199254740992"), "\"9007199254740992\""},
        {VALUE("10000000000000000"), "\"10000000000000000\""},
        {VALUE(""), "\"\""},
        {VALUE("-"), "\"-\""},
        {VALUE("007"), "\"007\""},
        {VALUE("+7"), "\"+7\""},
        {VALUE("7."), "\"7.\""},
        {VALUE(".7"), "\".7\""},
        {VALUE("1e3"), "\"1e3\""},
        {VALUE("NaN"), "\"NaN\""},
        {VALUE("1\0"), "\"1\\u0000\""},
    };
    DEMAND_ALL(text_add_json_number, examples);
}
END_TEST

/* Whatever the bytes: what a cell shows can be undone, and no byte of it commands a terminal. */
START_TEST(cells_can_be_undone) {
    uint32_t random = 1;
    for (int round = 0; round < 20000; round++) {
        static const char likely[] = "\\x0af5c\",\n\x1b\xff\xc3\xbc";
        char value[12];
        const size_t len = (size_t)round % sizeof value;
        for (size_t i = 0; i < len; i++) {
            random = random * 1664525 + 1013904223;
            value[i] = likely[(random >> 16) % (sizeof likely - 1)];
        }
        struct text text = {0};
        text_add_cell(&text, value, len);
        DEMAND(len == 0 || !memchr(text.bytes, 0x1b, text.len), "round %d", round);
        char undone[sizeof value * 4 + 2];
        size_t used = 0;
        const bool quoted = text.len > 0 && text.bytes[0] == '"';
        for (size_t i = quoted; i < text.len - quoted; i++) {
            undone[used++] = text.bytes[i];
            i += text.bytes[i] == '"'; /* a quote is there twice */
        }
        used = text_unescape_cell(undone, used);
        DEMAND(used == len && memcmp(undone, value, len) == 0, "round %d", round);
        text_free(&text);
    }
}
END_TEST

START_TEST(escapes_that_are_none_stay) {
    char value[] = "\\x1 \\xg0 \\x5cx41 \\x41\\x4";
    const size_t len = text_unescape_cell(value, sizeof value - 1);
    ck_assert_uint_eq(len, sizeof "\\x1 \\xg0 \\x41 A\\x4" - 1);
    ck_assert_mem_eq(value, "\\x1 \\xg0 \\x41 A\\x4", len);
}
END_TEST

START_TEST(a_text_grows) {
    struct text text = {0};
    for (int i = 0; i < 10000; i++) {
        text_add_string(&text, "0123456789");
    }
    ck_assert_uint_eq(text.len, 100000);
    for (size_t i = 0; i < text.len; i++) {
        DEMAND(text.bytes[i] == (char)('0' + i % 10), "byte %zu", i);
    }
    text_free(&text);
    ck_assert_ptr_null(text.bytes);
}
END_TEST

CHECK_MAIN("text", values_on_a_line, cells, json_strings, json_numbers, cells_can_be_undone,
           escapes_that_are_none_stay, a_text_grows)
