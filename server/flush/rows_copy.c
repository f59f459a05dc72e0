/* This server is a copy of one in use: what the other one reports of the same rows is written
 * beside each table, and subtracted from whatever is sent under the new name. */
#include "server/flush/internal.h"
#include "server/process/clock.h"

#include <stdio.h>
#include <string.h>

static void name_others(const struct rows_table *table, const char *node, char *name) {
    snprintf(name, ROWS_REFERENCE_NAME_MAX, "%s.others-%.63s", table->name, node);
}

bool rows_load_others(const struct rows_known *known, struct rows_table *table, const char *node,
                      char *why) {
    char name[ROWS_REFERENCE_NAME_MAX];
    bool there = false;
    name_others(table, node, name);
    rows_reference_free(&table->others);
    return rows_reference_load(&table->others, tables_dir(known->tables), name, &there, why);
}

/* Giving away one table: noting what the other server reports of it. */
struct giving {
    struct flush *flush;
    const struct rows_table *table;
    /* what the table held when it was opened; if it was read back since, what the store has under
     * the name that is given up */
    struct rows_reference known;
    struct rows_reference made;
    struct rows_gather counted; /* what workers have counted of a row */
};

/* A row, with what is known of it. */
struct given {
    struct rows_row *all;           /* of all sections */
    const struct rows_row *counted; /* of the workers' sections; NULL: nothing */
    const char *there, *others; /* records of giving->known and of what others reported before */
};

/* The part of a value that others report. If the table was not read back since it was opened: what
 * it held then, and what earlier runs had read back. Else what this table and the store have in
 * common, on top of what others reported before. */
static int64_t give_value(const struct giving *giving, int64_t all, int64_t counted, int64_t there,
                          int64_t others) {
    if (!giving->table->was_read_back) {
        return all - counted + there;
    }
    return (all - others < there ? all - others : there) + others;
}

static void give_row(struct giving *giving, const struct rows_place *place, struct given *given) {
    struct rows_component *component = (struct rows_component *)(uintptr_t)given->all->component;
    for (size_t i = 0; i < given->all->n; i++) {
        const char *name = component[i].name;
        component[i].value = give_value(
            giving, component[i].value, rows_value(given->counted, name),
            rows_reference_value(given->there, name), rows_reference_value(given->others, name));
    }
    given->all->count = (uint64_t)give_value(giving, (int64_t)given->all->count,
                                             given->counted ? (int64_t)given->counted->count : 0,
                                             (int64_t)rows_reference_events(given->there),
                                             (int64_t)rows_reference_events(given->others));
    if (given->all->count) {
        rows_reference_add(&giving->made, place, given->all);
    }
}

static const char *find(const struct rows_reference *reference, const struct rows_place *place,
                        const struct rows_one *one) {
    const struct rows_reference_key key = {place->width_us, place->window, one->key, one->key_len};
    return reference->n ? rows_reference_find(reference, &key) : NULL;
}

/* A state as components; NULL when out of memory. */
static struct rows_row *list(struct rows_gather *gather, const struct report *report,
                             const struct rows_one *one) {
    rows_gather_begin(gather);
    rows_gather_add(gather, report, one);
    return rows_gather_end(gather);
}

static bool give_window(struct giving *giving, unsigned width, int64_t window) {
    const struct rows_table *table = giving->table;
    const struct rows_place place = rows_known_place(table, width, window);
    struct rows_question question = {table->report,     table->table, width, window,
                                     ROWS_ALL_SECTIONS, NULL,         0};
    struct rows_collected all, counted = {0};
    bool ok = rows_collect(&question, &all);
    question.sections = ROWS_COUNTED;
    ok = ok && rows_collect(&question, &counted);
    for (size_t i = 0; i < all.n && ok; i++) {
        const struct rows_one *one = &all.row[i],
                              *by_workers = rows_collected_find(&counted, one->key, one->key_len);
        struct given given = {list(&giving->flush->rows.gather, table->report, one),
                              by_workers ? list(&giving->counted, table->report, by_workers) : NULL,
                              find(&giving->known, &place, one), find(&table->others, &place, one)};
        ok = given.all && (!by_workers || given.counted);
        if (ok) {
            give_row(giving, &place, &given);
        }
    }
    rows_collected_free(&counted);
    rows_collected_free(&all);
    return ok;
}

