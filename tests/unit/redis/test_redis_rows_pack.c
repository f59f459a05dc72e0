/* Rows of reports as bytes and keys: what rows.lua reads and writes, made a second time here. */
#include "redis/rows_pack.h"
#include "redis/schema.h"

#include "tests/unit/check_main.h"

#include <string.h>

#define US "\x1f"
#define RS "\x1e"

static void check_key(const char *expected, const char *width, int64_t width_us, int64_t window,
                      unsigned group) {
    char key[ROWS_KEY_MAX];
    const struct rows_place place = {"r.0", width, width_us, window};
    ck_assert_uint_eq(rows_window_key(&place, group, key), strlen(expected));
    ck_assert_str_eq(key, expected);
}

START_TEST(keys_say_as_much_of_the_time_as_the_width_needs) {
    const int64_t s = 1795000000; /* 2026-11-18T11:06:40 */
    check_key("aforo:2:r:{r.0:1d:2026-11-18}", "1d", 86400 * US_PER_S, s / 86400, 0);
    check_key("aforo:2:r:{r.0:6h:2026-11-18T06}", "6h", 21600 * US_PER_S, s / 21600, 0);
    check_key("aforo:2:r:{r.0:90min:2026-11-18T10:30}", "90min", 5400 * US_PER_S, s / 5400, 0);
    check_key("aforo:2:r:{r.0:1min:2026-11-18T11:06#7}", "1min", 60 * US_PER_S, s / 60, 7);
    check_key("aforo:2:r:{r.0:90s:2026-11-18T11:06:00}", "90s", 90 * US_PER_S, s / 90, 0);
    check_key("aforo:2:r:{r.0:1s:2026-11-18T11:06:40}", "1s", US_PER_S, s, 0);
    check_key("aforo:2:r:{r.0:10ms:2026-11-18T11:06:40.120}", "10ms", 10000, s * 100 + 12, 0);
}
END_TEST

START_TEST(a_window_is_open_as_long_as_its_last_chunk) {
    const int64_t s = 1795000000, hour = s / 3600;
    ck_assert_int_eq(rows_until_s(US_PER_S, s), schema_until_s(RESOLUTION_1MIN, hour));
    ck_assert_int_eq(rows_until_s(3600 * US_PER_S, hour), schema_until_s(RESOLUTION_1MIN, hour));
    ck_assert_int_eq(rows_until_s(86400 * US_PER_S, s / 86400),
                     schema_until_s(RESOLUTION_1MIN, (s / 86400 + 1) * 24 - 1));
}
END_TEST

static struct rows_call call;

static bool add(const char *key, uint64_t count, const struct rows_component *component, size_t n) {
    const struct rows_row row = {key, strlen(key), count, n, component};
    return rows_call_add(&call, "w", &row);
}

START_TEST(a_call_names_each_component_once) {
    const struct rows_component both[] = {{"count", ROWS_ADD, 3, NULL, 0},
                                          {"min(ms)", ROWS_MIN, -2, NULL, 0}};
    const struct rows_component more[] = {{"count", ROWS_ADD, 1, NULL, 0},
                                          {"distinct(c)", ROWS_HLL, 0, (const void *)"xyz", 3}};
    rows_call_begin(&call, "n1");
    ck_assert(add("ab", 3, both, 2));
    ck_assert(add("", 1, more, 2));
    ck_assert_uint_eq(call.names.len, 6 + 1 + 8 + 1 + 11 + 2);
    ck_assert_mem_eq(call.names.bytes, "+count" US "<min(ms)" US "#distinct(c)" US, call.names.len);
    ck_assert_uint_eq(call.rows, 2);
    ck_assert_uint_eq(call.hlls, 1);
    ck_assert_str_eq(call.keys.bytes, "w:distinct(c)");
    static const unsigned char numbers[] = {
        3,   0,   0,   0,   0,   0,   0,   2, 0, 0, 0, 0, 0, 0, /* events, components */
        0,   0,   0,   0,   0,   0,   0,   1, 0, 0, 0, 0, 0, 0, /* count, min(ms) */
        3,   0,   0,   0,   0,   0,   0,                        /* count */
        254, 255, 255, 255, 255, 255, 255,                      /* -2 */
        1,   0,   0,   0,   0,   0,   0,   2, 0, 0, 0, 0, 0, 0, /* the second row */
        0,   0,   0,   0,   0,   0,   0,   2, 0, 0, 0, 0, 0, 0, /* count, distinct(c) */
        1,   0,   0,   0,   0,   0,   0,   3, 0, 0, 0, 0, 0, 0, /* 1, the length of xyz */
    };
    static const char fields[] = "\7\0n:n1" RS "ab"
                                 "\x08\0ab" US "count"
                                 "\x0a\0ab" US "min(ms)"
                                 "\5\0n:n1" RS "\6\0" US "count"
                                 "\x0c\0" US "distinct(c)";
    ck_assert_uint_eq(call.fields, 6);
    ck_assert_uint_eq(call.hash_fields.len, sizeof fields - 1);
    ck_assert_mem_eq(call.hash_fields.bytes, fields, sizeof fields - 1);
    ck_assert_uint_eq(call.numbers.len, sizeof numbers);
    ck_assert_mem_eq(call.numbers.bytes, numbers, sizeof numbers);
    ck_assert_uint_eq(call.bytes.len, 3);
    ck_assert_mem_eq(call.bytes.bytes, "xyz", 3);
    rows_call_begin(&call, "n1");
    ck_assert(add("k", 1, more, 2));
    ck_assert_str_eq(call.keys.bytes, "w:distinct(c)" US "k");
    rows_call_free(&call);
}
END_TEST

