/* The table of `aforo status`, by what servers answer to /healthz and /stats. */
#include "tools/console/status.h"

#include "tests/unit/tools/console/canned_http.h"

#define HEALTH "{\"status\":\"ok\",\"node\":\"n1\",\"store\":"
#define NO_STORE HEALTH "{\"configured\":false}}\n"
#define STATS(up)                                                                                  \
    "{\"uptime_ms\":" up ",\"received\":10,\"counted\":7,\"connections\":2,\"store\":{}}\n"

static char table[4096], complaints[4096];

/* Asks the server that is there n times, as if it were n; false as status_print. */
static bool print(unsigned n) {
    const struct source_config config = {.place = "not used", .timeout_us = 30 * US_PER_S};
    const char *const places[] = {canned_http.place, canned_http.place};
    int ends[2];
    memset(table, 0, sizeof table);
    memset(complaints, 0, sizeof complaints);
    FILE *out = fmemopen(table, sizeof table, "w");
    ck_assert(out != NULL && pipe(ends) == 0);
    const int before = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    const bool well = status_print(&config, places, n, out);
    dup2(before, STDERR_FILENO);
    close(before);
    close(ends[1]);
    ck_assert_int_ge(read(ends[0], complaints, sizeof complaints - 1), 0);
    close(ends[0]);
    fclose(out);
    return well;
}

/* Line number `line` of the table without the server's place, which is as long as its port is. */
static const char *cells(unsigned line) {
    static char text[512];
    const char *at = table;
    for (; line > 0; line--) {
        at = strchr(at, '\n');
        ck_assert_msg(at != NULL, "%s", table);
        at++;
    }
    snprintf(text, sizeof text, "%.*s", (int)strcspn(at, "\n"), at);
    const size_t width = strlen(canned_http.place) + 2;
    return strlen(text) > width ? text + width : "";
}

START_TEST(one_server) {
    canned_http_add(CANNED_OK NO_STORE);
    canned_http_add(CANNED_OK STATS("61000"));
    ck_assert_msg(print(1), "%s", complaints);
    ck_assert_str_eq(complaints, "");
    ck_assert_msg(strncmp(canned_http.request[0], "GET /healthz ", 13) == 0 &&
                      strncmp(canned_http.request[1], "GET /stats ", 11) == 0,
                  "%s%s", canned_http.request[0], canned_http.request[1]);
    ck_assert_str_eq(cells(0),
                     "NODE  STATUS     UP  RECEIVED  COUNTED  REFUSED  CONNECTIONS  STORE");
    ck_assert_str_eq(cells(1),
                     "n1    ok      1m01s        10        7        3            2  none");
    ck_assert_str_eq(cells(2), "");
}
END_TEST

START_TEST(two_servers_are_summed) {
    canned_http_add(CANNED_OK NO_STORE);
    canned_http_add(CANNED_OK STATS("61000"));
    canned_http_add(CANNED_OK NO_STORE);
    canned_http_add(CANNED_OK "{\"uptime_ms\":0,\"received\":1,\"counted\":1,\"connections\":5}");
    ck_assert_msg(print(2), "%s", complaints);
    ck_assert_str_eq(cells(1),
                     "n1    ok      1m01s        10        7        3            2  none");
    ck_assert_str_eq(cells(2),
                     "n1    ok      0m00s         1        1        0            5  none");
    ck_assert_str_eq(cells(3), "                           11        8        3            7");
    ck_assert_ptr_nonnull(strstr(table, "\n2 servers "));
}
END_TEST

