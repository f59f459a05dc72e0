/* The layout of a table's file, and a table in this process's memory. Private to the room.
 *
 * A file is one mapping. Its words are numbered from its first byte, and undo records refer to them
 * by that number. */
#ifndef AFORO_COUNTERS_ROWS_TABLE_FILE_H
#define AFORO_COUNTERS_ROWS_TABLE_FILE_H

#include "counters/rows/table.h"
#include "counters/rows/undo_file.h"

#define TABLES_FOLDER "reports" /* within the state directory */
#define TABLE_PAGE 4096
#define TABLE_VERSION 1
#define TABLE_SUFFIX ".aforo"
#define TABLE_SUFFIX_TEMPORARY ".new" /* suffix until the file is complete */
#define TABLE_PATH_MAX 320
#define TABLE_NUMBER_MAX 65535
/* How long a window stays after it passed the horizon and no event can change it any more, so that
 * the flush can send it to the store once more. Each full pass of the flush looks at such windows
 * first (rows_pass_edge): passes begin at most one second apart and take a second. The rest is for
 * a call that takes longer, and for a worker whose clock lags. */
#define TABLE_MARGIN_US (4 * US_PER_S)
#define TABLE_WINDOW_NONE 0 /* nothing is ever counted in 1970's first window */
#define TABLE_ESTIMATE_REGISTERS 1024

/* Each word has one writer, and fences alone order the words relative to each other. */
static inline uint64_t load(const word *w) {
    return atomic_load_explicit(w, memory_order_relaxed);
}

static inline void store(word *w, uint64_t value) {
    atomic_store_explicit(w, value, memory_order_relaxed);
}

/* All fields before `checksum` are covered by it. The definition follows in the next page. */
struct table_header {
    char magic[8];
    uint32_t version;
    uint32_t number;   /* 1 .. TABLE_NUMBER_MAX, unique in its folder */
    uint32_t sections; /* writers that have sections, read-back included */
    uint32_t widths;
    uint32_t keyed;
    uint32_t fields;
    int64_t width_us[TABLE_WIDTHS_MAX];
    uint64_t windows[TABLE_WIDTHS_MAX]; /* entries in a section */
    uint64_t heads[TABLE_WIDTHS_MAX];   /* a power of two, or 0 */
    uint64_t units[TABLE_WIDTHS_MAX];   /* words in the circle */
    uint64_t state_words;
    uint64_t keys_max;
    uint64_t field_max[TABLE_FIELDS_MAX];
    int64_t memory;
    int64_t horizon_us, future_us;
    uint64_t seed;
    uint64_t definition_len;
    uint64_t definition_sum;
    char name[TABLE_NAME_MAX];
    char digest[TABLE_DIGEST_MAX];
    char unused[7];
    uint64_t checksum;
};

/* The first page of a section. `head` and `made` are noted for undo; words that only change when
 * something past the horizon is dropped are not. */
struct section_page {
    _Alignas(64) word head; /* where the next row begins */
    word tail;              /* the oldest row that is still there */
    word lost;              /* windows up to this one may have lost rows */
    word newest, oldest;    /* the newest window ever touched, and the oldest */
    word made, retired;     /* number of rows, ever */
    word other;             /* events counted in `(other)` */
    /* the newest window in which keys found no room, how many rows it has, and the most keys that
     * any earlier window would have had */
    word estimate_window, estimate_rows, wanted;
    _Atomic uint8_t estimate[TABLE_ESTIMATE_REGISTERS];
};

/* A window. `more` has the number of values of each `by` field, then the state of the base row. */
struct window_entry {
    word epoch; /* the window's number; TABLE_WINDOW_NONE while it changes hands */
    word touched;
    word matched;
    word rows;
    word newest;
    word more[];
};

/* A row. `more` has its state, then its key, padded with zeros to whole words. A row of kind
 * ROW_VALUE has no state: it only records that a `by` field has this value in the window. Of a
 * ROW_FILLER only the first word is used. */
struct row {
    word lengths; /* kind, size in units, length of the key, checksum */
    word touched;
    word hash;
    word bucket_next;
    word window_next; /* in a ROW_VALUE: the number of the field */
    word window;
    word more[];
};

#define ROW_WORDS (sizeof(struct row) / sizeof(word))
#define ENTRY_WORDS (sizeof(struct window_entry) / sizeof(word))

enum row_kind { ROW_NONE, ROW_KEY, ROW_VALUE, ROW_FILLER };

#define ROW_SIZE_MAX 65535

static inline uint64_t row_lengths(enum row_kind kind, uint64_t size, uint64_t key_len,
                                   uint32_t checksum) {
    return (uint64_t)kind << 61 | key_len << 48 | size << 32 | checksum;
}

