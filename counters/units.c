#include "counters/units.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* The units end with a NULL name. */
static bool number_with_unit(const char *text, const struct unit *units, int64_t *out) {
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
        fits =
            strcmp(end, units->name) == 0 && !__builtin_mul_overflow((int64_t)number, units->factor, &value);
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
    return number_with_unit(text, units, us);
}

bool units_size(const char *text, int64_t *bytes) {
    static const struct unit units[] = {
        {"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}, {NULL, 0}};
    return number_with_unit(text, units, bytes);
}

bool units_rate(const char *text, int64_t *per_s) {
    static const struct unit units[] = {{"/s", 1}, {NULL, 0}};
    return number_with_unit(text, units, per_s);
}

bool units_none(const char *text, int64_t *number) {
    static const struct unit units[] = {{"", 1}, {NULL, 0}};
    return number_with_unit(text, units, number);
}
