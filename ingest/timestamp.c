/* Every form of a timestamp, read from left to right; the first wrong byte ends it, with the
 * reason. The form that arrives by the million is tried first, in timestamp_fast.h. */
#include "ingest/timestamp.h"

#include "counters/time/civil.h"
#include "counters/time/window.h"
#include "ingest/timestamp_fast.h"

#include <stdio.h>

#define S_PER_MIN 60
#define S_PER_HOUR 3600
#define S_PER_DAY 86400

#define FRACTION_DIGITS_MAX 9
#define EPOCH_DIGITS_MAX 19
/* from here on milliseconds, which is 1973 */
#define EPOCH_S_END UINT64_C(100000000000)
#define EPOCH_MS_END UINT64_C(100000000000000)    /* microseconds */
#define EPOCH_US_END UINT64_C(100000000000000000) /* nanoseconds */

enum fault {
    FAULT_EMPTY,
    FAULT_TOO_LONG,
    FAULT_BYTE,  /* another byte was expected */
    FAULT_ENDS,  /* the text ended too early */
    FAULT_RANGE, /* a number is out of range */
    FAULT_DAY,   /* the same, for a day of that month */
    FAULT_FRACTION_DIGITS,
    FAULT_EPOCH_DIGITS,
    FAULT_EPOCH_FRACTION,
    FAULT_COMMA
};

/* The text, how far it has been read, and where to report a mistake. */
struct reader {
    const unsigned char *text;
    size_t len;
    size_t at;
    struct timestamp_error *error;
};

static bool fail(struct reader *r, enum fault fault, size_t at) {
    *r->error = (struct timestamp_error){.fault = (unsigned char)fault, .at = at};
    return false;
}

static bool fail_here(struct reader *r, const char *expected) {
    const bool ends = r->at >= r->len;
    fail(r, ends ? FAULT_ENDS : FAULT_BYTE, r->at);
    r->error->found = ends ? 0 : r->text[r->at];
    r->error->what = expected;
    return false;
}

static bool is_digit_here(const struct reader *r) {
    return r->at < r->len && r->text[r->at] >= '0' && r->text[r->at] <= '9';
}

static bool is_byte_here(const struct reader *r, char byte) {
    return r->at < r->len && r->text[r->at] == (unsigned char)byte;
}

static bool read_byte(struct reader *r, char byte, const char *expected) {
    if (!is_byte_here(r, byte)) {
        return fail_here(r, expected);
    }
    r->at++;
    return true;
}

/* Reads exactly `digits` digits. */
static bool read_number(struct reader *r, int digits, int *out) {
    int number = 0;
    for (int i = 0; i < digits; i++) {
        if (!is_digit_here(r)) {
            return fail_here(r, "a digit");
        }
        number = number * 10 + (r->text[r->at++] - '0');
    }
    *out = number;
    return true;
}

/* Reads exactly two digits, min..max. */
static bool read_two(struct reader *r, int min, int max, const char *name, int *out) {
    const size_t at = r->at;
    if (!read_number(r, 2, out)) {
        return false;
    }
    if (*out < min || *out > max) {
        fail(r, FAULT_RANGE, at);
        r->error->value = (short)*out;
        r->error->what = name;
        return false;
    }
    return true;
}

/* Reads one to nine digits after a point, as microseconds. */
static bool read_fraction(struct reader *r, int64_t *us) {
    int64_t unit_us = US_PER_S / 10;
    const size_t first = r->at;
    *us = 0;
    while (is_digit_here(r)) {
        if (r->at - first == FRACTION_DIGITS_MAX) {
            return fail(r, FAULT_FRACTION_DIGITS, r->at);
        }
        *us += (r->text[r->at++] - '0') * unit_us;
        unit_us /= 10;
    }
    return r->at > first || fail_here(r, "a digit");
}

/* Reads the fraction of a second, if any. After a comma it has 3, 6 or 9 digits, as clocks and
 * loggers write it: with any other length the digits are more likely the next column of a table,
 * and must not be taken for a part of the time. */