/* ---- what the store has ---- */

static void note_row(void *cls, const struct rows_place *place, const struct rows_row *row) {
    struct giving *giving = cls;
    rows_reference_add(&giving->known, place, row);
}

static void note_nothing(void *cls, const struct rows_place *place, uint64_t sum) {
    (void)cls, (void)place, (void)sum;
}

/* Reads what the store has under the old name. False fills why. */
static bool read_old_name(struct giving *giving, char *why) {
    struct store *store = giving->flush->config.store;
    bool ok = true;
    for (unsigned k = 0; k < giving->table->widths && ok; k++) {
        struct rows_range its[ROWS_SECTIONS_MAX];
        const size_t n =
            rows_known_ranges(&giving->flush->rows, giving->table, k, clock_wall_us(), its);
        for (size_t i = 0; i < n && ok; i++) {
            const struct store_rows_range range = {
                rows_known_place(giving->table, k, its[i].oldest),
                (uint32_t)(its[i].newest - its[i].oldest + 1)};
            ok = store->ops->read_back_rows(
                store, &range, &(struct store_rows_taker){note_row, note_nothing, giving}, why);
        }
    }
    rows_reference_sort(&giving->known);
    return ok && !giving->known.failed;
}

/* ---- all tables ---- */

/* Gives one table away. False fills why. */
static bool give_table(struct giving *giving, const char *node, char *why) {
    const struct rows_table *table = giving->table;
    const int dir = tables_dir(giving->flush->rows.tables);
    char name[ROWS_REFERENCE_NAME_MAX];
    bool there = false;
    rows_reference_name(table, name);
    bool ok = table->was_read_back ? read_old_name(giving, why)
                                   : rows_reference_load(&giving->known, dir, name, &there, why);
    for (unsigned k = 0; k < table->widths && ok; k++) {
        struct rows_range range[ROWS_SECTIONS_MAX];
        const size_t n = rows_known_ranges(&giving->flush->rows, table, k, clock_wall_us(), range);
        for (size_t i = 0; i < n; i++) {
            for (int64_t window = range[i].newest; window >= range[i].oldest && ok; window--) {
                ok = give_window(giving, k, window);
            }
        }
    }
    name_others(table, node, name);
    return ok && rows_reference_save(&giving->made, dir, name, why);
}

bool rows_give_away(struct flush *flush, const char *node) {
    bool ok = true;
    for (size_t i = 0; i < flush->rows.n && ok; i++) {
        struct giving giving = {.flush = flush, .table = &flush->rows.table[i]};
        char why[STORE_WHY_MAX] = "out of memory";
        ok = !giving.table->report || give_table(&giving, node, why);
        if (!ok) {
            flush_error(flush, "cannot note what another server reports", why);
        }
        rows_reference_free(&giving.known);
        rows_reference_free(&giving.made);
        rows_gather_free(&giving.counted);
    }
    return ok;
}

static void forget_sent(struct rows_table *table) {
    for (unsigned k = 0; k < table->widths; k++) {
        const struct rows_width *width = &table->width[k];
        for (size_t c = 0; c < width->circles; c++) {
            memset(width->circle[c], 0, (size_t)width->places * width->stride);
        }
    }
    table->told_generation = 0;
    table->last_window = 0;
}

void rows_become_copy(struct flush *flush, const char *node) {
    for (size_t i = 0; i < flush->rows.n; i++) {
        struct rows_table *table = &flush->rows.table[i];
        char why[STORE_WHY_MAX] = "", name[ROWS_REFERENCE_NAME_MAX];
        if (!table->report) {
            continue;
        }
        if (!rows_load_others(&flush->rows, table, node, why)) {
            flush_error(flush, "cannot read what another server reports", why);
            table->report = NULL; /* better to send nothing of it than something twice */
            continue;
        }
        forget_sent(table);
        rows_reference_name(table, name);
        rows_reference_remove(tables_dir(flush->rows.tables), name);
        table->read_back = table->was_read_back = true; /* nobody has used this name before */
    }
}
