/* Rows from Redis, by what it answers: what is asked of it, what its refusals are made of, and how
 * far back it is looked at. */
#include "counters/time/horizon.h"
#include "redis/schema.h"
#include "tests/unit/redis/canned_redis.h"
#include "tools/console/source.h"

#include <inttypes.h>
#include <stdlib.h>

#define MINUTE INT64_C(24407231) /* 2016-05-28T11:11, a chunk of 1 s windows */
#define MINUTE_US (60 * US_PER_S)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

static char why[SOURCE_WHY_MAX];
static struct row rows[128];
static unsigned taken, found;

static bool take(void *cls, const struct row *row) {
    (void)cls;
    ck_assert_uint_lt(taken, sizeof rows / sizeof *rows);
    rows[taken++] = *row;
    return true;
}

static const struct row_taker taker = {take, NULL};

static void begin(void) {
    canned_begin();
    taken = found = 0;
    why[0] = '\0';
}

static struct source *open_url(const char *url) {
    const struct source_config config = {
        .place = url, .timeout_us = 2 * US_PER_S, .horizon_us = HOUR_US};
    return source_redis_open(&config, why);
}

static struct source *must_open(const char *url) {
    struct source *source = open_url(url);
    ck_assert_msg(source != NULL, "%s", why);
    return source;
}

START_TEST(a_redis_that_may_be_read) {
    const unsigned a = canned_add("a:1", "+OK\r\n:0\r\n:0\r\n", true);
    struct source *source = must_open("redis://a:1/3");
    ck_assert_str_eq(canned_sent(a), "*2  $6  SELECT  $1  3  ");
    ck_assert_str_eq(source->nothing, "redis a:1, database 3, holds no counts of aforo; is it the "
                                      "right Redis, and the right database of it?");
    ck_assert_int_eq(source->horizon_us, HOUR_US);
    ck_assert_int_eq(source->settle_us, 250 * US_PER_MS);
    ck_assert_int_eq(source->kept_us[RESOLUTION_10MS], 2 * HOUR_US);
    ck_assert_int_eq(source->kept_us[RESOLUTION_1S], 7 * DAY_US);
    ck_assert_int_eq(source->kept_us[RESOLUTION_1MIN], 400 * DAY_US);
    ck_assert(source->ops->ready(source, why));
    source->ops->close(source);
}
END_TEST

