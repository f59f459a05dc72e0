/* The fast path: a key in, its row out, noted as touched. By the owner of the section. */
#define XXH_INLINE_ALL
#include "counters/rows/table_file.h"

#include <string.h>
#include <xxhash.h>

uint64_t table_hash(const struct table *table, const char *bytes, size_t len) {
    return XXH3_64bits_withSeed(bytes, len, table->header.seed);
}

uint64_t table_hash_value(const struct table *table, unsigned field, const char *bytes,
                          size_t len) {
    return XXH3_64bits_withSeed(bytes, len, table->header.seed + field + 1);
}

void table_set_now_owner(struct table_section *section, int64_t now_us) {
    section->over = section_over(section, now_us);
}

/* ---- windows ---- */

static void announce(struct section_page *page, int64_t window) {
    const uint64_t number = (uint64_t)window, oldest = load(&page->oldest);
    if (number > load(&page->newest)) {
        store(&page->newest, number);
    }
    if (oldest == TABLE_WINDOW_NONE || number < oldest) {
        store(&page->oldest, number);
    }
}

/* Returns the entry of a window, after clearing its place when that held an older one; NULL when
 * the place holds a newer one, or the window is over. Nothing here is noted for undo, because only
 * windows that are over are cleared. */
static __attribute__((noinline)) struct window_entry *claim_entry(struct table_section *section,
                                                                  int64_t window) {
    if (window <= TABLE_WINDOW_NONE || window <= section->over ||
        (uint64_t)window <= load(&section->page->lost)) {
        return NULL;
    }
    struct window_entry *entry = section_entry(section, window);
    const uint64_t epoch = load(&entry->epoch);
    if (epoch > (uint64_t)window) {
        return NULL;
    }
    if (epoch < (uint64_t)window) {
        announce(section->page, window);
        struct window_place *place = &section->place[epoch & (WINDOW_PLACES - 1)];
        place->window = place->entry == entry ? -1 : place->window;
        section->version++;
        store(&entry->epoch, TABLE_WINDOW_NONE);
        /* Partner: the acquire fence of read_window (table_read.c). A reader that saw one of the
         * zeros below sees TABLE_WINDOW_NONE or the new epoch when it looks again. */
        atomic_thread_fence(memory_order_release);
        word *words = &entry->epoch;
        for (size_t i = 1; i < section->entry_words; i++) {
            store(&words[i], 0);
        }
        /* Partner: the acquire load of epoch in read_window. A reader that sees the epoch sees the
         * zeros. */
        atomic_store_explicit(&entry->epoch, (uint64_t)window, memory_order_release);
    }
    section->place[window & (WINDOW_PLACES - 1)] = (struct window_place){window, entry};
    return entry;
}

static inline struct window_entry *find_entry(struct table_section *section, int64_t window) {
    const struct window_place *place = &section->place[window & (WINDOW_PLACES - 1)];
    return __builtin_expect(place->window == window, 1) ? place->entry
                                                        : claim_entry(section, window);
}

/* ---- rows ---- */

/* Like section_row, without a division: `number` is in this lap of the circle or the one before. */
static inline struct row *row_at(const struct table_section *section, uint64_t number) {
    const uint64_t place = number - section->lap;
    return (struct row *)(void *)(section->arena +
                                  (number < section->lap ? place + section->units : place));
}

/* Like memcmp == 0, without a call for keys of a few words: whole words, then the last eight
 * bytes. */
static inline bool is_same(const void *stored, const char *bytes, size_t len) {
    const char *there = stored;
    uint64_t a, b;
    if (len < sizeof a || len > 8 * sizeof a) {
        return memcmp(there, bytes, len) == 0;
    }
    for (size_t i = 0; i + sizeof a < len; i += sizeof a) {
        memcpy(&a, there + i, sizeof a);
        memcpy(&b, bytes + i, sizeof b);
        if (a != b) {
            return false;
        }
    }
    memcpy(&a, there + len - sizeof a, sizeof a);
    memcpy(&b, bytes + len - sizeof b, sizeof b);
    return a == b;
}

static inline __attribute__((always_inline)) struct row *
find_row(const struct table_section *section, const struct wanted *wanted) {
    const uint64_t tail = load(&section->page->tail);
    const uint64_t state_words = wanted->kind == ROW_KEY ? section->state_words : 0;
    const uint64_t size = ROW_WORDS + state_words + row_key_words(wanted->len);
    const uint64_t shape = row_lengths(wanted->kind, size, wanted->len, 0) >> 32;
    uint64_t number = load(&section->heads[section_bucket(section, wanted->hash, wanted->window)]);
    while (number >= tail) { /* 0 ends it, too */
        struct row *row = row_at(section, number);
        if (load(&row->hash) == wanted->hash && load(&row->window) == (uint64_t)wanted->window &&
            load(&row->lengths) >> 32 == shape &&
            is_same((const void *)&row->more[state_words], wanted->bytes, wanted->len)) {
            return row;
        }
        number = load(&row->bucket_next);
    }
    return NULL;
}

