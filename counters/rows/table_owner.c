/* The hot way: a key in, its row out, noted as touched. By the owner of the section. */
#define XXH_INLINE_ALL
#include "counters/rows/table_file.h"

#include <string.h>
#include <xxhash.h>

#define OTHER_LEN (sizeof TABLE_OTHER - 1)

uint64_t table_hash(const struct table *table, const char *bytes, size_t len) {
    return XXH3_64bits_withSeed(bytes, len, table->header.seed);
}

/* Of a value of `by` field number `field`: never that of a key. */
static uint64_t hash_value(const struct table *table, unsigned field, const char *bytes,
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

/* The entry of a window, made ready when its place held an older one; NULL when its place holds a
 * newer one, or the window is over. Nothing here is noted for undo: it takes only what is over. */
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
        store(&entry->epoch, TABLE_WINDOW_NONE);
        /* Partner: the acquire fence of read_window (table_read.c). Who saw one of the zeros below
         * sees TABLE_WINDOW_NONE or the new epoch when it looks again. */
        atomic_thread_fence(memory_order_release);
        word *words = &entry->epoch;
        for (size_t i = 1; i < section->entry_words; i++) {
            store(&words[i], 0);
        }
        /* Partner: the acquire load of epoch in read_window. Who sees the epoch sees the zeros. */
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

/* As section_row, without a division: `number` is in this lap of the circle or the one before. */
static inline struct row *row_at(const struct table_section *section, uint64_t number) {
    const uint64_t place = number - section->lap;
    return (struct row *)(void *)(section->arena +
                                  (number < section->lap ? place + section->units : place));
}

/* What is looked for in a bucket. */
struct wanted {
    const char *bytes;
    size_t len;
    uint64_t hash;
    int64_t window;
    enum row_kind kind;
    uint64_t field; /* of a ROW_VALUE */
};

/* As memcmp, for keys of a few words without a call: whole words, then the last eight bytes. */
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
    while (number >= tail) { /* 0, too, ends it */
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

/* The same where it matters less. */
static __attribute__((noinline)) struct row *find_again(const struct table_section *section,
                                                        const struct wanted *wanted) {
    return find_row(section, wanted);
}

/* Moves the tail past rows whose windows are over until the circle has room up to number `end`.
 * False when it has not. Not noted for undo. */
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
    /* Readers hold a window that lost rows for gone; who sees the tail sees that as well. */
    store(&page->lost, lost);
    atomic_store_explicit(&page->tail, tail, memory_order_release);
    /* Partner: the acquire fences of is_held (table_read.c). Who reads a word of the row that is
     * written here next sees the tail beyond the row it came for. */
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
    if (left < size) { /* rows are in one piece: the next lap begins */
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

/* Makes the row of a key, or of a value. What lies beyond the circle's head is nobody's: it needs
 * no notes, and vanishes with the head when the transaction is undone. NULL: no room. */
static struct row *make_row(struct table_section *section, struct undo *undo,
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
     * have been put back (table_put_back_owner) without the tail having moved: who reads one of the
     * words below sees that the row was touched when it looks again. */
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
    /* Partner: the acquire loads of read_window. Who finds the row by its window's newest sees all
     * of it. */
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

/* ---- keys that find no room ---- */

/* Whether a value of a field may have a row: it has one, or is given one. */
static bool admit_value(struct table_section *section, struct undo *undo,
                        struct window_entry *entry, const struct wanted *value) {
    if (find_again(section, value)) {
        return true;
    }
    word *values = &entry->more[value->field];
    if (load(values) >= section->table->header.field_max[value->field] ||
        !make_row(section, undo, value)) {
        return false;
    }
    undo_put_owner(undo, &section->file, values, load(values) + 1);
    return true;
}

/* A key whose values are too many: the same with `(other)` in the place of each such value. */
struct changed_key {
    char bytes[TABLE_KEY_MAX];
    size_t len;
    bool changed, fits;
};

static void append(struct changed_key *to, const char *bytes, size_t len) {
    to->fits = to->fits && len <= sizeof to->bytes - to->len;
    if (to->fits) {
        memcpy(to->bytes + to->len, bytes, len);
        to->len += len;
    }
}

static void admit_values(struct table_section *section, struct undo *undo,
                         struct window_entry *entry, const struct table_key *key,
                         struct changed_key *to) {
    const int64_t window = (int64_t)load(&entry->epoch);
    to->len = 0;
    to->changed = false;
    to->fits = true;
    for (unsigned i = 0; i < key->fields; i++) {
        const struct wanted value = {.bytes = key->bytes + key->at[i],
                                     .len = key->field_len[i],
                                     .window = window,
                                     .kind = ROW_VALUE,
                                     .field = i};
        struct wanted hashed = value;
        bool keep = section->table->header.field_max[i] == 0 ||
                    (value.len == OTHER_LEN && memcmp(value.bytes, TABLE_OTHER, OTHER_LEN) == 0);
        if (!keep) {
            hashed.hash = hash_value(section->table, i, value.bytes, value.len);
            keep = admit_value(section, undo, entry, &hashed);
        }
        if (i > 0) {
            append(to, &(char){TABLE_KEY_SEPARATOR}, 1);
        }
        append(to, keep ? value.bytes : TABLE_OTHER, keep ? value.len : OTHER_LEN);
        to->changed = to->changed || !keep;
    }
}

static __attribute__((noinline)) void count_other(struct table_section *section, struct undo *undo,
                                                  struct window_entry *entry, int64_t window,
                                                  uint64_t hash) {
    struct section_page *page = section->page;
    undo_put_owner(undo, &section->file, &page->other, load(&page->other) + 1);
    estimate_add_owner(page, window, load(&entry->rows), hash);
}

/* A new row of a key. NULL: no room. */
static struct row *make_key_row(struct table_section *section, struct undo *undo,
                                const struct window_entry *entry, const struct wanted *wanted) {
    return load(&entry->rows) < section->keys_max ? make_row(section, undo, wanted) : NULL;
}

/* The row of a changed key, which may be there or not. NULL: no room. */
static struct row *find_or_make(struct table_section *section, struct undo *undo,
                                struct window_entry *entry, const struct wanted *wanted) {
    struct row *row = find_again(section, wanted);
    if (row) {
        undo_put_owner(undo, &section->file, &row->touched, undo->sequence);
        return row;
    }
    return make_key_row(section, undo, entry, wanted);
}

/* The row of a key that has none yet: a new one, or that of the key with `(other)` for the values
 * that are too many. NULL: no room. Not inline: its large frame has no place in the hot way. */
static __attribute__((noinline)) struct row *
admit_key(struct table_section *section, struct undo *undo, struct window_entry *entry,
          const struct table_key *key, const struct wanted *wanted) {
    struct changed_key to;
    if (section->worker == 0 || !section->limits_fields || key->fields != section->fields) {
        return make_key_row(section, undo, entry, wanted);
    }
    admit_values(section, undo, entry, key, &to);
    if (!to.fits) {
        return NULL;
    }
    if (!to.changed) {
        return make_key_row(section, undo, entry, wanted);
    }
    const struct wanted other = {.bytes = to.bytes,
                                 .len = to.len,
                                 .hash = table_hash(section->table, to.bytes, to.len),
                                 .window = wanted->window,
                                 .kind = ROW_KEY};
    struct row *row = find_or_make(section, undo, entry, &other);
    if (row) { /* else it is counted when it goes to the base row */
        count_other(section, undo, entry, wanted->window, key->hash);
    }
    return row;
}

/* ---- the call ---- */

static inline struct row *touch_row(struct table_section *section, struct undo *undo,
                                    struct window_entry *entry, int64_t window,
                                    const struct table_key *key) {
    struct wanted wanted = {
        .bytes = key->bytes, .len = key->len, .hash = key->hash, .window = window, .kind = ROW_KEY};
    struct row *row = find_row(section, &wanted);
    if (__builtin_expect(row != NULL, 1)) {
        undo_put_owner(undo, &section->file, &row->touched, undo->sequence);
        return row;
    }
    return key->len <= TABLE_KEY_MAX ? admit_key(section, undo, entry, key, &wanted) : NULL;
}

static inline __attribute__((always_inline)) bool touch(struct table_section *section,
                                                        struct undo *undo,
                                                        const struct table_touch *touched,
                                                        struct table_row *row) {
    struct window_entry *entry = find_entry(section, touched->window);
    if (!entry) {
        return false;
    }
    row->file = section->file;
    row->other = false;
    row->state = entry_state(section, entry);
    if (touched->key && section->keyed) {
        struct row *found = touch_row(section, undo, entry, touched->window, touched->key);
        if (found) {
            row->state = found->more;
        } else if (section->worker == 0) {
            return false; /* a row without room stays with the store */
        } else {
            row->other = true;
            count_other(section, undo, entry, touched->window, touched->key->hash);
        }
    }
    undo_put_owner(undo, &section->file, &entry->touched, undo->sequence);
    /* Partner: the acquire fence of read_settled (table_read.c). Who sees one of the words that are
     * stored from here on sees that the row was touched when it looks again. */
    atomic_thread_fence(memory_order_release);
    undo_put_owner(undo, &section->file, &entry->matched, load(&entry->matched) + touched->events);
    return true;
}

bool table_touch_owner(struct table_section *section, struct undo *undo, int64_t window,
                       const struct table_key *key, struct table_row *row) {
    return touch(section, undo, &(const struct table_touch){window, key, 1}, row);
}

bool table_touch_events_owner(struct table_section *section, struct undo *undo,
                              const struct table_touch *touched, struct table_row *row) {
    return touch(section, undo, touched, row);
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
    struct row *row = find_again(section, &wanted);
    return row ? row->more : NULL;
}
