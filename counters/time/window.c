#include "counters/time/window.h"

#include <string.h>

const struct resolution_info resolution_table[RESOLUTIONS] = {
    [RESOLUTION_10MS] = {"10ms", 10 * US_PER_MS, 100, 2},
    [RESOLUTION_1S] = {"1s", US_PER_S, 60, 2},
    [RESOLUTION_1MIN] = {"1min", 60 * US_PER_S, 60, 2},
};

bool resolution_by_name(const char *name, enum resolution *out) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        if (strcmp(name, resolution_table[r].name) == 0) {
            *out = (enum resolution)r;
            return true;
        }
    }
    return false;
}
