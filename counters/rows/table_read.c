/* Copies rows while their owners write. Any thread. A copy is accepted when the row's `touched` was
 * the same before and after and names a committed transaction, and the place still belongs to that
 * row. The owner's side is in table_owner.c; each fence names its partner there. */
#include "counters/rows/table_file.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOKS_AT_ONCE 200 /* an event takes less than a microsecond */
#define LOOKS_ASLEEP 20000
#define LOOKS_ALIVE 100 /* with sleeps: after that the owner is dead or stopped */
#define SLEEP_NS 50000
#define TURNS_MAX 1000 /* times that a window's newest row may be put back; then it is damage */

/* What is being read: a row, or a window's entry. */
struct reading {
    const struct table_section *section;
    struct window_entry *entry;
    uint64_t window;
    uint64_t row; /* its number; 0: the entry's own state */
    uint64_t *copy;
    size_t words;     /* length of the copy */
    uint64_t touched; /* that of the copy */
    uint64_t stalled; /* the undo record's state when the owner seemed to stand still; 0: never */
};

enum outcome {
    READ_TAKEN,
    READ_GONE, /* its place was reused */
    READ_NEW,  /* not committed, and did not exist before */
    READ_BUSY  /* it kept changing */
};

/* Whether the place still belongs to what is read. To be called after an acquire fence; then
 * everything read before belonged to it. Partner: the release fences of make_room and
 * claim_entry. */
static bool is_held(const struct reading *reading) {
    atomic_thread_fence(memory_order_acquire);
    return reading->row ? load(&reading->section->page->tail) <= reading->row
                        : load(&reading->entry->epoch) == reading->window;
}

static void copy_words(const word *from, uint64_t *to, size_t n) {
    for (size_t i = 0; i < n; i++) {
        to[i] = load(&from[i]);
    }
}

/* The owner was killed in the middle of a transaction or stopped by a debugger: none of its stores
 * is under way. Restores in the copy what it noted for undo. `seen`: the value of touched. */
static enum outcome read_stalled(struct reading *reading, const word *at, const word *touched,
                                 uint64_t seen) {
    const struct table_section *section = reading->section;
    const struct undo_map *undo = section->table->undo;
    const struct undo_record *record = undo_record_at(undo, section->worker);
    const uint64_t state = atomic_load_explicit(&record->state, memory_order_acquire);
    const uint64_t entries = atomic_load_explicit(&record->entries, memory_order_acquire);
    const uint64_t first = (uint64_t)(at - section->file.base),
                   touched_at = (uint64_t)(touched - section->file.base);
    bool was_there = false;
    if (state != reading->stalled) {
        reading->stalled = state; /* unchanged after a sleep: nobody is running */
        return READ_BUSY;
    }
    if (seen > state / 2) {
        return READ_GONE; /* names a transaction that never was: a damaged file */
    }
    if (state % 2 == 0 || entries > UNDO_ENTRIES_MAX || seen != load(touched)) {
        return READ_BUSY;
    }
    copy_words(at, reading->copy, reading->words);
    for (uint64_t i = entries; i-- > 0;) {
        const uint64_t where = load(&record->entry[i].where), old = load(&record->entry[i].old);
        const uint64_t index = where & ((UINT64_C(1) << UNDO_FILE_SHIFT) - 1);
        if (where - index != section->file.tag) {
            continue;
        }
        if (index >= first && index - first < reading->words) {
            reading->copy[index - first] = old;
        }
        if (index == touched_at) {
            was_there = true;
            reading->touched = old;
        }
    }
    atomic_thread_fence(memory_order_acquire);
    if (load(&record->state) != state || load(&record->entries) != entries) {
        return READ_BUSY;
    }
    return !is_held(reading) ? READ_GONE : was_there ? READ_TAKEN : READ_NEW;
}

/* Copies words at[0..reading->words) as some committed transaction left them. */
static enum outcome read_settled(struct reading *reading, const word *at, const word *touched) {
    const struct table_section *section = reading->section;
    for (int look = 0; look < LOOKS_AT_ONCE + LOOKS_ASLEEP; look++) {
        if (look > LOOKS_AT_ONCE) {
            nanosleep(&(const struct timespec){.tv_nsec = SLEEP_NS}, NULL);
        }
        /* Acquire, both: what these transactions stored is visible (partner: undo_commit_owner). */
        const uint64_t before = atomic_load_explicit(touched, memory_order_acquire);
        if (before <= undo_committed(section->table->undo, section->worker)) {
            copy_words(at, reading->copy, reading->words);
            /* Partner: the release fences after `touched` is stored (table_owner.c, table.h). */
            atomic_thread_fence(memory_order_acquire);
            if (load(touched) == before) {
                reading->touched = before;
                return is_held(reading) ? READ_TAKEN : READ_GONE;
            }
        } else if (look > LOOKS_AT_ONCE + (reading->stalled ? 0 : LOOKS_ALIVE)) {
            const enum outcome outcome = read_stalled(reading, at, touched, before);
            if (outcome != READ_BUSY) {
                return outcome;
            }
        }
        if (!is_held(reading)) {
            return READ_GONE;
        }
    }
    return READ_BUSY;
}

