/* See check.h. Everything is read twice, with a pause in between that is longer than a flush takes.
 * Counts only grow, so two counts that agree satisfy, although read at different moments,
 *
 *      one, first <= other, second      and      other, first <= one, second
 *
 * and two that do not agree fail one of these once nothing changes. A failure is only a doubt,
 * since a flush may take longer than the pause: check_doubts.c reads it again. */
#include "tools/console/check.h"

#include "tools/console/check_internal.h"
#include "tools/console/terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LAST_ALL INT64_C(1000000000)
#define AGE_MIN_US (2 * US_PER_S) /* younger windows may be on their way to Redis */
/* a store may be slow: whenever too much changed, the pause is doubled */
#define PAUSE_MAX_US (8 * CHECK_PAUSE_US)

static int64_t max_i64(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t min_i64(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* ---- reading ---- */

static bool keep_row(void *cls, const struct row *row) {
    struct span *span = cls;
    if (span->n == 0)
        span->first = row->window;
    if ((size_t)span->n == span->cap) {
        const size_t cap = span->cap * 2 + 1024;
        uint64_t *more = realloc(span->count, cap * sizeof *more);
        if (more == NULL)
            return false;
        span->count = more;
        span->cap = cap;
    }
    span->count[span->n++] = row->count;
    return true;
}

static bool read_all(struct check *check, unsigned i, enum resolution r, struct span *span) {
    const struct query query = {r, check->from_us, check->to_us, LAST_ALL, true};
    struct source *source = check->source[i].source;
    const struct row_taker taker = {keep_row, span};
    const enum source_outcome outcome =
        source->ops->rows(source, &query, check->now_us, &taker, check->why);
    if (outcome == SOURCE_STOPPED)
        snprintf(check->why, SOURCE_WHY_MAX, "out of memory");
    return outcome == SOURCE_DONE;
}

/* Sets where a resolution without any events would begin if it had some, so that missing windows
 * are not taken for windows that are no longer kept. */
static void place_empty(const struct check *check, unsigned i, enum resolution r, struct span *span,
                        const struct span *coarser) {
    const int64_t kept_us = check->source[i].source->kept_us[r];
    const int64_t newest_us = window_start_us(r + 1, coarser->first + max_i64(coarser->n, 1) - 1);
    if (span->n == 0)
        span->first = window_at(r, kept_us != 0 ? max_i64(0, check->now_us - kept_us) : newest_us);
}

/* ---- comparing what was read ---- */

static uint64_t count_at(const struct span *span, int64_t window) {
    return window >= span->first && window < span->first + span->n
               ? span->count[window - span->first]
               : 0;
}

static void add_doubt(struct check *check, const struct doubt *doubt) {
    if (check->doubts < CHECK_DOUBTS_MAX)
        check->doubt[check->doubts] = *doubt;
    check->doubts++;
}

/* The end of the windows of `r` that have been over for a while and are not cut by the bounds. */
static int64_t end_of(const struct check *check, enum resolution r) {
    return window_at(r, max_i64(0, min_i64(check->now_us - AGE_MIN_US, check->to_us)));
}

/* The first window that both readings have. */
static int64_t first_of(const struct check *check, unsigned i, enum resolution r) {
    return max_i64(check->span[i][r].first, check->later[i][r].first);
}

static uint64_t sum_of(const struct span *fine, enum resolution r, int64_t coarse_window) {
    uint64_t sum = 0;
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++)
        sum += count_at(fine, chunk_first_window(r, coarse_window) + slot);
    return sum;
}

/* The chunks of `r` are the windows of r + 1. */
static void compare_within(struct check *check, unsigned i, enum resolution r) {
    const struct span *fine = &check->span[i][r], *coarse = &check->span[i][r + 1];
    const struct span *fine_later = &check->later[i][r], *coarse_later = &check->later[i][r + 1];
    const uint32_t slots = resolution_table[r].slots;
    int64_t window =
        max_i64(first_of(check, i, r + 1), (first_of(check, i, r) + slots - 1) / slots);
    const int64_t end =
        min_i64(end_of(check, r + 1),
                max_i64(coarse->first + coarse->n, (fine->first + fine->n - 1) / slots + 1));
    for (; window < end; window++) {
        check->compared++;
        if (sum_of(fine, r, window) > count_at(coarse_later, window) ||
            count_at(coarse, window) > sum_of(fine_later, r, window))
            add_doubt(check,
                      &(struct doubt){.within = true, .source = i, .r = r + 1, .window = window});
    }
}

static bool is_empty(const struct check *check, unsigned i) {
    return check->span[i][RESOLUTION_1MIN].n == 0 && check->span[i][RESOLUTION_1S].n == 0 &&
           check->span[i][RESOLUTION_10MS].n == 0;
}

/* The sum of what a group holds, as first read or as read later. */
static uint64_t sum_at(const struct check *check, bool later, enum check_group group,
                       enum resolution r, int64_t window) {
    struct span(*span)[RESOLUTIONS] = later ? check->later : check->span;
    uint64_t sum = 0;
    for (unsigned i = 0; i < check->sources; i++)
        sum += check->source[i].group == group ? count_at(&span[i][r], window) : 0;
    return sum;
}

static bool differs(const struct check *check, enum check_group one, enum check_group other,
                    enum resolution r, int64_t window) {
    return sum_at(check, false, one, r, window) > sum_at(check, true, other, r, window) ||
           sum_at(check, false, other, r, window) > sum_at(check, true, one, r, window);
}

/* The first window that all sources keep and that servers or states may know of. */
static int64_t common_first(const struct check *check, enum resolution r) {
    int64_t kept = 0, first_event = INT64_MAX;
    for (unsigned i = 0; i < check->sources; i++) {
        const struct span *span = &check->span[i][r];
        int64_t zeros = 0;
        if (is_empty(check, i))
            continue;
        kept = max_i64(kept, first_of(check, i, r));
        while (zeros < span->n && span->count[zeros] == 0)
            zeros++;
        if (check->source[i].group != CHECK_REDIS && span->n > 0)
            first_event = min_i64(first_event, span->first + zeros);
    }
    return max_i64(kept, first_event);
}

/* Compares two groups, minutes first, since these say most in the fewest lines. Returns how many
 * windows they have in common. */
static uint64_t compare_across(struct check *check, enum check_group one, enum check_group other) {
    uint64_t common = 0;
    for (int i = RESOLUTIONS - 1; i >= 0; i--) {
        const enum resolution r = (enum resolution)i;
        int64_t newest = 0;
        for (unsigned s = 0; s < check->sources; s++)
            newest = max_i64(newest, check->span[s][r].first + check->span[s][r].n);
        const int64_t end = min_i64(newest, end_of(check, r));
        for (int64_t window = common_first(check, r); window < end; window++) {
            common++;
            if (differs(check, one, other, r, window))
                add_doubt(check,
                          &(struct doubt){.one = one, .other = other, .r = r, .window = window});
        }
    }
    check->compared += common;
    return common;
}

/* ---- the whole check ---- */

static bool read_sources(struct check *check, struct span (*span)[RESOLUTIONS]) {
    for (unsigned i = 0; i < check->sources; i++) {
        for (int r = RESOLUTIONS - 1; r >= 0; r--) {
            if (!read_all(check, i, (enum resolution)r, &span[i][r]))
                return false;
            if (r + 1 < RESOLUTIONS)
                place_empty(check, i, (enum resolution)r, &span[i][r], &span[i][r + 1]);
        }
    }
    return true;
}

static void clear_spans(struct check *check, struct span (*span)[RESOLUTIONS]) {
    for (unsigned i = 0; i < check->sources; i++) {
        for (int r = 0; r < RESOLUTIONS; r++)
            span[i][r].first = span[i][r].n = 0;
    }
}

static bool read_twice(struct check *check, const struct check_world *world, int64_t pause_us) {
    check->now_us = world->now_us(world->cls);
    check->doubts = check->compared = 0;
    clear_spans(check, check->span);
    clear_spans(check, check->later);
    if (!read_sources(check, check->span))
        return false;
    world->pause(world->cls, pause_us);
    return read_sources(check, check->later);
}

static void free_spans(struct span (*span)[RESOLUTIONS], unsigned n) {
    for (unsigned i = 0; i < n && span != NULL; i++) {
        for (int r = 0; r < RESOLUTIONS; r++)
            free(span[i][r].count);
    }
    free(span);
}

static bool compare_sources(struct check *check) {
    bool has[CHECK_GROUPS] = {false};
    for (unsigned i = 0; i < check->sources; i++) {
        has[check->source[i].group] = true;
        const uint64_t before = check->compared;
        if (is_empty(check, i))
            continue;
        compare_within(check, i, RESOLUTION_1S);
        compare_within(check, i, RESOLUTION_10MS);
        if (check->compared == before) {
            snprintf(check->why, SOURCE_WHY_MAX, "%.200s: no window that is over can be compared",
                     check->source[i].place);
            return false;
        }
    }
    if (check->compared == 0) {
        const bool bounded = check->from_us > 0 || check->to_us != QUERY_TO_NONE;
        snprintf(check->why, SOURCE_WHY_MAX, "nothing to check: %.400s",
                 bounded ? "no source holds events in that span"
                         : check->source[0].source->nothing);
        return false;
    }
    const enum check_group one = has[CHECK_SERVERS] ? CHECK_SERVERS : CHECK_STATES;
    for (enum check_group other = one + 1; other < CHECK_GROUPS; other++) {
        if (has[one] && has[other] && compare_across(check, one, other) == 0) {
            snprintf(check->why, SOURCE_WHY_MAX, "these sources have no window in common");
            return false;
        }
    }
    return true;
}

/* ---- what a source keeps beside the counts ---- */

struct findings {
    const char *place;
    FILE *out;
    uint64_t n;
};

static void print_finding(void *cls, const char *sentence) {
    struct findings *findings = cls;
    char place[256], safe[512];
    if (findings->n++ < CHECK_REPORTS_MAX)
        fprintf(findings->out, "%s: %s\n", terminal_safe(findings->place, place, sizeof place),
                terminal_safe(sentence, safe, sizeof safe));
}

/* A key is read in one moment, so there is nothing to read again. *n: the number of findings.
 * False: a source failed. */
static bool audit_sources(struct check *check, const struct check_world *world, FILE *out,
                          uint64_t *n) {
    *n = 0;
    for (unsigned i = 0; i < check->sources; i++) {
        const struct query query = {.from_us = check->from_us, .to_us = check->to_us};
        struct findings findings = {check->source[i].place, out, 0};
        const struct finding_taker taker = {print_finding, &findings};
        struct source *source = check->source[i].source;
        if (source->ops->audit != NULL &&
            !source->ops->audit(source, &query, world->now_us(world->cls), &taker, check->why))
            return false;
        *n += findings.n;
    }
    return true;
}

/* Runs the whole check, when memory has been allocated. */
static bool run_check(struct check *check, const struct check_world *world, FILE *out) {
    uint64_t wrong = 0;
    bool well = audit_sources(check, world, out, &wrong), again = well;
    for (int64_t pause_us = CHECK_PAUSE_US; again && pause_us <= PAUSE_MAX_US; pause_us *= 2) {
        again = false;
        well = read_twice(check, world, pause_us) && compare_sources(check) &&
               check_settle(check, world, out, &again);
    }
    if (well && wrong == 0)
        fprintf(out, "%" PRIu64 " windows compared, all agree\n", check->compared);
    else if (well)
        snprintf(check->why, SOURCE_WHY_MAX, "%" PRIu64 " %s wrong where it lies", wrong,
                 wrong == 1 ? "thing is" : "things are");
    return well && wrong == 0;
}

bool check_sources(const struct check_request *request, const struct check_world *world, FILE *out,
                   char why[SOURCE_WHY_MAX]) {
    const unsigned n = request->sources;
    struct check *check = calloc(1, sizeof *check);
    bool well = check != NULL && (check->span = calloc(n, sizeof *check->span)) != NULL &&
                (check->later = calloc(n, sizeof *check->later)) != NULL;
    if (well) {
        check->source = request->source;
        check->sources = n;
        check->from_us = request->query.from_us;
        check->to_us = request->query.to_us;
        check->why = why;
        well = run_check(check, world, out);
    } else {
        snprintf(why, SOURCE_WHY_MAX, "out of memory");
    }
    if (check != NULL) {
        free_spans(check->span, n);
        free_spans(check->later, n);
    }
    free(check);
    return well;
}
