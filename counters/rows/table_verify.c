/* The invariants of a table: every row is where its links say, is intact, and is counted. While
 * nobody writes. */
#include "counters/rows/table_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What is being checked, and where to write the message. */
struct check {
    const struct table_section *section;
    char *why;
    uint64_t rows, values; /* that the circle holds */
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct check *check,
                                                         const char *format, ...) {
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return state_refuse(check->why, "%s: worker %u, windows of %lld us: %s",
                        check->section->table->path, check->section->worker,
                        (long long)check->section->table->header.width_us[check->section->width],
                        what);
}

/* ---- the circle ---- */

static bool verify_row(const struct check *check, uint64_t number, uint64_t lengths) {
    const struct table_section *section = check->section;
    struct row *row = section_row(section, number);
    const word *key = row_key(row, lengths);
    const uint64_t size =
        table_row_units(&section->table->header, row_kind(lengths), row_key_len(lengths));
    if (row_size(lengths) != size) {
        return refuse(check, "row %llu is %llu units long instead of %llu",
                      (unsigned long long)number, (unsigned long long)row_size(lengths),
                      (unsigned long long)size);
    }
    if ((uint32_t)lengths != table_sum_row(row, number, lengths, key)) {
        return refuse(check, "row %llu: its checksum is wrong", (unsigned long long)number);
    }
    if (row_kind(lengths) == ROW_KEY &&
        load(&row->hash) !=
            table_hash(section->table, (const char *)(const void *)key, row_key_len(lengths))) {
        return refuse(check, "row %llu: its hash is not that of its key",
                      (unsigned long long)number);
    }
    if (load(&row->touched) > undo_committed(section->table->undo, section->worker)) {
        return refuse(check, "row %llu is of a transaction that never was",
                      (unsigned long long)number);
    }
    return true;
}

/* Walks the circle from its tail to its head. */
static bool verify_circle(struct check *check) {
    const struct table_section *section = check->section;
    const uint64_t tail = load(&section->page->tail), head = load(&section->page->head);
    if (tail > head || head - tail > section->units || tail < section->units) {
        return refuse(check, "its circle goes from %llu to %llu", (unsigned long long)tail,
                      (unsigned long long)head);
    }
    for (uint64_t number = tail; number < head;) {
        const uint64_t lengths = load(&section_row(section, number)->lengths);
        const uint64_t size = row_size(lengths);
        const enum row_kind kind = row_kind(lengths);
        if (size == 0 || kind == ROW_NONE || kind > ROW_FILLER || size > head - number ||
            number % section->units + size > section->units) {
            return refuse(check, "row %llu has no length that can be", (unsigned long long)number);
        }
        if (kind != ROW_FILLER && !verify_row(check, number, lengths)) {
            return false;
        }
        check->rows += kind == ROW_KEY;
        check->values += kind == ROW_VALUE;
        number += size;
    }
    const uint64_t made = load(&section->page->made), retired = load(&section->page->retired);
    return made - retired == check->rows ||
           refuse(check, "%llu rows were made, %llu retired, %llu are there",
                  (unsigned long long)made, (unsigned long long)retired,
                  (unsigned long long)check->rows);
}

/* ---- the chains ---- */

/* Whether a chain may lead to a number from the row before (or from its head: the circle's
 * head). */
static bool is_link(const struct check *check, uint64_t number, uint64_t before) {
    return (number < before && table_is_whole(check->section, number)) ||
           refuse(check, "a chain leads to %llu, which is no row", (unsigned long long)number);
}

/* Checks that every row is in the chain of its bucket, once, after all newer ones. */
static bool verify_buckets(const struct check *check) {
    const struct table_section *section = check->section;
    const uint64_t head = load(&section->page->head), tail = load(&section->page->tail);
    uint64_t found = 0;
    for (uint64_t bucket = 0; bucket <= section->heads_mask; bucket++) {
        uint64_t before = head;
        for (uint64_t number = load(&section->heads[bucket]); number >= tail;) {
            const struct row *row = section_row(section, number);
            if (!is_link(check, number, before)) {
                return false;
            }
            if (section_bucket(section, load(&row->hash), (int64_t)load(&row->window)) != bucket) {
                return refuse(check, "row %llu stands in bucket %llu", (unsigned long long)number,
                              (unsigned long long)bucket);
            }
            found++;
            before = number;
            number = load(&row->bucket_next);
        }
    }
    const uint64_t there = check->rows + check->values;
    return found == there || refuse(check, "%llu rows are in buckets, %llu in the circle",
                                    (unsigned long long)found, (unsigned long long)there);
}

static bool verify_window(const struct check *check, struct window_entry *entry) {
    const struct table_section *section = check->section;
    const uint64_t window = load(&entry->epoch);
    uint64_t rows = 0, sum = load(entry_state(section, entry)), before = load(&section->page->head);
    const uint64_t tail = load(&section->page->tail);
    for (uint64_t number = load(&entry->newest); section->keyed && number >= tail;) {
        const struct row *row = section_row(section, number);
        if (!is_link(check, number, before)) {
            return false;
        }
        if (row_kind(load(&row->lengths)) != ROW_KEY || load(&row->window) != window) {
            return refuse(check, "row %llu is not of window %llu, whose chain it is in",
                          (unsigned long long)number, (unsigned long long)window);
        }
        rows++;
        sum += load(&row->more[0]);
        before = number;
        number = load(&row->window_next);
    }
    const bool lost = window <= load(&section->page->lost);
    if (!lost && rows != load(&entry->rows)) {
        return refuse(check, "window %llu: %llu rows are in its chain, %llu were made",
                      (unsigned long long)window, (unsigned long long)rows,
                      (unsigned long long)load(&entry->rows));
    }
    if (!lost && sum != load(&entry->matched)) {
        return refuse(check, "window %llu: %llu events matched, its rows count %llu",
                      (unsigned long long)window, (unsigned long long)load(&entry->matched),
                      (unsigned long long)sum);
    }
    if (load(&entry->touched) > undo_committed(section->table->undo, section->worker)) {
        return refuse(check, "window %llu is of a transaction that never was",
                      (unsigned long long)window);
    }
    return true;
}

static bool verify_windows(const struct check *check) {
    const struct table_section *section = check->section;
    for (uint64_t i = 0; i < section->windows_count; i++) {
        struct window_entry *entry = section_entry(section, (int64_t)i);
        const uint64_t epoch = load(&entry->epoch);
        if (epoch == TABLE_WINDOW_NONE) {
            continue;
        }
        if (epoch % section->windows_count != i || epoch > load(&section->page->newest) ||
            epoch < load(&section->page->oldest)) {
            return refuse(check, "window %llu stands in place %llu", (unsigned long long)epoch,
                          (unsigned long long)i);
        }
        if (!verify_window(check, entry)) {
            return false;
        }
    }
    return true;
}

bool table_verify(const struct table *table, char *why) {
    const unsigned sections = table_workers(table) * table->header.widths;
    for (unsigned i = 0; i < sections; i++) {
        struct check check = {.section = table_section_at(table, i), .why = why};
        if (table->header.keyed && (!verify_circle(&check) || !verify_buckets(&check))) {
            return false;
        }
        if (!verify_windows(&check)) {
            return false;
        }
    }
    return true;
}
