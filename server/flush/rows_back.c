/* The read-back of rows: before a report is sent, this node's rows are raised to what the store has
 * of them, in the sections of worker 0, which belong to the flush thread. So that nothing is
 * counted twice, the store's values are compared with a reference: what the table held when it was
 * first opened after it had last agreed with the store, and what was read back since
 * (rows_reference.h). */
#include "reports/read.h"
#include "server/flush/internal.h"
#include "server/flush/rows_reference.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORTION INT64_C(65536) /* windows read back at a time */

/* ---- at the start: the reference ---- */

/* Reduces the row to what it has in common with the reference of earlier starts, since the file may
 * be an older copy that was put back. */
static void keep_least(const struct rows_reference *before, const struct rows_place *place,
                       const struct rows_row *row, struct rows_reference *made) {
    const struct rows_reference_key key = {place->width_us, place->window, row->key, row->key_len};
    const char *record = rows_reference_find(before, &key);
    struct rows_component *component = calloc(row->n + 1, sizeof *component);
    struct rows_row least = *row;
    if (!record || !component) {
        free(component);
        made->failed = made->failed || !component;
        return;
    }
    for (size_t i = 0; i < row->n; i++) {
        const int64_t value = rows_reference_value(record, row->component[i].name);
        component[i] = row->component[i];
        component[i].value = value < component[i].value ? value : component[i].value;
    }
    const uint64_t events = rows_reference_events(record);
    least.count = events < row->count ? events : row->count;
    least.component = component;
    rows_reference_add(made, place, &least);
    free(component);
}

/* Adds to the reference the rows of one window that workers have counted. */
static bool note_window(struct rows_known *known, const struct rows_table *table, unsigned width,
                        int64_t window, const struct rows_reference *before,
                        struct rows_reference *made) {
    const struct rows_question question = {table->report, table->table, width, window,
                                           ROWS_COUNTED,  NULL,         0};
    const struct rows_place place = rows_known_place(table, width, window);
    struct rows_collected collected;
    bool ok = rows_collect(&question, &collected);
    for (size_t i = 0; i < collected.n && ok; i++) {
        rows_gather_begin(&known->gather);
        rows_gather_add(&known->gather, table->report, &collected.row[i]);
        const struct rows_row *row = rows_gather_end(&known->gather);
        ok = row != NULL;
        if (ok && before) {
            keep_least(before, &place, row, made);
        } else if (ok) {
            rows_reference_add(made, &place, row);
        }
    }
    rows_collected_free(&collected);
    return ok;
}

static bool note_range(struct rows_known *known, const struct rows_table *table, unsigned width,
                       const struct rows_range *range, const struct rows_reference *before,
                       struct rows_reference *made) {
    bool ok = true;
    for (int64_t window = range->newest; window >= range->oldest && ok; window--) {
        uint64_t touched[ROWS_SECTIONS_MAX];
        ok = !rows_known_touched(table, width, window, touched) ||
             note_window(known, table, width, window, before, made);
    }
    return ok;
}

void rows_reference_name(const struct rows_table *table, char *name) {
    snprintf(name, ROWS_REFERENCE_NAME_MAX, "%s.reference", table->name);
}

/* Writes the reference of a table. An existing one stays, except for what the table has lost
 * since. */
static bool write_reference(struct rows_known *known, const struct rows_table *table, char *why) {
    const int dir = tables_dir(known->tables);
    char name[ROWS_REFERENCE_NAME_MAX];
    rows_reference_name(table, name);
    struct rows_reference before, made = {0};
    bool there = false, ok = rows_reference_load(&before, dir, name, &there, why);
    for (unsigned k = 0; k < table->widths && ok; k++) {
        struct rows_range range[ROWS_SECTIONS_MAX];
        const size_t n = rows_known_ranges(known, table, k, clock_wall_us(), range);
        for (size_t i = 0; i < n && ok; i++) {
            ok = note_range(known, table, k, &range[i], there ? &before : NULL, &made);
        }
        if (!ok) {
            snprintf(why, ROWS_REFERENCE_WHY_MAX, "out of memory");
        }
    }
    ok = ok && rows_reference_save(&made, dir, name, why);
    rows_reference_free(&made);
    rows_reference_free(&before);
    return ok;
}

bool rows_remember(struct rows_known *known, const char *node, char *why) {
    if (!rows_known_update(known)) {
        snprintf(why, ROWS_REFERENCE_WHY_MAX, "out of memory");
        return false;
    }
    for (size_t i = 0; i < known->n; i++) {
        struct rows_table *table = &known->table[i];
        if (table->report &&
            (!write_reference(known, table, why) || !rows_load_others(known, table, node, why))) {
            return false;
        }
        rows_known_remember(known, table, clock_wall_us());
    }
    return true;
}