struct row *section_find_row(const struct table_section *section, const struct wanted *wanted) {
    return find_row(section, wanted);
}

/* Moves the tail past rows whose windows are over until the circle has room up to number `end`.
 * False when that is not enough. Not noted for undo. */
static bool make_room(struct table_section *section, uint64_t end) {
    struct section_page *page = section->page;
    const uint64_t head = load(&page->head);
    uint64_t tail = load(&page->tail), lost = load(&page->lost), retired = load(&page->retired);
    if (end - tail <= section->units) {
        return true;
    }
    while (end - tail > section->units && tail < head) {
        const struct row *row = row_at(section, tail);
        const uint64_t lengths = load(&row->lengths);
        if (row_kind(lengths) != ROW_FILLER) {
            const uint64_t window = load(&row->window);
            if ((int64_t)window > section->over) {
                break;
            }
            lost = window > lost ? window : lost;
            retired += row_kind(lengths) == ROW_KEY;
        }
        tail += row_size(lengths);
    }
    store(&page->retired, retired);
    /* Readers treat a window that lost rows as gone; seeing the tail, they see this as well. */
    store(&page->lost, lost);
    atomic_store_explicit(&page->tail, tail, memory_order_release);
    /* Partner: the acquire fences of is_held (table_read.c). A reader that sees a word of the row
     * written here next also sees the tail beyond the row it came for. */
    atomic_thread_fence(memory_order_release);
    return end - tail <= section->units;
}

/* Where a row of `size` units can begin; 0 when there is no room. */
static uint64_t reserve(struct table_section *section, uint64_t size) {
    uint64_t head = load(&section->page->head);
    const uint64_t place = head - section->lap, left = section->units - place;
    const uint64_t start = left < size ? section->lap + section->units : head;
    if (!make_room(section, start + size)) {
        return 0;
    }
    if (left < size) { /* rows are contiguous: skip to the next lap */
        if (left > 0) {
            store(&section->arena[place], row_lengths(ROW_FILLER, left, 0, 0));
        }
        section->lap += section->units;
    }
    return start;
}

static void store_key(word *key, const char *bytes, size_t len) {
    for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t), bytes += sizeof(uint64_t)) {
        uint64_t value;
        memcpy(&value, bytes, sizeof value);
        store(key++, value);
    }
    if (len > 0) {
        uint64_t value = 0;
        memcpy(&value, bytes, len);
        store(key, value);
    }
}

/* What lies beyond the circle's head belongs to nobody: it needs no undo notes, and vanishes with
 * the head when the transaction is rolled back. */
struct row *section_make_row(struct table_section *section, struct undo *undo,
                             const struct wanted *wanted) {
    const uint64_t size = table_row_units(&section->table->header, wanted->kind, wanted->len);
    const uint64_t number = reserve(section, size);
    if (number == 0) {
        return NULL;
    }
    word *bucket = &section->heads[section_bucket(section, wanted->hash, wanted->window)];
    struct window_entry *entry = section_entry(section, wanted->window);
    struct row *row = row_at(section, number);
    const bool is_key = wanted->kind == ROW_KEY;
    const uint64_t lengths = row_lengths(wanted->kind, size, wanted->len, 0);
    store(&row->touched, undo->sequence);
    /* Partner: the acquire fence of read_settled (table_read.c). The row that was here before may
     * have been put back (table_put_back_owner) without moving the tail: a reader that sees one of
     * the words below sees, when it looks again, that the row was touched. */
    atomic_thread_fence(memory_order_release);
    store(&row->hash, wanted->hash);
    store(&row->bucket_next, load(bucket));
    store(&row->window_next, is_key ? load(&entry->newest) : wanted->field);
    store(&row->window, (uint64_t)wanted->window);
    for (size_t i = 0; is_key && i < section->state_words; i++) {
        store(&row->more[i], 0);
    }
    store_key(row_key(row, lengths), wanted->bytes, wanted->len);
    store(&row->lengths, lengths | table_sum_row(row, number, lengths, row_key(row, lengths)));
    /* Partner: the acquire loads of read_window. A reader that finds the row as its window's newest
     * sees all of it. */
    atomic_thread_fence(memory_order_release);
    undo_put_owner(undo, &section->file, &section->page->head, number + size);
    undo_put_owner(undo, &section->file, bucket, number);
    if (is_key) {
        undo_put_owner(undo, &section->file, &entry->newest, number);
        undo_put_owner(undo, &section->file, &entry->rows, load(&entry->rows) + 1);
        undo_put_owner(undo, &section->file, &section->page->made, load(&section->page->made) + 1);
    }
    return row;
}