static inline enum row_kind row_kind(uint64_t lengths) {
    return (enum row_kind)(lengths >> 61);
}

static inline uint64_t row_size(uint64_t lengths) {
    return lengths >> 32 & 0xffff;
}

static inline uint64_t row_key_len(uint64_t lengths) {
    return lengths >> 48 & 0x1fff;
}

static inline uint64_t row_key_words(uint64_t key_len) {
    return (key_len + sizeof(word) - 1) / sizeof(word);
}

/* Where a worker last found a window. */
struct window_place {
    int64_t window; /* -1: none */
    struct window_entry *entry;
};

/* a power of two; enough to find the window of events scattered over a minute at once */
#define WINDOW_PLACES 64

struct table_section {
    struct section_page *page;
    unsigned char *windows;
    word *heads;
    word *arena;
    uint64_t units, heads_mask;
    uint64_t lap; /* number of the circle's first unit in the lap that `head` is in */
    uint64_t state_words, entry_words, fields;
    uint64_t keys_max, windows_count;
    int64_t over;   /* windows up to this one may be dropped */
    int64_t margin; /* and this many after it can receive no event either */
    struct undo_file file;
    const struct table *table;
    unsigned worker, width;
    bool keyed, limits_fields;
    uint32_t version; /* raised whenever a window's entry is made ready */
    struct window_place place[WINDOW_PLACES];
};

struct table {
    struct table_config config;
    struct table_header header;
    char path[TABLE_PATH_MAX];
    char *definition;
    int fd;
    unsigned char *map;
    size_t map_bytes;
    bool writable, asked_for; /* asked_for: a report that is or was in force uses it */
    _Atomic bool removed;
    const struct undo_map *undo;
    _Atomic uint32_t writers; /* that have sections; header.sections is for opening */
    uint32_t mapped;          /* of them in `map`; each one added later has a mapping of its own */
    struct table_section *section[TABLE_WRITERS_MOST]; /* [writers] each [widths] */
};

/* ---- geometry ---- */

/* Bytes of a section's windows, of one section of a width, of all sections of one writer, of header
 * and definition, and of the whole file; whole pages. Pure. */
size_t table_windows_bytes(const struct table_header *header, unsigned width);
size_t table_section_bytes(const struct table_header *header, unsigned width);
size_t table_writer_bytes(const struct table_header *header);
size_t table_header_bytes(const struct table_header *header);
size_t table_file_bytes(const struct table_header *header);

/* Words of a window's entry, and units of a row. Pure. */
size_t table_entry_words(const struct table_header *header);
uint64_t table_row_units(const struct table_header *header, enum row_kind kind, uint64_t key_len);

/* Computes the geometry of a new file into *header. False fills `why`. */
bool table_plan(const struct table_config *config, const struct table_span *span,
                struct table_header *header, char *why);

/* The sections of a table in order, i < table_workers * widths. */
static inline struct table_section *table_section_at(const struct table *table, unsigned i) {
    return &table->section[i / table->header.widths][i % table->header.widths];
}

static inline struct window_entry *section_entry(const struct table_section *section,
                                                 int64_t window) {
    return (struct window_entry *)(void *)(section->windows +
                                           (uint64_t)window % section->windows_count *
                                               section->entry_words * sizeof(word));
}

/* The newest window that may be dropped at time now_us. */
static inline int64_t section_over(const struct table_section *section, int64_t now_us) {
    const struct table_header *header = &section->table->header;
    const int64_t from_us = now_us - header->horizon_us - TABLE_MARGIN_US;
    return from_us < 0 ? 0 : from_us / header->width_us[section->width] - 1;
}

static inline word *entry_state(const struct table_section *section, struct window_entry *entry) {
    return &entry->more[section->fields];
}

/* The place of the row with a number. */
static inline struct row *section_row(const struct table_section *section, uint64_t number) {
    return (struct row *)(void *)(section->arena + number % section->units);
}

/* The inverse, for a row that is there. */
static inline uint64_t row_number(const struct table_section *section, const struct row *row) {
    const uint64_t place = (uint64_t)((const word *)(const void *)row - section->arena);
    const uint64_t number = section->lap + place;
    return number < load(&section->page->head) ? number : number - section->units;
}

static inline uint64_t section_bucket(const struct table_section *section, uint64_t hash,
                                      int64_t window) {
    return (hash ^ (uint64_t)window * UINT64_C(0x9e3779b97f4a7c15)) & section->heads_mask;
}

/* What a row's checksum must be: it covers the number and everything that never changes. */
uint32_t table_sum_row(const struct row *row, uint64_t number, uint64_t lengths, const word *key);