/* ---- the read-back ---- */

/* The read-back of one table, while it is under way. */
struct reading_back {
    struct flush *flush;
    struct rows_table *table;
    unsigned width;
    struct rows_reference reference;
    uint64_t *state; /* [state_words] of the row that is raised */
    /* the row's present components: of the read-back's section; after the start, of all sections */
    struct rows_gather there;
    struct rows_collected present; /* rows of present_window; used after the start only */
    int64_t present_window;
    bool failed;
    bool too_large_told; /* that a row is more than can be stored was logged */
};

static const struct rows_one *find_present(struct reading_back *back, int64_t window,
                                           const struct rows_row *row) {
    if (back->present_window != window) {
        const struct rows_question question = {back->table->report,
                                               back->table->table,
                                               back->width,
                                               window,
                                               ROWS_ALL_SECTIONS,
                                               NULL,
                                               0};
        rows_collected_free(&back->present);
        back->present_window = window;
        back->failed = back->failed || !rows_collect(&question, &back->present);
    }
    return rows_collected_find(&back->present, row->key, row->key_len);
}

/* Lists the components of a state in back->there. */
static const struct rows_row *list_there(struct reading_back *back, uint64_t *state) {
    const struct rows_one one = {.key = "", .state = state};
    rows_gather_begin(&back->there);
    rows_gather_add(&back->there, back->table->report, &one);
    return rows_gather_end(&back->there);
}

static void absorb(const struct reading_back *back, const struct component *component) {
    const struct report *report = back->table->report;
    for (unsigned i = 0; i < report->measures; i++) {
        const struct measure *measure = &report->measure[i];
        if (measure->kind->absorb(measure, back->state + measure->at, component)) {
            return;
        }
    }
}

/* What this node already has of a row, and must not be raised by again. */
struct had {
    const char *record;         /* of the reference */
    const struct rows_row *row; /* what the row has on top of it */
    const char *others;         /* what of that is reported by others */
    int64_t events;      /* events in all that; below 0: an older copy of the table came back */
    bool read_back_only; /* none of them was counted here, all were read back */
};

/* Empties measures that exist only for a row as a whole: the store's value replaces what was read
 * back before. If that cannot be told apart from what workers counted, the measure stays empty,
 * which shows that events are missing (report_lacking). */
static void empty_whole(const struct reading_back *back) {
    const struct report *report = back->table->report;
    for (unsigned i = 0; i < report->measures; i++) {
        const struct measure *measure = &report->measure[i];
        if (report_measure_is_whole(measure)) {
            memset(back->state + measure->at, 0, measure->words * sizeof *back->state);
        }
    }
}

static bool is_whole(const struct reading_back *back, const char *name) {
    const struct report *report = back->table->report;
    for (unsigned i = 0; i < report->measures; i++) {
        if (strcmp(report->measure[i].text, name) == 0) {
            return report_measure_is_whole(&report->measure[i]);
        }
    }
    return false;
}

/* Raises back->state by what the store has beyond `had`. */
static void raise_state(const struct reading_back *back, const struct rows_row *row,
                        const struct had *had) {
    const bool newer = (int64_t)row->count > had->events;
    if (newer) {
        empty_whole(back);
    }
    for (size_t i = 0; i < row->n; i++) {
        struct component component = rows_to_component(&row->component[i]);
        const int64_t there = rows_reference_value(had->record, component.name) +
                              rows_value(had->row, component.name) -
                              rows_reference_value(had->others, component.name);
        switch (component.rule) {
        case COMPONENT_ADD:
            component.value -= there;
            if (component.value > 0) {
                absorb(back, &component);
            }
            break;
        case COMPONENT_WRAP:
            component.value = (int64_t)(uint32_t)(component.value - there);
            if (newer && component.value) {
                absorb(back, &component);
            }
            break;
        case COMPONENT_BLOB: /* as a whole, and only into what was emptied */
            if (!is_whole(back, component.name) ||
                (newer && had->read_back_only && (uint64_t)row->component[i].value == row->count)) {
                absorb(back, &component);
            }
            break;
        default:
            absorb(back, &component);
        }
    }
}

/* Words [from, end) of a state. */
struct words {
    size_t from, end;
};

static size_t count_changes(const struct reading_back *back, const word *before,
                            struct words words) {
    size_t n = 0;
    for (size_t i = words.from; i < words.end; i++) {
        n +=
            back->state[i] != (before ? atomic_load_explicit(&before[i], memory_order_relaxed) : 0);
    }
    return n;
}

