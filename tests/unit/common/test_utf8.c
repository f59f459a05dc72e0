#include "common/utf8.h"

#include "tests/unit/check_main.h"
#include "tests/unit/common/utf8_reference.h"

#include <stdbool.h>
#include <string.h>

#define CODE_POINTS 0x110000

static unsigned char right[1 << 21]; /* a bit for each three bytes that are a character */

static bool is_half(unsigned c) {
    return c >= 0xd800 && c <= 0xdfff;
}

START_TEST(every_code_point_but_halves_of_pairs) {
    for (unsigned c = 0; c < CODE_POINTS; c++) {
        char text[4];
        const size_t len = reference_encode(c, text);
        DEMAND(utf8_length(text, len) == (is_half(c) ? 0 : len), "U+%04X", c);
        for (size_t cut = 1; cut < len; cut++) {
            DEMAND(utf8_length(text, cut) == 0, "U+%04X, %zu bytes of it", c, cut);
        }
    }
}
END_TEST

/* All sequences of three bytes that begin a character of three: only those that encode one are it.
 */
START_TEST(no_other_three_bytes) {
    for (unsigned c = 0x800; c < 0x10000; c++) {
        char text[4];
        reference_encode(c, text);
        const unsigned place = ((unsigned)text[0] & 0xff) << 16 | ((unsigned)text[1] & 0xff) << 8 |
                               ((unsigned)text[2] & 0xff);
        right[place / 8] |= (unsigned char)(!is_half(c) << place % 8);
    }
    for (unsigned place = 0xc00000; place < 0x1000000; place++) {
        const char text[3] = {(char)(place >> 16), (char)(place >> 8), (char)place};
        const bool wanted = right[place / 8] >> place % 8 & 1;
        DEMAND(utf8_length(text, 3) == 3 ? wanted || place >> 16 < 0xe0 : !wanted, "%06x", place);
    }
}
END_TEST

START_TEST(no_other_two_and_four_bytes) {
    for (unsigned place = 0x8000; place < 0x10000; place++) {
        const char text[2] = {(char)(place >> 8), (char)place};
        const bool wanted = place >= 0xc280 && place < 0xe000 && (place & 0xc0) == 0x80;
        DEMAND((utf8_length(text, 2) == 2) == wanted, "%04x", place);
    }
    for (unsigned front = 0xf000; front < 0x10000; front++) {
        const char text[4] = {(char)(front >> 8), (char)front, '\x80', '\xbf'};
        const bool wanted = front >= 0xf090 && front < 0xf490 && (front & 0xc0) == 0x80;
        DEMAND((utf8_length(text, 4) == 4) == wanted, "%04x", front);
    }
}
END_TEST

/* Where it ends is told, wherever the wrong byte stands. */
START_TEST(the_first_wrong_byte_is_told) {
    for (size_t len = 1; len < 40; len++) {
        for (size_t at = 0; at < len; at++) {
            char *text = malloc(len);
            memset(text, 'x', len);
            ck_assert_uint_eq(utf8_length(text, len), len);
            text[at] = '\xff';
            ck_assert_uint_eq(utf8_length(text, len), at);
            free(text);
        }
    }
    ck_assert_uint_eq(utf8_length("", 0), 0);
}
END_TEST

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

START_TEST(characters_that_change_how_others_are_shown) {
    static const struct {
        unsigned first, last;
    } hidden[] = {{0xad, 0xad},       {0x61c, 0x61c},     {0x200b, 0x200f},  {0x2028, 0x202e},
                  {0x2060, 0x2064},   {0x2066, 0x206f},   {0xfeff, 0xfeff},  {0xfff9, 0xfffb},
                  {0x1d173, 0x1d17a}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f}};
    static const unsigned shown[] = {'a',    0xa0,   0xac,   0xae,    0xe9,    0x5d0,   0x627,
                                     0x200a, 0x2010, 0x2027, 0x202f,  0x2070,  0x20ac,  0x4e2d,
                                     0xfefe, 0xff01, 0xfffd, 0x1f600, 0xe0000, 0x10ffff};
    char text[4];
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        for (unsigned c = hidden[i].first; c <= hidden[i].last; c++) {
            const size_t len = reference_encode(c, text);
            ck_assert_msg(utf8_visible(text, len) == 0, "U+%04X", c);
            ck_assert_uint_eq(utf8_printable(text, len), len);
        }
    }
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const size_t len = reference_encode(shown[i], text);
        ck_assert_msg(utf8_visible(text, len) == len, "U+%04X", shown[i]);
    }
    ck_assert_uint_eq(utf8_visible("\x1b", 1), 0);
    ck_assert_uint_eq(utf8_visible("\xe2\x80", 2), 0);
}
END_TEST

CHECK_MAIN("utf8", characters_that_change_how_others_are_shown,
           every_code_point_but_halves_of_pairs, no_other_three_bytes, no_other_two_and_four_bytes,
           the_first_wrong_byte_is_told, characters_that_may_be_shown, bytes_that_may_not)
