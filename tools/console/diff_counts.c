/* Compares the counts of two sources: 10 ms windows as far back as both have them, then seconds,
 * then minutes. A wider window is printed only if no finer one within it differs. */
#include "tools/console/diff_side.h"
#include "tools/console/terminal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Windows with events, ascending. */
struct counted {
    size_t n, cap;
    struct {
        int64_t window;
        uint64_t count;
    } * of;
};

struct side_counts {
    const struct diff_question *question;
    struct counted counted[RESOLUTIONS];
    struct counted *into; /* of the current question */
};

static bool note_row(void *cls, const struct row *row) {
    struct counted *counted = ((struct side_counts *)cls)->into;
    if (row->count == 0)
        return true;
    if (counted->n == counted->cap) {
        const size_t cap = 2 * counted->cap + 1024;
        void *more = realloc(counted->of, cap * sizeof *counted->of);
        if (more == NULL)
            return false;
        counted->of = more;
        counted->cap = cap;
    }
    counted->of[counted->n].window = row->window;
    counted->of[counted->n++].count = row->count;
    return true;
}

static bool load(void *cls, struct source *source, char *why) {
    struct side_counts *counts = cls;
    const struct diff_question *question = counts->question;
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct query query = {.resolution = (enum resolution)r,
                                    .from_us = question->from_us,
                                    .to_us =
                                        diff_question_end(question, resolution_table[r].width_us),
                                    .partial = true};
        const struct row_taker taker = {note_row, counts};
        counts->into = &counts->counted[r];
        const enum source_outcome outcome =
            source->ops->rows(source, &query, question->now_us, &taker, why);
        if (outcome == SOURCE_STOPPED)
            snprintf(why, SOURCE_WHY_MAX, "out of memory");
        if (outcome != SOURCE_DONE)
            return false;
    }
    return true;
}

/* ---- the comparison ---- */

/* Windows that differ, ascending. */
struct differing {
    size_t n, cap;
    int64_t *window;
};

static void note_window(struct differing *differing, int64_t window) {
    if (differing->n == differing->cap) {
        const size_t cap = 2 * differing->cap + 1024;
        int64_t *more = realloc(differing->window, cap * sizeof *more);
        if (more == NULL)
            return; /* then wider windows are printed too */
        differing->window = more;
        differing->cap = cap;
    }
    differing->window[differing->n++] = window;
}

static void print_difference(enum resolution r, int64_t window, uint64_t left, uint64_t right) {
    char start[ROWS_TIME_MAX];
    const struct rows_form form = {ROWS_TEXT, r, NULL};
    rows_time(&form, window_start_us(r, window), start);
    printf("%s, %s: %" PRIu64 " | %" PRIu64 "\n", start, resolution_table[r].name, left, right);
}

/* Whether a finer window within this one was printed. *at only grows. */
static bool is_named(const struct differing *finer, enum resolution r, int64_t window, size_t *at) {
    if (r == RESOLUTION_10MS)
        return false;
    const int64_t slots = resolution_table[r - 1].slots;
    while (*at < finer->n && finer->window[*at] < window * slots)
        ++*at;
    return *at < finer->n && finer->window[*at] < (window + 1) * slots;
}

/* The first window that both have: one that a source no longer keeps is no difference. */
static int64_t find_first(const struct counted *left, const struct counted *right) {
    const int64_t first_left = left->n > 0 ? left->of[0].window : INT64_MIN;
    const int64_t first_right = right->n > 0 ? right->of[0].window : INT64_MIN;
    return first_left > first_right ? first_left : first_right;
}

static void compare(enum resolution r, const struct counted *left, const struct counted *right,
                    struct differing found[RESOLUTIONS], struct diff_tally *tally) {
    const int64_t first = find_first(left, right);
    static const struct differing none = {0, 0, NULL};
    const struct differing *finer = r == RESOLUTION_10MS ? &none : &found[r - 1];
    size_t i = 0, j = 0, named = 0;
    while (i < left->n && left->of[i].window < first)
        i++;
    while (j < right->n && right->of[j].window < first)
        j++;
    while (i < left->n || j < right->n) {
        const int64_t next_left = i < left->n ? left->of[i].window : INT64_MAX;
        const int64_t next_right = j < right->n ? right->of[j].window : INT64_MAX;
        const int64_t window = next_left < next_right ? next_left : next_right;
        const uint64_t of_left = next_left == window ? left->of[i++].count : 0;
        const uint64_t of_right = next_right == window ? right->of[j++].count : 0;
        tally->compared++;
        if (of_left == of_right)
            continue;
        note_window(&found[r], window);
        if (!is_named(finer, r, window, &named)) {
            tally->differ++;
            print_difference(r, window, of_left, of_right);
        }
    }
}

bool diff_counts(struct diff_side side[2], const struct diff_question *question,
                 struct diff_tally *tally, char why[SOURCE_WHY_MAX]) {
    struct side_counts counts[2] = {{.question = question}, {.question = question}};
    struct differing found[RESOLUTIONS] = {{0, 0, NULL}};
    bool well = true;
    for (int i = 0; i < 2 && well; i++)
        well = diff_side_each(&side[i], &(const struct diff_taker){load, &counts[i]}, why);
    for (int r = 0; r < RESOLUTIONS; r++) {
        if (well)
            compare((enum resolution)r, &counts[0].counted[r], &counts[1].counted[r], found, tally);
        free(counts[0].counted[r].of);
        free(counts[1].counted[r].of);
    }
    for (int r = 0; r < RESOLUTIONS; r++)
        free(found[r].window);
    return well;
}