static bool read_decimals(struct reader *r, int64_t *us) {
    *us = 0;
    if (!is_byte_here(r, '.') && !is_byte_here(r, ',')) {
        return true;
    }
    const bool comma = is_byte_here(r, ',');
    const size_t first = ++r->at;
    if (!read_fraction(r, us)) {
        return false;
    }
    return !comma || (r->at - first) % 3 == 0 || fail(r, FAULT_COMMA, first - 1);
}

static bool read_date(struct reader *r, int64_t *day) {
    int year = 0, month = 0, day_of_month = 0;
    if (!read_number(r, 4, &year) || !read_byte(r, '-', "'-'") ||
        !read_two(r, 1, 12, "month", &month) || !read_byte(r, '-', "'-'")) {
        return false;
    }
    if (!read_two(r, 1, civil_days_in_month(year, month), "day", &day_of_month)) {
        if (r->error->fault == FAULT_RANGE) {
            r->error->fault = FAULT_DAY;
            r->error->year = (short)year;
            r->error->month = (short)month;
        }
        return false;
    }
    *day = civil_days_from_date(year, month, day_of_month);
    return true;
}

static bool read_time_of_day(struct reader *r, int64_t *second_of_day) {
    int hour, minute, second;
    if (!read_two(r, 0, 23, "hour", &hour) || !read_byte(r, ':', "':'") ||
        !read_two(r, 0, 59, "minute", &minute) || !read_byte(r, ':', "':'") ||
        !read_two(r, 0, 60, "second", &second)) {
        return false;
    }
    *second_of_day = hour * S_PER_HOUR + minute * S_PER_MIN + second;
    return true;
}

/* Reads Z, +hh:mm, -hh:mm, the same without the colon, or nothing; *ahead_s is by how many seconds
 * the sender's clock is ahead of UTC. */
static bool read_offset(struct reader *r, const char *expected, int64_t *ahead_s) {
    *ahead_s = 0;
    if (r->at == r->len) {
        return true;
    }
    if (is_byte_here(r, 'Z') || is_byte_here(r, 'z')) {
        r->at++;
        return true;
    }
    const bool behind = is_byte_here(r, '-');
    if (!behind && !is_byte_here(r, '+')) {
        return fail_here(r, expected);
    }
    r->at++;
    int hour, minute;
    if (!read_two(r, 0, 23, "offset hour", &hour)) {
        return false;
    }
    if (!is_digit_here(r) && !read_byte(r, ':', "':' or a digit")) {
        return false;
    }
    if (!read_two(r, 0, 59, "offset minute", &minute)) {
        return false;
    }
    *ahead_s = hour * S_PER_HOUR + minute * S_PER_MIN;
    if (behind) {
        *ahead_s = -*ahead_s;
    }
    return true;
}

static bool read_end(struct reader *r) {
    return r->at == r->len || fail_here(r, "the end");
}

static bool read_calendar(struct reader *r, int64_t *us) {
    int64_t day, second_of_day, fraction_us = 0, ahead_s;
    if (!read_date(r, &day)) {
        return false;
    }
    if (!is_byte_here(r, ' ') && !is_byte_here(r, 'T') && !is_byte_here(r, 't')) {
        return fail_here(r, "a blank or 'T'");
    }
    r->at++;
    if (!read_time_of_day(r, &second_of_day)) {
        return false;
    }
    const size_t whole = r->at;
    if (!read_decimals(r, &fraction_us)) {
        return false;
    }
    const char *expected =
        r->at == whole ? "'.', 'Z', an offset or the end" : "a digit, 'Z', an offset or the end";
    if (!read_offset(r, expected, &ahead_s) || !read_end(r)) {
        return false;
    }
    *us = (day * S_PER_DAY + second_of_day - ahead_s) * US_PER_S + fraction_us;
    return true;
}

