#include "server/http/live_pace.h"

#include "counters/time/window.h"
#include "tests/unit/check_main.h"

#define MOST 120
#define START_US (1000 * US_PER_S)

static struct live_pace pace;
static int64_t now_us;

/* Has so many pages ask as they are told, all at the same moments, for some seconds; returns the
 * pace that they have then. */
static int64_t ask(unsigned pages, unsigned seconds) {
    const int64_t end_us = now_us + seconds * US_PER_S;
    int64_t next_ms = LIVE_PACE_MS;
    while (now_us < end_us) {
        for (unsigned i = 0; i < pages; i++) {
            next_ms = live_pace_note(&pace, MOST, now_us);
        }
        now_us += next_ms * US_PER_MS;
    }
    return next_ms;
}

static void begin(void) {
    pace = (struct live_pace){0};
    now_us = START_US;
}

START_TEST(the_more_ask_the_less_often_they_should) {
    static const struct {
        unsigned pages;
        int64_t next_ms;
    } rows[] = {{1, 250}, {30, 250}, {32, 500}, {60, 500}, {63, 1000}, {100, 1000}, {9999, 1000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin();
        ck_assert_int_eq(ask(rows[i].pages, 1), 250);
        ck_assert_int_eq(ask(rows[i].pages, 10), rows[i].next_ms);
        const int64_t seen = pace.next_ms;
        for (int k = 0; k < 100; k++) { /* it stays */
            ck_assert_int_eq(ask(rows[i].pages, 1), seen);
        }
    }
}
END_TEST

START_TEST(it_is_the_usual_one_again_when_they_have_left) {
    begin();
    ck_assert_int_eq(ask(100, 10), 1000);
    ck_assert_int_eq(ask(40, 10), 500);
    ck_assert_int_eq(ask(20, 10), 250);
    ck_assert_int_eq(ask(1000, 10), 1000);
    now_us += 7 * US_PER_S;
    ck_assert_int_eq(live_pace_note(&pace, MOST, now_us), 250);
    ck_assert_int_eq(ask(1000, 10), 1000);
    now_us += 3600 * US_PER_S;
    ck_assert_int_eq(live_pace_note(&pace, MOST, now_us), 250);
}
END_TEST

START_TEST(a_few_around_the_bound_do_not_change_it_to_and_fro) {
    begin();
    ck_assert_int_eq(ask(35, 10), 500);
    ck_assert_int_eq(ask(28, 20), 500);
    ck_assert_int_eq(ask(20, 10), 250);
    ck_assert_int_eq(ask(28, 20), 250);
}
END_TEST

START_TEST(where_any_number_may_ask_all_have_the_usual_one) {
    begin();
    for (int i = 0; i < 100000; i++) {
        ck_assert_int_eq(live_pace_note(&pace, 0, now_us += 100), LIVE_PACE_MS);
    }
}
END_TEST

CHECK_MAIN("live_pace", the_more_ask_the_less_often_they_should,
           it_is_the_usual_one_again_when_they_have_left,
           a_few_around_the_bound_do_not_change_it_to_and_fro,
           where_any_number_may_ask_all_have_the_usual_one)