/* May we read at all? The key that is asked for is not worth naming. */
START_TEST(refusals_say_what_to_do) {
    static const struct {
        const char *url, *answer, *sentence;
    } cases[] = {
        {"redis://a:1", "-NOAUTH Authentication required.\r\n",
         "redis a:1: NOAUTH Authentication required. (it wants a password: set "
         "AFORO_REDIS_PASSWORD or AFORO_REDIS_PASSWORD_FILE)"},
        {"redis://a:1", "-NOPERM no permissions\r\n",
         "redis a:1: NOPERM no permissions (this user needs +hmget, +hgetall, +hscan, +exists, "
         "+get and ~aforo:* to read what aforo keeps)"},
        {"redis://a:1", "-LOADING wait\r\n", "redis a:1: LOADING wait"},
        {"redis://:secret@a:1",
         "-ERR AUTH <password> called without any password configured for the default user. Are "
         "you sure your configuration is correct?\r\n",
         "redis a:1: AUTH: a password was given, and this Redis has none: leave it out (of the "
         "URL, "
         "AFORO_REDIS_PASSWORD, AFORO_REDIS_PASSWORD_FILE)"},
        {"redis://a:1", "", "redis a:1: Server closed the connection"},
        {"redis://a:1/x", "", "redis "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        canned_add("a:1", cases[i].answer, false);
        why[0] = '\0';
        ck_assert_ptr_null(open_url(cases[i].url));
        ck_assert_msg(i == 5 ? strstr(why, cases[i].sentence) == why
                             : strcmp(why, cases[i].sentence) == 0,
                      "%s", why);
        if (i == 5)
            continue;
        ck_assert_ptr_null(strstr(why, "secret"));
    }
}
END_TEST

START_TEST(urls_of_redis) {
    ck_assert(source_redis_place_is_valid("redis://a", why));
    ck_assert(source_redis_place_is_valid("redis+cluster://a,b", why));
    ck_assert(!source_redis_place_is_valid("http://a", why));
    ck_assert_msg(*why, "no sentence");
}
END_TEST

/* An array of n nils, but for one value. */
static void put_counts(char *text, size_t cap, unsigned n, unsigned slot, const char *value) {
    size_t len = (size_t)snprintf(text, cap, "*%u\r\n", n);
    for (unsigned i = 0; i < n; i++) {
        len += (size_t)(i == slot ? snprintf(text + len, cap - len, "$%zu\r\n%s\r\n", strlen(value),
                                             value)
                                  : snprintf(text + len, cap - len, "$-1\r\n"));
    }
}

/* The only chunk that is there is read from its first window on, and events end the search. */
START_TEST(rows_of_one_chunk) {
    char text[8192] = ":0\r\n", counts[1024];
    put_counts(counts, sizeof counts, 60, 58, "7");
    for (int i = 0; i < 4; i++)
        strcat(strcat(text, ":1\r\n"), counts);
    canned_add("a:1", text, true);
    struct source *source = must_open("redis://a:1");
    const struct query query = {RESOLUTION_1S, MINUTE * MINUTE_US + 3 * US_PER_S,
                                (MINUTE + 1) * MINUTE_US - US_PER_S, 0, false};
    ck_assert_msg(source->ops->rows(source, &query, (MINUTE + 2) * MINUTE_US, &taker, why) ==
                      SOURCE_DONE,
                  "%s", why);
    ck_assert_uint_eq(taken, 1);
    ck_assert_int_eq(rows[0].window, MINUTE * 60 + 58);
    ck_assert_uint_eq(rows[0].count, 7);
    ck_assert_int_eq(rows[0].state, WINDOW_CLOSED);
    source->ops->close(source);
}
END_TEST

/* Of windows of 10 ms, by a Redis that answers with `answers`, where each % stands for a chunk with
 * one event in its first window; true when nothing else was asked. */
static bool ask_at(int64_t now_us, int64_t from_us, int64_t to_us, const char *answers) {
    char text[8192] = ":0\r\n", counts[1024];
    put_counts(counts, sizeof counts, 100, 0, "1");
    for (size_t len; *answers; answers++) {
        len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s",
                 *answers == '%'   ? counts
                 : *answers == '1' ? ":1\r\n"
                                   : ":0\r\n");
    }
    canned_add("a:1", text, false);
    struct source *source = must_open("redis://a:1");
    const struct query query = {RESOLUTION_10MS, from_us, to_us, 0, true};
    taken = 0;
    const bool done = source->ops->rows(source, &query, now_us, &taker, why) == SOURCE_DONE;
    /* the end of the connection is next */
    const bool all = !source->ops->ready(source, why) && strstr(why, "Server closed");
    source->ops->close(source);
    return done && all;
}

/* What is kept by default, and a day: --from reaches further, but not for ever; an hour ahead. */
START_TEST(how_far_it_is_looked) {
    const int64_t now_us = 1464433871 * US_PER_S, oldest_us = now_us - 26 * HOUR_US,
                  limit_us = now_us - 1000000 * US_PER_S, newest_us = now_us + HOUR_US;
    ck_assert(ask_at(now_us, 0, oldest_us, ""));
    ck_assert(ask_at(now_us, 0, oldest_us + US_PER_S, "1%1%"));
    ck_assert_uint_eq(taken, 1);
    ck_assert_int_eq(rows[0].window * 10 * US_PER_MS, oldest_us);
    ck_assert_int_eq(rows[0].state, WINDOW_FINAL);

    ck_assert(ask_at(now_us, oldest_us - US_PER_S, oldest_us, "1%1%"));
    ck_assert_uint_eq(taken, 1);
    ck_assert_int_eq(rows[0].window * 10 * US_PER_MS, oldest_us - US_PER_S);
    ck_assert(ask_at(now_us, limit_us - US_PER_S, limit_us, ""));
    ck_assert(ask_at(now_us, limit_us - US_PER_S, limit_us + 2 * US_PER_S, "11%%1%11%%"));
    ck_assert_uint_eq(taken, 101);
    ck_assert_int_eq(rows[0].window * 10 * US_PER_MS, limit_us);
    ck_assert_uint_eq(rows[50].count, 0);
    ck_assert_uint_eq(rows[100].count, 1);

    ck_assert(ask_at(now_us, newest_us, QUERY_TO_NONE, "1%1%"));
    ck_assert_uint_eq(taken, 1);
    ck_assert_int_eq(rows[0].state, WINDOW_OPEN);
    ck_assert(ask_at(now_us, newest_us + 10 * US_PER_MS, QUERY_TO_NONE, ""));
    ck_assert_uint_eq(taken, 0);
}
END_TEST

/* Before 1970 there is nothing. */
START_TEST(a_clock_at_the_beginning) {
    ck_assert(ask_at(US_PER_S, 0, US_PER_S, "1%1%"));
    ck_assert_uint_eq(taken, 1);
    ck_assert_int_eq(rows[0].window, 0);
}
END_TEST