static bool read_epoch(struct reader *r, int64_t *us) {
    uint64_t number = 0;
    while (is_digit_here(r)) {
        if (r->at == EPOCH_DIGITS_MAX) {
            return fail(r, FAULT_EPOCH_DIGITS, r->at);
        }
        number = number * 10 + (uint64_t)(r->text[r->at++] - '0');
    }
    int64_t fraction_us = 0;
    const char *expected = "a digit, '.' or the end";
    if (is_byte_here(r, '.')) {
        if (number >= EPOCH_S_END) {
            return fail(r, FAULT_EPOCH_FRACTION, r->at);
        }
        r->at++;
        if (!read_fraction(r, &fraction_us)) {
            return false;
        }
        expected = "a digit or the end";
    }
    if (r->at != r->len) {
        return fail_here(r, expected);
    }
    if (number < EPOCH_S_END) {
        *us = (int64_t)number * US_PER_S + fraction_us;
    } else if (number < EPOCH_MS_END) {
        *us = (int64_t)number * US_PER_MS;
    } else {
        *us = (int64_t)(number < EPOCH_US_END ? number : number / 1000);
    }
    return true;
}

/* Whether it is meant as a number since the epoch. A date has its first '-' after four digits; with
 * more digits than that, or followed by a point or nothing, it is a number. */
static bool looks_like_epoch(const struct reader *r) {
    struct reader ahead = *r;
    while (is_digit_here(&ahead)) {
        ahead.at++;
    }
    return ahead.at > 4 || (ahead.at > 0 && (ahead.at == ahead.len || is_byte_here(&ahead, '.')));
}

bool timestamp_parse_plain(const char *text, size_t len, int64_t *us,
                           struct timestamp_error *error) {
    struct reader r = {.text = (const unsigned char *)text, .len = len, .error = error};
    if (len == 0) {
        return fail(&r, FAULT_EMPTY, 0);
    }
    if (len > TIMESTAMP_MAX) {
        return fail(&r, FAULT_TOO_LONG, TIMESTAMP_MAX);
    }
    return looks_like_epoch(&r) ? read_epoch(&r, us) : read_calendar(&r, us);
}

bool timestamp_parse(const char *text, size_t len, int64_t *us, struct timestamp_error *error) {
    if (len == TIMESTAMP_FAST_LEN ||
        (len == TIMESTAMP_FAST_LEN + 1 && (text[len - 1] | 0x20) == 'z')) {
        struct timestamp_day day;
        if (timestamp_day_learn(&day, text) && timestamp_fast(&day, text, us)) {
            return true;
        }
    }
    return timestamp_parse_plain(text, len, us, error);
}

static void quote_byte(unsigned char byte, char out[8]) {
    if (byte >= ' ' && byte <= '~') {
        snprintf(out, 8, "'%c'", byte);
    } else {
        snprintf(out, 8, "'\\x%02x'", byte);
    }
}

size_t timestamp_explain(const struct timestamp_error *e, char *buf, size_t cap) {
    char found[8];
    int len = 0;
    switch ((enum fault)e->fault) {
    case FAULT_EMPTY:
        len = snprintf(buf, cap, "empty, expected a timestamp");
        break;
    case FAULT_TOO_LONG:
        len = snprintf(buf, cap, "longer than %d bytes", TIMESTAMP_MAX);
        break;
    case FAULT_BYTE:
        quote_byte(e->found, found);
        len =
            snprintf(buf, cap, "expected %s at character %zu, found %s", e->what, e->at + 1, found);
        break;
    case FAULT_ENDS:
        len = snprintf(buf, cap, "expected %s at character %zu, but it ends there", e->what,
                       e->at + 1);
        break;
    case FAULT_RANGE:
        len = snprintf(buf, cap, "%s %d is out of range", e->what, e->value);
        break;
    case FAULT_DAY:
        len =
            snprintf(buf, cap, "day %d is out of range for %04d-%02d", e->value, e->year, e->month);
        break;
    case FAULT_FRACTION_DIGITS:
        len = snprintf(buf, cap, "more than %d digits after the point", FRACTION_DIGITS_MAX);
        break;
    case FAULT_EPOCH_DIGITS:
        len = snprintf(buf, cap, "more than %d digits in an epoch time", EPOCH_DIGITS_MAX);
        break;
    case FAULT_EPOCH_FRACTION:
        len = snprintf(buf, cap, "an epoch time has a fraction only in seconds, below 10^11");
        break;
    case FAULT_COMMA:
        len = snprintf(buf, cap,
                       "3, 6 or 9 digits must follow the comma at character %zu, or write a point",
                       e->at + 1);
        break;
    }
    return (size_t)len < cap ? (size_t)len : cap - 1;
}
