/* A window's hash that is read in pieces: what is wrong in one reading is told when the next one is
 * the same, since a hash that changes between two pieces looks wrong as well. */
#include "redis/rows_audit.h"

#include "tests/unit/redis/canned_redis.h"

#include <inttypes.h>

#define US "\x1f"
#define WINDOW 29916666
#define READINGS_MAX 11 /* the last of them is told as one that never came twice */

static const struct rows_place place = {"a.0123456789abcdef", "1min", 60 * INT64_C(1000000),
                                        WINDOW};
static char why[LINK_WHY_MAX], answers[65536], found[AUDIT_SENTENCE_MAX];
static unsigned findings;

static void find(void *cls, const char *sentence) {
    (void)cls;
    findings++;
    snprintf(found, sizeof found, "%s", sentence);
}

static void say(const char *text) {
    ck_assert_uint_lt(strlen(answers) + strlen(text), sizeof answers);
    strcat(answers, text);
}

static void say_string(const char *text) {
    char head[32];
    snprintf(head, sizeof head, "$%zu\r\n", strlen(text));
    say(head);
    say(text);
    say("\r\n");
}

/* A page: where the next one begins, and so many fields, which follow. */
static void say_page(const char *cursor, unsigned fields) {
    char head[32];
    say("*2\r\n");
    say_string(cursor);
    snprintf(head, sizeof head, "*%u\r\n", 2 * fields);
    say(head);
}

static void say_field(const char *name, const char *value) {
    say_string(name);
    say_string(value);
}

static void say_until(void) {
    char until[32];
    snprintf(until, sizeof until, "%" PRId64, rows_until_s(place.width_us, place.window));
    say_field("until", until);
}

/* The whole hash in one page: a total that no part explains, unless it is 0. */
static void say_hash(const char *total) {
    say_page("0", 3);
    say_field("names", "+count" US);
    say_until();
    say_field(US "count", total);
}

static void begin(void) {
    canned_begin();
    answers[0] = why[0] = found[0] = '\0';
    findings = 0;
}

static bool audit(void) {
    struct redis_url url;
    canned_add("a:1", answers, false);
    ck_assert_msg(redis_url_parse("redis://a:1", &url, why), "%s", why);
    struct link *link = link_new(&url, 2000);
    ck_assert_msg(link && link_connect(link, why), "%s", why);
    const bool ok = rows_audit_window(link, &place, find, NULL, why);
    ck_assert(!link_pending(link));
    link_free(link);
    return ok;
}

START_TEST(what_is_right_is_read_once) {
    say_hash("0");
    ck_assert_msg(audit(), "%s", why);
    ck_assert_msg(findings == 0, "%s", found);
}
END_TEST

START_TEST(nothing_is_right) {
    say_page("0", 0);
    ck_assert_msg(audit(), "%s", why);
    ck_assert_msg(findings == 0, "%s", found);
}
END_TEST

START_TEST(what_comes_twice_is_told_once) {
    say_hash("5");
    say_hash("5");
    ck_assert_msg(audit(), "%s", why);
    ck_assert_uint_eq(findings, 1);
    ck_assert_msg(strstr(found, "count of : differs from the sum of its parts by 5"), "%s", found);
}
END_TEST

START_TEST(what_changed_meanwhile_is_read_again) {
    say_hash("5");
    say_hash("6");
    say_hash("0");
    ck_assert_msg(audit(), "%s", why);
    ck_assert_msg(findings == 0, "%s", found);
}
END_TEST

START_TEST(what_never_stands_still_is_told_as_that) {
    for (int i = 0; i < READINGS_MAX; i++) {
        char total[16];
        snprintf(total, sizeof total, "%d", 5 + i);
        say_hash(total);
    }
    ck_assert_msg(audit(), "%s", why);
    ck_assert_uint_eq(findings, 1);
    ck_assert_msg(strstr(found, "changed each time it was read"), "%s", found);
}
END_TEST

/* A hash that grows while it is scanned may give a field twice. */
START_TEST(pages_are_one_hash_with_each_field_once) {
    for (int reading = 0; reading < 2; reading++) {
        say_page("1234567890123", 2);
        say_until();
        say_field(US "count", "7");
        say_page("0", 3);
        say_field("names", "+count" US);
        say_field(US "count", "7");
        say_until();
    }
    ck_assert_msg(audit(), "%s", why);
    ck_assert_uint_eq(findings, 1);
    ck_assert_msg(strstr(found, "count of : differs from the sum of its parts by 7"), "%s", found);
}
END_TEST

START_TEST(what_is_no_page_is_an_error_that_names_the_key) {
    static const struct {
        const char *answer, *said;
    } cases[] = {{"-WRONGTYPE no hash\r\n", "WRONGTYPE no hash"},
                 {"*2\r\n$1\r\n0\r\n$1\r\n0\r\n", "an answer that is no hash"},
                 {"*2\r\n$1\r\n0\r\n*1\r\n$1\r\n0\r\n", "an answer that is no hash"},
                 {"*2\r\n$1\r\n0\r\n*2\r\n$1\r\n0\r\n:1\r\n", "an answer that is no hash"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        canned_end();
        begin();
        say(cases[i].answer);
        ck_assert(!audit());
        ck_assert_msg(strstr(why, cases[i].said) && strstr(why, "aforo:2:r:{a."), "%s", why);
    }
}
END_TEST

START_TEST(a_connection_that_ends_between_two_pages_is_an_error) {
    say_page("7", 1);
    say_until();
    ck_assert(!audit());
    ck_assert_str_ne(why, "");
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, begin, canned_end}), "redis_rows_audit",
                what_is_right_is_read_once, nothing_is_right, what_comes_twice_is_told_once,
                what_changed_meanwhile_is_read_again, what_never_stands_still_is_told_as_that,
                pages_are_one_hash_with_each_field_once,
                what_is_no_page_is_an_error_that_names_the_key,
                a_connection_that_ends_between_two_pages_is_an_error)
