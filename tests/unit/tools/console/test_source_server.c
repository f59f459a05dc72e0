/* Rows from a server, by what answers there: what it is asked, which answers are rows, and what is
 * said of all others. */
#include "tools/console/source.h"

#include "tests/unit/tools/console/canned_http.h"

#define START_S INT64_C(1464433871) /* 2016-05-28T11:11:11Z */
#define HEADER ROWS_CSV_HEADER_UTC "\n"
#define ROW(second, rest) "2016-05-28T11:11:" second ".000Z," rest "\n"

static char why[SOURCE_WHY_MAX];
static struct row rows[8];
static unsigned taken, wanted;

static bool take(void *cls, const struct row *row) {
    ck_assert_ptr_eq(cls, rows);
    ck_assert_uint_lt(taken, sizeof rows / sizeof *rows);
    rows[taken++] = *row;
    return taken < wanted;
}

static const struct row_taker taker = {take, rows};
static const struct query all = {.resolution = RESOLUTION_1S, .to_us = QUERY_TO_NONE};

static struct source_config config_of(const char *place) {
    return (struct source_config){
        .place = place, .timeout_us = 30 * US_PER_S, .horizon_us = US_PER_S};
}

static void begin(void) {
    canned_http_begin();
    why[0] = '\0';
    taken = 0;
    wanted = 100;
}

static struct source *make(void) {
    const struct source_config config = config_of(canned_http.place);
    struct source *source = source_server_new(&config, why);
    ck_assert_msg(source != NULL, "%s", why);
    return source;
}

static enum source_outcome ask(const struct query *query, const char *answer) {
    struct source *source = make();
    taken = 0;
    canned_http_add(answer);
    const enum source_outcome outcome = source->ops->rows(source, query, 0, &taker, why);
    source->ops->close(source);
    return outcome;
}

START_TEST(rows_of_a_server) {
    static const char answer[] = CANNED_OK HEADER ROW("11", "7,final") ROW("12", "0,closed")
        ROW("13", "18446744073709551615,open");
    ck_assert_msg(ask(&all, answer) == SOURCE_DONE, "%s", why);
    ck_assert_uint_eq(taken, 3);
    ck_assert_int_eq(rows[0].window, START_S);
    ck_assert_int_eq(rows[2].window, START_S + 2);
    ck_assert_uint_eq(rows[0].count, 7);
    ck_assert_uint_eq(rows[1].count, 0);
    ck_assert_uint_eq(rows[2].count, UINT64_MAX);
    ck_assert_int_eq(rows[0].state, WINDOW_FINAL);
    ck_assert_int_eq(rows[1].state, WINDOW_CLOSED);
    ck_assert_int_eq(rows[2].state, WINDOW_OPEN);
    ck_assert_int_eq(ask(&all, CANNED_OK HEADER), SOURCE_DONE);
    ck_assert_uint_eq(taken, 0);
}
END_TEST

START_TEST(a_taker_that_has_enough) {
    wanted = 1;
    ck_assert_int_eq(ask(&all, CANNED_OK HEADER ROW("11", "7,final") ROW("12", "x")),
                     SOURCE_STOPPED);
    ck_assert_uint_eq(taken, 1);
}
END_TEST

