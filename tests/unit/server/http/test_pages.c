#include "server/http/pages.h"

#include "tests/unit/server/http/http_lab.h"

#include <string.h>

START_TEST(which_pages_there_are) {
    static const char *const there[] = {"/healthz",   "/stats",         "/metrics", "/counts/10ms",
                                        "/counts/1s", "/counts/1min",   "/reports", "/reports/",
                                        "/reports/x", "/reports/x/1min"};
    static const char *const missing[] = {"/",           "",           "/healthz/", "/stat",
                                          "/metrics/",   "/metric",    "/counts/",  "/counts/1h",
                                          "/counts1s",   "/Counts/1s", "/counts",   "/stats?",
                                          "/counts/1s/", "/report",    "/reportsx"};
    for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
        ck_assert_msg(pages_has(there[i]), "%s", there[i]);
    }
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        ck_assert_msg(!pages_has(missing[i]), "%s", missing[i]);
    }
}
END_TEST

#define KNOWN "no such argument; there are last, from, to, partial, format"
#define KNOWN_OF_REPORT                                                                            \
    "no such argument; there are last, from, to, partial, where, top, by, format"
#define NONE "no such argument, this page takes none"
#define FORTY "1234567890123456789012345678901234567890"

START_TEST(each_argument_is_known_and_there_once) {
    static const struct {
        const char *url, *name[3], *value[3];
        const char *why; /* NULL: they fit */
    } rows[] = {
        {"/counts/1s", {NULL}, {NULL}, NULL},
        {"/stats", {NULL}, {NULL}, NULL},
        {"/counts/1s", {"last", "from", "to"}, {"1", "2", "3"}, NULL},
        {"/counts/10ms", {"partial", "format"}, {"1", "csv"}, NULL},
        {"/counts/1s", {"last"}, {""}, NULL}, /* the page says what is wrong with it */
        {"/counts/1s", {"last", "last"}, {"1", "1"}, "last: given more than once"},
        {"/counts/1s", {"to", "from", "to"}, {"1", "1", "1"}, "to: given more than once"},
        {"/counts/1s", {"format"}, {NULL}, "format: needs a value"},
        {"/counts/1s", {"Last"}, {"1"}, "Last: " KNOWN},
        {"/counts/1s", {"lastly", "x"}, {"1", "1"}, "lastly: " KNOWN},
        {"/counts/1s", {"", "", "last"}, {"", NULL, "1"}, NULL}, /* between two '&' */
        {"/counts/1s", {""}, {"1"}, ": " KNOWN},
        {"/stats", {"last"}, {"1"}, "last: " NONE},
        {"/metrics", {"format"}, {"text"}, "format: " NONE},
        {"/reports", {"format"}, {"text"}, NULL},
        {"/reports", {"last"}, {"1"}, "last: no such argument; there is format"},
        {"/reports/x", {"where", "where", "by"}, {"a=1", "b=2", "c"}, NULL},
        {"/reports/x/1s", {"where", "top", "top"}, {"a=1", "1", "1"}, "top: given more than once"},
        {"/reports/x/1s", {"wher"}, {"a=1"}, "wher: " KNOWN_OF_REPORT},
        {"/healthz", {"a"}, {NULL}, "a: " NONE},
        {"/healthz", {""}, {NULL}, NULL},
        {"/", {"x"}, {"1"}, "x: " NONE},
        {"/stats", {"a\x1f\x7f\xc3~ b"}, {"1"}, "a???~ b: " NONE},
        {"/stats", {FORTY}, {"1"}, FORTY ": " NONE},
        {"/stats", {FORTY "1"}, {"1"}, FORTY ": " NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char why[PAGES_WHY_MAX] = "";
        client.fields = 0;
        set_field(MHD_HEADER_KIND, "Host", "x"); /* is no argument */
        for (int n = 0; n < 3 && rows[i].name[n]; n++) {
            set_field(MHD_GET_ARGUMENT_KIND, rows[i].name[n], rows[i].value[n]);
        }
        ck_assert_msg(pages_arguments_fit(NULL, rows[i].url, why) == !rows[i].why, "%zu: %s", i,
                      why);
        ck_assert_str_eq(why, rows[i].why ? rows[i].why : "");
    }
}
END_TEST

START_TEST(each_page_by_its_path) {
    static const struct {
        const char *url, *type, *has;
    } rows[] = {
        {"/healthz", "application/json", "{\"status\":\"ok\","},
        {"/stats", "application/json", "{\"node\":\""},
        {"/counts/1s", "text/plain; charset=utf-8", "2016-05-28 11:11:11.000, 1\n"},
        {"/counts/10ms", "text/plain; charset=utf-8", "2016-05-28 11:11:11.000, 1\n"},
    };
    ck_assert_int_eq(shard_add_owner(worker.shard, T0), SHARD_COUNTED);
    worker.now_us = T0 + 2 * US_PER_S;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct page page;
        memset(&page, 0xff, sizeof page);
        pages_make(&worker, NULL, rows[i].url, &page);
        ck_assert_uint_eq(page.status, 200);
        ck_assert_str_eq(page.why, "");
        ck_assert_str_eq(page.type, rows[i].type);
        char *text = read_response(page.response);
        ck_assert_msg(strstr(text, rows[i].has) != NULL, "%s", text);
        free(text);
        MHD_destroy_response(page.response);
    }
}
END_TEST

HTTP_LAB_MAIN("pages", which_pages_there_are, each_argument_is_known_and_there_once,
              each_page_by_its_path)
