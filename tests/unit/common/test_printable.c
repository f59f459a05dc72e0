#include "common/printable.h"

#include "tests/unit/check_main.h"

#include <string.h>

START_TEST(characters_that_may_be_shown) {
    static const char *const shown[] = {"a",
                                        " ",
                                        "~",
                                        "\xc2\xa0",
                                        "\xc3\xbc",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "\xed\x9f\xbf",
                                        "\xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const size_t len = strlen(shown[i]);
        ck_assert_uint_eq(utf8_printable(shown[i], len), len);
        ck_assert_uint_eq(utf8_printable(shown[i], len + 1), len);
        for (size_t cut = 1; cut < len; cut++) {
            ck_assert_uint_eq(utf8_printable(shown[i], cut), 0);
        }
    }
}
END_TEST

START_TEST(bytes_that_may_not) {
    static const char *const hidden[] = {"\x01",
                                         "\x1b",
                                         "\x7f",
                                         "\x80",
                                         "\xff",
                                         "\xc2\x80",
                                         "\xc2\x9f",
                                         "\xc0\x80",
                                         "\xc1\xbf",
                                         "\xc3(",
                                         "\xe0\x80\x80",
                                         "\xe0\x9f\xbf",
                                         "\xed\xa0\x80",
                                         "\xed\xbf\xbf",
                                         "\xf0\x80\x80\x80",
                                         "\xf0\x8f\xbf\xbf",
                                         "\xf4\x90\x80\x80",
                                         "\xf5\x80\x80\x80",
                                         "\xe2\x82(",
                                         "\xe2("};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        ck_assert_uint_eq(utf8_printable(hidden[i], strlen(hidden[i])), 0);
    }
    ck_assert_uint_eq(utf8_printable("", 1), 0);
}
END_TEST

CHECK_MAIN("printable", characters_that_may_be_shown, bytes_that_may_not)