START_TEST(a_redis_that_goes_away_and_comes_back) {
    canned_add("a:1", ":0\r\n", false);
    struct source *source = must_open("redis://a:1");
    const struct query query = {RESOLUTION_1S, MINUTE * MINUTE_US, (MINUTE + 1) * MINUTE_US, 0,
                                true};
    ck_assert_int_eq(source->ops->rows(source, &query, (MINUTE + 2) * MINUTE_US, &taker, why),
                     SOURCE_AWAY);
    ck_assert_str_eq(why, "redis a:1: Server closed the connection");
    ck_assert_int_eq(source->ops->rows(source, &query, (MINUTE + 2) * MINUTE_US, &taker, why),
                     SOURCE_AWAY);
    ck_assert_msg(strncmp(why, "redis a:1: ", 11) == 0, "%s", why);
    canned_add("a:1", ":0\r\n:0\r\n:0\r\n", true);
    ck_assert_msg(source->ops->rows(source, &query, (MINUTE + 2) * MINUTE_US, &taker, why) ==
                      SOURCE_DONE,
                  "%s", why);
    source->ops->close(source);
}
END_TEST

/* ---- audit ---- */

static void find(void *cls, const char *sentence) {
    ck_assert_ptr_eq(cls, &found);
    ck_assert_msg(strstr(sentence, "is none of aforo's"), "%s", sentence);
    found++;
}

static const struct finding_taker finder = {find, &found};

/* A chunk with something in it that is not ours. */
static const char *put_odd(char *text, size_t cap, enum resolution r, int64_t chunk) {
    char until[32];
    snprintf(until, sizeof until, "%" PRId64, schema_until_s(r, chunk));
    snprintf(text, cap, "*4\r\n$3\r\nodd\r\n$1\r\n1\r\n$5\r\nuntil\r\n$%zu\r\n%s\r\n",
             strlen(until), until);
    return text;
}

/* All chunks of all resolutions that the span touches: 61 and one, in two portions; one and one;
 * the hour that holds it. */
START_TEST(the_audit_of_a_span) {
    char text[8192] = ":0\r\n", odd[128];
    const int64_t second = MINUTE * 60;
    for (int i = 0; i < 66; i++)
        strcat(text, i == 65 ? put_odd(odd, sizeof odd, RESOLUTION_10MS, second + i) : "*0\r\n");
    strcat(text, "*0\r\n");
    strcat(text, put_odd(odd, sizeof odd, RESOLUTION_1S, MINUTE + 1));
    strcat(text, put_odd(odd, sizeof odd, RESOLUTION_1MIN, MINUTE / 60));
    strcat(text, "*0\r\n"); /* no reports */
    canned_add("a:1", text, true);
    struct source *source = must_open("redis://a:1");
    const struct query query = {RESOLUTION_10MS, second * US_PER_S, (second + 65) * US_PER_S, 0,
                                true};
    ck_assert_msg(source->ops->audit(source, &query, (second + 70) * US_PER_S, &finder, why), "%s",
                  why);
    ck_assert_uint_eq(found, 3);
    source->ops->close(source);
}
END_TEST

START_TEST(an_audit_that_fails) {
    canned_add("a:1", ":0\r\n-NOPERM no\r\n*0\r\n*0\r\n", false);
    struct source *source = must_open("redis://a:1");
    const struct query query = {RESOLUTION_10MS, MINUTE * MINUTE_US, MINUTE * MINUTE_US, 0, true};
    ck_assert(!source->ops->audit(source, &query, (MINUTE + 1) * MINUTE_US, &finder, why));
    ck_assert_msg(strstr(why, "redis aforo:2:{10ms:2016-05-28T11:11:00}: NOPERM no (this user"),
                  "%s", why);
    ck_assert_uint_eq(found, 0);
    source->ops->close(source);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        a_redis_that_may_be_read,
        refusals_say_what_to_do,
        urls_of_redis,
        rows_of_one_chunk,
        how_far_it_is_looked,
        a_clock_at_the_beginning,
        a_redis_that_goes_away_and_comes_back,
        the_audit_of_a_span,
        an_audit_that_fails,
    };
    unsetenv("AFORO_REDIS_PASSWORD");
    unsetenv("AFORO_REDIS_PASSWORD_FILE");
    const struct check_fixture each = {60, begin, canned_end};
    return check_run(check_suite("source_redis", &each, tests, sizeof tests / sizeof tests[0]));
}