/* Stores some of back->state in the row of the read-back's section, in one transaction, if any of
 * it changes. False: it is more than a transaction holds. */
static bool store_words(const struct reading_back *back, const struct table_touch *touch,
                        const word *before, struct words words) {
    struct undo *undo = tables_undo(back->flush->rows.tables, 0);
    struct table_section *section = table_section(back->table->table, 0, back->width);
    struct table_row row;
    const size_t changes = count_changes(back, before, words);
    if (changes == 0 || changes + TABLE_TOUCH_PUTS >= UNDO_ENTRIES_MAX) {
        return changes == 0;
    }
    undo_begin_owner(undo);
    if (table_touch_events_owner(section, undo, touch, &row)) {
        for (size_t i = words.from; i < words.end; i++) {
            if (atomic_load_explicit(&row.state[i], memory_order_relaxed) != back->state[i]) {
                undo_put_owner(undo, row.file, &row.state[i], back->state[i]);
            }
        }
    }
    undo_commit_owner(undo, &(const struct undo_count){0, 0, 0});
    return true;
}

/* Stores what a transaction holds, one measure after the other and the number of events, which is
 * the first word, at the end. A kill in between leaves a row that the next read-back completes: it
 * raises each component by what is missing of it, and replaces those of class newest while events
 * are missing. */
static bool store_measures(const struct reading_back *back, const struct table_touch *touch,
                           const word *before) {
    const struct report *report = back->table->report;
    const struct table_touch none = {.window = touch->window, .key = touch->key};
    bool ok = true;
    for (unsigned i = 0; i < report->measures && ok; i++) {
        const struct measure *measure = &report->measure[i];
        const struct words words = {measure->at, measure->at + measure->words};
        ok = measure->at == 0 || store_words(back, &none, before, words);
    }
    return ok && store_words(back, touch, before, (struct words){0, report->measure[0].words});
}

/* Stores back->state as the row of the read-back's section. */
static void store_row(struct reading_back *back, const struct table_touch *touch,
                      const word *before) {
    const struct words all = {0, table_config(back->table->table)->state_words};
    if (store_words(back, touch, before, all) || store_measures(back, touch, before)) {
        return;
    }
    if (!back->too_large_told) {
        back->too_large_told = true;
        log_line(LOG_WARN,
                 "a row of a report cannot be read back: one of its figures is too large; what is "
                 "counted on top of it does not reach the store until it is more than that",
                 "report=%s", back->table->name);
    }
}

/* Converts the key to the table's form; NULL: the base row. */
static const struct table_key *make_key(const struct reading_back *back, const struct rows_row *row,
                                        struct table_key *key) {
    const struct table *table = back->table->table;
    if (!table_config(table)->keyed || (row->key_len == strlen(REPORT_OTHER) &&
                                        memcmp(row->key, REPORT_OTHER, row->key_len) == 0)) {
        return NULL;
    }
    *key = (struct table_key){
        .bytes = row->key, .len = row->key_len, .hash = table_hash(table, row->key, row->key_len)};
    for (size_t at = 0; at <= row->key_len && key->fields < TABLE_FIELDS_MAX; key->fields++) {
        const char *end = memchr(row->key + at, REPORT_KEY_SEPARATOR, row->key_len - at);
        const size_t len = end ? (size_t)(end - row->key) - at : row->key_len - at;
        key->at[key->fields] = (uint16_t)at;
        key->field_len[key->fields] = (uint16_t)len;
        at += len + 1;
    }
    return key;
}

static void raise_row(void *cls, const struct rows_place *place, const struct rows_row *row) {
    struct reading_back *back = cls;
    struct table_key key;
    struct table_touch touch = {.window = place->window, .key = make_key(back, row, &key)};
    const size_t words = table_config(back->table->table)->state_words;
    if (row->key_len > TABLE_KEY_MAX) {
        return;
    }
    const word *before = table_look_owner(table_section(back->table->table, 0, back->width),
                                          place->window, touch.key);
    for (size_t i = 0; i < words; i++) {
        back->state[i] = before ? atomic_load_explicit(&before[i], memory_order_relaxed) : 0;
    }
    const uint64_t events_before = back->state[0];
    const struct rows_reference_key wanted = {place->width_us, place->window, row->key,
                                              row->key_len};
    struct had had = {.others = back->table->others.n
                                    ? rows_reference_find(&back->table->others, &wanted)
                                    : NULL};
    if (back->table->was_read_back) {
        const struct rows_one *one = find_present(back, place->window, row);
        had.row = one ? list_there(back, one->state) : NULL;
        had.events = one ? (int64_t)one->state[0] : 0;
        had.read_back_only = had.events == (int64_t)events_before;
    } else {
        had.record = rows_reference_find(&back->reference, &wanted);
        had.row = list_there(back, back->state);
        had.events = (int64_t)(rows_reference_events(had.record) + events_before);
        had.read_back_only = rows_reference_events(had.record) == 0;
    }
    had.read_back_only = had.read_back_only && !had.others;
    had.events -= (int64_t)rows_reference_events(had.others);
    raise_state(back, row, &had);
    touch.events = back->state[0] - events_before;
    store_row(back, &touch, before);
}

