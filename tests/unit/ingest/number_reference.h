/* number_read in the plainest words: the digits are written out without a point, and counted. */
#ifndef AFORO_TESTS_NUMBER_REFERENCE_H
#define AFORO_TESTS_NUMBER_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCE_DIGITS_MAX 2048
#define REFERENCE_SHIFT_MAX 100000

/* The rest of text[0..len) from *at on that is digits is appended to digits[]; how many. */
static inline size_t reference_digits(const char *text, size_t len, size_t *at, char *digits) {
    const size_t start = *at, had = strlen(digits);
    while (*at < len && strchr("0123456789", text[*at]) != NULL && text[*at] != '\0') {
        digits[had + *at - start] = text[*at];
        digits[had + *at - start + 1] = '\0';
        ++*at;
    }
    return *at - start;
}

static inline bool reference_number(const char *text, size_t len, unsigned decimals,
                                    int64_t *number) {
    char digits[REFERENCE_DIGITS_MAX] = "", power[REFERENCE_DIGITS_MAX] = "";
    size_t at = 0;
    const bool negative = len > 0 && text[0] == '-';
    at += negative;
    long shift = (long)decimals;
    if (reference_digits(text, len, &at, digits) == 0) {
        return false;
    }
    if (at < len && text[at] == '.') {
        at++;
        const size_t fraction = reference_digits(text, len, &at, digits);
        if (fraction == 0) {
            return false;
        }
        shift -= (long)fraction;
    }
    if (at < len && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        const bool down = at < len && text[at] == '-';
        at += down || (at < len && text[at] == '+');
        if (reference_digits(text, len, &at, power) == 0) {
            return false;
        }
        const long long read = strtoll(power, NULL, 10); /* the largest there is, when too large */
        const long bounded = read > REFERENCE_SHIFT_MAX ? REFERENCE_SHIFT_MAX : (long)read;
        shift += down ? -bounded : bounded;
    }
    if (at != len) {
        return false;
    }
    const char *first = digits + strspn(digits, "0");
    if (*first == '\0') {
        *number = 0;
        return true;
    }
    size_t n = strlen(first);
    for (; first[n - 1] == '0'; n--) {
        shift++;
    }
    if (shift < 0 || n + (size_t)shift > 16) {
        return false;
    }
    char written[32] = "";
    memcpy(written, first, n);
    memset(written + n, '0', (size_t)shift);
    const int64_t read = strtoll(written, NULL, 10);
    if (read >= INT64_C(1) << 53) {
        return false;
    }
    *number = negative ? -read : read;
    return true;
}

#endif
