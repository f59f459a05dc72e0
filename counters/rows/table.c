/* The file of a table: the sizes of its parts, its header, and whether that can be trusted. */
#include "counters/rows/table_file.h"

#include "counters/state/fnv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES 64 /* of the cache: no two writers share one */

static const char MAGIC[8] = {'a', 'f', 'o', 'r', 'o', 'r', '\n', 0x1a};

_Static_assert(sizeof(struct table_header) <= TABLE_PAGE, "the header is one page");
_Static_assert(sizeof(struct section_page) <= TABLE_PAGE, "a section's own numbers are one page");

static uint64_t sum_header(const struct table_header *header) {
    return fnv1a64(FNV1A64_BASIS, header, offsetof(struct table_header, checksum));
}

static bool write_header(struct table *table, char *why) {
    table->header.checksum = sum_header(&table->header);
    if (pwrite(table->fd, &table->header, sizeof table->header, 0) !=
        (ssize_t)sizeof table->header) {
        return state_refuse(why, "%s: cannot write: %s", table->path, strerror(errno));
    }
    return true;
}

static bool is_name(const char *name, size_t size) {
    const size_t len = strnlen(name, size);
    return len > 0 && len < size && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

/* Whether the numbers are such as table_plan makes: they must not lead to a division by 0 or to
 * reading past the end. */
static bool makes_sense(const struct table_header *header) {
    bool ok = header->number >= 1 && header->number <= TABLE_NUMBER_MAX && header->sections >= 1 &&
              header->sections <= TABLE_WRITERS_MOST && header->widths >= 1 &&
              header->widths <= TABLE_WIDTHS_MAX && header->fields <= TABLE_FIELDS_MAX &&
              header->keyed <= 1 && header->state_words >= 1 &&
              header->state_words <= TABLE_STATE_WORDS_MAX &&
              header->definition_len <= TABLE_DEFINITION_MAX &&
              is_name(header->name, sizeof header->name) &&
              is_name(header->digest, sizeof header->digest);
    for (unsigned i = 0; ok && i < header->widths; i++) {
        ok =
            header->width_us[i] > 0 && header->windows[i] >= 1 &&
            header->windows[i] < UINT64_C(1) << 32 && header->units[i] < UINT64_C(1) << 40 &&
            header->heads[i] < UINT64_C(1) << 36 &&
            (header->keyed ? header->heads[i] > 0 &&
                                 header->units[i] >= table_row_units(header, ROW_KEY, TABLE_KEY_MAX)
                           : header->heads[i] == 0 && header->units[i] == 0) &&
            (header->heads[i] & (header->heads[i] - 1)) == 0;
    }
    return ok;
}

static bool check_header(const struct table *table, ssize_t n, off_t bytes, char *why) {
    const struct table_header *header = &table->header;
    if (n < (ssize_t)sizeof header->magic || memcmp(header->magic, MAGIC, sizeof MAGIC) != 0) {
        return state_refuse(why, "%s: is not a file of rows of aforo; move it away", table->path);
    }
    if (n >= 12 && header->version != TABLE_VERSION) {
        return state_refuse(why,
                            "%s: has format version %u, this program writes version %d; start the "
                            "program that made it, or move the file away",
                            table->path, header->version, TABLE_VERSION);
    }
    if (n < (ssize_t)sizeof *header || header->checksum != sum_header(header) ||
        !makes_sense(header)) {
        return state_refuse(why,
                            "%s: its header is damaged; move the file away (what was flushed is "
                            "still in Redis)",
                            table->path);
    }
    if (bytes < (off_t)table_file_bytes(header)) {
        return state_refuse(why,
                            "%s: is truncated: %lld bytes instead of %zu; move the file away (what "
                            "was flushed is still in Redis)",
                            table->path, (long long)bytes, table_file_bytes(header));
    }
    return true;
}

static void fill_config(struct table *table) {
    const struct table_header *header = &table->header;
    struct table_config *config = &table->config;
    memcpy(config->name, header->name, sizeof config->name);
    memcpy(config->digest, header->digest, sizeof config->digest);
    config->definition = table->definition;
    config->definition_len = header->definition_len;
    config->widths = header->widths;
    memcpy(config->width_us, header->width_us, sizeof config->width_us);
    config->keyed = header->keyed != 0;
    config->state_words = header->state_words;
    config->memory = header->memory;
    config->keys_max = header->keys_max;
    config->fields = header->fields;
    memcpy(config->field_max, header->field_max, sizeof config->field_max);
}

static bool read_definition(struct table *table, char *why) {
    const size_t len = table->header.definition_len;
    table->definition = calloc(1, len + 1);
    if (!table->definition) {
        return state_refuse(why, "out of memory");
    }
    if (pread(table->fd, table->definition, len, TABLE_PAGE) != (ssize_t)len ||
        fnv1a64(FNV1A64_BASIS, table->definition, len) != table->header.definition_sum) {
        return state_refuse(why,
                            "%s: its definition is damaged; move the file away (what was flushed "
                            "is still in Redis)",
                            table->path);
    }
    fill_config(table);
    return true;
}

static struct table *new_table(const char *path, bool writable, char *why) {
    struct table *table = calloc(1, sizeof *table);
    if (!table) {
        state_refuse(why, "out of memory");
        return NULL;
    }
    snprintf(table->path, sizeof table->path, "%s", path);
    table->fd = -1;
    table->writable = writable;
    return table;
}

struct table *table_open_file(int dir_fd, const char *name, const char *path, bool writable,
                              char *why) {
    struct table *table = new_table(path, writable, why);
    if (!table) {
        return NULL;
    }
    struct stat st;
    table->fd = openat(dir_fd, name, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (table->fd < 0 || fstat(table->fd, &st)) {
        state_refuse(why, "%s: cannot open: %s", path, strerror(errno));
        table_free(table);
        return NULL;
    }
    const ssize_t n =
        S_ISREG(st.st_mode) ? pread(table->fd, &table->header, sizeof table->header, 0) : 0;
    if (!check_header(table, n, st.st_size, why) || !read_definition(table, why)) {
        table_free(table);
        return NULL;
    }
    return table;
}

/* Reserves the blocks now, so that a full disk is an error here and not a SIGBUS later. Starts at
 * byte `from`: what others count in is left alone. */
static bool reserve(const struct table *table, size_t from, char *why) {
    const size_t bytes = table_file_bytes(&table->header);
    const int error = posix_fallocate(table->fd, (off_t)from, (off_t)(bytes - from));
    errno = error ? error : errno;
    return error == 0 || state_refuse(why,
                                      "%s: cannot reserve %zu bytes: %s; free some space, or give "
                                      "the report less memory",
                                      table->path, bytes, strerror(error));
}

bool table_lengthen(struct table *table, uint32_t sections, char *why) {
    const uint32_t before = table->header.sections;
    if (sections <= before) {
        return reserve(table, 0, why); /* a copy may be sparse */
    }
    const size_t bytes = table_file_bytes(&table->header);
    /* Nothing follows what the header names, unless an earlier growth was cut short. */
    if (ftruncate(table->fd, (off_t)bytes)) {
        return state_refuse(why, "%s: cannot grow: %s", table->path, strerror(errno));
    }
    table->header.sections = sections;
    if (!reserve(table, table->map ? bytes : 0, why) || !write_header(table, why)) {
        table->header.sections = before;
        return false;
    }
    return true;
}

static bool fill_header(struct table_header *header, const struct table_config *config,
                        const struct table_span *span, uint32_t number, char *why) {
    memcpy(header->magic, MAGIC, sizeof MAGIC);
    header->version = TABLE_VERSION;
    header->number = number;
    header->definition_len = config->definition_len;
    header->definition_sum = fnv1a64(FNV1A64_BASIS, config->definition, config->definition_len);
    memcpy(header->name, config->name, sizeof header->name);
    memcpy(header->digest, config->digest, sizeof header->digest);
    if (!table_plan(config, span, header, why)) {
        return false;
    }
    if (getrandom(&header->seed, sizeof header->seed, 0) != (ssize_t)sizeof header->seed) {
        return state_refuse(why, "no random numbers for the seed of a hash: %s", strerror(errno));
    }
    return makes_sense(header) ||
           state_refuse(why, "report %.40s: its sizes are beyond what a file can have",
                        config->name);
}

/* A new file is created under another name and renamed when complete. */
static bool make_file(struct table *table, int dir_fd, const char *name, const char *definition,
                      char *why) {
    char temporary[TABLE_PATH_MAX + sizeof TABLE_SUFFIX_TEMPORARY];
    snprintf(temporary, sizeof temporary, "%s" TABLE_SUFFIX_TEMPORARY, name);
    table->fd = openat(dir_fd, temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (table->fd < 0) {
        return state_refuse(why, "%s.new: cannot create: %s", table->path, strerror(errno));
    }
    bool ok = reserve(table, 0, why) && write_header(table, why);
    if (ok && (pwrite(table->fd, definition, table->header.definition_len, TABLE_PAGE) !=
                   (ssize_t)table->header.definition_len ||
               fsync(table->fd) || renameat(dir_fd, temporary, dir_fd, name) || fsync(dir_fd))) {
        ok = state_refuse(why, "%s: cannot make the file: %s", table->path, strerror(errno));
    }
    if (!ok) {
        unlinkat(dir_fd, temporary, 0);
    }
    return ok;
}

static struct table *make_table(const struct table_folder *folder,
                                const struct table_header *header, const char *definition,
                                char *why) {
    char name[TABLE_PATH_MAX], path[TABLE_PATH_MAX];
    snprintf(name, sizeof name, "%s.%s" TABLE_SUFFIX, header->name, header->digest);
    if (snprintf(path, sizeof path, "%s/%s", folder->path, name) >= (int)sizeof path) {
        state_refuse(why, "%.80s...: the state directory's name is too long", folder->path);
        return NULL;
    }
    struct table *table = new_table(path, true, why);
    if (!table) {
        return NULL;
    }
    table->header = *header;
    if (!make_file(table, folder->fd, name, definition, why) || !read_definition(table, why)) {
        table_free(table);
        return NULL;
    }
    return table;
}

struct table *table_make_file(const struct table_folder *folder, const struct table_config *config,
                              const struct table_span *span, uint32_t number, char *why) {
    struct table_header header = {.number = 0};
    return fill_header(&header, config, span, number, why)
               ? make_table(folder, &header, config->definition, why)
               : NULL;
}

struct table *table_make_twin(const struct table_folder *folder, const struct table *table,
                              char *why) {
    return make_table(folder, &table->header, table->definition, why);
}

/* Binds the section of a width; `words` is where the file's first word would be mapped. */
static void bind_section(struct table *table, unsigned worker, unsigned width, unsigned char *base,
                         word *words) {
    const struct table_header *header = &table->header;
    struct table_section *section = table_section(table, worker, width);
    section->table = table;
    section->worker = worker;
    section->width = width;
    section->page = (struct section_page *)(void *)base;
    section->windows = base + TABLE_PAGE;
    section->windows_count = header->windows[width];
    section->entry_words = table_entry_words(header);
    section->fields = header->fields;
    section->state_words = header->state_words;
    section->heads = (word *)(void *)(section->windows + table_windows_bytes(header, width));
    section->heads_mask = header->heads[width] - 1;
    section->arena = section->heads + header->heads[width];
    section->units = header->units[width];
    section->keyed = header->keyed != 0;
    for (unsigned i = 0; i < header->fields; i++) {
        section->limits_fields = section->limits_fields || header->field_max[i] != 0;
    }
    section->keys_max = header->keys_max;
    section->margin = TABLE_MARGIN_US / header->width_us[width];
    section->file =
        (struct undo_file){.base = words, .tag = (uint64_t)header->number << UNDO_FILE_SHIFT};
    for (int i = 0; i < WINDOW_PLACES; i++) {
        section->place[i].window = -1;
    }
    if (load(&section->page->head) == 0 && section->keyed && table->writable) {
        store(&section->page->tail, section->units); /* 0 is not a row's number */
        atomic_signal_fence(memory_order_seq_cst);   /* a kill in between: this is repeated */
        store(&section->page->head, section->units);
    }
    table_bind_lap(section);
}

void table_bind_lap(struct table_section *section) {
    const uint64_t head = load(&section->page->head);
    section->lap = section->units ? head - head % section->units : 0;
}

/* Binds writers [from, to), whose sections are adjacent from `base` on. False when memory runs
 * out. */
static bool bind_writers(struct table *table, uint32_t from, uint32_t to, unsigned char *base,
                         char *why) {
    const struct table_header *header = &table->header;
    const size_t before = table_header_bytes(header) + from * table_writer_bytes(header);
    word *words = (word *)((uintptr_t)base - before);
    const size_t bytes = (size_t)(to - from) * header->widths * sizeof **table->section;
    struct table_section *sections =
        aligned_alloc(LINE_BYTES, (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES);
    if (!sections) {
        return state_refuse(why, "out of memory for %u sections", to - from);
    }
    memset(sections, 0, bytes);
    for (unsigned worker = from; worker < to; worker++) {
        table->section[worker] = sections + (size_t)(worker - from) * header->widths;
        for (unsigned width = 0; width < header->widths; width++) {
            bind_section(table, worker, width, base, words);
            base += table_section_bytes(header, width);
        }
    }
    /* Partner: table_workers. A reader that sees the number sees the sections. */
    atomic_store_explicit(&table->writers, to, memory_order_release);
    return true;
}

bool table_map(struct table *table, const struct undo_map *undo, char *why) {
    const struct table_header *header = &table->header;
    table->undo = undo;
    table->map_bytes = table_file_bytes(header);
    void *map = mmap(NULL, table->map_bytes, table->writable ? PROT_READ | PROT_WRITE : PROT_READ,
                     MAP_SHARED, table->fd, 0);
    if (map == MAP_FAILED) {
        return state_refuse(why, "%s: cannot map %zu bytes: %s", table->path, table->map_bytes,
                            strerror(errno));
    }
    table->map = map;
    table->mapped = header->sections;
    return bind_writers(table, 0, table->mapped, table->map + table_header_bytes(header), why);
}

static bool add_writer(struct table *table, char *why) {
    const struct table_header *header = &table->header;
    const uint32_t before = header->sections;
    const size_t bytes = table_writer_bytes(header), at = table_file_bytes(header);
    if (!table_lengthen(table, before + 1, why)) {
        return false;
    }
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, table->fd, (off_t)at);
    if (map == MAP_FAILED) {
        state_refuse(why, "%s: cannot map %zu bytes: %s", table->path, bytes, strerror(errno));
    } else if (bind_writers(table, before, before + 1, map, why)) {
        return true;
    } else {
        munmap(map, bytes);
    }
    table->header.sections = before; /* the file's is larger; the extra ones are empty */
    return false;
}

bool table_add_writers(struct table *table, uint32_t writers, char *why) {
    bool ok = true;
    while (ok && table->header.sections < writers) {
        ok = add_writer(table, why);
    }
    return ok;
}

bool table_sync(const struct table *table) {
    bool ok = msync(table->map, table->map_bytes, MS_SYNC) == 0;
    const size_t bytes = table_writer_bytes(&table->header);
    const unsigned writers = table_workers(table);
    for (unsigned i = table->mapped; ok && i < writers; i++) {
        ok = msync(table->section[i]->page, bytes, MS_SYNC) == 0;
    }
    return ok;
}

bool table_is_for(const struct table *table, const struct table_config *config,
                  const struct table_span *span, char *why) {
    const struct table_config *made = &table->config;
    const bool same =
        made->widths == config->widths &&
        memcmp(made->width_us, config->width_us, config->widths * sizeof config->width_us[0]) ==
            0 &&
        made->keyed == config->keyed && made->state_words == config->state_words &&
        made->keys_max == config->keys_max && made->fields == config->fields &&
        memcmp(made->field_max, config->field_max, config->fields * sizeof config->field_max[0]) ==
            0 &&
        table->header.horizon_us == span->horizon_us && table->header.future_us == span->future_us;
    return same || state_refuse(why,
                                "%s: was made for other windows, keys or measures, or another "
                                "horizon; use the old definition, or move the file away",
                                table->path);
}

void table_free(struct table *table) {
    if (!table) {
        return;
    }
    for (unsigned i = table->mapped; i < table->writers; i++) {
        munmap(table->section[i]->page, table_writer_bytes(&table->header));
        free(table->section[i]);
    }
    if (table->map) {
        munmap(table->map, table->map_bytes);
    }
    if (table->fd >= 0) {
        close(table->fd);
    }
    free(table->section[0]);
    free(table->definition);
    free(table);
}

struct table_section *table_section(const struct table *table, unsigned worker, unsigned width) {
    return &table->section[worker][width];
}

const struct table_config *table_config(const struct table *table) {
    return &table->config;
}

unsigned table_workers(const struct table *table) {
    return atomic_load_explicit(&table->writers, memory_order_acquire);
}
