#include "server/reports/time_names.h"

#include "tests/unit/check_main.h"

#include <string.h>

START_TEST(names_in_their_order) {
    struct time_names names;
    char why[TIME_NAMES_WHY_MAX];
    ck_assert(time_names_read("", &names, why));
    ck_assert_uint_eq(names.n, 0);
    ck_assert(time_names_read("ts,@t.x,created-at", &names, why));
    ck_assert_uint_eq(names.n, 3);
    ck_assert_str_eq(names.name[0], "ts");
    ck_assert_str_eq(names.name[1], "@t.x");
    ck_assert_str_eq(names.name[2], "created-at");
    ck_assert(time_names_read("1,2,3,4,5,6,7,8", &names, why));
    ck_assert_uint_eq(names.n, FIELD_TIMES_MAX);
    ck_assert(time_names_read("1234567890123456789012345678901", &names, why));
}
END_TEST

START_TEST(what_is_no_name) {
    static const struct {
        const char *text, *why;
    } rows[] = {
        {",", "a name has 1 to 31 bytes: NAME or NAME,NAME,..."},
        {"a,", "a name has 1 to 31 bytes: NAME or NAME,NAME,..."},
        {"a,,b", "a name has 1 to 31 bytes: NAME or NAME,NAME,..."},
        {"12345678901234567890123456789012", "a name has 1 to 31 bytes: NAME or NAME,NAME,..."},
        {"1,2,3,4,5,6,7,8,9", "at most 8 names are taken"},
        {"a b", "'a b' is not a name: no blanks, no quotes"},
        {"a,\"b\"", "'\"b\"' is not a name: no blanks, no quotes"},
        {"a\\", "'a\\' is not a name: no blanks, no quotes"},
        {"\xc3\xa4", "'\xc3\xa4' is not a name: no blanks, no quotes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct time_names names;
        char why[TIME_NAMES_WHY_MAX] = "";
        ck_assert(!time_names_read(rows[i].text, &names, why));
        ck_assert_str_eq(why, rows[i].why);
    }
}
END_TEST

CHECK_MAIN("time_names", names_in_their_order, what_is_no_name)
