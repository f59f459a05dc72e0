/* What stands in the file of a table, and a table as this process has it. Private to the room.
 *
 * A file is one mapping; its words are counted from its first byte, which is what the undo records
 * name them by. */
#ifndef AFORO_COUNTERS_ROWS_TABLE_FILE_H
#define AFORO_COUNTERS_ROWS_TABLE_FILE_H

#include "counters/rows/table.h"
#include "counters/rows/undo_file.h"

#define TABLES_FOLDER "reports" /* within the state directory */
#define TABLE_PAGE 4096
#define TABLE_VERSION 1
#define TABLE_SUFFIX ".aforo"
#define TABLE_SUFFIX_TEMPORARY ".new" /* behind it, until the file is whole */
#define TABLE_PATH_MAX 320
#define TABLE_NUMBER_MAX 65535
/* So long a window stays after it is past the horizon, when no event can change it any more: the
 * flush tells the store of it once more. It looks at such windows first in each full pass
 * (rows_pass_edge): one begins a second after the other at the latest, and lasts a second; that
 * leaves twice as long for a call that takes its time, and for a worker whose clock lags. */
#define TABLE_MARGIN_US (4 * US_PER_S)
#define TABLE_WINDOW_NONE 0 /* nothing is ever counted in 1970's first window */
#define TABLE_ESTIMATE_REGISTERS 1024

/* A word has one writer, and what order there is between words is that of fences. */
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
    uint32_t number;   /* 1 .. TABLE_NUMBER_MAX, of this file alone in its folder */
    uint32_t sections; /* for so many writers, the read-back's too */
    uint32_t widths;
    uint32_t keyed;
    uint32_t fields;
    int64_t width_us[TABLE_WIDTHS_MAX];
    uint64_t windows[TABLE_WIDTHS_MAX]; /* entries of a section */
    uint64_t heads[TABLE_WIDTHS_MAX];   /* a power of two, or 0 */
    uint64_t units[TABLE_WIDTHS_MAX];   /* words of the circle */
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

/* The first page of a section. `head` and `made` are noted for undo; what takes away only what is
 * over is not. */
struct section_page {
    _Alignas(64) word head; /* where the next row begins */
    word tail;              /* rows from here on are there */
    word lost;              /* windows up to this one may have lost rows */
    word newest, oldest;    /* the newest window ever touched, and the first */
    word made, retired;     /* rows, of all times */
    word other;             /* events that went to `(other)` */
    /* the newest window in which keys found no room, how many rows it has beside them, and the most
     * keys that any window before it would have had */
    word estimate_window, estimate_rows, wanted;
    _Atomic uint8_t estimate[TABLE_ESTIMATE_REGISTERS];
};

/* A window. `more`: how many values each `by` field has; then the state of the base row. */
struct window_entry {
    word epoch; /* the window's number; TABLE_WINDOW_NONE while it changes hands */
    word touched;
    word matched;
    word rows;
    word newest;
    word more[];
};

/* A row. `more`: its state, then its key, filled up with zeros to whole words. A row of kind
 * ROW_VALUE has no state: it says that a `by` field has this value in the window, and that is all.
 * ROW_FILLER is one word, and the rest of its size is unused. */
