#include "counters/measures/figures.h"

#include "counters/measures/kinds.h"
#include "counters/measures/own.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DERIVED_DECIMALS 2 /* extra decimals of an average */
#define RATE_DECIMALS 3
#define HALVES_BELOW 4096 /* from here on a half is less than the 1.1 % error */

static const int64_t power_of_ten[] = {1,
                                       10,
                                       100,
                                       1000,
                                       10000,
                                       100000,
                                       1000000,
                                       10000000,
                                       100000000,
                                       INT64_C(1000000000),
                                       INT64_C(10000000000),
                                       INT64_C(100000000000)};

/* Writes number / 10^decimals with all decimals, and ranks it by the number: of one figure, all
 * have as many decimals. */
static void put_number(struct figure_value *value, wide number, unsigned decimals) {
    char digits[64];
    size_t n = sizeof digits;
    value->rank = (long double)number;
    const bool negative = number < 0;
    if (negative) {
        number = -number;
    }
    unsigned done = 0;
    do {
        if (decimals > 0 && done == decimals) {
            digits[--n] = '.';
        }
        digits[--n] = (char)('0' + (int)(number % 10));
        number /= 10;
        done++;
    } while (number > 0 || done <= decimals);
    if (negative) {
        digits[--n] = '-';
    }
    value->type = FIGURE_NUMBER;
    value->len = sizeof digits - n;
    memcpy(value->text, digits + n, value->len);
    value->text[value->len] = '\0';
}

/* dividend / divisor, rounded to the nearest; halves away from zero. divisor > 0. */
static wide divide(wide dividend, wide divisor) {
    return dividend < 0 ? -((-dividend + divisor / 2) / divisor)
                        : (dividend + divisor / 2) / divisor;
}

void figure_write_count(const struct figure_source *source, struct figure_value *value) {
    put_number(value, source->state[0][0], 0);
}

void figure_write_sum(const struct figure_source *source, struct figure_value *value) {
    if (sum_is_known(source->state[0])) {
        put_number(value, sum_read(source->state[0]), source->figure->decimals);
    }
}

void figure_write_lowest(const struct figure_source *source, struct figure_value *value) {
    int64_t number;
    if (lowest_read(source->state[0], &number)) {
        put_number(value, number, source->figure->decimals);
    }
}

void figure_write_highest(const struct figure_source *source, struct figure_value *value) {
    int64_t number;
    if (highest_read(source->state[0], &number)) {
        put_number(value, number, source->figure->decimals);
    }
}

void figure_write_first(const struct figure_source *source, struct figure_value *value) {
    if (lowest_read(source->state[0], &value->us)) {
        value->type = FIGURE_TIME;
    }
}

void figure_write_last(const struct figure_source *source, struct figure_value *value) {
    if (highest_read(source->state[0], &value->us)) {
        value->type = FIGURE_TIME;
    }
}

void figure_write_avg(const struct figure_source *source, struct figure_value *value) {
    const wide sum = sum_read(source->state[0]), count = source->state[1][0];
    if (!sum_is_known(source->state[0])) {
        return;
    }
    put_number(value, divide(sum * power_of_ten[DERIVED_DECIMALS], count),
               source->figure->decimals + DERIVED_DECIMALS);
    value->rank = (long double)sum / (long double)count;
}

void figure_write_rate(const struct figure_source *source, struct figure_value *value) {
    const wide count = source->state[0][0];
    put_number(value, divide(count * 1000000 * power_of_ten[RATE_DECIMALS], source->width_us),
               RATE_DECIMALS);
    value->rank = (long double)count; /* all windows of one width are as long */
}

void figure_write_quantile(const struct figure_source *source, struct figure_value *value) {
    uint64_t twice;
    if (!quantiles_read(source->state[0], source->figure->parameter, &twice)) {
        return;
    }
    if (twice % 2 == 1 && twice < 2 * HALVES_BELOW) {
        put_number(value, (wide)twice * 5, source->figure->decimals + 1);
    } else {
        put_number(value, twice / 2, source->figure->decimals);
    }
    value->rank = (long double)twice;
}

/* n * squares - sum^2, which is n^2 times the variance. Exact as long as it fits into 128 bits. */
static long double find_spread(uint64_t n, unsigned_wide squares, int64_t sum) {
    const uint64_t size = sum < 0 ? (uint64_t)-sum : (uint64_t)sum;
    unsigned_wide product;
    if (__builtin_mul_overflow(squares, (unsigned_wide)n, &product)) {
        return (long double)squares * (long double)n - (long double)size * (long double)size;
    }
    const unsigned_wide square = (unsigned_wide)size * size;
    return product > square ? (long double)(product - square) : 0;
}

void figure_write_stddev(const struct figure_source *source, struct figure_value *value) {
    const uint64_t n = source->state[2][0];
    if (!squares_are_known(source->state[0]) || !sum_is_known(source->state[1])) {
        return;
    }
    const long double spread =
        find_spread(n, squares_read(source->state[0]), sum_read(source->state[1]));
    put_number(value, llroundl(sqrtl(spread) / (long double)n * power_of_ten[DERIVED_DECIMALS]),
               source->figure->decimals + DERIVED_DECIMALS);
    /* by the variance: equal ones are equal here, which roots need not be */
    value->rank = spread / ((long double)n * (long double)n);
}

void figure_write_digest(const struct figure_source *source, struct figure_value *value) {
    value->type = FIGURE_TEXT;
    value->len = (size_t)snprintf(value->text, sizeof value->text, "%016llx",
                                  (unsigned long long)source->state[0][0]);
}

void figure_write_distinct(const struct figure_source *source, struct figure_value *value) {
    put_number(value, distinct_read(source->state[0]), 0);
}

void figure_write_top(const struct figure_source *source, struct figure_value *value) {
    value->items = top_read(source->measure[0], source->state[0], (size_t)source->figure->parameter,
                            value->item);
    value->type = value->items > 0 ? FIGURE_LIST : FIGURE_NONE;
}

void figure_write_edge(const struct figure_source *source, struct figure_value *value) {
    const char *bytes;
    bool number;
    value->len = edge_read(source->state[0], &bytes, &number);
    memcpy(value->text, bytes, value->len);
    value->text[value->len] = '\0';
    value->type = number ? FIGURE_NUMBER : FIGURE_TEXT;
    if (source->state[0][0] == 0) {
        value->type = FIGURE_NONE;
    }
}

/* Whether a text is a JSON number without an exponent. */
static bool is_number(const char *text) {
    text += *text == '-';
    const size_t whole = strspn(text, "0123456789");
    if (whole == 0 || (whole > 1 && text[0] == '0')) {
        return false;
    }
    text += whole;
    if (*text == '.') {
        const size_t behind = strspn(text + 1, "0123456789");
        text += behind > 0 ? 1 + behind : 0;
    }
    return *text == '\0';
}

void figure_write_own(const struct figure_source *source, struct figure_value *value) {
    value->len = own_print(source->measure[0], source->state[0], value->text, sizeof value->text);
    if (value->len > 0) {
        value->type = is_number(value->text) ? FIGURE_NUMBER : FIGURE_TEXT;
        value->rank = value->type == FIGURE_NUMBER ? strtold(value->text, NULL) : 0;
    }
}

void figure_write_nothing(const struct figure_source *source, struct figure_value *value) {
    (void)source, (void)value;
}
