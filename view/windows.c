/* Writes windows as text, CSV or JSON. Digits are formatted by hand: a server asked for an hour of
 * 10 ms windows writes 360,000 rows while it also counts, and printf costs several times as
 * much. */
#include "view/windows.h"

#include "counters/time/civil.h"

#include <string.h>

#define COUNT_DIGITS_MAX 20 /* of 2^64 - 1 */
#define MS_DIGITS 3
#define WINDOW_FAMILY "aforo_window_events"

static const char *const format_names[] = {
    [ROWS_TEXT] = "text", [ROWS_CSV] = "csv", [ROWS_JSON] = "json"};
static const char *const state_names[] = {
    [WINDOW_OPEN] = "open", [WINDOW_CLOSED] = "closed", [WINDOW_FINAL] = "final"};

bool rows_format_by_name(const char *name, enum rows_format *out) {
    for (int f = ROWS_TEXT; f <= ROWS_JSON; f++) {
        if (strcmp(name, format_names[f]) == 0) {
            *out = (enum rows_format)f;
            return true;
        }
    }
    return false;
}

enum window_state window_state_at(enum resolution r, int64_t window, int64_t now_us,
                                  int64_t horizon_us) {
    return window_state_of_end(window_start_us(r, window + 1), now_us, horizon_us);
}

enum window_state window_state_of_end(int64_t end_us, int64_t now_us, int64_t horizon_us) {
    if (now_us < end_us)
        return WINDOW_OPEN;
    /* The oldest time still accepted is now - horizon, so a window changes while its last
     * microsecond is not older. */
    return now_us - end_us < horizon_us ? WINDOW_CLOSED : WINDOW_FINAL;
}

const char *window_state_name(enum window_state state) {
    return state_names[state];
}

static char *put_text(char *at, const char *text) {
    const size_t len = strlen(text);
    memcpy(at, text, len); /* NOLINT(bugprone-not-null-terminated-result): more follows it */
    return at + len;
}