START_TEST(rows_that_are_alike_say_so) {
    const struct rows_component both[] = {{"a", ROWS_ADD, 3, NULL, 0}, {"b", ROWS_ADD, 5, NULL, 0}};
    static const unsigned char numbers[] = {
        8, 0, 0, 0, 0, 0, 0, 2,   0,   0,   0,   0,   0,   0,   /* events, components */
        0, 0, 0, 0, 0, 0, 0, 1,   0,   0,   0,   0,   0,   0,   /* a, b */
        3, 0, 0, 0, 0, 0, 0, 5,   0,   0,   0,   0,   0,   0,   /* their values */
        8, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, /* the same components */
        3, 0, 0, 0, 0, 0, 0, 5,   0,   0,   0,   0,   0,   0,   /* */
        3, 0, 0, 0, 0, 0, 0, 1,   0,   0,   0,   0,   0,   0,   /* one component */
        0, 0, 0, 0, 0, 0, 0, 3,   0,   0,   0,   0,   0,   0,   /* a */
        2, 0, 0, 0, 0, 0, 0, 0,   0,   0,   0,   0,   0,   0,   /* none */
        2, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, /* none again */
    };
    rows_call_begin(&call, "n1");
    ck_assert(add("k", 8, both, 2) && add("l", 8, both, 2) && add("m", 3, both, 1) &&
              add("n", 2, both, 0) && add("o", 2, both, 0));
    ck_assert_uint_eq(call.numbers.len, sizeof numbers);
    ck_assert_mem_eq(call.numbers.bytes, numbers, sizeof numbers);
    rows_call_begin(&call, "n1"); /* nothing is known of the call before */
    ck_assert(add("n", 2, both, 0));
    ck_assert_mem_eq(call.numbers.bytes, "\2\0\0\0\0\0\0\0\0\0\0\0\0\0", 14);
    rows_call_free(&call);
}
END_TEST

START_TEST(a_call_that_is_full_says_so) {
    const struct rows_component one = {"count", ROWS_ADD, 1, NULL, 0};
    rows_call_begin(&call, "n1");
    for (int i = 0; i < ROWS_CALL_FIELDS / 2; i++) {
        ck_assert(rows_call_has_room(&call));
        ck_assert(add("k", 1, &one, 1));
    }
    ck_assert(!rows_call_has_room(&call));
    rows_call_begin(&call, "n1");
    ck_assert(rows_call_has_room(&call));
    rows_call_free(&call);
}
END_TEST

