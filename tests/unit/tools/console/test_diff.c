/* Which sources diff takes, and until when windows are meant. */
#include "tests/unit/check_main.h"
#include "tools/console/diff_side.h"

#include <string.h>

START_TEST(a_source_is_a_kind_and_a_place) {
    static const struct {
        const char *text;
        enum diff_kind kind;
        const char *place;
    } rows[] = {
        {"state:./a:b", DIFF_STATE, "./a:b"},
        {"log:/var/log", DIFF_LOG, "/var/log"},
        {"server:http://127.0.0.1:8080", DIFF_SERVER, "http://127.0.0.1:8080"},
        {"redis:redis://127.0.0.1:6379/1", DIFF_REDIS, "redis://127.0.0.1:6379/1"},
        {"redis:unix:///run/redis.sock", DIFF_REDIS, "unix:///run/redis.sock"},
    };
    char why[SOURCE_WHY_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diff_side side;
        ck_assert_msg(diff_side_read(rows[i].text, &side, why), "%s", why);
        ck_assert_int_eq(side.kind, rows[i].kind);
        ck_assert_str_eq(side.place, rows[i].place);
        ck_assert_str_eq(side.name, rows[i].text);
    }
}
END_TEST

START_TEST(what_is_no_source_is_told) {
    static const char *const rows[] = {
        "",     "state",  ":x",      "state:",         "States:x",
        "/dir", "logs:x", "server:", "server:ftp://x", "redis:http://x"};
    char why[SOURCE_WHY_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct diff_side side;
        *why = '\0';
        ck_assert_msg(!diff_side_read(rows[i], &side, why), "%s", rows[i]);
        ck_assert_msg(*why, "%s", rows[i]);
    }
}
END_TEST

START_TEST(windows_that_are_not_over_are_not_meant) {
    struct diff_question question = {.to_us = QUERY_TO_NONE};
    ck_assert_int_eq(diff_question_end(&question, 60 * US_PER_S), QUERY_TO_NONE);
    question.over_us = 125 * US_PER_S + 7;
    ck_assert_int_eq(diff_question_end(&question, 60 * US_PER_S), 120 * US_PER_S);
    ck_assert_int_eq(diff_question_end(&question, 10000), 125 * US_PER_S);
    question.to_us = 60 * US_PER_S;
    ck_assert_int_eq(diff_question_end(&question, 10000), 60 * US_PER_S);
}
END_TEST

START_TEST(the_last_window_is_meant_with_all_its_events) {
    static const struct {
        int64_t to_us, widest_us, end_us;
    } rows[] = {
        {QUERY_TO_NONE, 60 * US_PER_S, QUERY_TO_NONE},
        {120 * US_PER_S, 60 * US_PER_S, 120 * US_PER_S},
        {120 * US_PER_S + 1, 60 * US_PER_S, 180 * US_PER_S},
        {179 * US_PER_S, 60 * US_PER_S, 180 * US_PER_S},
        {179 * US_PER_S, 86400 * US_PER_S, 86400 * US_PER_S},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct diff_question question = {.to_us = rows[i].to_us,
                                               .widest_us = rows[i].widest_us};
        ck_assert_int_eq(diff_question_events_end(&question), rows[i].end_us);
    }
}
END_TEST

CHECK_MAIN("diff", a_source_is_a_kind_and_a_place, what_is_no_source_is_told,
           windows_that_are_not_over_are_not_meant, the_last_window_is_meant_with_all_its_events)
