/* Reports from a server, by what answers there: what it is asked, and which answers are passed on.
 */
#include "tools/console/source_server.h"

#include "tests/unit/tools/console/canned_http.h"
#include "view/text.h"

#define NOT_FOUND "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"
#define BAD "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
#define JSON "{\"report\":\"billing\",\"window\":\"1min\",\"rows\":[\n]}\n"

static char why[SOURCE_WHY_MAX];
static struct text text;
static struct report_words words;
static bool enough;

static bool take(void *cls, const char *bytes, size_t len) {
    text_add(cls, bytes, len);
    return !enough;
}

static const struct text_taker taker = {take, &text};

static void set_up(void) {
    canned_http_begin();
    text = (struct text){0};
    words = (struct report_words){.name = "billing", .to_us = QUERY_TO_NONE, .last = 60};
}

static void tear_down(void) {
    text_free(&text);
    canned_http_end();
}

static enum report_outcome ask(const char *answer) {
    const struct source_config config = {.place = canned_http.place, .timeout_us = 30 * US_PER_S};
    struct source *source = source_server_new(&config, why);
    ck_assert_msg(source != NULL, "%s", why);
    text.len = 0;
    canned_http_add(answer);
    const enum report_outcome outcome = source->reports->rows(source, &words, &taker, why);
    source->ops->close(source);
    text_add(&text, "", 1);
    return outcome;
}

static void demand_path(const char *path) {
    char line[512];
    snprintf(line, sizeof line, "GET %s HTTP/1.1\r\n", path);
    ck_assert_msg(strncmp(canned_http_asked(), line, strlen(line)) == 0, "%s: %s", line,
                  canned_http_asked());
}

START_TEST(rows_are_passed_on) {
    ck_assert_msg(ask(CANNED_OK "2016-05-28 11:11:00.000, a=1, count=1\n") == REPORT_DONE, "%s",
                  why);
    ck_assert_str_eq(text.bytes, "2016-05-28 11:11:00.000, a=1, count=1\n");
    demand_path("/reports/billing?format=text&last=60");
    ck_assert_int_eq(ask(CANNED_OK), REPORT_DONE);
    ck_assert_str_eq(text.bytes, "");
    words.format = ROWS_JSON;
    ck_assert_int_eq(ask(CANNED_OK JSON), REPORT_DONE);
    ck_assert_str_eq(text.bytes, JSON);
    words.format = ROWS_CSV;
    ck_assert_int_eq(ask(CANNED_OK "start,state,a\nx,\"y\tz\r\n\",M\xc3\xbcnchen\n"), REPORT_DONE);
}
END_TEST

START_TEST(all_that_can_be_asked) {
    static const char *const where[] = {"flight=A B&c", "client=7"};
    words = (struct report_words){.name = "billing.0123456789abcdef",
                                  .window = "1min",
                                  .from_us = 1464433871000000,
                                  .to_us = 1464433872000000,
                                  .partial = true,
                                  .where = where,
                                  .wheres = 2,
                                  .top = 20,
                                  .by = "sum(seconds)"};
    ck_assert_int_eq(ask(CANNED_OK), REPORT_DONE);
    demand_path("/reports/billing.0123456789abcdef/1min?format=text&from=2016-05-28T11:11:11."
                "000000Z&to=2016-05-28T11:11:12.000000Z&partial=1&where=flight%3DA%20B%26c&where="
                "client%3D7&top=20&by=sum%28seconds%29");
}
END_TEST

START_TEST(refusals_say_what_there_is) {
    ck_assert_int_eq(ask(NOT_FOUND "no report billing; there are: slow\n"), REPORT_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(why, "no report billing; there are: slow"));
    ck_assert_int_eq(ask(BAD "where: is written FIELD=VALUE\n"), REPORT_WRONG);
    ck_assert_ptr_nonnull(strstr(why, "where: is written FIELD=VALUE"));
    ck_assert_int_eq(ask("HTTP/1.1 401 No\r\nConnection: close\r\n\r\nwho?\n"), REPORT_AWAY);
    ck_assert_str_eq(text.bytes, "");
}
END_TEST

START_TEST(answers_of_others_do_not_reach_a_terminal) {
    static const struct {
        enum rows_format format;
        const char *answer;
    } odd[] = {
        {ROWS_TEXT, CANNED_OK "\x1b[2J\n"},
        {ROWS_TEXT, CANNED_OK "a\x7f\n"},
        {ROWS_TEXT, CANNED_OK "a\x9b"
                              "2J\n"},
        {ROWS_CSV, CANNED_OK "start,state,\xc2\x9b"
                             "2J\n"},
        {ROWS_CSV, CANNED_OK "start\n"},
        {ROWS_CSV, CANNED_OK "<html>\n"},
        {ROWS_CSV, CANNED_OK},
        {ROWS_JSON, CANNED_OK "{}\n"},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        words.format = odd[i].format;
        ck_assert_int_eq(ask(odd[i].answer), REPORT_AWAY);
        ck_assert_msg(strcmp(why, "what answers there is not an aforod") == 0, "%zu: %s", i, why);
        ck_assert_ptr_null(strchr(text.bytes, '\x1b'));
    }
}
END_TEST

START_TEST(questions_that_no_server_answers) {
    words.name = "../stats";
    ck_assert_int_eq(ask(CANNED_OK), REPORT_UNKNOWN);
    static const struct rows_zone zone = {.name = "CET"};
    words.name = "billing";
    words.zone = &zone;
    ck_assert_int_eq(ask(CANNED_OK), REPORT_WRONG);
    ck_assert_ptr_nonnull(strstr(why, "--local"));
    static char value[SOURCE_URL_MAX] = "flight=";
    static const char *const where[] = {value};
    memset(value + 7, 'x', sizeof value - 8);
    words.zone = NULL;
    words.where = where;
    words.wheres = 1;
    ck_assert_int_eq(ask(CANNED_OK), REPORT_WRONG);
}
END_TEST

START_TEST(a_taker_that_has_enough) {
    enough = true;
    ck_assert_int_eq(ask(CANNED_OK "2016\n"), REPORT_STOPPED);
}
END_TEST

#define FIXTURE ((struct check_fixture){100, set_up, tear_down})
CHECK_MAIN_WITH(FIXTURE, "report_server", rows_are_passed_on, all_that_can_be_asked,
                refusals_say_what_there_is, answers_of_others_do_not_reach_a_terminal,
                questions_that_no_server_answers, a_taker_that_has_enough)