START_TEST(what_is_no_row_is_refused) {
    static char name[ROWS_COMPONENT_MAX + 1], key[ROWS_ROW_KEY_MAX + 2];
    memset(name, 'n', ROWS_COMPONENT_MAX);
    memset(key, 'k', sizeof key - 1);
    const struct rows_component bad[] = {
        {"", ROWS_ADD, 1, NULL, 0},
        {name, ROWS_ADD, 1, NULL, 0},
        {"a" US "b", ROWS_ADD, 1, NULL, 0},
        {"count", ROWS_ADD, -1, NULL, 0},
        {"count", ROWS_ADD, ROWS_VALUE_MAX + 1, NULL, 0},
        {"min", ROWS_MIN, -ROWS_VALUE_MAX - 1, NULL, 0},
        {"top", ROWS_BLOB, 0, (const void *)key, ROWS_BYTES_MAX + 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rows_call_begin(&call, "n1");
        ck_assert_msg(!add("k", 1, &bad[i], 1), "%zu", i);
        ck_assert(!rows_row_is_valid(&(struct rows_row){"k", 1, 1, 1, &bad[i]}));
    }
    rows_call_begin(&call, "n1");
    ck_assert(!add(key, 1, bad, 0));
    rows_call_begin(&call, "n1");
    ck_assert(!add("k", UINT64_C(1) << 53, bad, 0));
    rows_call_free(&call);
}
END_TEST

static bool names_of(const char *text, struct rows_names *names) {
    return rows_names_read(text, strlen(text), names);
}

START_TEST(names_are_read) {
    struct rows_names names;
    ck_assert(names_of("+count" US "=top(route)" US, &names));
    ck_assert_uint_eq(names.n, 2);
    ck_assert_int_eq(names.name[1].rule, ROWS_BLOB);
    ck_assert_str_eq(names.name[1].name, "top(route)");
    ck_assert_uint_eq(names.name[1].len, 10);
    rows_names_free(&names);
    ck_assert(names_of("", &names));
    ck_assert_uint_eq(names.n, 0);
    rows_names_free(&names);
    ck_assert(!names_of("+count", &names));
    ck_assert(!names_of("+" US, &names));
    ck_assert(!names_of(US, &names));
    ck_assert(!names_of("?count" US, &names));
    ck_assert(!rows_names_read("+a\0b" US, 5, &names));
}
END_TEST

START_TEST(rows_of_parts_are_read) {
    struct rows_names names;
    struct rows_component component[3];
    uint64_t count = 0;
    size_t n = 0;
    ck_assert(names_of("+count" US "<min(ms)" US "~digest:0" US, &names));
    static const char part[] = {2, 7, 0, 0, 0, 0, 0, 1, 0, 0, 7, 0, 2, 0, 1, 2};
    ck_assert(rows_part_read(part, sizeof part, &names, &count, &n, component));
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(count, 7 + (UINT64_C(1) << 48));
    ck_assert_str_eq(component[0].name, "count");
    ck_assert_int_eq(component[0].value, 7);
    ck_assert_int_eq(component[1].rule, ROWS_WRAP);
    ck_assert_int_eq(component[1].value, 0x201);
    ck_assert(rows_part_read(part, 8, &names, &count, &n, component) && n == 0);
    for (size_t len = 0; len < sizeof part; len++) {
        ck_assert(rows_part_read(part, len, &names, &count, &n, component) ==
                  (len == 8 || len == 12));
    }
    char bad[sizeof part];
    memcpy(bad, part, sizeof part);
    bad[12] = 1; /* a minimum is in no part */
    ck_assert(!rows_part_read(bad, sizeof bad, &names, &count, &n, component));
    bad[12] = 3; /* there is no such name */
    ck_assert(!rows_part_read(bad, sizeof bad, &names, &count, &n, component));
    bad[0] = 8;
    ck_assert(!rows_part_read(bad, sizeof bad, &names, &count, &n, component));
    rows_names_free(&names);
}
END_TEST

START_TEST(numbers_are_whole_and_bounded) {
    static const struct {
        const char *text;
        int64_t number;
        bool ok;
    } cases[] = {{"0", 0, true},
                 {"-3", -3, true},
                 {"9007199254740992", ROWS_VALUE_MAX, true},
                 {"-9007199254740992", -ROWS_VALUE_MAX, true},
                 {"9007199254740993", 0, false},
                 {"", 0, false},
                 {"-", 0, false},
                 {"+1", 0, false},
                 {"1e3", 0, false},
                 {"99999999999999999", 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t number = 0;
        const bool ok = rows_number_read(cases[i].text, strlen(cases[i].text), &number);
        ck_assert_msg(ok == cases[i].ok && (!ok || number == cases[i].number), "%s", cases[i].text);
    }
}
END_TEST

CHECK_MAIN("redis_rows_pack", keys_say_as_much_of_the_time_as_the_width_needs,
           a_window_is_open_as_long_as_its_last_chunk, a_call_names_each_component_once,
           rows_that_are_alike_say_so, a_call_that_is_full_says_so, what_is_no_row_is_refused,
           names_are_read, rows_of_parts_are_read, numbers_are_whole_and_bounded)
