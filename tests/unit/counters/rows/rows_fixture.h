/* What the tests of tables share: a state directory with a table in it, and events counted as a
 * worker counts them. */
#ifndef AFORO_TESTS_UNIT_ROWS_FIXTURE_H
#define AFORO_TESTS_UNIT_ROWS_FIXTURE_H

#include "counters/rows/table_file.h"
#include "counters/rows/tables.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <string.h>

#define LAB_STATE_WORDS 3 /* count, sum, last */
#define LAB_HORIZON_US (10 * US_PER_S)

static const struct check_fixture in_state_dir = {100, state_dir_make, state_dir_remove};

struct lab {
    struct counters *counters;
    struct tables *tables;
    struct table *table;
};

static inline struct counters_config lab_counters(unsigned workers) {
    struct counters_config config = tiny_config(workers);
    config.horizon_us = LAB_HORIZON_US;
    for (int r = 0; r < RESOLUTIONS; r++) {
        config.keep_us[r] = LAB_HORIZON_US;
    }
    return config;
}

static inline struct table_config lab_config(const char *name) {
    static const char definition[] = "name: lab";
    struct table_config config = {.digest = "0123456789abcdef",
                                  .definition = definition,
                                  .definition_len = sizeof definition - 1,
                                  .widths = 2,
                                  .width_us = {US_PER_S, 60 * US_PER_S},
                                  .keyed = true,
                                  .state_words = LAB_STATE_WORDS,
                                  .memory = 4 << 20,
                                  .keys_max = 10000,
                                  .fields = 2};
    snprintf(config.name, sizeof config.name, "%s", name);
    return config;
}

static inline struct tables *tables_or_fail(struct counters *counters, unsigned workers,
                                            uint64_t *repaired) {
    char why[COUNTERS_WHY_MAX] = "";
    struct tables *tables = tables_open(counters, workers, true, NULL, repaired, why);
    ck_assert_msg(tables != NULL, "%s", why);
    return tables;
}

static inline struct table *table_or_fail(struct tables *tables,
                                          const struct table_config *config) {
    char why[COUNTERS_WHY_MAX] = "";
    struct table *table = tables_get(tables, config, why);
    ck_assert_msg(table != NULL, "%s", why);
    return table;
}

static inline struct lab lab_open(unsigned workers, const struct table_config *config) {
    const struct counters_config counters = lab_counters(workers);
    struct lab lab = {.counters = open_or_fail(&counters)};
    lab.tables = tables_or_fail(lab.counters, workers, NULL);
    lab.table = table_or_fail(lab.tables, config);
    return lab;
}

static inline void lab_close(struct lab *lab) {
    tables_close(lab->tables);
    counters_close(lab->counters);
}

static inline void table_must_verify(const struct table *table) {
    char why[COUNTERS_WHY_MAX] = "";
    DEMAND(table_verify(table, why), "%s", why);
}

/* A key of two fields, "A" US "B". */
static inline struct table_key lab_key(const struct table *table, const char *text) {
    struct table_key key = {.bytes = text, .len = strlen(text), .fields = 2};
    const char *separator = strchr(text, '\x1f');
    const size_t first = separator ? (size_t)(separator - text) : key.len;
    key.hash = table_hash(table, text, key.len);
    key.field_len[0] = (uint16_t)first;
    key.at[1] = (uint16_t)(separator ? first + 1 : first);
    key.field_len[1] = (uint16_t)(key.len - key.at[1]);
    return key;
}

/* Counts one event in a row of one width, within the open transaction. */
static inline bool touch_width(struct table_section *section, struct undo *undo, int64_t us,
                               const char *text, uint64_t value) {
    const struct table *table = section->table;
    struct table_row row;
    const struct table_key key = lab_key(table, text ? text : "");
    if (!table_touch_owner(section, undo, table_window(table->config.width_us[section->width], us),
                           text ? &key : NULL, &row)) {
        return false;
    }
    undo_put_owner(undo, row.file, &row.state[0], atomic_load(&row.state[0]) + 1);
    undo_put_owner(undo, row.file, &row.state[1], atomic_load(&row.state[1]) + value);
    undo_put_owner(undo, row.file, &row.state[2], (uint64_t)us);
    return true;
}

/* Changes rows that were found, as reports do it: all is noted before any of it is stored. */
static inline void lab_change(struct undo *undo, const struct table_row *const *row, size_t rows,
                              const struct undo_changes *changes) {
    struct undo_notes notes =
        undo_notes_begin_owner(undo, row[0]->file, rows * TABLE_TOUCH_NOTES + changes->n);
    for (size_t i = 0; i < rows; i++) {
        table_note_touch_owner(&notes, row[i]);
    }
    undo_note_changes_owner(&notes, changes);
    undo_notes_end_owner(undo, &notes);
    table_store_touch_owner(undo, row, rows);
    undo_store_changes_owner(changes);
}

/* The same in both widths of a table: the rows are found first, and changed together. */
static inline bool change_widths(const struct table *table, unsigned worker, struct undo *undo,
                                 int64_t us, const char *text) {
    const struct table_key key = lab_key(table, text);
    struct table_row row[2];
    struct undo_change change[2 * 3];
    struct undo_changes changes = {.change = change};
    for (unsigned width = 0; width < 2; width++) {
        if (!table_find_owner(table_section(table, worker, width), undo,
                              table_window(table->config.width_us[width], us), &key, &row[width])) {
            return false;
        }
    }
    for (unsigned width = 0; width < 2; width++) {
        word *state = row[width].state;
        change[changes.n++] = (struct undo_change){&state[0], atomic_load(&state[0]) + 1};
        change[changes.n++] = (struct undo_change){&state[1], atomic_load(&state[1]) + 7};
        change[changes.n++] = (struct undo_change){&state[2], (uint64_t)us};
    }
    lab_change(undo, (const struct table_row *const[]){&row[0], &row[1]}, 2, &changes);
    return true;
}

/* Counts one event in all widths of worker 1, and commits. False: a window had no place. */
static inline bool count_event(const struct lab *lab, int64_t us, const char *text,
                               uint64_t value) {
    struct undo *undo = tables_undo(lab->tables, 1);
    bool ok = true;
    undo_begin_owner(undo);
    for (unsigned width = 0; width < lab->table->config.widths; width++) {
        ok = touch_width(table_section(lab->table, 1, width), undo, us, text, value) && ok;
    }
    undo_commit_owner(undo, &(const struct undo_count){0, 0, 0});
    return ok;
}

static inline void set_now(const struct lab *lab, int64_t now_us) {
    for (unsigned width = 0; width < lab->table->config.widths; width++) {
        table_set_now_owner(table_section(lab->table, 1, width), now_us);
    }
}

/* What table_read gave, summed up. */
struct seen {
    const char *key; /* the rows of this key only; NULL: all */
    bool base;       /* base rows only */
    uint64_t rows, count, sum;
};

static inline bool take_seen(void *cls, const struct table_copy *copy) {
    struct seen *seen = cls;
    if ((seen->base && copy->key) ||
        (seen->key && (!copy->key || strlen(seen->key) != copy->key_len ||
                       memcmp(seen->key, copy->key, copy->key_len) != 0))) {
        return true;
    }
    seen->rows++;
    seen->count += copy->state[0];
    seen->sum += copy->state[1];
    return true;
}

static inline struct seen lab_read(const struct table *table, unsigned width, int64_t us,
                                   const struct seen *which) {
    struct seen seen = *which;
    const struct table_taker taker = {take_seen, &seen};
    ck_assert(table_read(table, width, table_window(table->config.width_us[width], us), &taker));
    return seen;
}

#endif
