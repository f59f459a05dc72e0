#include "server/flush/rows_known.h"

#include "reports/read.h"
#include "server/process/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* places beyond the windows that a table has: for the future, and for a clock that was set */
#define SPARE 4

static void name_width(struct rows_width *width, int64_t width_us, int64_t keep_us) {
    width->width_us = width_us;
    width->keep_s = keep_us / US_PER_S;
    report_width_name(width_us, width->name);
}

static bool add_circle(struct rows_width *width) {
    unsigned char **grown = realloc(width->circle, (width->circles + 1) * sizeof *grown);
    if (!grown) {
        return false;
    }
    width->circle = grown;
    grown[width->circles] = calloc((size_t)width->places, width->stride);
    if (!grown[width->circles]) {
        return false;
    }
    width->circles++;
    return true;
}

/* Makes room for more sections. False when out of memory. */
static bool widen(struct rows_width *width, unsigned sections) {
    const size_t stride = sizeof(struct rows_window) + sections * sizeof(uint64_t);
    unsigned char **made = calloc(width->circles, sizeof *made);
    bool ok = made != NULL;
    for (size_t c = 0; ok && c < width->circles; c++) {
        made[c] = calloc((size_t)width->places, stride);
        ok = made[c] != NULL;
    }
    for (size_t c = 0; made && c < width->circles; c++) {
        for (int64_t i = 0; ok && i < width->places; i++) {
            const unsigned char *from = width->circle[c] + (size_t)i * width->stride;
            if (((const struct rows_window *)(const void *)from)->window) {
                memcpy(made[c] + (size_t)i * stride, from, width->stride);
            }
        }
        free(ok ? width->circle[c] : made[c]);
    }
    if (ok) {
        free(width->circle);
        width->circle = made;
        width->stride = stride;
    } else {
        free(made);
    }
    return ok;
}

/* The table may have gained sections, because the clock was set. */
static bool take_sections(struct rows_table *table) {
    const unsigned sections = table_workers(table->table);
    bool ok = true;
    for (unsigned k = 0; k < table->widths && ok && sections > table->sections; k++) {
        /* after a failure, some are wide enough already */
        ok = table->width[k].stride >= sizeof(struct rows_window) + sections * sizeof(uint64_t) ||
             widen(&table->width[k], sections);
    }
    table->sections = ok ? sections : table->sections;
    return ok;
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
    made->sections = table_workers(table);
    bool ok = true;
    for (unsigned k = 0; k < made->widths; k++) {
        struct rows_width *width = &made->width[k];
        name_width(width, config->width_us[k], made->report ? made->report->keep_us[k] : 0);
        /* Everything that a table may still have is examined, including what has just passed the
         * horizon while the newest window is as far ahead as an event may be. */
        width->places = table_windows(table, k) + SPARE;
        width->stride = sizeof(struct rows_window) + made->sections * sizeof(uint64_t);
        ok = ok && add_circle(width);
    }
    return ok;
}

static void free_table(struct rows_table *table) {
    for (unsigned k = 0; k < table->widths; k++) {
        for (size_t c = 0; c < table->width[k].circles; c++) {
            free(table->width[k].circle[c]);
        }
        free(table->width[k].circle);
    }
    definitions_free(table->definitions);
    rows_reference_free(&table->others);
}

