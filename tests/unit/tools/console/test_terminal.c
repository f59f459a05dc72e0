#include "tools/console/terminal.h"

#include "tests/unit/check_main.h"

#include <string.h>

static const struct {
    const char *text, *shown;
} texts[] = {
    {"", ""},
    {"plain text, ~", "plain text, ~"},
    {"\x1b[31mred\x07\r\n", "\\x1b[31mred\\x07\\x0d\\x0a"},
    {"a\x7f"
     "b",
     "a\\x7f"
     "b"},
    {"\x9b"
     "2J",
     "\\x9b2J"}, /* C1 as one byte */
    {"\xc2\x9b"
     "2J",
     "\\xc2\\x9b2J"}, /* and as a character */
    {"\xc2\xa0", "\xc2\xa0"},
    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"\xc3", "\\xc3"}, /* cut off */
    {"\xe2\x82", "\\xe2\\x82"},
    {"\xc0\x9b", "\\xc0\\x9b"}, /* longer than it need be */
    {"\xe0\x82\x9b", "\\xe0\\x82\\x9b"},
    {"\xf0\x80\x82\x9b", "\\xf0\\x80\\x82\\x9b"},
    {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* half of a pair */
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* past the last character */
    {"\xff\xfe", "\\xff\\xfe"},
};

START_TEST(what_a_terminal_obeys_is_shown) {
    char out[256];
    ck_assert_str_eq(terminal_safe(texts[_i].text, out, sizeof out), texts[_i].shown);
}
END_TEST

START_TEST(cut_where_a_character_ends) {
    char out[8];
    ck_assert_str_eq(terminal_safe("abcdefghij", out, sizeof out), "abcdefg");
    ck_assert_str_eq(terminal_safe("abcde\xe2\x82\xac", out, sizeof out), "abcde");
    ck_assert_str_eq(terminal_safe("abcd\x1b", out, sizeof out), "abcd");
    ck_assert_str_eq(terminal_safe("abc\x1b", out, sizeof out), "abc\\x1b");
    ck_assert_str_eq(terminal_safe("abc", out, 1), "");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("terminal");
    TCase *tcase = tcase_create("terminal");
    tcase_add_loop_test(tcase, what_a_terminal_obeys_is_shown, 0,
                        (int)(sizeof texts / sizeof *texts));
    tcase_add_test(tcase, cut_where_a_character_ends);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
