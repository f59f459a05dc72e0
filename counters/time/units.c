#include "counters/time/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define DAYS_FROM_US INT64_C(172800000000) /* below two days people use hours: 24 h, 36 h */

struct unit {
    const char *name;
    int64_t factor;
};

/* `units` ends with a NULL name. */
static bool read_number(const char *text, const struct unit *units, int64_t *out) {
    if (!isdigit((unsigned char)*text)) {
        return false;
    }
    char *end;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (errno) {
        return false;
    }
    int64_t value = 0;
    bool fits = number == 0 && *end == '\0';
    for (; units->name && !fits; units++) {
        fits = strcmp(end, units->name) == 0 &&
               !__builtin_mul_overflow((int64_t)number, units->factor, &value);
    }
    if (fits) {
        *out = value;
    }
    return fits;
}

bool units_duration(const char *text, int64_t *us) {
    static const struct unit units[] = {{"us", 1},
                                        {"ms", 1000},
                                        {"s", 1000000},
                                        {"m", 60000000},
                                        {"min", 60000000},
                                        {"h", INT64_C(3600000000)},
                                        {"d", INT64_C(86400000000)},
                                        {NULL, 0}};
    return read_number(text, units, us);
}

bool units_size(const char *text, int64_t *bytes) {
    static const struct unit units[] = {{"", 1},
                                        {"B", 1},
                                        {"k", KIB},
                                        {"K", KIB},
                                        {"KiB", KIB},
                                        {"kB", 1000},
                                        {"KB", 1000},
                                        {"M", MIB},
                                        {"MiB", MIB},
                                        {"MB", 1000000},
                                        {"G", GIB},
                                        {"GiB", GIB},
                                        {"GB", 1000000000},
                                        {"T", 1024 * GIB},
                                        {"TiB", 1024 * GIB},
                                        {"TB", INT64_C(1000000000000)},
                                        {NULL, 0}};
    return read_number(text, units, bytes);
}

bool units_rate(const char *text, int64_t *per_s) {
    static const struct unit units[] = {{"/s", 1}, {NULL, 0}};
    return read_number(text, units, per_s);
}

bool units_none(const char *text, int64_t *number) {
    static const struct unit units[] = {{"", 1}, {NULL, 0}};
    return read_number(text, units, number);
}

/* `units`, largest first, ends with the one whose factor is 1. The second part is omitted when it
 * is 0. */
static const char *write_amount(int64_t number, const struct unit *units, int parts, char *buf,
                                size_t cap) {
    while (number < units->factor && units->factor > 1) {
        units++;
    }
    const int64_t whole = number / units->factor, rest = number % units->factor;
    const int len = snprintf(buf, cap, "%" PRId64 " %s", whole, units->name);
    if (parts > 1 && units->factor > 1 && rest >= units[1].factor && (size_t)len < cap) {
        snprintf(buf + len, cap - (size_t)len, " %" PRId64 " %s", rest / units[1].factor,
                 units[1].name);
    }
    return buf;
}

const char *units_say_duration(int64_t us, char *buf, size_t cap) {
    static const struct unit units[] = {{"d", INT64_C(86400000000)},
                                        {"h", INT64_C(3600000000)},
                                        {"min", 60000000},
                                        {"s", 1000000},
                                        {"ms", 1000},
                                        {"us", 1}};
    if (us == 0) {
        snprintf(buf, cap, "0 s");
        return buf;
    }
    return write_amount(us, us < DAYS_FROM_US ? &units[1] : units, 2, buf, cap);
}

const char *units_say_size(int64_t bytes, char *buf, size_t cap) {
    static const struct unit units[] = {
        {"TiB", 1024 * GIB}, {"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"B", 1}};
    const struct unit *unit = units;
    while (bytes % unit->factor) { /* 1 at the latest divides it */
        unit++;
    }
    return write_amount(bytes, bytes ? unit : &units[4], 1, buf, cap);
}