START_TEST(how_long_it_is_up) {
    static const struct {
        const char *stats, *up;
    } cases[] = {
        {CANNED_OK STATS("59999"), " 0m59s "},     {CANNED_OK STATS("3599000"), " 59m59s "},
        {CANNED_OK STATS("3600000"), " 1h00m "},   {CANNED_OK STATS("172799000"), " 47h59m "},
        {CANNED_OK STATS("172800000"), " 2d00h "}, {CANNED_OK STATS("266400000"), " 3d02h "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        canned_http_add(CANNED_OK NO_STORE);
        canned_http_add(cases[i].stats);
        ck_assert_msg(print(1), "%s", complaints);
        ck_assert_msg(strstr(table, cases[i].up), "%s: %s", cases[i].up, table);
    }
}
END_TEST

START_TEST(its_store) {
    static const struct {
        const char *health, *store;
        bool well;
    } cases[] = {
        {CANNED_OK HEALTH "{\"configured\":true,\"connected\":true,\"lag_ms\":12}}",
         "  connected, lag 12 ms\n", true},
        {CANNED_OK HEALTH "{\"configured\":true,\"connected\":true,\"lag_ms\":\"x\"}}", "  -\n",
         true},
        {CANNED_OK HEALTH "{\"configured\":true,\"connected\":false,\"last_error\":\"no answer\"}}",
         "  away: no answer\n", false},
        {"HTTP/1.1 503 No\r\nConnection: close\r\n\r\n" HEALTH
         "{\"configured\":true,\"connected\":false,\"last_error\":\"\"}}",
         "  away\n", false},
        {CANNED_OK HEALTH "{\"configured\":true,\"connected\":false,\"last_error\":\"a\\u001bb\"}}",
         "  away: a\\u001bb\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        canned_http_add(cases[i].health);
        canned_http_add(CANNED_OK STATS("0"));
        ck_assert_msg(print(1) == cases[i].well, "%s", complaints);
        ck_assert_str_eq(complaints, "");
        ck_assert_msg(strstr(table, cases[i].store), "%s: %s", cases[i].store, table);
    }
}
END_TEST

/* What it says is shown, not obeyed. */
START_TEST(what_a_terminal_would_obey) {
    canned_http_add(CANNED_OK
                    "{\"status\":\"\x1b[31mok\",\"node\":\"n1\",\"store\":{\"configured\":false}}");
    canned_http_add(CANNED_OK STATS("0"));
    ck_assert(print(1));
    ck_assert_ptr_null(strchr(table, '\x1b'));
    ck_assert_msg(strstr(table, "  \\x1b[31mok  "), "%s", table);
}
END_TEST

START_TEST(what_is_not_well_is_said) {
    static const struct {
        const char *health, *stats, *cells, *complaint;
    } cases[] = {
        {"HTTP/1.1 401 No\r\nConnection: close\r\n\r\n", NULL,
         "-     away     -         -        -        -            -  -", ": HTTP 401: \n"},
        {CANNED_OK "<html>", NULL, "-     unknown   -         -        -        -            -  -",
         ": what answers there is not an aforod\n"},
        {CANNED_OK NO_STORE, CANNED_OK "{\"uptime_ms\":1}",
         "n1    ok       -         -        -        -            -  none",
         ": its /stats cannot be read\n"},
        {CANNED_OK NO_STORE, "HTTP/1.1 401 No\r\nConnection: close\r\n\r\nno\n",
         "n1    ok       -         -        -        -            -  none", ": HTTP 401: no\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        canned_http_add(cases[i].health);
        if (cases[i].stats != NULL)
            canned_http_add(cases[i].stats);
        ck_assert(!print(1));
        ck_assert_str_eq(cells(1), cases[i].cells);
        ck_assert_msg(strncmp(complaints, "aforo: server http://127", 24) == 0 &&
                          strstr(complaints, cases[i].complaint),
                      "%s: %s", cases[i].complaint, complaints);
    }
}
END_TEST

/* A number of which only a part is one is none, and nothing of its server is summed. */
START_TEST(numbers_that_are_none) {
    static const char *const odd[] = {
        CANNED_OK "{\"uptime_ms\":\"\",\"received\":1,\"counted\":1,\"connections\":5}",
        CANNED_OK "{\"uptime_ms\":1,\"received\":1.5,\"counted\":1,\"connections\":5}",
        CANNED_OK "{\"uptime_ms\":1,\"received\":1,\"counted\":null,\"connections\":5}",
        CANNED_OK "{\"uptime_ms\":1,\"received\":1,\"counted\":1,\"connections\":\"5x\"}"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        canned_http_add(CANNED_OK NO_STORE);
        canned_http_add(odd[i]);
        canned_http_add(CANNED_OK NO_STORE);
        canned_http_add(CANNED_OK STATS("61000"));
        ck_assert_msg(!print(2), "%s", odd[i]);
        ck_assert_str_eq(cells(3), "                           10        7        3            2");
    }
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, canned_http_begin, canned_http_end}), "status",
                one_server, two_servers_are_summed, how_long_it_is_up, its_store,
                what_a_terminal_would_obey, what_is_not_well_is_said, numbers_that_are_none)
