#include "ingest/number.h"

#define QUICK_DIGITS 15     /* cannot reach NUMBER_END */
#define EXPONENT_MAX 100000 /* more than the digits of any value could offset */

/* digits x 10^(zeros - fraction). Trailing zeros are only counted, because there may be many. */
struct decimal {
    int64_t digits;
    int zeros;
    int fraction; /* digits after the point */
};

struct reader {
    const char *at, *end;
};

static bool is_digit_here(const struct reader *r) {
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static bool is_byte_here(const struct reader *r, char byte) {
    return r->at < r->end && *r->at == byte;
}

/* Appends one digit. False when the number gets too large, whatever power of ten follows. */
static bool add_digit(struct decimal *value, int digit) {
    if (digit == 0) {
        value->zeros += value->digits != 0;
        return true;
    }
    for (; value->zeros > 0; value->zeros--) {
        value->digits *= 10;
        if (value->digits >= NUMBER_END) {
            return false;
        }
    }
    value->digits = value->digits * 10 + digit;
    return value->digits < NUMBER_END;
}

/* Reads one or more digits. */
static bool read_digits(struct reader *r, struct decimal *value) {
    if (!is_digit_here(r)) {
        return false;
    }
    for (; is_digit_here(r); r->at++) {
        if (!add_digit(value, *r->at - '0')) {
            return false;
        }
    }
    return true;
}

static bool read_fraction(struct reader *r, struct decimal *value) {
    if (!is_byte_here(r, '.')) {
        return true;
    }
    const char *start = ++r->at;
    if (!read_digits(r, value)) {
        return false;
    }
    value->fraction = (int)(r->at - start);
    return true;
}

static bool read_exponent(struct reader *r, int *exponent) {
    *exponent = 0;
    if (!is_byte_here(r, 'e') && !is_byte_here(r, 'E')) {
        return true;
    }
    r->at++;
    const bool negative = is_byte_here(r, '-');
    r->at += negative || is_byte_here(r, '+');
    if (!is_digit_here(r)) {
        return false;
    }
    for (; is_digit_here(r); r->at++) {
        if (*exponent < EXPONENT_MAX) {
            *exponent = *exponent * 10 + (*r->at - '0');
        }
    }
    if (negative) {
        *exponent = -*exponent;
    }
    return true;
}

/* Multiplies by 10^power. False when the result is too large or no integer. */
static bool shift(int64_t *digits, int power) {
    if (*digits == 0) {
        return true;
    }
    if (power < 0) { /* the last digit is not 0 */
        return false;
    }
    for (; power > 0; power--) {
        *digits *= 10;
        if (*digits >= NUMBER_END) {
            return false;
        }
    }
    return true;
}

static bool read_general(struct reader r, unsigned decimals, int64_t *number) {
    struct decimal value = {0};
    int exponent;
    const bool negative = is_byte_here(&r, '-');
    r.at += negative;
    if (!read_digits(&r, &value) || !read_fraction(&r, &value) || !read_exponent(&r, &exponent) ||
        r.at != r.end ||
        !shift(&value.digits, value.zeros - value.fraction + exponent + (int)decimals)) {
        return false;
    }
    *number = negative ? -value.digits : value.digits;
    return true;
}

bool number_read(const char *text, size_t len, unsigned decimals, int64_t *number) {
    const struct reader r = {text, text + len};
    if (decimals > 0 || len == 0 || len > QUICK_DIGITS) {
        return read_general(r, decimals, number);
    }
    int64_t quick = 0;
    for (size_t i = 0; i < len; i++) {
        const unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        if (digit > 9) {
            return read_general(r, decimals, number);
        }
        quick = quick * 10 + digit;
    }
    *number = quick;
    return true;
}
