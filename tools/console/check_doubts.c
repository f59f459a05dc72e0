/* Reads what seemed to disagree again, a few times, each doubt by itself. */
#include "tools/console/check_internal.h"
#include "tools/console/terminal.h"

#include <inttypes.h>

#define LOOKS_MAX 6

static bool add_row(void *cls, const struct row *row) {
    *(uint64_t *)cls += row->count;
    return true;
}

/* Adds to *sum one source's present counts of the windows of `r` within the doubt's window. */
static bool add_windows(struct check *check, unsigned i, enum resolution r,
                        const struct doubt *doubt, uint64_t *sum) {
    const int64_t start_us = window_start_us(doubt->r, doubt->window);
    const struct query query = {r, start_us, start_us + resolution_table[doubt->r].width_us, 0,
                                true};
    struct source *source = check->source[i].source;
    const struct row_taker taker = {add_row, sum};
    return source->ops->rows(source, &query, check->now_us, &taker, check->why) == SOURCE_DONE;
}

static bool look_at_group(struct check *check, const struct doubt *doubt, enum check_group group,
                          uint64_t *sum) {
    *sum = 0;
    for (unsigned i = 0; i < check->sources; i++) {
        if (check->source[i].group == group && !add_windows(check, i, doubt->r, doubt, sum))
            return false;
    }
    return true;
}

static bool look_at_reference(struct check *check, const struct doubt *doubt, uint64_t *sum) {
    if (!doubt->within)
        return look_at_group(check, doubt, doubt->one, sum);
    *sum = 0;
    return add_windows(check, doubt->source, doubt->r, doubt, sum);
}

static bool look_at_value(struct check *check, const struct doubt *doubt, uint64_t *sum) {
    if (!doubt->within)
        return look_at_group(check, doubt, doubt->other, sum);
    *sum = 0;
    return add_windows(check, doubt->source, doubt->r - 1, doubt, sum);
}

/* Reads the remaining doubts once more; false: a source failed. */
static bool look_again(struct check *check, uint64_t n, const struct check_world *world,
                       uint64_t *left) {
    *left = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (!check->doubt[i].settled &&
            !look_at_reference(check, &check->doubt[i], &check->doubt[i].before))
            return false;
    }
    world->pause(world->cls, CHECK_PAUSE_US);
    for (uint64_t i = 0; i < n; i++) {
        struct doubt *doubt = &check->doubt[i];
        if (doubt->settled)
            continue;
        if (!look_at_value(check, doubt, &doubt->value) ||
            !look_at_reference(check, doubt, &doubt->after))
            return false;
        doubt->settled = doubt->before <= doubt->value && doubt->value <= doubt->after;
        *left += !doubt->settled;
    }
    return true;
}

static void report(const struct check *check, const struct doubt *doubt, FILE *out) {
    static const char *const groups[CHECK_GROUPS] = {"the servers", "the state directories",
                                                     "Redis"};
    const struct rows_form form = {.resolution = doubt->r};
    char start[ROWS_TIME_MAX], place[256];
    rows_time(&form, window_start_us(doubt->r, doubt->window), start);
    if (doubt->within)
        fprintf(out, "%s: the %s window %s is %" PRIu64 ", its %s windows sum to %" PRIu64 "\n",
                terminal_safe(check->source[doubt->source].place, place, sizeof place),
                resolution_table[doubt->r].name, start, doubt->after,
                resolution_table[doubt->r - 1].name, doubt->value);
    else
        fprintf(out, "the %s window %s: %s hold %" PRIu64 ", %s %s %" PRIu64 "\n",
                resolution_table[doubt->r].name, start, groups[doubt->one], doubt->after,
                groups[doubt->other], doubt->other == CHECK_REDIS ? "holds" : "hold", doubt->value);
}

bool check_settle(struct check *check, const struct check_world *world, FILE *out, bool *again) {
    const uint64_t n = check->doubts < CHECK_DOUBTS_MAX ? check->doubts : CHECK_DOUBTS_MAX;
    uint64_t left = n;
    for (int i = 0; i < LOOKS_MAX && left > 0; i++) {
        if (!look_again(check, n, world, &left))
            return false;
    }
    for (uint64_t i = 0, reports = 0; i < n && reports < CHECK_REPORTS_MAX; i++) {
        if (check->doubt[i].settled)
            continue;
        report(check, &check->doubt[i], out);
        reports++;
    }
    *again = false;
    if (left == 0 && check->doubts == n)
        return true;
    *again = left == 0;
    if (*again)
        snprintf(check->why, SOURCE_WHY_MAX,
                 "%" PRIu64 " windows changed while they were read: check again", check->doubts);
    else
        snprintf(check->why, SOURCE_WHY_MAX, "%" PRIu64 "%s %s", left,
                 check->doubts > n ? " and perhaps more" : "",
                 left == 1 && check->doubts == n ? "window disagrees" : "windows disagree");
    return false;
}
