#include "ingest/span.h"

#include "counters/time/units.h"
#include "counters/time/window.h"

#include <stdbool.h>
#include <stdio.h>

#define MIN_US (60 * US_PER_S)
/* nearly all time zones differ from UTC by whole or half hours */
#define ZONE_STEP_US (30 * MIN_US)
#define ZONE_MAX_US (14 * 60 * MIN_US)
#define ZONE_ROOM_US (2 * MIN_US) /* for transmission delay and inexact clocks */

/* Whether a time that is off by this much may be correct in another time zone. */
static bool looks_local(int64_t off_us) {
    const int64_t beyond_us = off_us % ZONE_STEP_US;
    return off_us >= ZONE_STEP_US - ZONE_ROOM_US && off_us <= ZONE_MAX_US + ZONE_ROOM_US &&
           (beyond_us <= ZONE_ROOM_US || beyond_us >= ZONE_STEP_US - ZONE_ROOM_US);
}

size_t span_explain(const struct span *span, int64_t event_us, char *buf, size_t cap) {
    const bool late = event_us < span->now_us;
    const int64_t off_us = late ? span->now_us - event_us : event_us - span->now_us;
    const int64_t most_us = late ? span->horizon_us : span->future_us;
    char by[UNITS_SAY_MAX], off[UNITS_SAY_MAX], most[UNITS_SAY_MAX];
    int len;
    if (off_us <= most_us) {
        len = snprintf(
            buf, cap,
            "too late: this server's clock was set back, and what it keeps begins after that time");
    } else {
        units_say_duration(off_us - most_us, by, sizeof by);
        units_say_duration(off_us, off, sizeof off);
        units_say_duration(most_us, most, sizeof most);
        len = snprintf(buf, cap, "%s by %s: it is %s %s, %s is %s%s",
                       late ? "too late" : "too far ahead", by, off,
                       late ? "ago" : "ahead of this server's clock",
                       late ? "the horizon" : "the most that is taken", most,
                       looks_local(off_us) ? "; times are UTC, is this a local one?" : "");
    }
    return (size_t)len < cap ? (size_t)len : cap - 1;
}
