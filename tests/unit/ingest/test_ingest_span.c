#include "ingest/span.h"

#include "counters/time/window.h"
#include "tests/unit/check_main.h"

#include <string.h>

#define NOW INT64_C(1464433871123456)
#define MIN_US (60 * US_PER_S)
#define HOUR_US (60 * MIN_US)
#define LOCAL "; times are UTC, is this a local one?"

static const struct span span = {.now_us = NOW, .horizon_us = HOUR_US, .future_us = 10 * US_PER_S};

static const struct {
    int64_t event_us;
    const char *why;
} outside[] = {
    {NOW - HOUR_US - 3 * US_PER_S, "too late by 3 s: it is 1 h ago, the horizon is 1 h" LOCAL},
    {NOW - HOUR_US - 3 * MIN_US, "too late by 3 min: it is 1 h 3 min ago, the horizon is 1 h"},
    {NOW - 2 * HOUR_US - MIN_US,
     "too late by 1 h 1 min: it is 2 h 1 min ago, the horizon is 1 h" LOCAL},
    {NOW - 5 * HOUR_US - 30 * MIN_US,
     "too late by 4 h 30 min: it is 5 h 30 min ago, the horizon is 1 h" LOCAL},
    {NOW - 20 * HOUR_US, "too late by 19 h: it is 20 h ago, the horizon is 1 h"},
    {0, "too late by 16949 d 10 h: it is 16949 d 11 h ago, the horizon is 1 h"},
    {NOW + 11 * US_PER_S, "too far ahead by 1 s: it is 11 s ahead of this server's clock, the most "
                          "that is taken is 10 s"},
    {NOW + 2 * HOUR_US - US_PER_S, "too far ahead by 1 h 59 min: it is 1 h 59 min ahead of this "
                                   "server's clock, the most that is taken is 10 s" LOCAL},
    {NOW + 14 * HOUR_US, "too far ahead by 13 h 59 min: it is 14 h ahead of this server's clock, "
                         "the most that is taken is 10 s" LOCAL},
    {NOW + 15 * HOUR_US, "too far ahead by 14 h 59 min: it is 15 h ahead of this server's clock, "
                         "the most that is taken is 10 s"},
    {NOW - MIN_US,
     "too late: this server's clock was set back, and what it keeps begins after that time"},
};

START_TEST(what_is_outside_says_by_how_much) {
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        char why[SPAN_WHY_MAX];
        ck_assert_uint_eq(span_explain(&span, outside[i].event_us, why, sizeof why),
                          strlen(outside[i].why));
        ck_assert_str_eq(why, outside[i].why);
        const size_t len = strlen(outside[i].why); /* no room for its end: cut by one */
        ck_assert_uint_eq(span_explain(&span, outside[i].event_us, why, len), len - 1);
        ck_assert_uint_eq(strlen(why), len - 1);
    }
}
END_TEST

/* Two minutes either way of whole and half hours, from half an hour to 14 hours. */
START_TEST(what_may_be_a_local_time) {
    static const struct {
        int64_t off_us;
        bool local;
    } rows[] = {{28 * MIN_US - 1, false},
                {28 * MIN_US, true},
                {32 * MIN_US, true},
                {32 * MIN_US + 1, false},
                {58 * MIN_US - 1, false},
                {58 * MIN_US, true},
                {14 * HOUR_US + 2 * MIN_US, true},
                {14 * HOUR_US + 2 * MIN_US + 1, false},
                {14 * HOUR_US + 30 * MIN_US, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char why[SPAN_WHY_MAX];
        span_explain(&span, NOW + rows[i].off_us, why, sizeof why);
        ck_assert_msg((strstr(why, LOCAL) != NULL) == rows[i].local, "row %zu: %s", i, why);
    }
}
END_TEST

START_TEST(a_sentence_is_never_longer_than_its_buffer) {
    /* the years 0 and 9999 */
    static const int64_t times[] = {-INT64_C(62167219200000000), INT64_C(253402387139999999)};
    const struct span widest = {
        .now_us = NOW, .horizon_us = 86400 * US_PER_S - 1, .future_us = HOUR_US - 1};
    for (size_t i = 0; i < 2; i++) {
        char why[SPAN_WHY_MAX];
        ck_assert_uint_lt(span_explain(&widest, times[i], why, sizeof why), sizeof why - 1);
        ck_assert_uint_eq(span_explain(&widest, times[i], why, 9), 8);
        ck_assert_uint_eq(strlen(why), 8);
    }
}
END_TEST

CHECK_MAIN("ingest_span", what_is_outside_says_by_how_much, what_may_be_a_local_time,
           a_sentence_is_never_longer_than_its_buffer)
