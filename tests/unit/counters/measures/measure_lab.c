#include "tests/unit/counters/measures/measure_lab.h"

#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

static union {
    struct undo_record record;
    unsigned char bytes[UNDO_BYTES];
} memory;

void lab_open(struct measure *measure, const char *text) {
    static const char *const names[LAB_FIELDS] = {"a", "b", "c"};
    ck_assert_msg(measure_name(measure, text), "there is no %s", text);
    measure->argument_name = names;
    measure->arguments = measure->kind->wants == MEASURE_WANTS_NOTHING ? 0
                         : measure->kind->wants == MEASURE_WANTS_ALL   ? LAB_FIELDS
                                                                       : 1;
    const char *why = measure->kind->open(measure);
    ck_assert_msg(!why, "%s: %s", text, why ? why : "");
    ck_assert_uint_gt(measure->words, 0);
}

void lab_close(struct measure *measure) {
    if (measure->kind->close) {
        measure->kind->close(measure);
    }
}

struct lab_state lab_state_new(const struct measure *measure) {
    struct lab_state state = {.measure = measure,
                              .words = calloc(measure->words, sizeof(uint64_t))};
    ck_assert_ptr_nonnull(state.words);
    return state;
}

void lab_state_free(struct lab_state *state) {
    free(state->words);
    state->words = NULL;
}

void lab_state_copy(struct lab_state *to, const struct lab_state *from) {
    memcpy(to->words, from->words, from->measure->words * sizeof(uint64_t));
}

/* Takes back what is noted, in reverse, as the next start does. */
static void roll_back(const struct undo *undo, word *base) {
    for (uint32_t i = undo->entries; i-- > 0;) {
        const struct undo_entry *entry = &undo->record->entry[i];
        atomic_store(&base[atomic_load(&entry->where)], atomic_load(&entry->old));
    }
}

bool lab_add(struct lab_state *state, const struct aforo_event *event) {
    const struct measure *measure = state->measure;
    const size_t bytes = measure->words * sizeof(uint64_t);
    struct undo undo = {.record = &memory.record};
    const struct undo_file file = {.base = (word *)state->words};
    const struct measure_target target = {&undo, &file, (word *)state->words};
    uint64_t *before = malloc(bytes), *after = malloc(bytes);
    memcpy(before, state->words, bytes);
    undo_begin_owner(&undo);
    const bool fits = measure_add(measure, &target, event);
    DEMAND(fits || undo.entries == 0, "%s: an event that does not fit is noted", measure->text);
    memcpy(after, state->words, bytes);
    roll_back(&undo, file.base);
    DEMAND(memcmp(before, state->words, bytes) == 0, "%s: an event is not undone", measure->text);
    memcpy(state->words, after, bytes);
    free(before);
    free(after);
    state->puts = undo.entries;
    DEMAND(undo.entries <= measure->kind->puts(measure), "%s: an event notes %u words",
           measure->text, undo.entries);
    return fits;
}

void lab_add_unchecked(struct lab_state *state, const struct aforo_event *event) {
    struct undo undo = {.record = &memory.record};
    const struct undo_file file = {.base = (word *)state->words};
    const struct measure_target target = {&undo, &file, (word *)state->words};
    undo_begin_owner(&undo);
    measure_add(state->measure, &target, event);
    state->puts = undo.entries;
}

void lab_merge(struct lab_state *into, const struct lab_state *from) {
    into->measure->kind->merge(into->measure, into->words, from->words);
}

static void point(struct lab_event *event, int64_t us, uint32_t arguments) {
    for (uint32_t i = 0; i < arguments; i++) {
        event->value[i].text = event->text[i];
        event->argument[i] = &event->value[i];
    }
    event->event = (struct aforo_event){us, arguments, event->argument};
}

void lab_number(struct lab_event *event, int64_t us, int64_t number) {
    const int len = snprintf(event->text[0], LAB_TEXT_MAX, "%lld", (long long)number);
    event->value[0] =
        (struct aforo_value){.len = (uint32_t)len, .kind = AFORO_NUMBER, .number = number};
    point(event, us, 1);
}

