#include "ingest/utf8.h"

#include "tests/unit/check_main.h"
#include "tests/unit/ingest/utf8_reference.h"

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

CHECK_MAIN("utf8", every_code_point_but_halves_of_pairs, no_other_three_bytes,
           no_other_two_and_four_bytes, the_first_wrong_byte_is_told)