/* ---- rows ---- */

/* Copies the row with a number into `copy`. */
static enum outcome read_row(struct reading *reading, uint64_t number) {
    const struct table_section *section = reading->section;
    struct row *row = section_row(section, number);
    const uint64_t lengths = load(&row->lengths);
    reading->row = number;
    if (!is_held(reading)) {
        return READ_GONE;
    }
    if (row_kind(lengths) != ROW_KEY ||
        row_size(lengths) !=
            table_row_units(&section->table->header, ROW_KEY, row_key_len(lengths)) ||
        number % section->units + row_size(lengths) > section->units) {
        return READ_GONE; /* a damaged file: do not read beyond its end */
    }
    reading->words = row_size(lengths);
    const enum outcome outcome = read_settled(reading, &row->lengths, &row->touched);
    /* The row may have been put back since, and a longer one may have taken its place. */
    const bool same = reading->copy[0] == lengths;
    return outcome == READ_BUSY || same ? outcome : READ_GONE;
}

static bool give_row(const struct reading *reading, const struct table_taker *taker) {
    const uint64_t *state = reading->copy + ROW_WORDS;
    const uint64_t key_len = row_key_len(reading->copy[0]);
    const struct table_copy copy = {
        .key = (const char *)(state + reading->section->state_words),
        .key_len = key_len,
        .state = state,
        .touched = reading->touched,
        .worker = reading->section->worker,
    };
    return state[0] == 0 || taker->take(taker->cls, &copy);
}

static bool give_base(struct reading *reading, const struct table_taker *taker) {
    const struct table_section *section = reading->section;
    reading->row = 0;
    reading->words = section->state_words;
    const enum outcome outcome =
        read_settled(reading, entry_state(section, reading->entry), &reading->entry->touched);
    if (outcome != READ_TAKEN) {
        return outcome != READ_BUSY;
    }
    const struct table_copy copy = {
        .state = reading->copy, .touched = reading->touched, .worker = section->worker};
    return reading->copy[0] == 0 || taker->take(taker->cls, &copy);
}

/* The window's entry in a section; NULL when it is not there, or has lost rows. */
static struct window_entry *find_window(const struct table_section *section, int64_t window) {
    struct window_entry *entry = section_entry(section, window);
    /* Partner: claim_entry's release store of epoch. */
    const bool there =
        window > TABLE_WINDOW_NONE &&
        atomic_load_explicit(&entry->epoch, memory_order_acquire) == (uint64_t)window;
    return there && load(&section->page->lost) < (uint64_t)window ? entry : NULL;
}

enum chain { CHAIN_ENDED, CHAIN_STOPPED, CHAIN_MOVED };

/* Passes on the rows from `number` on, which was the window's newest. CHAIN_MOVED, with nothing
 * passed on: the row was put back since, or the entry was recycled before it was looked up. */
static enum chain read_chain(struct reading *reading, uint64_t number,
                             const struct table_taker *taker) {
    const struct table_section *section = reading->section;
    const uint64_t newest = number;
    while (number != 0 && load(&section->page->tail) <= number) {
        const enum outcome outcome = read_row(reading, number);
        if (outcome == READ_BUSY) {
            return CHAIN_STOPPED;
        }
        const struct row *row = (const void *)reading->copy;
        if (outcome == READ_GONE || load(&row->window) != reading->window) {
            /* otherwise older ones are gone, too */
            return number == newest && load(&section->page->tail) <= number ? CHAIN_MOVED
                                                                            : CHAIN_ENDED;
        }
        const uint64_t next = load(&row->window_next);
        if (outcome == READ_TAKEN && !give_row(reading, taker)) {
            return CHAIN_STOPPED;
        }
        if (next >= number) {
            break; /* a damaged file must not cause an endless loop */
        }
        number = next;
    }
    return CHAIN_ENDED;
}

