#include "server/flush/rows_known.h"

#include "reports/read.h"
#include "server/process/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARE 4 /* windows, beyond what a table has: of the future, and of a clock that was set */

static void name_width(struct rows_width *width, int64_t width_us, int64_t keep_us) {
    width->width_us = width_us;
    width->keep_s = keep_us / US_PER_S;
    report_width_name(width_us, width->name);
}

/* Makes a table's memory. False when out of memory. */
static bool make_table(const struct rows_known *known, struct rows_table *made,
                       struct table *table) {
    char why[DEFINITIONS_WHY_MAX] = "";
    const struct table_config *config = table_config(table);
    *made = (struct rows_table){.table = table, .widths = config->widths};
    snprintf(made->name, sizeof made->name, "%s.%s", config->name, config->digest);
    const struct definitions_for purpose = {.span.horizon_us = known->horizon_us,
                                            .file = made->name};
    made->definitions = definitions_read(config->definition, config->definition_len, &purpose, why);
    if (made->definitions && made->definitions->reports == 1 &&
        made->definitions->report[0].table.state_words == config->state_words) {
        made->report = &made->definitions->report[0];
    } else {
        log_line(LOG_WARN,
                 "the definition of a report cannot be read any more: its rows are not sent to the "
                 "store",
                 "report=%s error=\"%s\"", made->name, why);
    }
    const size_t sections = table_workers(table);
    bool ok = true;
    for (unsigned k = 0; k < made->widths; k++) {
        struct rows_width *width = &made->width[k];
        name_width(width, config->width_us[k], made->report ? made->report->keep_us[k] : 0);
        /* All that a table may still have is looked at, also what has just passed the horizon while
         * the newest window is as far ahead as an event may be. */
        width->places = table_windows(table, k) + SPARE;
        width->stride = sizeof(struct rows_window) + sections * sizeof(uint64_t);
        width->base = calloc((size_t)width->places, width->stride);
        ok = ok && width->base;
    }
    return ok;
}

static void free_table(struct rows_table *table) {
    for (unsigned k = 0; k < table->widths; k++) {
        free(table->width[k].base);
    }
    definitions_free(table->definitions);
    rows_reference_free(&table->others);
}

bool rows_known_update(struct rows_known *known) {
    while (known->tables && known->n < tables_count(known->tables)) {
        if (known->n == known->cap) {
            const size_t cap = 2 * known->cap + 8;
            struct rows_table *grown = realloc(known->table, cap * sizeof *grown);
            if (!grown) {
                return false;
            }
            known->table = grown;
            known->cap = cap;
        }
        struct rows_table *table = &known->table[known->n];
        if (!make_table(known, table, tables_at(known->tables, known->n))) {
            free_table(table);
            return false;
        }
        known->n++;
    }
    return true;
}

void rows_known_free(struct rows_known *known) {
    for (size_t i = 0; i < known->n; i++) {
        free_table(&known->table[i]);
    }
    free(known->table);
    rows_gather_free(&known->gather);
}

static struct rows_window *place_of(const struct rows_width *width, int64_t window) {
    return (struct rows_window *)(void *)(width->base +
                                          (size_t)(window % width->places) * width->stride);
}

struct rows_window *rows_known_find(const struct rows_table *table, unsigned width,
                                    int64_t window) {
    struct rows_window *place = place_of(&table->width[width], window);
    return place->window == window ? place : NULL;
}

struct rows_window *rows_known_at(const struct rows_table *table, unsigned width, int64_t window) {
    struct rows_window *place = place_of(&table->width[width], window);
    if (place->window != window) {
        memset(place, 0, table->width[width].stride);
        place->window = window;
    }
    return place;
}

bool rows_known_span(const struct rows_known *known, const struct rows_table *table, unsigned width,
                     int64_t now_us, int64_t *oldest, int64_t *newest) {
    const struct rows_width *its = &table->width[width];
    if (!table_span_windows(table->table, width, oldest, newest)) {
        return false;
    }
    /* what a clock that was ahead has left beyond the present is sent when its time has come */
    const int64_t last = (now_us + known->future_us) / its->width_us + 1;
    *newest = *newest < last ? *newest : last;
    *oldest = *oldest > *newest - its->places + 1 ? *oldest : *newest - its->places + 1;
    return *oldest <= *newest;
}

bool rows_known_touched(const struct rows_table *table, unsigned width, int64_t window,
                        uint64_t *touched) {
    uint64_t any = 0;
    for (unsigned i = 0; i < table_workers(table->table); i++) {
        touched[i] = table_touched(table->table, i, width, window);
        any |= touched[i];
    }
    return any != 0;
}

void rows_known_remember(struct rows_known *known, struct rows_table *table, int64_t now_us) {
    for (unsigned k = 0; k < table->widths; k++) {
        int64_t oldest, newest;
        if (!rows_known_span(known, table, k, now_us, &oldest, &newest)) {
            continue;
        }
        for (int64_t window = oldest; window <= newest; window++) {
            uint64_t touched[ROWS_SECTIONS_MAX];
            if (rows_known_touched(table, k, window, touched)) {
                memcpy(rows_known_at(table, k, window)->touched, touched,
                       table_workers(table->table) * sizeof *touched);
            }
        }
    }
}

struct rows_place rows_known_place(const struct rows_table *table, unsigned width, int64_t window) {
    return (struct rows_place){table->name, table->width[width].name, table->width[width].width_us,
                               window};
}

/* Bytes that are as good with what others report in them. */
static bool joins(const struct rows_table *table, const char *name) {
    for (unsigned i = 0; i < table->report->measures; i++) {
        const struct measure *measure = &table->report->measure[i];
        if (strcmp(measure->text, name) == 0) {
            return !report_measure_is_whole(measure);
        }
    }
    return false;
}

bool rows_known_subtract(const struct rows_table *table, const struct rows_place *place,
                         struct rows_row *row) {
    const struct rows_reference_key key = {place->width_us, place->window, row->key, row->key_len};
    const char *record = table->others.n ? rows_reference_find(&table->others, &key) : NULL;
    struct rows_component *component = (struct rows_component *)(uintptr_t)row->component;
    const uint64_t events = rows_reference_events(record);
    size_t n = 0;
    if (!record) {
        return true;
    }
    if (row->count <= events) {
        return false;
    }
    row->count -= events;
    for (size_t i = 0; i < row->n; i++) {
        struct rows_component left = component[i];
        const int64_t theirs = rows_reference_value(record, left.name);
        if (left.rule == ROWS_ADD || left.rule == ROWS_WRAP) {
            left.value -= theirs;
            left.value = left.rule == ROWS_WRAP ? (int64_t)(uint32_t)left.value : left.value;
        }
        /* Bytes of the whole row cannot be parted into theirs and ours, and then are not sent:
         * whoever reads sees that they are missing. */
        if ((left.rule != ROWS_BLOB || joins(table, left.name)) &&
            (left.rule != ROWS_ADD || left.value > 0)) {
            component[n++] = left;
        }
    }
    row->n = n;
    return true;
}
