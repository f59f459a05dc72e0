/* Any text as a duration and as a size: the same as a plain reading of digits and a unit, which
 * cannot overflow. */
#include "counters/time/units.h"

#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {{"us", 1},          {"ms", 1000},      {"s", 1000000},
                                        {"m", 60000000},    {"min", 60000000}, {"h", 3600000000},
                                        {"d", 86400000000}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1},
                                    {"B", 1},
                                    {"k", 1024},
                                    {"K", 1024},
                                    {"M", 1048576},
                                    {"G", 1073741824},
                                    {"T", 1099511627776},
                                    {"KiB", 1024},
                                    {"MiB", 1048576},
                                    {"GiB", 1073741824},
                                    {"TiB", 1099511627776},
                                    {"kB", 1000},
                                    {"KB", 1000},
                                    {"MB", 1000000},
                                    {"GB", 1000000000},
                                    {"TB", 1000000000000},
                                    {NULL, 0}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool plain(const char *text, const struct unit *units, int64_t *out) {
    unsigned __int128 number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        number = number > INT64_MAX ? number : number * 10 + (unsigned)(*at - '0');
    }
    if (at == text || number > INT64_MAX) {
        return false;
    }
    for (; units->name; units++) {
        if (strcmp(at, units->name) == 0) {
            number *= (unsigned __int128)units->factor;
            *out = (int64_t)number;
            return number <= INT64_MAX;
        }
    }
    *out = 0;
    return number == 0 && !*at;
}

static void compare(bool (*parse)(const char *, int64_t *), const struct unit *units,
                    const char *(*say)(int64_t, char *, size_t), const char *text) {
    int64_t found = -1, expected = -1;
    const bool ok = parse(text, &found);
    if (ok != plain(text, units, &expected) || (ok && found != expected) || (ok && found < 0)) {
        abort();
    }
    if (ok) {
        char said[UNITS_SAY_MAX + 1] = {0};
        if (strlen(say(found, said, sizeof said)) >= UNITS_SAY_MAX || !said[0]) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    if (!text) {
        abort();
    }
    memcpy(text, data, size);
    text[size] = '\0';
    compare(units_duration, durations, units_say_duration, text);
    compare(units_size, sizes, units_say_size, text);
    free(text);
    return 0;
}
