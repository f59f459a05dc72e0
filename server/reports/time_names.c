#include "server/reports/time_names.h"

#include <stdio.h>
#include <string.h>

/* Takes a name up to the next comma; one that a client would have to escape in JSON is not
 * allowed. */
static bool take_name(struct time_names *names, const char *name, size_t len, char *why) {
    if (len == 0 || len >= FIELD_NAME_MAX) {
        snprintf(why, TIME_NAMES_WHY_MAX, "a name has 1 to %d bytes: NAME or NAME,NAME,...",
                 FIELD_NAME_MAX - 1);
        return false;
    }
    if (names->n == FIELD_TIMES_MAX) {
        snprintf(why, TIME_NAMES_WHY_MAX, "at most %d names are taken", FIELD_TIMES_MAX);
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '"' || name[i] == '\\') {
            snprintf(why, TIME_NAMES_WHY_MAX, "'%.*s' is not a name: no blanks, no quotes",
                     (int)len, name);
            return false;
        }
    }
    memcpy(names->text[names->n], name, len);
    names->text[names->n][len] = '\0';
    names->name[names->n] = names->text[names->n];
    names->n++;
    return true;
}

bool time_names_read(const char *text, struct time_names *names, char why[TIME_NAMES_WHY_MAX]) {
    *names = (struct time_names){0};
    while (*text) {
        const size_t len = strcspn(text, ",");
        if (!take_name(names, text, len, why)) {
            return false;
        }
        text += len;
        if (*text == ',' && !*++text) {
            return take_name(names, text, 0, why); /* nothing after the last comma */
        }
    }
    return true;
}
