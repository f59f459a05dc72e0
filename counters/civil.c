/* Days from a date and back. The year begins in March here, so that the leap day is its last, and 400 years are one
 * era of exactly 146,097 days (after Howard Hinnant, "chrono-compatible low-level date algorithms"). */
#include "counters/civil.h"

#define DAYS_PER_ERA INT64_C(146097)
#define DAYS_0000_03_01_TO_EPOCH INT64_C(719468)
#define US_PER_DAY INT64_C(86400000000)

bool civil_is_leap_year(int year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int civil_days_in_month(int year, int month) {
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && civil_is_leap_year(year) ? 29 : days[month - 1];
}

int64_t civil_days_from_date(int year, int month, int day) {
    const int64_t y = month <= 2 ? year - 1 : year;
    const int64_t era = (y >= 0 ? y : y - 399) / 400;
    const int64_t year_of_era = y - era * 400;
    const int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_0000_03_01_TO_EPOCH;
}

void civil_from_us(int64_t t_us, struct civil *out) {
    int64_t days = t_us / US_PER_DAY;
    int64_t rest_us = t_us % US_PER_DAY;
    if (rest_us < 0) {
        rest_us += US_PER_DAY;
        days--;
    }
    days += DAYS_0000_03_01_TO_EPOCH;
    const int64_t era = (days >= 0 ? days : days - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    const int64_t day_of_era = days - era * DAYS_PER_ERA;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month_from_march = (5 * day_of_year + 2) / 153;
    out->day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    out->month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    out->year = (int)(year_of_era + era * 400 + (out->month <= 2));
    out->us = (int)(rest_us % 1000000);
    const int64_t second = rest_us / 1000000;
    out->hour = (int)(second / 3600);
    out->minute = (int)(second / 60 % 60);
    out->second = (int)(second % 60);
}
