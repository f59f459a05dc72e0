/* Makes what a server is asked: a path and its arguments. */
#include "counters/time/civil.h"
#include "tools/console/source_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TIME_MAX 40

static void add_byte(struct source_path *path, char byte) {
    path->overlong |= path->len + 1 >= sizeof path->text;
    if (!path->overlong) {
        path->text[path->len++] = byte;
        path->text[path->len] = '\0';
    }
}

static bool needs_no_escape(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~:", c) != NULL);
}

void source_path_add(struct source_path *path, const char *name, const char *value) {
    static const char digit[] = "0123456789ABCDEF";
    add_byte(path, path->any ? '&' : '?');
    path->any = true;
    for (; *name != '\0'; name++)
        add_byte(path, *name);
    add_byte(path, '=');
    for (; *value != '\0'; value++) {
        if (needs_no_escape(*value)) {
            add_byte(path, *value);
        } else {
            add_byte(path, '%');
            add_byte(path, digit[(unsigned char)*value >> 4]);
            add_byte(path, digit[(unsigned char)*value & 0xf]);
        }
    }
}

void source_path_add_number(struct source_path *path, const char *name, int64_t number) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, number);
    source_path_add(path, name, digits);
}

/* RFC 3339 with microseconds, since the unit of a bare number would be guessed from its size. */
void source_path_add_time(struct source_path *path, const char *name, int64_t us) {
    struct civil c;
    char time[TIME_MAX];
    civil_from_us(us < 0 ? 0 : us, &c);
    snprintf(time, sizeof time, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", c.year, c.month, c.day,
             c.hour, c.minute, c.second, c.us);
    source_path_add(path, name, time);
}
