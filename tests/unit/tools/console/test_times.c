/* Times of people, each with what it is, or what is said of it; and the zone of this machine. */
#include "tools/console/times.h"

#include "tests/unit/check_main.h"

#include <stdlib.h>
#include <string.h>

#define NOW_US INT64_C(1464433871123456) /* 2016-05-28 11:11:11.123456 */
#define DAY_US INT64_C(1464393600000000)
#define MINUTE_US INT64_C(60000000)

START_TEST(must_parse) {
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {{"now", NOW_US},
                {"today", DAY_US},
                {"-1us", NOW_US - 1},
                {"-999ms", NOW_US - 999000},
                {"-1s", NOW_US - 1123456},
                {"-59m", NOW_US - 123456 - 59 * MINUTE_US},
                {"-1h", NOW_US - 11123456 - 60 * MINUTE_US},
                {"-1d", NOW_US - 11123456 - 24 * 60 * MINUTE_US},
                {"2016-05-28", DAY_US},
                {"2016-05-28 11:11", DAY_US + 671 * MINUTE_US},
                {"2016-05-28T11:11", DAY_US + 671 * MINUTE_US},
                {"2016-05-28 11:11:11", DAY_US + 671 * MINUTE_US + 11000000},
                {"2016-05-28T13:11:11.5+02:00", DAY_US + 671 * MINUTE_US + 11500000},
                {"1464433871", NOW_US - 123456},
                {"0", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us = -1;
        char why[TIMES_WHY_MAX] = "";
        ck_assert_msg(times_read(rows[i].text, NOW_US, false, &us, why), "%s: %s", rows[i].text,
                      why);
        ck_assert_msg(us == rows[i].us, "%s is %lld", rows[i].text, (long long)us);
    }
}
END_TEST

START_TEST(must_not_parse) {
    static const char *const rows[][2] = {
        {"", ""},
        {"tomorrow", "is no time; try -1h, today or 2016-05-28 11:11"},
        {"-", "how long ago is written as -30s, -5m, -1h or -7d"},
        {"-5", "how long ago is written as -30s, -5m, -1h or -7d"},
        {"--1h", "how long ago is written as -30s, -5m, -1h or -7d"},
        {"2016-13-28", ""},
        {"2016-05-28 25:11", ""},
        {"2016-05-28 11:11:11 and much more than any time has room for, so that it is cut", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us;
        char why[TIMES_WHY_MAX] = "";
        ck_assert_msg(!times_read(rows[i][0], NOW_US, false, &us, why), "%s", rows[i][0]);
        ck_assert_msg(strlen(why) > 0 && strlen(why) < TIMES_WHY_MAX, "%s", rows[i][0]);
        ck_assert_msg(*rows[i][1] == '\0' || strcmp(why, rows[i][1]) == 0, "%s: %s", rows[i][0],
                      why);
    }
}
END_TEST

START_TEST(the_zone_of_this_machine) {
    struct rows_zone zone;
    int64_t us;
    char why[TIMES_WHY_MAX];
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    times_zone(&zone);
    ck_assert_str_eq(zone.name, "CET/CEST");
    ck_assert_int_eq(zone.ahead_min(NOW_US), 120);
    ck_assert_int_eq(zone.ahead_min(INT64_C(1453979471000000)), 60); /* in January */
    ck_assert_int_eq(zone.ahead_min(-1), 60);
    ck_assert(times_read("2016-05-28", NOW_US, true, &us, why));
    ck_assert_int_eq(us, DAY_US - 120 * MINUTE_US);
    ck_assert(times_read("2016-05-28T11:11:11Z", NOW_US, true, &us, why));
    ck_assert_int_eq(us, NOW_US - 123456);
    setenv("TZ", "UTC0", 1);
    times_zone(&zone);
    ck_assert_str_eq(zone.name, "UTC");
    ck_assert_int_eq(zone.ahead_min(NOW_US), 0);
    setenv("TZ", "<+0530>-5:30", 1);
    times_zone(&zone);
    ck_assert_str_eq(zone.name, "+0530");
    ck_assert_int_eq(zone.ahead_min(NOW_US), 330);
}
END_TEST

CHECK_MAIN("times", must_parse, must_not_parse, the_zone_of_this_machine)