bool rows_known_update(struct rows_known *known) {
    for (size_t i = 0; i < known->n; i++) {
        if (!take_sections(&known->table[i])) {
            return false;
        }
    }
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

/* ---- windows ---- */

static struct rows_window *place_of(const struct rows_width *width, size_t circle, int64_t place) {
    return (struct rows_window *)(void *)(width->circle[circle] + (size_t)place * width->stride);
}

struct rows_window *rows_known_place_at(const struct rows_width *width, size_t i) {
    const size_t places = (size_t)width->places;
    return i < width->circles * places ? place_of(width, i / places, (int64_t)(i % places)) : NULL;
}

struct rows_window *rows_known_find(const struct rows_table *table, unsigned width,
                                    int64_t window) {
    const struct rows_width *its = &table->width[width];
    for (size_t c = 0; c < its->circles; c++) {
        struct rows_window *place = place_of(its, c, window % its->places);
        if (place->window == window) {
            return place;
        }
    }
    return NULL;
}

/* Whether any section still holds rows of this window. */
static bool is_held(const struct rows_table *table, unsigned width, int64_t window) {
    for (unsigned i = 0; i < table->sections; i++) {
        int64_t oldest, newest;
        if (table_span_writer(table->table, i, width, &oldest, &newest) && oldest <= window &&
            window <= newest && table_touched(table->table, i, width, window)) {
            return true;
        }
    }
    return false;
}

struct rows_window *rows_known_at(struct rows_table *table, unsigned width, int64_t window) {
    struct rows_width *its = &table->width[width];
    struct rows_window *place = rows_known_find(table, width, window);
    if (place) {
        return place;
    }
    size_t c = 0;
    for (; c < its->circles; c++) {
        place = place_of(its, c, window % its->places);
        if (!place->window || !is_held(table, width, place->window)) {
            break;
        }
    }
    if (c == its->circles && !add_circle(its)) {
        c = 0; /* what this forgets is sent again */
    }
    place = place_of(its, c, window % its->places);
    memset(place, 0, its->stride);
    place->window = window;
    return place;
}

/* Inserts a range among the others, which do not touch each other and are sorted newest first. */
static size_t put_range(struct rows_range *range, size_t n, struct rows_range put) {
    size_t i = 0;
    while (i < n && range[i].oldest > put.newest + 1) {
        i++;
    }
    size_t end = i; /* those that it touches are merged with it */
    for (; end < n && range[end].newest + 1 >= put.oldest; end++) {
        put.oldest = range[end].oldest < put.oldest ? range[end].oldest : put.oldest;
        put.newest = range[end].newest > put.newest ? range[end].newest : put.newest;
    }
    memmove(&range[i + 1], &range[end], (n - end) * sizeof *range);
    range[i] = put;
    return n - (end - i) + 1;
}

size_t rows_known_ranges(const struct rows_known *known, const struct rows_table *table,
                         unsigned width, int64_t now_us, struct rows_range *range) {
    const int64_t last = (now_us + known->future_us) / table->width[width].width_us + 1;
    struct rows_range ahead[ROWS_SECTIONS_MAX];
    size_t n = 0, first = 0;
    for (unsigned i = 0; i < table->sections; i++) {
        struct rows_range its;
        if (table_span_writer(table->table, i, width, &its.oldest, &its.newest)) {
            n = put_range(range, n, its);
        }
    }
    while (first < n && range[first].oldest > last) {
        first++;
    }
    if (first == 0 || first == n) {
        return n;
    }
    memcpy(ahead, range, first * sizeof *ahead);
    memmove(range, range + first, (n - first) * sizeof *range);
    memcpy(range + n - first, ahead, first * sizeof *ahead);
    return n;
}

bool rows_known_touched(const struct rows_table *table, unsigned width, int64_t window,
                        uint64_t *touched) {
    uint64_t any = 0;
    for (unsigned i = 0; i < table->sections; i++) {
        touched[i] = table_touched(table->table, i, width, window);
        any |= touched[i];
    }
    return any != 0;
}

void rows_known_remember(struct rows_known *known, struct rows_table *table, int64_t now_us) {
    for (unsigned k = 0; k < table->widths; k++) {
        struct rows_range range[ROWS_SECTIONS_MAX];
        const size_t n = rows_known_ranges(known, table, k, now_us, range);
        for (size_t i = 0; i < n; i++) {
            for (int64_t window = range[i].oldest; window <= range[i].newest; window++) {
                uint64_t touched[ROWS_SECTIONS_MAX];
                if (rows_known_touched(table, k, window, touched)) {
                    memcpy(rows_known_at(table, k, window)->touched, touched,
                           table->sections * sizeof *touched);
                }
            }
        }
    }
}

struct rows_place rows_known_place(const struct rows_table *table, unsigned width, int64_t window) {
    return (struct rows_place){table->name, table->width[width].name, table->width[width].width_us,
                               window};
}

/* Whether a component's bytes may be sent even though they include what others report. */
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
        /* Bytes that describe the row as a whole cannot be split into theirs and ours, so they are
         * not sent; readers see that they are missing. */
        if ((left.rule != ROWS_BLOB || joins(table, left.name)) &&
            (left.rule != ROWS_ADD || left.value > 0)) {
            component[n++] = left;
        }
    }
    row->n = n;
    return true;
}
