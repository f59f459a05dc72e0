#include "redis/rows.h"

#include "counters/time/civil.h"
#include "redis/schema.h"

#include <inttypes.h>
#include <stdio.h>

#define HOUR_S 3600
#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

size_t rows_window_key(const struct rows_place *place, unsigned group, char *buf) {
    struct civil t;
    const int64_t width_us = place->width_us;
    civil_from_us(place->window * width_us, &t);
    size_t n = (size_t)snprintf(buf, ROWS_KEY_MAX, "aforo:2:r:{%.*s:%.*s:%04d-%02d-%02d",
                                ROWS_REPORT_MAX - 1, place->report, ROWS_WIDTH_MAX - 1,
                                place->width, t.year, t.month, t.day);
    const struct {
        int64_t unit_us;
        const char *format;
        int value;
    } parts[] = {{DAY_US, "T%02d", t.hour},
                 {HOUR_US, ":%02d", t.minute},
                 {MINUTE_US, ":%02d", t.second},
                 {SECOND_US, ".%03d", t.us / 1000}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && width_us % parts[i].unit_us; i++) {
        n += (size_t)snprintf(buf + n, ROWS_KEY_MAX - n, parts[i].format, parts[i].value);
    }
    return n + (size_t)(group ? snprintf(buf + n, ROWS_KEY_MAX - n, "#%u}", group)
                              : snprintf(buf + n, ROWS_KEY_MAX - n, "}"));
}

int64_t rows_until_s(int64_t width_us, int64_t window) {
    const int64_t last_s = ((window + 1) * width_us - 1) / SECOND_US;
    return (last_s / HOUR_S + 1) * HOUR_S + SCHEMA_OPEN_S;
}

bool rows_width_read(const char **at, struct rows_width_line *line) {
    int len = 0;
    if (sscanf(*at, "%15s %" SCNd64 " %" SCNd64 "\n%n", line->name, &line->width_us, &line->keep_s,
               &len) != 3 ||
        len == 0 || line->width_us <= 0 || line->width_us > DAY_US || line->keep_s < 0) {
        return false;
    }
    *at += len;
    return true;
}
