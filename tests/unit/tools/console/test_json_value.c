#include "tools/console/json_value.h"

#include "tests/unit/check_main.h"

#include <stdlib.h>
#include <string.h>

static const char text[] = "{\"status\":\"ok\", \"n\" : -12,\n\"list\":[1,{\"n\":2},\"]\"],"
                           "\"store\":{\"inner\":{\"x\":\"{\"},"
                           "\"connected\":true,\"error\":\"a \\\"b\\\"\\n\\u001b\"},\"last\":null}";

static const struct {
    const char *path, *value;
} found[] = {
    {"status", "ok"},       {"n", "-12"},     {"store.connected", "true"},
    {"store.inner.x", "{"}, {"last", "null"}, {"store.error", "a \"b\"\n\\u001b"},
};

START_TEST(members_are_found) {
    char out[64];
    ck_assert_msg(json_value(text, found[_i].path, out, sizeof out), "%s", found[_i].path);
    ck_assert_str_eq(out, found[_i].value);
}
END_TEST

static const char *const missing[] = {
    "",       "x",       "store",           "list", "store.x", "status.x",
    "list.n", "inner.x", "store.inner.x.y", "stat", "store."};

START_TEST(what_is_not_there_is_not_found) {
    char out[64] = "old";
    ck_assert_msg(!json_value(text, missing[_i], out, sizeof out), "%s", missing[_i]);
    ck_assert_str_eq(out, "");
}
END_TEST

/* Any text that is cut off or changed gives an answer or none, and is never read past its end. */
START_TEST(broken_texts_do_no_harm) {
    char out[8];
    for (size_t len = 0; len < sizeof text; len++) {
        char *copy = strndup(text, len);
        json_value(copy, "store.error", out, sizeof out);
        json_value(copy, "last", out, sizeof out);
        for (size_t i = 0; i < len; i++) {
            copy[i] = "{}[]\",:\\x"[(len + i) % 9];
            json_value(copy, "last", out, sizeof out);
        }
        free(copy);
    }
    ck_assert(json_value(text, "store.error", out, sizeof out));
    ck_assert_str_eq(out, "a \"b\"\n\\"); /* cut to what fits */
    char deep[1000] = "{\"a\":";
    memset(deep + 5, '[', 900);
    ck_assert(!json_value(deep, "b", out, sizeof out));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("json_value");
    TCase *tcase = tcase_create("json_value");
    tcase_add_loop_test(tcase, members_are_found, 0, (int)(sizeof found / sizeof *found));
    tcase_add_loop_test(tcase, what_is_not_there_is_not_found, 0,
                        (int)(sizeof missing / sizeof *missing));
    tcase_add_test(tcase, broken_texts_do_no_harm);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
