/* The live page is in the program: compressed, small, and with no word of another host. */
#include "view/page.h"

#include "tests/unit/check_main.h"

#include <string.h>

#define LARGEST 100000 /* bytes, all of it */

START_TEST(every_part_is_there_and_all_of_them_are_small) {
    static const char *const paths[] = {"/",
                                        "/page/page.css",
                                        "/page/page.js",
                                        "/page/reports.js",
                                        "/page/chart.js",
                                        "/page/icon.svg",
                                        "/page/uplot.js",
                                        "/page/uplot.css"};
    const size_t n = sizeof paths / sizeof *paths;
    struct page_part part[sizeof paths / sizeof *paths];
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(page_find(paths[i], &part[i]), "%s", paths[i]);
        ck_assert_uint_eq(part[i].bytes[0], 0x1f); /* gzip */
        ck_assert_uint_eq(part[i].bytes[1], 0x8b);
        ck_assert_int_eq(part[i].etag[0], '"');
        for (size_t k = 0; k < i; k++) {
            ck_assert_str_ne(part[i].etag, part[k].etag);
        }
        sum += part[i].len;
    }
    ck_assert_uint_gt(sum, 10000);
    ck_assert_uint_le(sum, LARGEST);
}
END_TEST

START_TEST(nothing_else_is) {
    static const char *const paths[] = {"", "/page", "/page/", "/page/../page.js",
                                        "/page/page.html"};
    struct page_part part;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        ck_assert_msg(!page_find(paths[i], &part), "%s", paths[i]);
    }
    ck_assert_ptr_nonnull(strstr(PAGE_POLICY, "default-src 'none'"));
    ck_assert_ptr_null(strstr(PAGE_POLICY, "unsafe"));
}
END_TEST

CHECK_MAIN("page", every_part_is_there_and_all_of_them_are_small, nothing_else_is)
