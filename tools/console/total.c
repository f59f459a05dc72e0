/* See total.h.
 *
 *   from                                                     to
 *    |..|::::|              minutes                |:::|.....|
 *     10ms 1s                                        1s  10ms
 *
 * Whether the finer windows of a minute or second that a bound cuts are still kept shows in their
 * sum: it must equal the coarser window. While events arrive, the two are read at different
 * moments, so they are read again. */
#include "tools/console/total.h"

#include <stdio.h>
#include <time.h>

#define READS_MAX 5
#define PAUSE_MS 100

struct sum {
    uint64_t count;
};

static bool add_row(void *cls, const struct row *row) {
    ((struct sum *)cls)->count += row->count;
    return true;
}

/* A total being computed. */
struct span {
    struct source *source;
    int64_t now_us;
    char *why;
};

static enum source_outcome read_sum(const struct span *span, enum resolution r, int64_t from_us,
                                    int64_t to_us, uint64_t *count) {
    const struct query query = {
        .resolution = r, .from_us = from_us, .to_us = to_us, .partial = true};
    struct sum sum = {0};
    const struct row_taker taker = {add_row, &sum};
    const enum source_outcome outcome =
        span->source->ops->rows(span->source, &query, span->now_us, &taker, span->why);
    *count = sum.count;
    return outcome;
}

static int64_t round_down(int64_t t_us, enum resolution r) {
    return t_us - t_us % resolution_table[r].width_us;
}

static int64_t round_up(int64_t t_us, enum resolution r) {
    return round_down(t_us + resolution_table[r].width_us - 1, r);
}

/* Rounds a bound up to the finest windows, between 1970 and the end of times; QUERY_TO_NONE stays
 * as it is. */
static int64_t round_bound(int64_t t_us) {
    if (t_us > INT64_MAX - 2 * resolution_table[RESOLUTION_1MIN].width_us)
        return QUERY_TO_NONE;
    return t_us > 0 ? round_up(t_us, RESOLUTION_10MS) : 0;
}

/* Whether all windows of `r` within the window of the next resolution that begins at start_us are
 * kept. */
static enum source_outcome finer_is_kept(const struct span *span, enum resolution r,
                                         int64_t start_us, bool *kept) {
    const int64_t end_us = start_us + chunk_width_us(r);
    *kept = false;
    for (int i = 0; i < READS_MAX && !*kept; i++) {
        if (i > 0)
            /* a flush may be under way */
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
        uint64_t before, fine, after;
        enum source_outcome outcome = read_sum(span, r + 1, start_us, end_us, &before);
        if (outcome == SOURCE_DONE)
            outcome = read_sum(span, r, start_us, end_us, &fine);
        if (outcome == SOURCE_DONE)
            outcome = read_sum(span, r + 1, start_us, end_us, &after);
        if (outcome != SOURCE_DONE)
            return outcome;
        *kept = before <= fine && fine <= after;
    }
    return SOURCE_DONE;
}

static enum source_outcome add_span(const struct span *span, enum resolution r, int64_t from_us,
                                    int64_t to_us, uint64_t *total);

/* Adds what is within one window of `r` + 1 that from_us or to_us cuts. */
static enum source_outcome add_cut(const struct span *span, enum resolution r, int64_t from_us,
                                   int64_t to_us, uint64_t *total) {
    if (from_us >= to_us)
        return SOURCE_DONE;
    bool kept;
    const enum source_outcome outcome = finer_is_kept(span, r, round_down(from_us, r + 1), &kept);
    if (outcome == SOURCE_DONE && !kept) {
        char start[ROWS_TIME_MAX];
        const struct rows_form utc = {.resolution = r};
        rows_time(&utc, round_down(from_us, r + 1), start);
        snprintf(
            span->why, SOURCE_WHY_MAX,
            "the %s windows of %s (UTC) are not all there any more: a bound must not cut that %s",
            resolution_table[r].name, start, r == RESOLUTION_1S ? "minute" : "second");
        return SOURCE_AWAY;
    }
    return outcome == SOURCE_DONE ? add_span(span, r, from_us, to_us, total) : outcome;
}

/* Adds whole windows of `r` as such, and the rest at either end as finer ones. */
static enum source_outcome add_span(const struct span *span, enum resolution r, int64_t from_us,
                                    int64_t to_us, uint64_t *total) {
    const int64_t first_us = round_up(from_us, r);
    const int64_t last_us = to_us == QUERY_TO_NONE ? to_us : round_down(to_us, r);
    if (first_us > last_us) /* within one window */
        return add_cut(span, r - 1, from_us, to_us, total);
    uint64_t whole = 0;
    enum source_outcome outcome = SOURCE_DONE;
    if (first_us < last_us)
        outcome = read_sum(span, r, first_us, last_us, &whole);
    *total += whole;
    if (outcome == SOURCE_DONE && from_us < first_us)
        outcome = add_cut(span, r - 1, from_us, first_us, total);
    if (outcome == SOURCE_DONE && last_us < to_us)
        outcome = add_cut(span, r - 1, last_us, to_us, total);
    return outcome;
}

enum source_outcome total_span(struct source *source, const struct query *query, int64_t now_us,
                               uint64_t *total, char why[SOURCE_WHY_MAX]) {
    const struct span span = {source, now_us, why};
    const int64_t from_us = round_bound(query->from_us), to_us = round_bound(query->to_us);
    *total = 0;
    return from_us < to_us ? add_span(&span, RESOLUTION_1MIN, from_us, to_us, total) : SOURCE_DONE;
}
