#include "ingest/escape.h"

#include "tests/unit/check_main.h"
#include "tests/unit/common/utf8_reference.h"

#include <stdio.h>
#include <string.h>

START_TEST(every_unit) {
    for (unsigned unit = 0; unit < 0x10000; unit++) {
        char text[16], expected[4], out[4];
        size_t bytes = 0;
        snprintf(text, sizeof text, unit & 1 ? "\\u%04x" : "\\u%04X", unit);
        const bool half = unit >= 0xd800 && unit <= 0xdfff;
        const size_t len = reference_encode(unit, expected);
        DEMAND(escape_read(text, 6, out, &bytes) == (half ? 0 : 6), "%s", text);
        DEMAND(half || (bytes == len && memcmp(out, expected, len) == 0), "%s", text);
        DEMAND(escape_read(text, 5, out, &bytes) == 0, "five bytes of %s", text);
    }
}
END_TEST

START_TEST(every_pair) {
    for (unsigned c = 0x10000; c < 0x110000; c++) {
        char text[16], expected[4], out[4];
        size_t bytes = 0;
        snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                 0xdc00 + (c & 0x3ff));
        const size_t len = reference_encode(c, expected);
        DEMAND(escape_read(text, 12, out, &bytes) == 12 && bytes == len &&
                   memcmp(out, expected, len) == 0,
               "%s", text);
        DEMAND(escape_read(text, 11, out, &bytes) == 0, "eleven bytes of %s", text);
    }
}
END_TEST

START_TEST(every_letter) {
    static const char letters[] = "\"\\/bfnrt", decoded[] = "\"\\/\b\f\n\r\t";
    for (int byte = 0; byte < 256; byte++) {
        const char text[2] = {'\\', (char)byte};
        const char *letter = byte ? strchr(letters, byte) : NULL;
        char out[4];
        size_t bytes = 0;
        ck_assert_uint_eq(escape_read(text, 2, out, &bytes), letter ? 2 : 0);
        ck_assert(!letter || (bytes == 1 && out[0] == decoded[letter - letters]));
    }
}
END_TEST

START_TEST(decoded_as_far_as_there_is_room) {
    static const char text[] = "a\\n\\u20ac\xc3\xa9\\\\", wanted[] = "a\n\xe2\x82\xac\xc3\xa9\\";
    const size_t len = sizeof wanted - 1;
    for (size_t cap = 0; cap < len + 3; cap++) {
        char *out = malloc(cap);
        const size_t n = escape_decode(text, sizeof text - 1, out, cap);
        ck_assert_uint_eq(n, cap >= len ? len : cap + 1);
        ck_assert(cap < len || memcmp(out, wanted, len) == 0);
        free(out);
    }
    ck_assert_uint_eq(escape_decode("", 0, NULL, 0), 0);
}
END_TEST

CHECK_MAIN("escape", every_unit, every_pair, every_letter, decoded_as_far_as_there_is_room)
