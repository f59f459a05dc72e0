/* Calendar <-> days since the epoch (proleptic Gregorian, UTC). Pure, any thread. */
#ifndef AFORO_COUNTERS_TIME_CIVIL_H
#define AFORO_COUNTERS_TIME_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

/* The end of the year 9999 in microseconds since the epoch: no timestamp can express this time or a
 * later one. */
#define CIVIL_END_US INT64_C(253402300800000000)

struct civil {
    int year;  /* 0..9999 */
    int month; /* 1..12 */
    int day;   /* 1..31 */
    int hour, minute, second;
    int us; /* 0..999999 */
};

bool civil_is_leap_year(int year);
/* 28..31; month 1..12. */
int civil_days_in_month(int year, int month);
/* Days from 1970-01-01 to that date; negative before it. year 0..9999, month 1..12, and a day that
 * exists in that month. */
int64_t civil_days_from_date(int year, int month, int day);
/* Splits a time in microseconds since the epoch (years 0..9999) into its fields. */
void civil_from_us(int64_t t_us, struct civil *out);

#endif