static void note_sum(void *cls, const struct rows_place *place, uint64_t sum) {
    const struct reading_back *back = cls;
    struct rows_window *known = rows_known_at(back->table, back->width, place->window);
    known->there = sum;
    known->doubted = false;
}

/* Reads one portion. The lease is renewed before each, since there may be millions of windows. */
static bool read_portion(struct reading_back *back, int64_t first, uint32_t n, char *why) {
    struct flush *flush = back->flush;
    struct store *store = flush->config.store;
    const struct store_rows_range range = {rows_known_place(back->table, back->width, first), n};
    if (clock_steady_us() - flush->identity.renewed_us > STORE_LEASE_MS / 3 * US_PER_MS &&
        !identity_lease(flush)) {
        snprintf(why, STORE_WHY_MAX, "the lease of this node's name is another's");
        return false;
    }
    return store->ops->read_back_rows(store, &range,
                                      &(struct store_rows_taker){raise_row, note_sum, back}, why);
}

static bool read_range(struct reading_back *back, int64_t first, int64_t n, char *why) {
    bool ok = true;
    for (int64_t done = 0; done < n && ok; done += PORTION) {
        ok = read_portion(back, first + done, (uint32_t)(n - done < PORTION ? n - done : PORTION),
                          why);
    }
    return ok;
}

/* Reads the horizon, and older windows that turned out to be another owner's. */
static bool read_width(struct reading_back *back, char *why) {
    const struct rows_width *width = &back->table->width[back->width];
    const int64_t now_us = clock_wall_us();
    const int64_t newest = (now_us + back->flush->rows.future_us) / width->width_us;
    const int64_t first = newest - width->places + 1 > 0 ? newest - width->places + 1 : 0;
    table_set_now_owner(table_section(back->table->table, 0, back->width), now_us);
    back->present_window = -1;
    if (!read_range(back, first, newest - first + 1, why)) {
        return false;
    }
    const struct rows_window *known;
    for (size_t i = 0; (known = rows_known_place_at(width, i)); i++) {
        if (known->doubted && !read_range(back, known->window, 1, why)) {
            return false;
        }
    }
    return true;
}

bool rows_read_back_table(struct flush *flush, struct rows_table *table) {
    struct reading_back back = {.flush = flush, .table = table};
    const int dir = tables_dir(flush->rows.tables);
    char name[ROWS_REFERENCE_NAME_MAX];
    char why[STORE_WHY_MAX] = "out of memory";
    bool there = false;
    _Static_assert(STORE_WHY_MAX >= ROWS_REFERENCE_WHY_MAX, "a sentence goes up as it is");
    if (table->read_back || !table->report) {
        return true;
    }
    rows_reference_name(table, name);
    back.state = calloc(table_config(table->table)->state_words, sizeof *back.state);
    bool ok = back.state && (table->was_read_back ||
                             rows_reference_load(&back.reference, dir, name, &there, why));
    for (; back.width < table->widths && ok; back.width++) {
        ok = read_width(&back, why);
    }
    ok = ok && !back.failed;
    rows_collected_free(&back.present);
    rows_reference_free(&back.reference);
    rows_gather_free(&back.there);
    free(back.state);
    if (ok && !rows_reference_remove(dir, name)) {
        snprintf(why, sizeof why, "cannot remove reports/%.110s: %.80s", name, strerror(errno));
        ok = false;
    }
    if (!ok) {
        flush_error(flush, "cannot read back what the store has of a report", why);
    }
    table->read_back = ok;
    table->was_read_back = table->was_read_back || ok;
    return ok;
}

bool rows_read_back(struct flush *flush) {
    bool ok = rows_known_update(&flush->rows);
    for (size_t i = 0; i < flush->rows.n && ok; i++) {
        flush->rows.table[i].read_back = false;
        ok = rows_read_back_table(flush, &flush->rows.table[i]);
    }
    return ok;
}