struct row {
    word lengths; /* kind, size in units, length of the key, checksum */
    word touched;
    word hash;
    word bucket_next;
    word window_next; /* of a ROW_VALUE: the field's number */
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

/* Where a worker found a window last. */
struct window_place {
    int64_t window; /* -1: none */
    struct window_entry *entry;
};

/* a power of two: events scattered over a minute find their second in one look */
#define WINDOW_PLACES 64

struct table_section {
    struct section_page *page;
    unsigned char *windows;
    word *heads;
    word *arena;
    uint64_t units, heads_mask;
    uint64_t lap; /* the number of the circle's first unit in the lap that `head` is in */
    uint64_t state_words, entry_words, fields;
    uint64_t keys_max, windows_count;
    int64_t over;   /* windows up to this one may be let go */
    int64_t margin; /* and so many behind it no event can come to, either */
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
    bool writable, asked_for; /* a report is in force that it is of, or was */
    _Atomic bool removed;
    const struct undo_map *undo;
    _Atomic uint32_t writers; /* that have sections; header.sections is of who opens and lengthens
                               */
    uint32_t mapped; /* of them in `map`; each one that was added since has a mapping of its own */
    struct table_section *section[TABLE_WRITERS_MOST]; /* [writers] each [widths] */
};

/* ---- geometry ---- */

/* Bytes of a section's windows, of one section of a width, of all of one writer's, and of the whole
 * file; whole pages. Pure. */
size_t table_windows_bytes(const struct table_header *header, unsigned width);
size_t table_section_bytes(const struct table_header *header, unsigned width);
size_t table_writer_bytes(const struct table_header *header);
size_t table_header_bytes(const struct table_header *header);
size_t table_file_bytes(const struct table_header *header);

/* Words of an entry, and units of a row. Pure. */
size_t table_entry_words(const struct table_header *header);
uint64_t table_row_units(const struct table_header *header, enum row_kind kind, uint64_t key_len);

/* Fills the header's geometry for a new file. False fills why. */
bool table_plan(const struct table_config *config, const struct table_span *span,
                struct table_header *header, char *why);

/* The sections of a table one after the other: [table_workers * widths]. */
static inline struct table_section *table_section_at(const struct table *table, unsigned i) {
    return &table->section[i / table->header.widths][i % table->header.widths];
}

static inline struct window_entry *section_entry(const struct table_section *section,
                                                 int64_t window) {
    return (struct window_entry *)(void *)(section->windows +
                                           (uint64_t)window % section->windows_count *
                                               section->entry_words * sizeof(word));
}

/* Windows up to this one may be let go when it is now_us. */
static inline int64_t section_over(const struct table_section *section, int64_t now_us) {
    const struct table_header *header = &section->table->header;
    const int64_t from_us = now_us - header->horizon_us - TABLE_MARGIN_US;
    return from_us < 0 ? 0 : from_us / header->width_us[section->width] - 1;
}

static inline word *entry_state(const struct table_section *section, struct window_entry *entry) {
    return &entry->more[section->fields];
}

/* Where a row lives, by its number. */
static inline struct row *section_row(const struct table_section *section, uint64_t number) {
    return (struct row *)(void *)(section->arena + number % section->units);
}

/* And back, of a row that is there. */
static inline uint64_t row_number(const struct table_section *section, const struct row *row) {
    const uint64_t place = (uint64_t)((const word *)(const void *)row - section->arena);
    const uint64_t number = section->lap + place;
    return number < load(&section->page->head) ? number : number - section->units;
}

static inline uint64_t section_bucket(const struct table_section *section, uint64_t hash,
                                      int64_t window) {
    return (hash ^ (uint64_t)window * UINT64_C(0x9e3779b97f4a7c15)) & section->heads_mask;
}

/* What a row's checksum has to be: of its number and of all that stays as it was made. */
uint32_t table_sum_row(const struct row *row, uint64_t number, uint64_t lengths, const word *key);

static inline word *row_key(struct row *row, uint64_t lengths) {
    return (word *)(void *)row + row_size(lengths) - row_key_words(row_key_len(lengths));
}

/* ---- files; by the thread that opens them ---- */

/* A table whose file is `name` in the folder dir_fd, called path in sentences. NULL fills why. */
struct table *table_open_file(int dir_fd, const char *name, const char *path, bool writable,
                              char *why);

/* Where files are made: the folder, and how it is called in sentences. */
struct table_folder {
    int fd;
    const char *path;
};

/* Makes the file of a new table, and opens it. */
struct table *table_make_file(const struct table_folder *folder, const struct table_config *config,
                              const struct table_span *span, uint32_t number, char *why);

/* Makes an empty one of the same name, number, geometry and seed in another folder. */
struct table *table_make_twin(const struct table_folder *folder, const struct table *table,
                              char *why);

/* Appends sections until there are `sections` of each width. Before it is mapped. */
bool table_lengthen(struct table *table, uint32_t sections, char *why);

/* Maps the file and binds its sections. */
bool table_map(struct table *table, const struct undo_map *undo, char *why);

/* Appends empty sections while others are in use, until there are `writers` writers' of them. False
 * fills why. By one thread at a time. */
bool table_add_writers(struct table *table, uint32_t writers, char *why);

/* msync of all of it. False, errno set, when the disk refused. */
bool table_sync(const struct table *table);

/* Finds the lap that the head is in again. */
void table_bind_lap(struct table_section *section);

/* Whether what is asked for means what the file was made for. A file keeps the memory that it was
 * made with: unless the definition names it, which is in the digest, it depends on the number of
 * workers, and that may change with each start. False fills why. */
bool table_is_for(const struct table *table, const struct table_config *config,
                  const struct table_span *span, char *why);

void table_free(struct table *table);

/* ---- after a crash; before the threads start ---- */

/* After a kill, when what was open has been put back: completes what retiring rows left half done.
 */
void table_settle(struct table *table);

/* After a power loss: builds heads, chains and counts anew from the rows that can be believed.
 * Adds the number of rows and base rows that were dropped to *repaired. */
void table_rebuild(struct table *table, uint64_t *repaired);

/* The highest transaction that a section of this writer names. */
uint64_t table_find_newest_touched(const struct table *table, unsigned worker);

/* Whether the row with a number, or that of a value, stands in its place whole. When nobody writes.
 */
bool table_is_whole(const struct table_section *section, uint64_t number);

/* ---- table_read.c ---- */

/* As table_read, of one section. */
bool table_read_section(const struct table_section *section, int64_t window,
                        const struct table_taker *taker);

/* ---- table_owner.c; by the owner ---- */

/* What is looked for in a bucket. */
struct wanted {
    const char *bytes;
    size_t len;
    uint64_t hash;
    int64_t window;
    enum row_kind kind;
    uint64_t field; /* of a ROW_VALUE */
};

/* The row, or NULL. */
struct row *section_find_row(const struct table_section *section, const struct wanted *wanted);

/* Makes the row of a key, or of a value. NULL: no room. */
struct row *section_make_row(struct table_section *section, struct undo *undo,
                             const struct wanted *wanted);

/* Of a value of `by` field number `field`: never that of a key. */
uint64_t table_hash_value(const struct table *table, unsigned field, const char *bytes, size_t len);

/* ---- table_admit.c; by the owner ---- */

struct admitted {
    struct row *row; /* NULL: none */
    bool made;       /* by this call */
    bool refused;    /* it is not the row of the key itself */
};

/* Finds a place for a key that has no row: a row of its own, or one with `(other)` for values that
 * are too many, or none. What is refused is counted. *admitted is all zeros before. */
void section_admit_key(struct table_section *section, struct undo *undo, struct window_entry *entry,
                       const struct table_key *key, struct admitted *admitted);

/* Counts an event whose key was refused. */
void section_count_other(struct table_section *section, struct undo *undo,
                         const struct window_entry *entry, uint64_t hash);

/* ---- estimate.c ---- */

/* Notes a key that found no room in a window with `rows` rows. By the owner. */
void estimate_add_owner(struct section_page *page, int64_t window, uint64_t rows, uint64_t hash);

/* About how many keys there would have been in the fullest window; 0 when all found room. Any
 * thread.
 */
uint64_t estimate_keys_wanted(const struct section_page *page);

#endif
