/* The list of measures, by name. */
#include "counters/measures/measure.h"

#include "counters/measures/kinds.h"
#include "counters/measures/own.h"

#include <string.h>

static const struct measure_kind *const kinds[] = {
#define MEASURE(kind) &measure_##kind,
#include "counters/measures/measures.def"
#undef MEASURE
};

#define KINDS (sizeof kinds / sizeof kinds[0])

const struct measure_kind *measure_at(size_t i) {
    return i < KINDS ? kinds[i] : own_at(i - KINDS);
}

const struct measure_kind *measure_find(const char *name) {
    const struct measure_kind *kind = NULL;
    for (size_t i = 0; (kind = measure_at(i)) && strcmp(kind->name, name) != 0;) {
        i++;
    }
    return kind;
}

struct undo_change *measure_plan_growth(const struct measure *measure,
                                        const struct aforo_event *event,
                                        const struct measure_rows *rows,
                                        struct undo_change *change) {
    const struct measure_growth growth =
        measure_growth(measure->kind->grows == MEASURE_GROWS_BY_ONE ? 1 : event_number(event));
    for (size_t k = 0; k < rows->n; k++) {
        word *grows = measure_state(rows, k) + growth.word;
        const uint64_t next = measure_load(grows) + growth.by;
        if (next >= (uint64_t)MEASURE_SUM_END) {
            return NULL;
        }
        *change++ = (struct undo_change){grows, next};
    }
    return change;
}

#define CHANGES_MAX 64 /* most changes that a measure plans for one row */

/* Plans an event for one row and stores the changes. False: the event does not fit. */
static bool put_planned(const struct measure *measure, const struct measure_target *target,
                        const struct aforo_event *event, const struct measure_rows *rows,
                        struct undo_change *change) {
    const struct undo_change *end = measure->kind->plan(measure, event, rows, change);
    const struct undo_changes changes = {change, end ? (size_t)(end - change) : 0};
    undo_put_all_owner(target->undo, target->file, &changes);
    return end != NULL;
}

bool measure_add(const struct measure *measure, const struct measure_target *target,
                 const struct aforo_event *event) {
    struct undo_change change[CHANGES_MAX];
    if (!measure->kind->plan) {
        measure->kind->add(measure, target, event);
        return true;
    }
    assert(measure->kind->puts(measure) <= CHANGES_MAX);
    const struct measure_rows rows = {.state = {target->state}, .n = 1};
    return put_planned(measure, target, event, &rows, change);
}

bool measure_name(struct measure *measure, const char *text) {
    const size_t len = strlen(text), name_len = strcspn(text, "(");
    char name[MEASURE_TEXT_MAX];
    *measure = (struct measure){0};
    if (len >= sizeof name || (name_len < len && text[len - 1] != ')')) {
        return false;
    }
    memcpy(name, text, name_len);
    name[name_len] = '\0';
    measure->kind = measure_find(name);
    memcpy(measure->text, text, len + 1);
    if (name_len < len) {
        memcpy(measure->argument_text, text + name_len + 1, len - name_len - 2);
    }
    return measure->kind != NULL;
}
