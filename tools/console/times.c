/* See times.h. Shorter forms are completed to one that an event may carry, so that there is a
 * single reader of dates. */
#include "tools/console/times.h"

#include "counters/time/civil.h"
#include "counters/time/units.h"
#include "ingest/timestamp.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_LEN (sizeof "2016-05-28" - 1)
#define MINUTE_LEN (sizeof "2016-05-28 11:11" - 1)
#define SECOND_LEN (sizeof "2016-05-28 11:11:11" - 1)
#define US_PER_MIN (60 * US_PER_S)
#define US_PER_DAY (INT64_C(86400) * US_PER_S)

/* Rounds towards the past, also before 1970. */
static int64_t whole_seconds(int64_t t_us) {
    return t_us / US_PER_S - (t_us % US_PER_S < 0);
}

static int ahead_min(int64_t t_us) {
    const time_t t = (time_t)whole_seconds(t_us);
    struct tm tm;
    return localtime_r(&t, &tm) != NULL ? (int)(tm.tm_gmtoff / 60) : 0;
}

/* The time at which local clocks show what UTC shows at shown_us. */
static int64_t from_local(int64_t shown_us) {
    struct civil c;
    civil_from_us(shown_us, &c);
    struct tm tm = {.tm_year = c.year - 1900,
                    .tm_mon = c.month - 1,
                    .tm_mday = c.day,
                    .tm_hour = c.hour,
                    .tm_min = c.minute,
                    .tm_sec = c.second,
                    .tm_isdst = -1};
    return (int64_t)mktime(&tm) * US_PER_S + c.us;
}

/* Whether it is a calendar time without Z or an offset; Unix times do have a zone. */
static bool names_no_zone(const char *text) {
    const size_t len = strlen(text);
    return len >= SECOND_LEN && text[4] == '-' && strpbrk(text + SECOND_LEN, "Zz+-") == NULL;
}

static bool today(int64_t now_us, bool local, int64_t *us) {
    const int64_t shown_us = local ? now_us + ahead_min(now_us) * US_PER_MIN : now_us;
    const int64_t midnight_us = shown_us - shown_us % US_PER_DAY;
    *us = local ? from_local(midnight_us) : midnight_us;
    return true;
}

bool times_read(const char *text, int64_t now_us, bool local, int64_t *us,
                char why[TIMES_WHY_MAX]) {
    if (strcmp(text, "now") == 0) {
        *us = now_us;
        return true;
    }
    if (strcmp(text, "today") == 0)
        return today(now_us, local, us);
    int64_t ago_us;
    if (text[0] == '-') {
        if (units_duration(text + 1, &ago_us)) {
            const int64_t unit_us = ago_us >= 60 * US_PER_MIN ? US_PER_MIN
                                    : ago_us >= US_PER_S      ? US_PER_S
                                                              : 1;
            *us = now_us - ago_us;
            *us -= *us > 0 ? *us % unit_us : 0;
            return true;
        }
        snprintf(why, TIMES_WHY_MAX, "how long ago is written as -30s, -5m, -1h or -7d");
        return false;
    }
    char whole[TIMESTAMP_MAX + 16];
    const size_t len = strlen(text);
    const bool day = len == DAY_LEN && text[4] == '-', minute = len == MINUTE_LEN && text[4] == '-';
    snprintf(whole, sizeof whole, "%.*s%s", TIMESTAMP_MAX + 1, text,
             day      ? " 00:00:00"
             : minute ? ":00"
                      : "");
    struct timestamp_error error;
    if (!timestamp_parse(whole, strlen(whole), us, &error)) {
        char sentence[128];
        timestamp_explain(&error, sentence, sizeof sentence);
        const bool a_word = len > 0 && !isdigit((unsigned char)text[0]);
        snprintf(why, TIMES_WHY_MAX, "%s",
                 a_word ? "is no time; try -1h, today or 2016-05-28 11:11" : sentence);
        return false;
    }
    if (local && names_no_zone(whole))
        *us = from_local(*us);
    return true;
}

/* Takes only characters that the header of any format may contain. */
static size_t put_name(char *name, size_t used, const char *more) {
    for (; *more != '\0' && used + 1 < ROWS_ZONE_MAX; more++) {
        if (isalnum((unsigned char)*more) || *more == '+' || *more == '-' || *more == '/')
            name[used++] = *more;
    }
    name[used] = '\0';
    return used;
}

void times_zone(struct rows_zone *zone) {
    tzset();
    *zone = (struct rows_zone){.ahead_min = ahead_min};
    const size_t used = put_name(zone->name, 0, tzname[0]);
    if (daylight != 0 && strcmp(tzname[0], tzname[1]) != 0)
        put_name(zone->name, put_name(zone->name, used, "/"), tzname[1]);
    if (used == 0)
        put_name(zone->name, 0, "local");
}
