/* Learns a layout from a valid timestamp: the slow half of timestamp_layout.h. */
#include "ingest/timestamp_layout.h"

#define REACH_MIN TIMESTAMP_FAST_LEN /* bytes that are read even of a shorter timestamp */
#define REACH_MAX 35                 /* nine digits and an offset with a colon */
#define WHOLE_LEN 19                 /* YYYY-MM-DD HH:MM:SS */
#define US_DIGITS 6

static size_t count_digits(const char *text, size_t len, size_t at) {
    const size_t start = at;
    while (at < len && text[at] >= '0' && text[at] <= '9') {
        at++;
    }
    return at - start;
}

/* text[at..at + n) must always be as it is here. */
static void learn_fixed(struct timestamp_layout *layout, const char *text, size_t at, size_t n) {
    memcpy(layout->rest + (at - layout->rest_at), text + at, n);
    memset(layout->rest_limit + (at - layout->rest_at), 0, n);
}

/* text[at..at + n) are digits that are cut off. */
static void learn_cut(struct timestamp_layout *layout, size_t at, size_t n) {
    memset(layout->rest + (at - layout->rest_at), '0', n);
    memset(layout->rest_limit + (at - layout->rest_at), 9, n);
}

static bool learn_calendar(struct timestamp_layout *layout, const char *text, size_t len) {
    static const char pattern[16] = {0, '0', '0', ':', '0', '0', ':', '0', '0'};
    const bool point = len > WHOLE_LEN && (text[WHOLE_LEN] == '.' || text[WHOLE_LEN] == ',');
    const size_t fraction = point ? count_digits(text, len, WHOLE_LEN + 1) : 0;
    const size_t kept = fraction < US_DIGITS ? fraction : US_DIGITS;
    const size_t zone_at = WHOLE_LEN + point + fraction;
    learn_fixed(layout, text, zone_at, len - zone_at);
    learn_cut(layout, zone_at - (fraction - kept), fraction - kept);
    memcpy(layout->pattern, pattern, sizeof pattern);
    memset(layout->keep, 0xff, 9);
    if (point) {
        layout->pattern[9] = text[WHOLE_LEN];
        memset(layout->pattern + 10, '0', US_DIGITS);
        memset(layout->keep + 9, 0xff, 1 + kept);
    }
    return timestamp_day_learn(&layout->day, text);
}

static bool learn_epoch(struct timestamp_layout *layout, const char *text, size_t len) {
    const size_t digits = count_digits(text, len, 0), kept = digits < 16 ? digits : 16;
    const size_t fraction = digits < len ? len - digits - 1 : 0;
    if (digits < 9 || digits % 3 == 2 || (fraction > 0 && digits != 10)) {
        return false;
    }
    layout->is_epoch = true;
    layout->is_tenths = digits % 3 == 0;
    memset(layout->keep, 0xff, kept);
    learn_cut(layout, kept, digits - kept);
    if (fraction > 0) {
        const size_t moved = fraction < US_DIGITS ? fraction : US_DIGITS;
        memset(layout->keep_next + kept, 0xff, moved);
        learn_fixed(layout, text, digits, 1);
        learn_cut(layout, digits + 1 + moved, fraction - moved);
    }
    return true;
}

bool timestamp_layout_learn(struct timestamp_layout *layout, const char *text, size_t len,
                            int64_t us) {
    struct timestamp_layout learnt = {.len = (uint8_t)len};
    char copy[REACH_MAX + 1] = {0};
    int64_t read_us;
    if (len < 9 || len > REACH_MAX) {
        return false;
    }
    learnt.rest_at = (uint8_t)(len > sizeof learnt.rest ? len - sizeof learnt.rest : 0);
    memset(learnt.rest_limit, TIMESTAMP_ANY, sizeof learnt.rest_limit);
    /* the copy's date is followed by as many bytes as the day's prefix holds */
    memcpy(copy, text, len);
    learnt.reach = (uint8_t)(len > REACH_MIN ? len : REACH_MIN);
    const bool is_calendar = len >= WHOLE_LEN && copy[4] == '-';
    if (!(is_calendar ? learn_calendar(&learnt, copy, len) : learn_epoch(&learnt, copy, len)) ||
        !timestamp_layout_read(&learnt, copy, &read_us)) {
        return false;
    }
    learnt.ahead_us = read_us - us; /* as the plain parser understood the zone */
    *layout = learnt;
    return true;
}

__attribute__((noinline)) bool timestamp_layout_read_day(struct timestamp_layout *layout,
                                                         const char *text, int64_t *us) {
    return !layout->is_epoch && timestamp_day_learn(&layout->day, text) &&
           timestamp_layout_read(layout, text, us);
}

bool timestamp_layouts_parse(struct timestamp_layouts *layouts, const char *text, size_t len,
                             int64_t *us, struct timestamp_error *error) {
    const unsigned place = len % TIMESTAMP_LAYOUTS;
    struct timestamp_layout *layout = &layouts->layout[place];
    if (layout->len == len && len > 0) {
        char copy[REACH_MAX + 1];
        if (len > REACH_MAX) {
            __builtin_unreachable(); /* no such length is learnt, which gcc 14 does not see */
        }
        memcpy(copy, text, len);
        if (len < REACH_MIN) {
            memset(copy + len, 0, REACH_MIN - len);
        }
        if (timestamp_layout_read_on(layout, copy, us)) {
            layouts->last = place;
            return true;
        }
    }
    if (!timestamp_parse_plain(text, len, us, error)) {
        return false;
    }
    if (timestamp_layout_learn(layout, text, len, *us)) {
        layouts->last = place;
    }
    return true;
}
