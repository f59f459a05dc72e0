#include "common/percent.h"

#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

START_TEST(texts_that_decode) {
    static const char *const rows[][2] = {
        {"", ""},           {"abc", "abc"},         {"%41", "A"},       {"a%2Bb", "a+b"},
        {"%2b%2B", "++"},   {"%c3%A4", "\xc3\xa4"}, {"%2541", "%41"},   {"%25%34%31", "%41"},
        {"a b+c", "a b+c"}, {"%7f%01", "\x7f\x01"}, {"%20x%20", " x "}, {"%ff", "\xff"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[16] = "unchanged";
        ck_assert_msg(percent_decode(rows[i][0], strlen(rows[i][0]), out, sizeof out), "%s",
                      rows[i][0]);
        ck_assert_str_eq(out, rows[i][1]);
    }
}
END_TEST

START_TEST(texts_that_do_not) {
    static const char *const rows[] = {"%",   "a%",   "%4",  "a%4",   "%4g", "%g4", "%%41", "% 41",
                                       "%-1", "%4%1", "%00", "a%00b", "%/0", "%:0", "%@0",  "%`0",
                                       "%0/", "%0:",  "%0@", "%0`",   "%G0", "%0G", "%0x41"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[16];
        ck_assert_msg(!percent_decode(rows[i], strlen(rows[i]), out, sizeof out), "%s", rows[i]);
    }
    char out[16];
    ck_assert(!percent_decode("a\0b", 3, out, sizeof out));
    ck_assert(!percent_decode("%41", 2, out, sizeof out)); /* nothing behind len is read */
}
END_TEST

START_TEST(only_what_fits) {
    char out[4] = {'x', 'x', 'x', 'x'};
    ck_assert(percent_decode("%41bc", 5, out, sizeof out));
    ck_assert_str_eq(out, "Abc");
    ck_assert(!percent_decode("%41bcd", 6, out, sizeof out));
    ck_assert(percent_decode("", 0, out, 1));
    ck_assert(!percent_decode("a", 1, out, 1));
    ck_assert(!percent_decode("", 0, out, 0));
}
END_TEST

START_TEST(every_byte) {
    for (int byte = 1; byte < 256; byte++) {
        char text[2][4], out[2];
        snprintf(text[0], sizeof text[0], "%%%02x", (unsigned)byte);
        snprintf(text[1], sizeof text[1], "%%%02X", (unsigned)byte);
        for (int i = 0; i < 2; i++) {
            ck_assert(percent_decode(text[i], 3, out, sizeof out));
            ck_assert_int_eq((unsigned char)out[0], byte);
        }
    }
}
END_TEST

START_TEST(byte_by_byte) {
    struct percent percent = {0};
    char decoded = 'x';
    percent_begin(&percent);
    ck_assert_uint_eq(percent.left, 2);
    ck_assert_int_eq(percent_read(&percent, 'g', &decoded), PERCENT_BROKEN);
    ck_assert_uint_eq(percent.left, 2);
    ck_assert_int_eq(percent_read(&percent, '5', &decoded), PERCENT_MORE);
    ck_assert_uint_eq(percent.left, 1);
    ck_assert_int_eq(percent_read(&percent, '-', &decoded), PERCENT_BROKEN);
    ck_assert_uint_eq(percent.left, 1);
    ck_assert_int_eq(percent_read(&percent, 'a', &decoded), PERCENT_DECODED);
    ck_assert_uint_eq(percent.left, 0);
    ck_assert_int_eq(decoded, 'Z');
}
END_TEST

CHECK_MAIN("percent", texts_that_decode, texts_that_do_not, only_what_fits, every_byte,
           byte_by_byte)
