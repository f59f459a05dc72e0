/* Members and items with their commas, strings escaped, and what does not fit cut off. */
#include "common/json.h"
#include "tests/unit/check_main.h"

#include <stdint.h>
#include <string.h>

START_TEST(members_and_items) {
    char text[256];
    struct json json = json_begin(text, sizeof text);
    ck_assert_str_eq(text, "");
    json_object(&json, NULL);
    json_number(&json, "a", INT64_MIN);
    json_count(&json, "b", UINT64_MAX);
    json_object(&json, "c");
    json_object_end(&json);
    json_array(&json, "d");
    json_boolean(&json, NULL, true);
    json_object(&json, NULL);
    json_boolean(&json, "e", false);
    json_object_end(&json);
    json_array(&json, NULL);
    json_array_end(&json);
    json_number(&json, NULL, 0);
    json_array_end(&json);
    json_text(&json, "f", "");
    json_object_end(&json);
    json_end(&json);
    ck_assert_str_eq(text, "{\"a\":-9223372036854775808,\"b\":18446744073709551615,\"c\":{},"
                           "\"d\":[true,{\"e\":false},[],0],\"f\":\"\"}\n");
    ck_assert_uint_eq(json.len, strlen(text));
}
END_TEST

START_TEST(strings_are_escaped) {
    char text[128];
    struct json json = json_begin(text, sizeof text);
    json_text(&json, NULL, "\"\\\b\n\t\x01\x1f \x7f/é");
    ck_assert_str_eq(text, "\"\\\"\\\\\\u0008\\u000a\\u0009\\u0001\\u001f \\u007f/é\"");
}
END_TEST

/* Whatever the room, the text is the beginning of the whole one, and nothing is written behind it.
 */
START_TEST(what_does_not_fit_is_cut_off) {
    char whole[64], text[64];
    for (size_t cap = sizeof whole; cap > 0; cap--) {
        memset(text, '#', sizeof text);
        struct json json = json_begin(cap == sizeof whole ? whole : text, cap);
        json_object(&json, NULL);
        json_text(&json, "a", "\x01\"");
        json_number(&json, "b", -12);
        json_object_end(&json);
        json_end(&json);
        if (cap == sizeof whole) {
            ck_assert_str_eq(whole, "{\"a\":\"\\u0001\\\"\",\"b\":-12}\n");
            continue;
        }
        const size_t len = strlen(whole) < cap ? strlen(whole) : cap - 1;
        ck_assert_uint_eq(json.len, len);
        ck_assert_uint_eq(strlen(text), len);
        ck_assert_int_eq(memcmp(text, whole, len), 0);
        for (size_t i = cap; i < sizeof text; i++) {
            ck_assert_int_eq(text[i], '#');
        }
    }
}
END_TEST

/* What JSON_NUMBER_MAX and JSON_TEXT_MAX promise, of the widest values. */
START_TEST(room_is_enough) {
    char text[512], worst[32];
    memset(worst, '\x01', sizeof worst);
    worst[sizeof worst - 1] = '\0';
    struct json json = json_begin(text, sizeof text);
    json_object(&json, NULL);
    size_t before = json.len;
    json_number(&json, "name", INT64_MIN);
    ck_assert_uint_le(json.len - before, JSON_NUMBER_MAX(4));
    before = json.len;
    json_count(&json, "name", UINT64_MAX);
    ck_assert_uint_le(json.len - before, JSON_NUMBER_MAX(4));
    before = json.len;
    json_text(&json, "name", worst);
    ck_assert_uint_le(json.len - before, JSON_TEXT_MAX(4, sizeof worst - 1));
}
END_TEST

CHECK_MAIN("json", members_and_items, strings_are_escaped, what_does_not_fit_is_cut_off,
           room_is_enough)
