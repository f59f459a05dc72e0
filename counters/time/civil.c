/* The calendar, computed without tables: years are counted from March, so that the leap day is the
 * last of its year and the lengths of the months before it follow one straight line (153 days in
 * every five months). */
#include "counters/time/civil.h"

#include "counters/time/window.h"

#define DAYS_PER_400_YEARS 146097
#define DAYS_FROM_0000_03_01_TO_1970 719468
#define US_PER_DAY (INT64_C(86400) * US_PER_S)

bool civil_is_leap_year(int year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int civil_days_in_month(int year, int month) {
    static const signed char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && civil_is_leap_year(year));
}

int64_t civil_days_from_date(int year, int month, int day) {
    /* One full cycle of 400 years is added, so that nothing below is negative and division rounds
     * down. */
    const unsigned march_year = (unsigned)(year + 400 - (month <= 2));
    const unsigned march_month = (unsigned)(month + (month <= 2 ? 9 : -3));
    const unsigned day_of_year = (153 * march_month + 2) / 5 + (unsigned)(day - 1);
    const unsigned leap_days = march_year / 4 - march_year / 100 + march_year / 400;
    return (int64_t)(march_year * 365 + leap_days + day_of_year) - DAYS_PER_400_YEARS -
           DAYS_FROM_0000_03_01_TO_1970;
}

static void date_from_days(int64_t days, struct civil *out) {
    /* As above: counted from March, 400 years earlier, so never negative for years 0..9999. */
    const unsigned n = (unsigned)(days + DAYS_FROM_0000_03_01_TO_1970 + DAYS_PER_400_YEARS);
    const unsigned cycle = n / DAYS_PER_400_YEARS;
    const unsigned in_cycle = n % DAYS_PER_400_YEARS;
    /* Take out the leap days that came before (every 1461 days, but not every 36524, but every
     * 146097): then all years have 365 days. */
    const unsigned year_of_cycle =
        (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / (DAYS_PER_400_YEARS - 1)) / 365;
    const unsigned day_of_year =
        in_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    const unsigned march_month = (5 * day_of_year + 2) / 153;
    out->day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
    out->month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    out->year = (int)(cycle * 400 + year_of_cycle) - 400 + (out->month <= 2);
}

void civil_from_us(int64_t t_us, struct civil *out) {
    int64_t days = t_us / US_PER_DAY;
    int64_t us = t_us % US_PER_DAY;
    if (us < 0) { /* before 1970: round towards the earlier day, not towards zero */
        us += US_PER_DAY;
        days--;
    }
    date_from_days(days, out);
    const int second_of_day = (int)(us / US_PER_S);
    out->hour = second_of_day / 3600;
    out->minute = second_of_day / 60 % 60;
    out->second = second_of_day % 60;
    out->us = (int)(us % US_PER_S);
}