START_TEST(what_is_asked) {
    static const struct {
        struct query query;
        const char *path;
    } cases[] = {
        {{RESOLUTION_1S, 0, QUERY_TO_NONE, 0, false},
         "/counts/1s?format=csv&from=1970-01-01T00:00:00.000000Z"},
        {{RESOLUTION_10MS, 0, QUERY_TO_NONE, 60, false}, "/counts/10ms?format=csv&last=60"},
        {{RESOLUTION_1MIN, 0, QUERY_TO_NONE, 1, true}, "/counts/1min?format=csv&last=1&partial=1"},
        {{RESOLUTION_1S, 1, QUERY_TO_NONE, 2, false},
         "/counts/1s?format=csv&from=1970-01-01T00:00:00.000001Z&last=2"},
        {{RESOLUTION_1S, -5, QUERY_TO_NONE, 0, false},
         "/counts/1s?format=csv&from=1970-01-01T00:00:00.000000Z"},
        {{RESOLUTION_1S, 0, -1, 0, false}, "/counts/1s?format=csv&to=1970-01-01T00:00:00.000000Z"},
        {{RESOLUTION_1S, START_S * US_PER_S, (START_S + 1) * US_PER_S + 20, 0, false},
         "/counts/1s?format=csv&from=2016-05-28T11:11:11.000000Z&to=2016-05-28T11:11:12.000020Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[512];
        ck_assert_msg(ask(&cases[i].query, CANNED_OK HEADER) == SOURCE_DONE, "%s", why);
        snprintf(line, sizeof line, "GET %s HTTP/1.1\r\n", cases[i].path);
        ck_assert_msg(strncmp(canned_http_asked(), line, strlen(line)) == 0, "%s: %s", line,
                      canned_http_asked());
    }
    ck_assert_ptr_nonnull(strstr(canned_http_asked(), "\r\nUser-Agent: aforo\r\n"));
    ck_assert_ptr_null(strstr(canned_http_asked(), "Authorization"));
}
END_TEST

START_TEST(answers_that_are_not_rows) {
    static const char *const odd[] = {
        CANNED_OK,
        CANNED_OK "start,count,state\n",
        CANNED_OK HEADER "x\n",
        CANNED_OK HEADER "\n",
        CANNED_OK HEADER ROW("11", "7"),
        CANNED_OK HEADER ROW("11", ",open"),
        CANNED_OK HEADER ROW("11", "-7,open"),
        CANNED_OK HEADER ROW("11", " 7,open"),
        CANNED_OK HEADER ROW("11", "18446744073709551616,open"),
        CANNED_OK HEADER ROW("11", "7,opened"),
        CANNED_OK HEADER ROW("11", "7,open,"),
        CANNED_OK HEADER ROW("11", "7,later"),
        CANNED_OK HEADER ROW("11", "7,abcdefgh"),
        CANNED_OK HEADER "2016-05-28T11:11:11.001Z,7,open\n",
        CANNED_OK HEADER "1969-12-31T23:59:59.000Z,7,open\n",
        CANNED_OK HEADER ROW("11", "7,open") ROW("11", "7,open"),
        CANNED_OK HEADER ROW("11", "7,open") ROW("13", "7,open"),
        CANNED_OK HEADER ROW("11", "7,open") "2016-05-28T11:11:12.000Z,7,open",
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char expected[SOURCE_WHY_MAX];
        snprintf(expected, sizeof expected, "server %s: what answers there is not an aforod",
                 canned_http.place);
        ck_assert_msg(ask(&all, odd[i]) == SOURCE_AWAY, "%s", odd[i]);
        ck_assert_str_eq(why, expected);
    }
}
END_TEST

/* A line that is longer than any row is no row, however it goes on. */
START_TEST(lines_that_are_too_long) {
    static char answer[1024] = CANNED_OK HEADER;
    memset(answer + strlen(answer), 'x', 600);
    ck_assert_int_eq(ask(&all, answer), SOURCE_AWAY);
    ck_assert_ptr_nonnull(strstr(why, "not an aforod"));
}
END_TEST

START_TEST(rows_that_were_not_asked_for) {
    struct query query = all;
    query.to_us = (START_S + 1) * US_PER_S;
    ck_assert_int_eq(ask(&query, CANNED_OK HEADER ROW("11", "7,open")), SOURCE_DONE);
    ck_assert_int_eq(ask(&query, CANNED_OK HEADER ROW("11", "7,open") ROW("12", "7,open")),
                     SOURCE_AWAY);
    ck_assert_uint_eq(taken, 1);
}
END_TEST

START_TEST(a_refusal_is_told_in_its_first_line) {
    char expected[SOURCE_WHY_MAX];
    snprintf(expected, sizeof expected, "server %s: HTTP 401: who are you?", canned_http.place);
    ck_assert_int_eq(ask(&all, "HTTP/1.1 401 No\r\nConnection: close\r\n\r\nwho are you?\r\nsay\n"),
                     SOURCE_AWAY);
    ck_assert_str_eq(why, expected);
    /* rows may be cut at the end of a line: the length tells */
    ck_assert_int_eq(ask(&all, "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" HEADER),
                     SOURCE_AWAY);
    ck_assert_ptr_null(strstr(why, "not an aforod"));
    ck_assert_ptr_nonnull(strstr(why, canned_http.place));
}
END_TEST

START_TEST(a_server_is_asked_how_it_is) {
    char place[80];
    snprintf(place, sizeof place, "%s/", canned_http.place);
    const struct source_config config = config_of(place);
    canned_http_add(CANNED_OK "{}\n");
    canned_http_add("HTTP/1.1 503 No\r\nConnection: close\r\n\r\nnot now\n");
    struct source *source = source_server_open(&config, why);
    ck_assert_msg(source != NULL, "%s", why);
    ck_assert_msg(strncmp(canned_http_asked(), "GET /healthz HTTP", 17) == 0, "%s",
                  canned_http_asked());
    ck_assert_int_eq(source->horizon_us, US_PER_S);
    ck_assert_int_eq(source->settle_us, 100 * US_PER_MS);
    ck_assert_ptr_nonnull(strstr(source->nothing, " holds no events"));
    ck_assert_ptr_null(source->ops->audit);
    source->ops->close(source);
    ck_assert_ptr_null(source_server_open(&config, why));
    ck_assert_ptr_nonnull(strstr(why, ": HTTP 503: not now"));
}
END_TEST

START_TEST(a_server_that_is_silent) {
    struct source_config config = config_of(canned_http.place);
    config.timeout_us = US_PER_S / 2; /* in which even an emulator connects */
    canned_http_add(NULL);
    ck_assert_ptr_null(source_server_open(&config, why));
    ck_assert_msg(strstr(why, "timed out"), "%s", why);
}
END_TEST

START_TEST(a_page_is_given_as_it_is) {
    char text[8], odd[8];
    struct source_page page = {text, sizeof text, 0};
    struct source *source = make();
    canned_http_add(CANNED_OK "1234\n67"); /* with its NUL */
    ck_assert_msg(source_server_page(source, "/stats", &page, why), "%s", why);
    ck_assert_str_eq(text, "1234\n67");
    ck_assert_int_eq(page.status, 200);
    canned_http_add(CANNED_OK "12345678");
    ck_assert(!source_server_page(source, "/stats", &page, why));
    canned_http_add("HTTP/1.1 503 No\r\nConnection: close\r\n\r\n{}\n");
    ck_assert(source_server_page(source, "/stats", &page, why)); /* what it says may be read */
    ck_assert_str_eq(text, "{}");
    ck_assert_int_eq(page.status, 503);
    canned_http_add("HTTP/1.1 503 No\r\nConnection: close\r\n\r\n");
    ck_assert(!source_server_page(source, "/stats", &page, why));
    page = (struct source_page){odd, sizeof odd, 7};
    canned_http_add("nonsense");
    ck_assert(!source_server_page(source, "/stats", &page, why));
    ck_assert_str_eq(odd, "");
    source->ops->close(source);
}
END_TEST

static void must_send(struct source_config config, const char *header) {
    struct source *source;
    canned_http_add(CANNED_OK);
    ck_assert_msg((source = source_server_open(&config, why)) != NULL, "%s", why);
    ck_assert_msg(strstr(canned_http_asked(), header), "%s", canned_http_asked());
    source->ops->close(source);
}

static void must_not_open(struct source_config config, const char *words) {
    ck_assert_ptr_null(source_server_new(&config, why));
    ck_assert_msg(strstr(why, words), "%s", why);
}

START_TEST(tokens_and_certificates) {
    static const char file[] = "\r\nAuthorization: Bearer first-of-the-file\r\n";
    char path[] = "/tmp/aforo-token-XXXXXX", token[2000];
    struct source_config config = config_of(canned_http.place);
    FILE *tokens = fdopen(mkstemp(path), "w");
    fputs("first-of-the-file\nsecond-of-the-file\n", tokens);
    fclose(tokens);
    config.token = "not-in-a-file-at-all";
    must_send(config, "\r\nAuthorization: Bearer not-in-a-file-at-all\r\n");
    config.token_file = path;
    must_send(config, file);
    config.ca_file = path; /* it is there, and no TLS asks for it */
    must_send(config, file);
    config.ca_file = "/nonexistent.pem";
    must_not_open(config, "--ca-file /nonexistent.pem: No such file or directory");
    config.ca_file = "/";
    must_not_open(config, "--ca-file /: is not a regular file");
    config.ca_file = NULL;
    unlink(path);
    must_not_open(config, "token file ");
    config.token_file = NULL;
    memset(token, 'x', sizeof token);
    token[1001] = '\0'; /* a header of 1023 characters, and its NUL, fits */
    config.token = token;
    must_send(config, token);
    token[1001] = 'x';
    token[1002] = '\0';
    must_not_open(config, ": its token is too long");
}
END_TEST

START_TEST(urls_of_servers) {
    static const char *const good[] = {"http://a", "https://a:1/b/", "http://[::1]:80"};
    static const char *const bad[][2] = {
        {"a:80", "'a:80' begins with neither http:// nor https://"},
        {"http:a", "begins with neither"},
        {"ftp://a", "begins with neither"},
        {"httpx//a", "begins with neither"},
        {"HTTP://a", "begins with neither"},
        {"http://a:b", "'http://a:b' is not the URL of a server: "},
        {"http://", "is not the URL of a server: "},
        {"http://a?b", "'http://a?b' is not the URL of a server: it must end before ? and #"},
        {"http://a#b", "it must end before ? and #"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(source_server_place_is_valid(good[i], why), "%s", why);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(!source_server_place_is_valid(bad[i][0], why), "%s", bad[i][0]);
        ck_assert_msg(strstr(why, bad[i][1]), "%s: %s", bad[i][0], why);
    }
}
END_TEST

START_TEST(a_url_that_is_too_long) {
    char place[1100] = "http://";
    memset(place + 7, 'a', 1017 - 7); /* with /healthz 1025 characters */
    const struct source_config config = config_of(place);
    struct source *source = source_server_new(&config, why);
    ck_assert_ptr_nonnull(source);
    ck_assert(!source->ops->ready(source, why));
    ck_assert_str_eq(why, "server: the URL is too long");
    place[1015] = '\0';
    ck_assert(!source->ops->ready(source, why));
    ck_assert_str_ne(why, "server: the URL is too long");
    source->ops->close(source);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, begin, canned_http_end}), "source_server",
                rows_of_a_server, a_taker_that_has_enough, what_is_asked, answers_that_are_not_rows,
                lines_that_are_too_long, rows_that_were_not_asked_for,
                a_refusal_is_told_in_its_first_line, a_server_is_asked_how_it_is,
                a_server_that_is_silent, a_page_is_given_as_it_is, tokens_and_certificates,
                urls_of_servers, a_url_that_is_too_long)