uint32_t table_sum_row(const struct row *row, uint64_t number, uint64_t lengths, const word *key) {
    const uint64_t window_next = row_kind(lengths) == ROW_VALUE ? load(&row->window_next) : 0;
    const uint64_t multiplier = UINT64_C(0x9fb21c651e98df25);
    uint64_t sum = number ^ (lengths >> 32) << 32;
    sum = (sum ^ sum >> 29 ^ load(&row->hash)) * multiplier;
    sum = (sum ^ sum >> 29 ^ load(&row->window)) * multiplier;
    sum = (sum ^ sum >> 29 ^ window_next) * multiplier;
    for (uint64_t i = 0; i < row_key_words(row_key_len(lengths)); i++) {
        sum = (sum ^ sum >> 29 ^ load(&key[i])) * multiplier;
    }
    return (uint32_t)(sum >> 32);
}

/* ---- the call ---- */

/* Returns the row that a key was admitted to, or the base row. A key that found no room may find
 * some as soon as the circle has dropped a row. */
static inline void show_row(const struct table_section *section, struct window_entry *entry,
                            const struct admitted *admitted, struct table_row *row) {
    struct row *found = admitted->row;
    row->state = found ? found->more : entry_state(section, entry);
    row->touched = found && !admitted->made ? &found->touched : NULL;
    row->window = &entry->touched;
    row->file = &section->file;
    row->until = admitted->refused ? load(&section->page->tail)
                 : found           ? row_number(section, found)
                                   : UINT64_MAX;
    row->version = section->version;
    row->made = admitted->made;
    row->other = false;
    row->refused = admitted->refused;
}

static inline __attribute__((always_inline)) bool find(struct table_section *section,
                                                       struct undo *undo, int64_t window,
                                                       const struct table_key *key,
                                                       struct table_row *row) {
    struct window_entry *entry = find_entry(section, window);
    struct admitted admitted = {.row = NULL};
    if (!entry) {
        return false;
    }
    row->number = window;
    if (!key || !section->keyed) {
        show_row(section, entry, &admitted, row);
        return true;
    }
    const struct wanted wanted = {
        .bytes = key->bytes, .len = key->len, .hash = key->hash, .window = window, .kind = ROW_KEY};
    admitted.row = find_row(section, &wanted);
    if (__builtin_expect(admitted.row == NULL, 0)) {
        section_admit_key(section, undo, entry, key, &admitted);
    }
    if (!admitted.row && section->worker == 0) {
        return false; /* a row without room stays in the store only */
    }
    show_row(section, entry, &admitted, row);
    row->other = !admitted.row;
    return true;
}

bool table_find_owner(struct table_section *section, struct undo *undo, int64_t window,
                      const struct table_key *key, struct table_row *row) {
    return find(section, undo, window, key, row);
}

void table_keep_row(const struct table_row *row, struct table_row *kept) {
    *kept = *row;
    if (row->made) {
        kept->touched = row->state - offsetof(struct row, more) / sizeof(word) +
                        offsetof(struct row, touched) / sizeof(word);
        kept->made = false;
    }
}

bool table_find_again_owner(struct table_section *section, struct undo *undo,
                            const struct table_row *kept, uint64_t hash) {
    if (kept->version != section->version || load(&section->page->tail) > kept->until) {
        return false;
    }
    if (__builtin_expect(kept->refused, 0)) {
        const size_t touched = offsetof(struct window_entry, touched);
        section_count_other(section, undo,
                            (const void *)((const unsigned char *)kept->window - touched), hash);
    }
    return true;
}

bool table_touch_events_owner(struct table_section *section, struct undo *undo,
                              const struct table_touch *touched, struct table_row *row) {
    if (!find(section, undo, touched->window, touched->key, row)) {
        return false;
    }
    if (row->touched) {
        undo_put_owner(undo, &section->file, row->touched, undo->sequence);
    }
    undo_put_owner(undo, &section->file, row->window, undo->sequence);
    /* Partner: the acquire fence of read_settled (table_read.c). A reader that sees a word stored
     * after this point sees, when it looks again, that the row was touched. */
    atomic_thread_fence(memory_order_release);
    undo_put_owner(undo, &section->file, TABLE_MATCHED(row),
                   load(TABLE_MATCHED(row)) + touched->events);
    return true;
}

bool table_touch_owner(struct table_section *section, struct undo *undo, int64_t window,
                       const struct table_key *key, struct table_row *row) {
    return table_touch_events_owner(section, undo, &(const struct table_touch){window, key, 1},
                                    row);
}

const word *table_look_owner(struct table_section *section, int64_t window,
                             const struct table_key *key) {
    const struct window_place *place = &section->place[window & (WINDOW_PLACES - 1)];
    struct window_entry *entry =
        place->window == window ? place->entry : section_entry(section, window);
    if (load(&entry->epoch) != (uint64_t)window) {
        return NULL;
    }
    if (!key || !section->keyed) {
        return entry_state(section, entry);
    }
    const struct wanted wanted = {
        .bytes = key->bytes, .len = key->len, .hash = key->hash, .window = window, .kind = ROW_KEY};
    struct row *row = section_find_row(section, &wanted);
    return row ? row->more : NULL;
}
