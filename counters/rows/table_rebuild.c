/* What to trust of a table after a crash.
 *
 * After a kill the undo records restore everything except what is never undone: the circle's tail.
 * After a power loss pages may be from different moments. Then heads, chains and counts are rebuilt
 * from the rows themselves: each carries its window, its key and a checksum over both and over its
 * own number, so that a row that an earlier lap left in a place is never taken for one of this
 * lap. */
#include "counters/rows/table_file.h"

#include <assert.h>
#include <string.h>

/* Whether a row of this kind and size can begin at a place of the circle. */
static bool can_be(const struct table_section *section, uint64_t place, uint64_t lengths) {
    const enum row_kind kind = row_kind(lengths);
    const uint64_t size = row_size(lengths);
    return size > 0 && size <= section->units - place &&
           (kind == ROW_FILLER ||
            ((kind == ROW_KEY || kind == ROW_VALUE) && row_key_len(lengths) <= TABLE_KEY_MAX &&
             size == table_row_units(&section->table->header, kind, row_key_len(lengths))));
}

/* ---- after a kill ---- */

/* How many rows with keys the circle holds, from its tail to its head. */
static uint64_t count_rows(const struct table_section *section) {
    const uint64_t head = load(&section->page->head);
    uint64_t rows = 0;
    for (uint64_t number = load(&section->page->tail); number < head;) {
        const uint64_t lengths = load(&section_row(section, number)->lengths);
        if (!can_be(section, number % section->units, lengths)) {
            break; /* damaged: table_verify will say so */
        }
        rows += row_kind(lengths) == ROW_KEY;
        number += row_size(lengths);
    }
    return rows;
}

void table_settle(struct table *table) {
    const unsigned sections = table_workers(table) * table->header.widths;
    for (unsigned i = 0; table->header.keyed && i < sections; i++) {
        struct table_section *section = table_section_at(table, i);
        store(&section->page->retired, load(&section->page->made) - count_rows(section));
        table_bind_lap(section); /* the head may have moved back */
    }
}

/* ---- after a power loss ---- */

bool table_is_whole(const struct table_section *section, uint64_t number) {
    struct row *row = section_row(section, number);
    const uint64_t lengths = load(&row->lengths);
    return row_kind(lengths) != ROW_FILLER && can_be(section, number % section->units, lengths) &&
           (uint32_t)lengths == table_sum_row(row, number, lengths, row_key(row, lengths));
}

/* The end of the newest intact row. `head` may be from an earlier moment, or missing. */
static uint64_t find_end(const struct table_section *section) {
    const uint64_t lap = load(&section->page->head) / section->units * section->units;
    const uint64_t first = lap > section->units ? lap - section->units : section->units;
    uint64_t end = section->units;
    for (uint64_t number = first; number < first + 3 * section->units; number++) {
        if (table_is_whole(section, number)) {
            end = number + row_size(load(&section_row(section, number)->lengths));
        }
    }
    return end;
}

/* The entry of a row's window, claimed when its page never reached the disk; NULL when its place
 * holds a newer one. */
static struct window_entry *find_entry(const struct table_section *section, uint64_t window) {
    struct window_entry *entry = section_entry(section, (int64_t)window);
    const uint64_t epoch = load(&entry->epoch);
    if (window == TABLE_WINDOW_NONE || epoch > window) {
        return NULL;
    }
    if (epoch < window) {
        memset((void *)entry, 0, section->entry_words * sizeof(word));
        store(&entry->epoch, window);
    }
    return entry;
}

static bool has_twin(const struct table_section *section, struct row *row) {
    const uint64_t lengths = load(&row->lengths), hash = load(&row->hash),
                   window = load(&row->window);
    uint64_t number = load(&section->heads[section_bucket(section, hash, (int64_t)window)]);
    while (number != 0) {
        struct row *other = section_row(section, number);
        const uint64_t its = load(&other->lengths);
        if (load(&other->hash) == hash && load(&other->window) == window &&
            its >> 32 == lengths >> 32 &&
            memcmp((const void *)row_key(other, its), (const void *)row_key(row, lengths),
                   row_key_len(lengths)) == 0) {
            return true;
        }
        number = load(&other->bucket_next);
    }
    return false;
}

/* Links an intact row into the chains. False: it cannot be reached, or holds nothing. */
static bool take_row(const struct table_section *section, uint64_t number) {
    struct row *row = section_row(section, number);
    const enum row_kind kind = row_kind(load(&row->lengths));
    const uint64_t field = load(&row->window_next);
    if ((kind == ROW_KEY && load(&row->more[0]) == 0) ||
        (kind == ROW_VALUE && field >= section->fields) || has_twin(section, row)) {
        return false;
    }
    struct window_entry *entry = find_entry(section, load(&row->window));
    if (!entry) {
        return false;
    }
    word *bucket =
        &section->heads[section_bucket(section, load(&row->hash), (int64_t)load(&row->window))];
    store(&row->bucket_next, load(bucket));
    store(bucket, number);
    if (kind == ROW_VALUE) {
        store(&entry->more[field], load(&entry->more[field]) + 1);
        return true;
    }
    store(&row->window_next, load(&entry->newest));
    store(&entry->newest, number);
    store(&entry->rows, load(&entry->rows) + 1);
    store(&entry->matched, load(&entry->matched) + load(&row->more[0]));
    store(&section->page->made, load(&section->page->made) + 1);
    return true;
}