static inline word *row_key(struct row *row, uint64_t lengths) {
    return (word *)(void *)row + row_size(lengths) - row_key_words(row_key_len(lengths));
}

/* ---- files; by the thread that opens them ---- */

/* Opens the table in file `name` of the folder dir_fd, which messages call `path`. NULL fills
 * `why`. Free it with table_free. */
struct table *table_open_file(int dir_fd, const char *name, const char *path, bool writable,
                              char *why);

/* A folder to create files in, and its name in messages. */
struct table_folder {
    int fd;
    const char *path;
};

/* Creates the file of a new table and opens it. NULL fills `why`. */
struct table *table_make_file(const struct table_folder *folder, const struct table_config *config,
                              const struct table_span *span, uint32_t number, char *why);

/* Creates an empty table of the same name, number, geometry and seed in another folder. NULL fills
 * `why`. */
struct table *table_make_twin(const struct table_folder *folder, const struct table *table,
                              char *why);

/* Appends sections until there are `sections` of each width. Before the file is mapped. False fills
 * `why`. */
bool table_lengthen(struct table *table, uint32_t sections, char *why);

/* Maps the file and binds its sections. False fills `why`. */
bool table_map(struct table *table, const struct undo_map *undo, char *why);

/* Appends empty sections, until `writers` writers have them, while others are in use. False fills
 * `why`. One thread at a time. */
bool table_add_writers(struct table *table, uint32_t writers, char *why);

/* Writes the whole table to disk (msync). False with errno set on failure. */
bool table_sync(const struct table *table);

/* Recomputes the lap that the head is in. */
void table_bind_lap(struct table_section *section);

/* Whether the file fits the configuration. The memory may differ: a file keeps the size it was made
 * with. Unless the definition gives the memory (and so the digest covers it), it depends on the
 * number of workers, which may change with each start. False fills `why`. */
bool table_is_for(const struct table *table, const struct table_config *config,
                  const struct table_span *span, char *why);

/* Unmaps, closes and frees; the file stays. NULL is allowed. */
void table_free(struct table *table);

/* ---- after a crash; before the threads start ---- */

/* After a kill, once open transactions were rolled back: completes a half-done retiring of rows. */
void table_settle(struct table *table);

/* After a power loss: rebuilds heads, chains and counts from the rows that are intact. Adds the
 * number of rows and base rows that were dropped to *repaired. */
void table_rebuild(struct table *table, uint64_t *repaired);

/* The highest transaction named in any section of this writer. */
uint64_t table_find_newest_touched(const struct table *table, unsigned worker);

/* Whether the row with a number, of a key or of a value, is intact. While nobody writes. */
bool table_is_whole(const struct table_section *section, uint64_t number);

/* ---- table_read.c ---- */

/* Like table_read, for one section. */
bool table_read_section(const struct table_section *section, int64_t window,
                        const struct table_taker *taker);

/* ---- table_owner.c; by the owner ---- */

/* What to look for in a bucket. */
struct wanted {
    const char *bytes;
    size_t len;
    uint64_t hash;
    int64_t window;
    enum row_kind kind;
    uint64_t field; /* number of the field, for a ROW_VALUE */
};

/* The row, or NULL. */
struct row *section_find_row(const struct table_section *section, const struct wanted *wanted);

/* Makes the row of a key or of a value. NULL: no room. Within a transaction. */
struct row *section_make_row(struct table_section *section, struct undo *undo,
                             const struct wanted *wanted);

/* The hash of a value of `by` field number `field`; seeded differently from the hash of a key. */
uint64_t table_hash_value(const struct table *table, unsigned field, const char *bytes, size_t len);

/* ---- table_admit.c; by the owner ---- */

struct admitted {
    struct row *row; /* NULL: none */
    bool made;       /* by this call */
    bool refused;    /* it is not the key's own row */
};

/* Finds a place for a key that has no row: a row of its own, a row with `(other)` in place of
 * fields that have too many values, or none. Counts what is refused. *admitted is all zeros on
 * entry. */
void section_admit_key(struct table_section *section, struct undo *undo, struct window_entry *entry,
                       const struct table_key *key, struct admitted *admitted);

/* Counts an event whose key was refused. */
void section_count_other(struct table_section *section, struct undo *undo,
                         const struct window_entry *entry, uint64_t hash);

/* ---- estimate.c ---- */

/* Notes a key that found no room in a window that has `rows` rows. By the owner. */
void estimate_add_owner(struct section_page *page, int64_t window, uint64_t rows, uint64_t hash);

/* About how many keys the fullest window would have had; 0 when all found room. Any thread. */
uint64_t estimate_keys_wanted(const struct section_page *page);

#endif
