#include "ingest/json_items.h"

#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

/* The items of a text that comes in pieces of so many bytes, each with a '|' behind it, and a '!'
 * where it is broken; then what was expected at the end. */
static const char *split(const char *text, size_t piece) {
    static char out[1024];
    struct json_items items = {0};
    size_t n = 0;
    const size_t len = strlen(text);
    out[0] = '\0';
    for (size_t at = 0; at < len;) {
        const size_t left = len - at < piece ? len - at : piece;
        size_t used = 0, bytes = 0;
        const char *from = NULL;
        const enum json_items_found found =
            json_items_next(&items, text + at, left, &used, &from, &bytes);
        ck_assert_uint_le(used, left);
        at += used;
        if (found == JSON_ITEMS_BROKEN) {
            n += (size_t)snprintf(out + n, sizeof out - n, "!");
            break;
        }
        if (found != JSON_ITEMS_NONE) {
            n += (size_t)snprintf(out + n, sizeof out - n, "%.*s%s", (int)bytes, from,
                                  found == JSON_ITEMS_ITEM ? "|" : "");
        } else {
            ck_assert_uint_eq(used, left);
        }
    }
    const char *expected = json_items_expected(&items);
    snprintf(out + n, sizeof out - n, " %.12s", expected ? expected : "");
    return out;
}

START_TEST(items_in_pieces_of_any_size) {
    static const struct {
        const char *text, *found;
    } rows[] = {
        {"[]", " "},
        {" [ ] \r\n", " "},
        {"[{}]", "{}| "},
        {" [ {\"a\": [1, {\"b\":2}]} ,\n{} , {\"c\":\"]},{\"} ] ",
         "{\"a\": [1, {\"b\":2}]}|{}|{\"c\":\"]},{\"}| "},
        {"[{\"a\":\"\\\"}\"},{\"a\":\"\\\\\"},{}]", "{\"a\":\"\\\"}\"}|{\"a\":\"\\\\\"}|{}| "},
        {"[1,\"a,b\",null]", "1|\"a,b\"|null| "},
        {"[{} {}]", "{}|! expected ','"},
        {"[{},]", "{}|! expected an "},
        {"[,{}]", "! expected an "},
        {"[{}]x", "{}|! "},
        {"[{}],", "{}|! "},
        {"{}", "! expected '['"},
        {"x", "! expected '['"},
        {"", " expected '['"},
        {"[", " expected an "},
        {"[{}", "{}| expected ','"},
        {"[{},", "{}| expected an "},
        {"[{\"a\":1", "{\"a\":1 an object do"},
        {"[{\"a\":\"}", "{\"a\":\"} an object do"},
        {"[}{]", "}{]| expected ','"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 1; piece <= strlen(rows[i].text) + 1; piece++) {
            ck_assert_str_eq(split(rows[i].text, piece), rows[i].found);
        }
    }
}
END_TEST

CHECK_MAIN("json_items", items_in_pieces_of_any_size)