static void fill_gap(const struct table_section *section, uint64_t number, uint64_t end) {
    while (number < end) {
        const uint64_t left = section->units - number % section->units;
        uint64_t size = end - number < left ? end - number : left;
        size = size < ROW_SIZE_MAX ? size : ROW_SIZE_MAX;
        store(&section_row(section, number)->lengths, row_lengths(ROW_FILLER, size, 0, 0));
        number += size;
    }
}

/* Clears what is to be rebuilt. The base row's contents are kept when they are plausible. */
static void begin_window(const struct table_section *section, struct window_entry *entry,
                         uint64_t place, uint64_t *repaired) {
    const uint64_t epoch = load(&entry->epoch);
    word *state = entry_state(section, entry);
    const bool sound =
        epoch % section->windows_count == place && load(state) <= load(&entry->matched);
    if (epoch == TABLE_WINDOW_NONE || !sound) {
        *repaired += epoch != TABLE_WINDOW_NONE;
        memset((void *)entry, 0, section->entry_words * sizeof(word));
        store(&entry->epoch, epoch % section->windows_count == place ? epoch : TABLE_WINDOW_NONE);
        return;
    }
    store(&entry->matched, load(state));
    store(&entry->rows, 0);
    store(&entry->newest, 0);
    memset((void *)entry->more, 0, section->fields * sizeof(word));
}

static void rebuild_circle(struct table_section *section, uint64_t *repaired) {
    struct section_page *page = section->page;
    const uint64_t end = find_end(section);
    uint64_t number = end > 2 * section->units ? end - section->units : section->units;
    uint64_t gap = number;
    memset((void *)section->heads, 0, (section->heads_mask + 1) * sizeof(word));
    while (number < end) {
        const bool whole = table_is_whole(section, number);
        const uint64_t size = whole ? row_size(load(&section_row(section, number)->lengths)) : 1;
        if (whole && number + size <= end && take_row(section, number)) {
            fill_gap(section, gap, number);
            gap = number + size;
        } else {
            *repaired += whole;
        }
        number += size;
    }
    fill_gap(section, gap, end);
    store(&page->tail, end > 2 * section->units ? end - section->units : section->units);
    store(&page->head, end);
    table_bind_lap(section);
}

/* Recomputes which windows there are, from the windows themselves. */
static void note_span(struct table_section *section) {
    struct section_page *page = section->page;
    uint64_t oldest = UINT64_MAX, newest = 0;
    for (uint64_t i = 0; i < section->windows_count; i++) {
        const uint64_t epoch = load(&section_entry(section, (int64_t)i)->epoch);
        newest = epoch > newest ? epoch : newest;
        oldest = epoch != TABLE_WINDOW_NONE && epoch < oldest ? epoch : oldest;
    }
    store(&page->newest, newest);
    store(&page->oldest, newest ? oldest : TABLE_WINDOW_NONE);
    if (load(&page->lost) >= newest) { /* never so while there are any windows */
        store(&page->lost, 0);
    }
}

void table_rebuild(struct table *table, uint64_t *repaired) {
    const unsigned sections = table_workers(table) * table->header.widths;
    for (unsigned i = 0; i < sections; i++) {
        struct table_section *section = table_section_at(table, i);
        assert(section->windows_count > 0 && "a header that says so is refused");
        for (uint64_t place = 0; place < section->windows_count; place++) {
            begin_window(section, section_entry(section, (int64_t)place), place, repaired);
        }
        store(&section->page->made, 0);
        store(&section->page->retired, 0);
        if (section->keyed) {
            rebuild_circle(section, repaired);
        }
        note_span(section);
    }
}

uint64_t table_find_newest_touched(const struct table *table, unsigned worker) {
    uint64_t newest = 0;
    for (unsigned width = 0; worker < table_workers(table) && width < table->header.widths;
         width++) {
        const struct table_section *section = table_section(table, worker, width);
        for (uint64_t i = 0; i < section->windows_count; i++) {
            const uint64_t touched = load(&section_entry(section, (int64_t)i)->touched);
            newest = touched > newest ? touched : newest;
        }
        const uint64_t head = load(&section->page->head);
        for (uint64_t n = load(&section->page->tail); section->keyed && n < head;) {
            const struct row *row = section_row(section, n);
            const bool filler = row_kind(load(&row->lengths)) == ROW_FILLER;
            newest = !filler && load(&row->touched) > newest ? load(&row->touched) : newest;
            n += row_size(load(&row->lengths));
        }
    }
    return newest;
}