static bool read_window(struct reading *reading, const struct table_taker *taker) {
    if (!give_base(reading, taker)) {
        return false;
    }
    enum chain chain = CHAIN_MOVED;
    for (int turn = 0; chain == CHAIN_MOVED && turn < TURNS_MAX; turn++) {
        /* Partner: the release fence of section_make_row. A reader that sees the number sees the
         * row. */
        const uint64_t newest =
            reading->section->keyed
                ? atomic_load_explicit(&reading->entry->newest, memory_order_acquire)
                : 0;
        reading->row = 0;
        if (!is_held(reading)) {
            return true; /* recycled for another window */
        }
        chain = read_chain(reading, newest, taker);
    }
    return chain != CHAIN_STOPPED;
}

bool table_read_section(const struct table_section *section, int64_t window,
                        const struct table_taker *taker) {
    const struct table_header *header = &section->table->header;
    const size_t words = table_row_units(header, ROW_KEY, header->keyed ? TABLE_KEY_MAX : 0);
    struct reading reading = {
        .section = section, .entry = find_window(section, window), .window = (uint64_t)window};
    if (!reading.entry) {
        return true;
    }
    reading.copy = calloc(words, sizeof *reading.copy);
    const bool ok = reading.copy && read_window(&reading, taker);
    free(reading.copy);
    return ok;
}

bool table_read(const struct table *table, unsigned width, int64_t window,
                const struct table_taker *taker) {
    const unsigned writers = table_workers(table);
    bool ok = true;
    for (unsigned worker = 0; ok && worker < writers; worker++) {
        ok = table_read_section(table_section(table, worker, width), window, taker);
    }
    return ok;
}

/* ---- what is held ---- */

uint64_t table_touched(const struct table *table, unsigned worker, unsigned width, int64_t window) {
    const struct table_section *section = table_section(table, worker, width);
    const struct window_entry *entry = find_window(section, window);
    if (!entry) {
        return 0;
    }
    const uint64_t touched = atomic_load_explicit(&entry->touched, memory_order_acquire);
    atomic_thread_fence(memory_order_acquire);
    if (load(&entry->epoch) != (uint64_t)window) {
        return 0;
    }
    /* While a transaction is open here, return the one before it: once it is committed, the number
     * is another one. */
    const uint64_t committed = undo_committed(table->undo, worker);
    return touched < committed ? touched : committed;
}

bool table_span_writer(const struct table *table, unsigned worker, unsigned width, int64_t *oldest,
                       int64_t *newest) {
    const struct table_section *section = table_section(table, worker, width);
    const uint64_t to = load(&section->page->newest), lost = load(&section->page->lost);
    uint64_t from = load(&section->page->oldest);
    if (to == TABLE_WINDOW_NONE || from == TABLE_WINDOW_NONE) {
        return false;
    }
    from = to >= section->windows_count && to - section->windows_count + 1 > from
               ? to - section->windows_count + 1
               : from;
    from = lost >= from ? lost + 1 : from;
    *oldest = (int64_t)from;
    *newest = (int64_t)to;
    return from <= to;
}

bool table_span_windows(const struct table *table, unsigned width, int64_t *oldest,
                        int64_t *newest) {
    const unsigned writers = table_workers(table);
    *oldest = INT64_MAX;
    *newest = 0;
    for (unsigned worker = 0; worker < writers; worker++) {
        int64_t from, to;
        if (table_span_writer(table, worker, width, &from, &to)) {
            *oldest = from < *oldest ? from : *oldest;
            *newest = to > *newest ? to : *newest;
        }
    }
    return *newest != 0;
}

int64_t table_windows(const struct table *table, unsigned width) {
    return (int64_t)table->header.windows[width];
}

void table_status(const struct table *table, struct table_status *status) {
    uint64_t units = 0, used = 0, other[TABLE_WIDTHS_MAX] = {0};
    *status = (struct table_status){.memory = table->map_bytes};
    const unsigned sections = table_workers(table) * table->header.widths;
    for (unsigned i = 0; i < sections; i++) {
        const struct table_section *section = table_section_at(table, i);
        const struct section_page *page = section->page;
        const uint64_t retired = load(&page->retired), made = load(&page->made);
        const uint64_t tail = load(&page->tail), head = load(&page->head);
        const uint64_t wanted = estimate_keys_wanted(page);
        status->rows += made > retired ? made - retired : 0;
        other[i % table->header.widths] += load(&page->other);
        status->keys_wanted = wanted > status->keys_wanted ? wanted : status->keys_wanted;
        units += section->units;
        used += head > tail ? head - tail : 0;
    }
    for (unsigned k = 0; k < table->header.widths; k++) {
        status->other = other[k] > status->other ? other[k] : status->other;
    }
    if (table->header.keyed) {
        uint64_t average = ROW_WORDS + table->header.state_words + 2; /* a key of 16 bytes */
        if (status->rows > 0 && used / status->rows > ROW_WORDS) {
            average = used / status->rows;
        }
        status->rows_room = units / average;
    }
}
