#include "server/http/content.h"

#include "tests/unit/check_main.h"

#include <string.h>

START_TEST(by_the_media_type_alone) {
    static const struct {
        const char *type;
        enum content content;
    } rows[] = {
        {"application/json", CONTENT_JSON},
        {"Application/JSON", CONTENT_JSON},
        {"application/json; charset=utf-8", CONTENT_JSON},
        {"application/json ; charset=utf-8", CONTENT_JSON},
        {"application/json;", CONTENT_JSON},
        {"application/x-ndjson", CONTENT_JSON_LINES},
        {"APPLICATION/NDJSON", CONTENT_JSON_LINES},
        {"application/x-www-form-urlencoded", CONTENT_USUAL},
        {"application/", CONTENT_USUAL},
        {"application/jso", CONTENT_USUAL},
        {"application/jsonx", CONTENT_USUAL},
        {"application/json+x", CONTENT_USUAL},
        {"application/;json", CONTENT_USUAL},
        {"text/json", CONTENT_USUAL},
        {"json", CONTENT_USUAL},
        {"", CONTENT_USUAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_msg(content_find(rows[i].type, strlen(rows[i].type)) == rows[i].content, "%s",
                      rows[i].type);
    }
    ck_assert_int_eq(content_find("application/jsonx", 16), CONTENT_JSON); /* not NUL-terminated */
    ck_assert_int_eq(content_find(NULL, 0), CONTENT_USUAL);
}
END_TEST

CHECK_MAIN("content", by_the_media_type_alone)
