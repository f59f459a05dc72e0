/* Why there are no rows: each reason from a made-up source that has it. */
#include "tools/console/empty.h"

#include "tests/unit/check_main.h"

#include <string.h>

#define MINUTE_US (60 * US_PER_S)
#define EVENT_US INT64_C(1464433871000000) /* 2016-05-28 11:11:11 */

static struct made_up {
    struct source source; /* first: the source is this */
    int64_t event_us;     /* when the only event was; -1: there is none */
    bool minutes_only;    /* finer windows are no longer kept */
    bool away;
} world;

static bool read_windows(void *cls, enum resolution r, int64_t first, uint32_t n, uint64_t *out) {
    (void)cls;
    for (uint32_t i = 0; i < n; i++)
        out[i] = world.event_us >= 0 && window_at(r, world.event_us) == first + i &&
                 (r == RESOLUTION_1MIN || !world.minutes_only);
    return true;
}

static enum source_outcome read_rows(struct source *source, const struct query *query,
                                     int64_t now_us, const struct row_taker *taker,
                                     char why[SOURCE_WHY_MAX]) {
    if (world.away) {
        strcpy(why, "away");
        return SOURCE_AWAY;
    }
    const int64_t at_us = world.event_us >= 0 ? world.event_us : EVENT_US;
    const struct query_reader reader = {read_windows, NULL,
                                        window_at(query->resolution, at_us - 10 * MINUTE_US),
                                        window_at(query->resolution, at_us + MINUTE_US),
                                        window_at(query->resolution, at_us - 10 * MINUTE_US)};
    return source_rows_from_reader(source, &reader, query, now_us, taker);
}

static const struct source_ops ops = {.rows = read_rows};

/* What is said of that query, so long after the event. */
static const char *explained(const struct query *query, int64_t after_us) {
    static char why[SOURCE_WHY_MAX];
    const struct rows_form form = {.resolution = query->resolution};
    world.source = (struct source){.ops = &ops, .nothing = "made up, and empty"};
    why[0] = '\0';
    empty_explain(&world.source, query, EVENT_US + after_us, &form, why);
    return why;
}

static const struct query seconds = {.resolution = RESOLUTION_1S, .to_us = QUERY_TO_NONE};
static const struct query minutes = {.resolution = RESOLUTION_1MIN, .to_us = QUERY_TO_NONE};

START_TEST(nothing_at_all) {
    world.event_us = -1;
    ck_assert_str_eq(explained(&seconds, 0), "made up, and empty");
}
END_TEST

START_TEST(the_window_is_not_over) {
    world.event_us = EVENT_US;
    ck_assert_str_eq(
        explained(&minutes, US_PER_S),
        "nothing to show yet: the window with events, 2016-05-28 11:11:00.000, is over "
        "in 48 s; --partial shows it now");
    ck_assert_str_eq(
        explained(&seconds, 750 * US_PER_MS),
        "nothing to show yet: the window with events, 2016-05-28 11:11:11.000, is over "
        "in 251 ms; --partial shows it now");
}
END_TEST

START_TEST(other_windows_have_events) {
    world.event_us = EVENT_US;
    struct query later = seconds;
    later.from_us = EVENT_US + 2 * MINUTE_US;
    ck_assert_str_eq(explained(&later, 3 * MINUTE_US),
                     "no events from 2016-05-28 11:13:11.000; the newest are in the minute "
                     "2016-05-28 11:11:00.000");
    struct query earlier = seconds;
    earlier.to_us = EVENT_US - 5 * MINUTE_US;
    ck_assert_str_eq(explained(&earlier, 3 * MINUTE_US),
                     "no events to 2016-05-28 11:06:11.000; the newest are in the minute "
                     "2016-05-28 11:11:00.000");
}
END_TEST

START_TEST(only_minutes_are_kept_for_so_long) {
    world.event_us = EVENT_US;
    world.minutes_only = true;
    ck_assert_str_eq(explained(&seconds, 3 * MINUTE_US),
                     "no 1s windows with events: they are not kept as long as minutes, and the "
                     "newest events are in the minute 2016-05-28 11:11:00.000; ask for 1min");
}
END_TEST

START_TEST(a_source_that_fails_says_so_itself) {
    world.away = true;
    ck_assert_str_eq(explained(&seconds, 0), "away");
}
END_TEST

CHECK_MAIN("empty", nothing_at_all, the_window_is_not_over, other_windows_have_events,
           only_minutes_are_kept_for_so_long, a_source_that_fails_says_so_itself)
