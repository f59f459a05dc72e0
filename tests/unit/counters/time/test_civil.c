#include "counters/time/civil.h"

#include "tests/unit/check_main.h"

#include <time.h>

#define US_PER_DAY INT64_C(86400000000)

START_TEST(leap_years) {
    ck_assert(civil_is_leap_year(2016));
    ck_assert(!civil_is_leap_year(2015));
    ck_assert(!civil_is_leap_year(1900));
    ck_assert(civil_is_leap_year(2000));
    ck_assert(civil_is_leap_year(0));
    ck_assert_int_eq(civil_days_in_month(2016, 2), 29);
    ck_assert_int_eq(civil_days_in_month(2100, 2), 28);
    ck_assert_int_eq(civil_days_in_month(2015, 12), 31);
}
END_TEST

/* Every day of the years 0..9999 there and back, each one after the day before; and as the C
 * library has it. */
START_TEST(every_day_round_trips) {
    int64_t expected = -719528;
    for (int year = 0; year <= 9999; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int day = 1; day <= civil_days_in_month(year, month); day++, expected++) {
                const int64_t days = civil_days_from_date(year, month, day);
                struct civil c;
                civil_from_us(days * US_PER_DAY, &c);
                DEMAND(days == expected, "%d-%d-%d: day %lld", year, month, day, (long long)days);
                DEMAND(c.year == year && c.month == month && c.day == day && c.hour == 0 &&
                           c.minute == 0 && c.second == 0 && c.us == 0,
                       "%d-%d-%d comes back as %d-%d-%d", year, month, day, c.year, c.month, c.day);
            }
            struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1};
            ck_assert_int_eq(civil_days_from_date(year, month, 1) * 86400, timegm(&tm));
        }
    }
    ck_assert_int_eq(expected, 2932897);
}
END_TEST

START_TEST(fields_of_a_time) {
    struct civil c;
    civil_from_us(INT64_C(1464433871123456), &c);
    ck_assert(c.year == 2016 && c.month == 5 && c.day == 28);
    ck_assert(c.hour == 11 && c.minute == 11 && c.second == 11 && c.us == 123456);
    civil_from_us(-1, &c); /* the end of the day before, not the start of the day after */
    ck_assert(c.year == 1969 && c.month == 12 && c.day == 31);
    ck_assert(c.hour == 23 && c.minute == 59 && c.second == 59 && c.us == 999999);
    civil_from_us(INT64_C(253402300799999999), &c);
    ck_assert(c.year == 9999 && c.month == 12 && c.day == 31 && c.second == 59 && c.us == 999999);
}
END_TEST

CHECK_MAIN("civil", leap_years, every_day_round_trips, fields_of_a_time)
