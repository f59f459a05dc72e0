/* What one measure adds to the time of an event: planning it, and its share of what is noted and
 * stored, within a transaction that touches the row anyway. Rows in cache, 16 of them in turn; CPU
 * time, the median of several rounds, less what that transaction takes without it. The goals are
 * those of docs/reports.md. Every event of a run must fit. Usage: bench-measures */
#include "counters/measures/figure.h"
#include "counters/measures/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENTS 4096
#define ROWS 16
#define REPEATS 50
#define ROUNDS 21
#define VALUES 5000 /* different ones, of the frequent more than of the rare */
#define TEXT_MAX 24
#define TOUCH_CHANGES                                                                              \
    3 /* of one row, whatever its measures: the row, its window, how many matched */
#define CHANGES_MAX 64

static char text[EVENTS][TEXT_MAX];
static struct aforo_value value[EVENTS];
static const struct aforo_value *argument[EVENTS];
static struct aforo_event event[EVENTS];
static word touched[ROWS][TOUCH_CHANGES];
static union {
    struct undo_record record;
    unsigned char bytes[UNDO_BYTES];
} memory;

static double cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void make_events(unsigned values) {
    uint64_t random = 1;
    for (unsigned i = 0; i < EVENTS; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        const unsigned below = 1 + (unsigned)(random >> 33) % values;
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        const unsigned number = (unsigned)(random >> 33) % below;
        const int len = snprintf(text[i], TEXT_MAX, "/route/%u", number);
        value[i] = (struct aforo_value){text[i], (uint32_t)len, AFORO_NUMBER, number};
        argument[i] = &value[i];
        event[i] = (struct aforo_event){INT64_C(1464433860000000) + i, 1, &argument[i]};
    }
}

/* One pass over all events; measure NULL: transactions that touch a row, and no more. The events
 * that fitted. */
static unsigned pass(const struct measure *measure, struct undo *undo, word *states) {
    const struct undo_count none = {0};
    const struct undo_file file = {.base = states};
    static struct undo_change change[CHANGES_MAX];
    unsigned fitted = 0;
    for (unsigned i = 0; i < EVENTS; i++) {
        word *touches = touched[i % ROWS];
        undo_begin_owner(undo);
        struct undo_notes notes = undo_notes_begin_owner(undo, &file, TOUCH_CHANGES + CHANGES_MAX);
        for (size_t k = 0; k < TOUCH_CHANGES; k++) {
            undo_note_owner(&notes, &touches[k]);
        }
        struct undo_change *end = change;
        if (measure) {
            const struct measure_rows rows = {{states + i % ROWS * measure->words}, 1, 0};
            end = measure->kind->plan(measure, &event[i], &rows, end);
        }
        if (end) {
            const struct undo_changes changes = {change, (size_t)(end - change)};
            undo_note_changes_owner(&notes, &changes);
            undo_notes_end_owner(undo, &notes);
            for (size_t k = 0; k < TOUCH_CHANGES; k++) {
                atomic_store_explicit(&touches[k], undo->sequence, memory_order_relaxed);
            }
            undo_store_changes_owner(&changes);
            fitted++;
        }
        undo_commit_owner(undo, &none);
    }
    return fitted;
}

/* ns an event, the median of all rounds. */
static double measure_ns(const struct measure *measure, word *states) {
    static double round_ns[ROUNDS];
    struct undo undo = {.record = &memory.record};
    for (int round = 0; round < ROUNDS; round++) {
        const double start = cpu_ns();
        for (int i = 0; i < REPEATS; i++) {
            if (pass(measure, &undo, states) != EVENTS) {
                fprintf(stderr, "bench-measures: events did not fit %s\n", measure->text);
                exit(EXIT_FAILURE);
            }
        }
        round_ns[round] = (cpu_ns() - start) / REPEATS / EVENTS;
    }
    qsort(round_ns, ROUNDS, sizeof round_ns[0], compare);
    return round_ns[ROUNDS / 2];
}

static void print_row(const char *name, double goal_ns, unsigned values) {
    static const char *const names[] = {"x"};
    struct measure measure;
    const char *why = measure_name(&measure, name) ? NULL : "unknown";
    measure.argument_name = names;
    measure.arguments = 1;
    why = why ? why : measure.kind->open(&measure);
    if (why) {
        fprintf(stderr, "bench-measures: %s: %s\n", name, why);
        exit(EXIT_FAILURE);
    }
    word *states = calloc(ROWS * measure.words, sizeof *states);
    make_events(values);
    const double empty_ns = measure_ns(NULL, states);
    const double all_ns = measure_ns(&measure, states);
    char goal[16] = "";
    if (goal_ns > 0) {
        snprintf(goal, sizeof goal, "%.0f", goal_ns);
    }
    printf("| %-12s | %6u | %5zu | %6.1f | %4s |\n", name, values, measure.words * sizeof(word),
           all_ns - empty_ns, goal);
    free(states);
    if (measure.kind->close) {
        measure.kind->close(&measure);
    }
}

int main(void) {
    static const struct {
        const char *name;
        double goal_ns;
        unsigned values;
    } rows[] = {{"count", 5, VALUES},  {"sum(x)", 5, VALUES},        {"min(x)", 0, VALUES},
                {"first", 0, VALUES},  {"quantiles(x)", 10, VALUES}, {"squares(x)", 0, VALUES},
                {"digest", 0, VALUES}, {"distinct(x)", 20, 20},      {"distinct(x)", 20, VALUES},
                {"top(x)", 60, 20},    {"top(x)", 60, VALUES}};
    printf("| measure      | values | bytes | ns added | goal |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_row(rows[i].name, rows[i].goal_ns, rows[i].values);
    }
    return EXIT_SUCCESS;
}
