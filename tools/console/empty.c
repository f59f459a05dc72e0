/* See empty.h. The questions are in the order of likelihood. */
#include "tools/console/empty.h"

#include <inttypes.h>
#include <stdio.h>

#define MINUTE_US (60 * US_PER_S)

struct newest {
    struct row row;
    bool any;
};

static bool note_row(void *cls, const struct row *row) {
    struct newest *newest = cls;
    if (row->count != 0) /* a count that has vanished meanwhile is no event */
        *newest = (struct newest){*row, true};
    return true;
}

/* Finds the newest window of `query` with events. False: the source failed, and `why` says how. */
static bool find_newest(struct source *source, const struct query *query, int64_t now_us,
                        struct newest *newest, char *why) {
    struct query last = *query;
    last.last = 1;
    last.partial = true;
    *newest = (struct newest){.any = false};
    const struct row_taker taker = {note_row, newest};
    return source->ops->rows(source, &last, now_us, &taker, why) == SOURCE_DONE;
}

/* Writes the span of the question, "from 2016-05-28 11:11:00.000 to 2016-05-28 11:12:00.000". */
static void put_span(const struct query *query, const struct rows_form *form, char *out,
                     size_t cap) {
    char from[ROWS_TIME_MAX] = "", to[ROWS_TIME_MAX] = "";
    if (query->from_us > 0)
        rows_time(form, query->from_us, from);
    if (query->to_us != QUERY_TO_NONE)
        rows_time(form, query->to_us > 0 ? query->to_us : 0, to);
    snprintf(out, cap, "%s%s%s%s", *from != '\0' ? " from " : "", from, *to != '\0' ? " to " : "",
             to);
}

static void explain_open(const struct query *query, const struct row *newest, int64_t now_us,
                         const struct rows_form *form, char *why) {
    char start[ROWS_TIME_MAX];
    const int64_t left_us = window_start_us(query->resolution, newest->window + 1) - now_us;
    const bool seconds = left_us >= US_PER_S;
    rows_time(form, window_start_us(query->resolution, newest->window), start);
    snprintf(why, SOURCE_WHY_MAX,
             "nothing to show yet: the window with events, %s, is over in %" PRId64
             " %s; --partial shows it now",
             start, seconds ? left_us / US_PER_S : left_us / US_PER_MS + 1, seconds ? "s" : "ms");
}

void empty_explain(struct source *source, const struct query *query, int64_t now_us,
                   const struct rows_form *form, char why[SOURCE_WHY_MAX]) {
    const char *name = resolution_table[query->resolution].name;
    struct newest newest;
    const int64_t open_us =
        window_start_us(query->resolution, window_at(query->resolution, now_us));
    struct query open = *query;
    open.from_us = query->from_us > open_us ? query->from_us : open_us;
    if (!query->partial && open.from_us < query->to_us) {
        if (!find_newest(source, &open, now_us, &newest, why))
            return;
        if (newest.any) {
            explain_open(query, &newest.row, now_us, form, why);
            return;
        }
    }
    /* Minutes are kept longest: what they do not have is nowhere. */
    const struct query all = {.resolution = RESOLUTION_1MIN, .to_us = QUERY_TO_NONE};
    if (!find_newest(source, &all, now_us, &newest, why))
        return;
    if (!newest.any) {
        snprintf(why, SOURCE_WHY_MAX, "%.500s", source->nothing);
        return;
    }
    char start[ROWS_TIME_MAX], span[2 * ROWS_TIME_MAX + 16];
    const int64_t newest_us = newest.row.window * MINUTE_US;
    rows_time(form, newest_us, start);
    put_span(query, form, span, sizeof span);
    const bool inside = newest_us + MINUTE_US > query->from_us && newest_us < query->to_us;
    if (inside && query->resolution != RESOLUTION_1MIN)
        snprintf(why, SOURCE_WHY_MAX,
                 "no %s windows with events%s: they are not kept as long as minutes, and the "
                 "newest events are in the minute %s; ask for 1min",
                 name, span, start);
    else
        snprintf(why, SOURCE_WHY_MAX, "no events%s; the newest are in the minute %s", span, start);
}