/* Puts `value` as exactly `digits` decimal digits, with leading zeros. */
static char *put_fixed(char *at, int value, int digits) {
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

static char *put_count(char *at, uint64_t count) {
    char digits[COUNT_DIGITS_MAX];
    size_t from = sizeof digits;
    do {
        digits[--from] = (char)('0' + count % 10);
        count /= 10;
    } while (count != 0);
    memcpy(at, digits + from, sizeof digits - from);
    return at + (sizeof digits - from);
}

/* Puts "2016-05-28 11:11:11.120", with `between` in place of the blank and 3 or 6 `digits` after
 * the point. */
static char *put_civil(char *at, int64_t t_us, char between, int digits) {
    struct civil c;
    civil_from_us(t_us, &c);
    at = put_fixed(at, c.year, 4);
    *at++ = '-';
    at = put_fixed(at, c.month, 2);
    *at++ = '-';
    at = put_fixed(at, c.day, 2);
    *at++ = between;
    at = put_fixed(at, c.hour, 2);
    *at++ = ':';
    at = put_fixed(at, c.minute, 2);
    *at++ = ':';
    at = put_fixed(at, c.second, 2);
    *at++ = '.';
    return put_fixed(at, digits == 3 ? c.us / (int)US_PER_MS : c.us, digits);
}

/* The same in the form's zone. In text, UTC has no mark, as in print_reqs_per_*.sh. */
static char *put_time(char *at, const struct rows_form *form, int64_t t_us, int digits) {
    const char between = form->format == ROWS_TEXT ? ' ' : 'T';
    if (form->zone == NULL) {
        at = put_civil(at, t_us, between, digits);
        return form->format == ROWS_TEXT ? at : put_text(at, "Z");
    }
    const int ahead_min = form->zone->ahead_min(t_us);
    const int distance_min = ahead_min < 0 ? -ahead_min : ahead_min;
    at = put_civil(at, t_us + ahead_min * 60 * US_PER_S, between, digits);
    *at++ = ahead_min < 0 ? '-' : '+';
    at = put_fixed(at, distance_min / 60, 2);
    *at++ = ':';
    return put_fixed(at, distance_min % 60, 2);
}

void rows_time(const struct rows_form *form, int64_t t_us, char buf[ROWS_TIME_MAX]) {
    const struct rows_form text = {ROWS_TEXT, form->resolution, form->zone};
    *put_time(buf, &text, t_us, MS_DIGITS) = '\0';
}

size_t rows_put_time(const struct rows_form *form, int64_t t_us, int digits,
                     char buf[ROWS_TIME_MAX]) {
    return (size_t)(put_time(buf, form, t_us, digits) - buf);
}

size_t rows_begin(const struct rows_form *form, char *buf) {
    const char *zone = form->zone == NULL ? "UTC" : form->zone->name;
    char *at = buf;
    if (form->format == ROWS_CSV) {
        at = put_text(at, "start (");
        at = put_text(at, zone);
        at = put_text(at, "),count,state\n");
    } else if (form->format == ROWS_JSON) {
        at = put_text(at, "{\"resolution\":\"");
        at = put_text(at, resolution_table[form->resolution].name);
        at = put_text(at, "\",\"zone\":\"");
        at = put_text(at, zone);
        at = put_text(at, "\",\"windows\":[");
    } else if (form->format == ROWS_OPENMETRICS) {
        at = put_text(at, "# HELP " WINDOW_FAMILY " Events counted in a window, at its start.\n"
                          "# TYPE " WINDOW_FAMILY " gauge\n");
    }
    return (size_t)(at - buf);
}

/* Puts an OpenMetrics sample, whose time is in seconds. */
static char *put_sample(char *at, enum resolution r, uint64_t count, int64_t start_us) {
    at = put_text(at, WINDOW_FAMILY "{resolution=\"");
    at = put_text(at, resolution_table[r].name);
    at = put_text(at, "\"} ");
    at = put_count(at, count);
    *at++ = ' ';
    at = put_count(at, (uint64_t)(start_us / US_PER_S));
    *at++ = '.';
    at = put_fixed(at, (int)(start_us % US_PER_S / US_PER_MS), MS_DIGITS);
    *at++ = '\n';
    return at;
}

size_t rows_row(const struct rows_form *form, const struct row *row, bool first, char *buf) {
    const int64_t start_us = window_start_us(form->resolution, row->window);
    char *at = buf;
    switch (form->format) {
    case ROWS_TEXT:
        at = put_time(at, form, start_us, MS_DIGITS);
        at = put_text(at, ", ");
        at = put_count(at, row->count);
        *at++ = '\n';
        break;
    case ROWS_CSV:
        at = put_time(at, form, start_us, MS_DIGITS);
        *at++ = ',';
        at = put_count(at, row->count);
        *at++ = ',';
        at = put_text(at, state_names[row->state]);
        *at++ = '\n';
        break;
    case ROWS_JSON:
        at = put_text(at, first ? "\n{\"start\":\"" : ",\n{\"start\":\"");
        at = put_time(at, form, start_us, MS_DIGITS);
        at = put_text(at, "\",\"count\":");
        at = put_count(at, row->count);
        at = put_text(at, ",\"state\":\"");
        at = put_text(at, state_names[row->state]);
        at = put_text(at, "\"}");
        break;
    case ROWS_OPENMETRICS:
        if (row->state == WINDOW_FINAL) {
            at = put_sample(at, form->resolution, row->count, start_us);
        }
        break;
    }
    return (size_t)(at - buf);
}

size_t rows_end(const struct rows_form *form, char *buf) {
    const char *end = form->format == ROWS_JSON          ? "\n]}\n"
                      : form->format == ROWS_OPENMETRICS ? "# EOF\n"
                                                         : "";
    return (size_t)(put_text(buf, end) - buf);
}