void lab_text(struct lab_event *event, int64_t us, const char *text, size_t len) {
    ck_assert_uint_le(len, LAB_TEXT_MAX);
    memcpy(event->text[0], text, len);
    event->value[0] = (struct aforo_value){.len = (uint32_t)len, .kind = AFORO_TEXT};
    point(event, us, 1);
}

void lab_fields(struct lab_event *event, int64_t us, uint64_t random) {
    for (int i = 0; i < LAB_FIELDS; i++) {
        const int len =
            snprintf(event->text[i], LAB_TEXT_MAX, "%d", (int)(random >> (8 * i) & 0xf));
        event->value[i] = (struct aforo_value){
            .len = (uint32_t)len, .kind = random >> (60 + i) & 1 ? AFORO_TEXT : AFORO_ABSENT};
    }
    point(event, us, LAB_FIELDS);
}

uint64_t lab_random(uint64_t *seed) { /* splitmix64 */
    uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static void keep(void *cls, const struct component *component) {
    struct lab_components *all = cls;
    ck_assert_uint_lt(all->n, LAB_COMPONENTS_MAX);
    char *name = all->name[all->n];
    struct component *kept = &all->component[all->n++];
    *kept = *component;
    ck_assert_int_lt(snprintf(name, MEASURE_COMPONENT_MAX, "%s", component->name),
                     MEASURE_COMPONENT_MAX);
    kept->name = name;
    if (component->bytes) {
        unsigned char *bytes = malloc(component->len + 1);
        memcpy(bytes, component->bytes, component->len);
        kept->bytes = bytes;
    }
}

struct lab_components *lab_emit(const struct lab_state *state) {
    struct lab_components *all = calloc(1, sizeof *all);
    const struct component_taker taker = {keep, all};
    state->measure->kind->emit(state->measure, state->words, &taker);
    return all;
}

void lab_components_free(struct lab_components *components) {
    for (size_t i = 0; i < components->n; i++) {
        free((void *)(uintptr_t)components->component[i].bytes);
    }
    free(components);
}

static bool components_equal(const struct component *a, const struct component *b) {
    return strcmp(a->name, b->name) == 0 && a->rule == b->rule && a->value == b->value &&
           a->len == b->len && (a->len == 0 || memcmp(a->bytes, b->bytes, a->len) == 0);
}

bool lab_components_equal(const struct lab_components *a, const struct lab_components *b) {
    bool equal = a->n == b->n;
    for (size_t i = 0; equal && i < a->n; i++) {
        equal = components_equal(&a->component[i], &b->component[i]);
    }
    return equal;
}

const struct component *lab_find(const struct lab_components *components, const char *name) {
    for (size_t i = 0; i < components->n; i++) {
        if (strcmp(components->name[i], name) == 0) {
            return &components->component[i];
        }
    }
    return NULL;
}

bool lab_equal(const struct lab_state *a, const struct lab_state *b) {
    struct lab_state plain_a = lab_state_new(a->measure), plain_b = lab_state_new(b->measure);
    lab_merge(&plain_a, a);
    lab_merge(&plain_b, b);
    const bool equal =
        memcmp(plain_a.words, plain_b.words, a->measure->words * sizeof(uint64_t)) == 0;
    lab_state_free(&plain_a);
    lab_state_free(&plain_b);
    return equal;
}

void lab_figure(const char *text, const struct lab_state *state, uint64_t count, unsigned decimals,
                struct figure_value *value) {
    struct figure figure;
    char why[FIGURE_WHY_MAX];
    ck_assert_msg(figure_parse(text, &figure, why), "%s", why);
    struct measure measure[2] = {{.words = 1}};
    measure[0].kind = measure_find("count");
    measure[1] = *state->measure;
    measure[1].at = 1;
    static uint64_t *row; /* which items of a list point into */
    free(row);
    row = malloc((1 + state->measure->words) * sizeof *row);
    row[0] = count;
    memcpy(row + 1, state->words, state->measure->words * sizeof *row);
    for (unsigned i = 0; i < figure.measures; i++) {
        const bool is_count = strcmp(figure.needs[i], "count") == 0;
        ck_assert_msg(is_count || strcmp(figure.needs[i], state->measure->text) == 0, "%s needs %s",
                      text, figure.needs[i]);
        figure.measure[i] = !is_count;
    }
    figure.decimals = decimals;
    figure_value(&figure, measure, row, 1000000, value);
}
