/* The folder reports/: opens its files, repairs what a crash left half done, and makes new
 * tables. */
#include "counters/rows/tables_internal.h"
#include "counters/state/header.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* After a power loss the undo records may be older than rows: skip this many sequences. */
#define SEQUENCE_GAP (UINT64_C(1) << 20)

static struct tables *new_tables(const char *dir, bool writable, char *why) {
    struct tables *tables = calloc(1, sizeof *tables);
    if (!tables) {
        state_refuse(why, "out of memory");
        return NULL;
    }
    tables->dir_fd = tables->undo.fd = -1;
    tables->writable = writable;
    if (snprintf(tables->dir, sizeof tables->dir, "%s/" TABLES_FOLDER, dir) >=
        (int)sizeof tables->dir) {
        state_refuse(why, "%.80s...: the state directory's name is too long", dir);
        free(tables);
        return NULL;
    }
    pthread_mutex_init(&tables->mutex, NULL);
    return tables;
}

static void free_tables(struct tables *tables) {
    for (size_t i = 0; i < tables->count; i++) {
        table_free(tables->table[i]);
    }
    undo_close_file(&tables->undo);
    if (tables->dir_fd >= 0) {
        close(tables->dir_fd);
    }
    pthread_mutex_destroy(&tables->mutex);
    free(tables->hold);
    free(tables->writer);
    free(tables->past);
    free(tables);
}

/* ---- the files there are ---- */

static bool ends_with(const char *name, const char *suffix) {
    const size_t n = strlen(name), m = strlen(suffix);
    return n > m && strcmp(name + n - m, suffix) == 0;
}

/* If two files had the same number, undo would change the wrong one. */
static bool has_own_number(const struct tables *tables, const struct table *table, char *why) {
    for (size_t i = 0; i < tables->count; i++) {
        if (tables->table[i]->header.number == table->header.number) {
            return state_refuse(why, "%s: has the number of %s; move one of them away", table->path,
                                tables->table[i]->path);
        }
    }
    return true;
}

static bool open_table(struct tables *tables, const char *name, char *why) {
    char path[TABLE_PATH_MAX + 256];
    snprintf(path, sizeof path, "%s/%s", tables->dir, name);
    if (tables->count >= TABLES_MAX) {
        return state_refuse(why, "%s: more than %d files of rows; remove some", tables->dir,
                            TABLES_MAX);
    }
    struct table *table = table_open_file(tables->dir_fd, name, path, tables->writable, why);
    const bool ok = table && has_own_number(tables, table, why) &&
                    (!tables->writable || table_lengthen(table, tables->span.workers + 1, why)) &&
                    table_map(table, &tables->undo, why);
    if (!ok) {
        table_free(table);
        return false;
    }
    tables->table[tables->count] = table;
    atomic_store_explicit(&tables->count, tables->count + 1, memory_order_release);
    return true;
}

static bool open_all(struct tables *tables, char *why) {
    const int fd = openat(tables->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0) {
            close(fd);
        }
        return state_refuse(why, "%s: cannot read: %s", tables->dir, strerror(errno));
    }
    bool ok = true;
    const struct dirent *entry;
    /* cppcheck-suppress readdirCalled ; nobody else has this one */
    while (ok && (entry = readdir(dir)) != NULL) {
        if (ends_with(entry->d_name, TABLE_SUFFIX TABLE_SUFFIX_TEMPORARY) && tables->writable) {
            unlinkat(tables->dir_fd, entry->d_name, 0); /* never completed */
        } else if (ends_with(entry->d_name, TABLE_SUFFIX) &&
                   strcmp(entry->d_name, UNDO_FILE_NAME) != 0) {
            ok = open_table(tables, entry->d_name, why);
        }
    }
    closedir(dir);
    return ok;
}

/* ---- what a crash left half done ---- */

static word *find_words(void *cls, uint64_t number, uint64_t *words) {
    const struct tables *tables = cls;
    for (size_t i = 0; i < tables->count; i++) {
        const struct table *table = tables->table[i];
        if (table->header.number == number) {
            *words = table->map_bytes / sizeof(word);
            return (word *)(void *)table->map;
        }
    }
    return NULL;
}

/* Rolls back what is open, and counts what was committed but is not in the dense rings yet. */
static void recover_killed(struct tables *tables, struct counters *counters, uint64_t *repaired) {
    const struct undo_places places = {find_words, tables};
    for (uint32_t i = 0; i < tables->undo.header.records; i++) {
        struct undo_record *record = undo_record_at(&tables->undo, i);
        if (undo_roll_back(record, &places)) {
            ++*repaired;
            continue;
        }
        const uint64_t shard = atomic_load(&record->shard), count = atomic_load(&record->count);
        const uint64_t window = atomic_load(&record->window);
        if (count > 0 && shard < counters->shards && window < INT64_MAX / US_PER_S) {
            *repaired += shard_complete(&counters->shard[shard], (int64_t)window, count);
        }
    }
    for (size_t i = 0; i < tables->count; i++) {
        table_settle(tables->table[i]);
    }
}

static void recover_torn(struct tables *tables, uint64_t *repaired) {
    for (size_t i = 0; i < tables->count; i++) {
        table_rebuild(tables->table[i], repaired);
    }
    for (uint32_t worker = 0; worker < tables->undo.header.records; worker++) {
        struct undo_record *record = undo_record_at(&tables->undo, worker);
        uint64_t newest = atomic_load(&record->state) / 2;
        for (size_t i = 0; i < tables->count; i++) {
            const uint64_t touched = table_find_newest_touched(tables->table[i], worker);
            newest = touched > newest ? touched : newest;
        }
        newest = newest < UINT64_MAX / 4 ? newest : 0; /* torn */
        atomic_store(&record->count, 0);
        atomic_store(&record->state, (newest + SEQUENCE_GAP) * 2);
    }
}

bool tables_sync(struct tables *tables) {
    bool ok = undo_sync(&tables->undo);
    const size_t count = atomic_load_explicit(&tables->count, memory_order_acquire);
    for (size_t i = 0; ok && i < count; i++) {
        const struct table *table = tables->table[i];
        ok = atomic_load(&table->removed) || table_sync(table);
    }
    return ok;
}

/* A file that was modified is refused, not guessed at. */
static bool verify_all(const struct tables *tables, char *why) {
    char what[COUNTERS_WHY_MAX];
    for (size_t i = 0; i < tables->count; i++) {
        if (!table_verify(tables->table[i], what)) {
            return state_refuse(
                why, "%.400s; move the file away (what was flushed is still in Redis)", what);
        }
    }
    return true;
}

static bool recover(struct tables *tables, struct counters *counters, uint64_t *repaired,
                    char *why) {
    struct undo_header *header = &tables->undo.header;
    char boot[BOOT_ID_MAX];
    state_read_boot_id(boot);
    if (tables->undo.fresh || (!header->clean && strcmp(boot, header->boot) != 0)) {
        recover_torn(tables, repaired);
    } else if (!header->clean) {
        recover_killed(tables, counters, repaired);
    }
    if (!verify_all(tables, why)) {
        return false;
    }
    /* Repairs reach the disk before the header calls the files sound for this boot. */
    if (!header->clean && (!counters_sync(counters) || !tables_sync(tables))) {
        return state_refuse(why, "%s: cannot write: %s", tables->dir, strerror(errno));
    }
    memcpy(header->boot, boot, sizeof boot);
    header->clean = 0;
    return undo_write_header(&tables->undo, why);
}

/* ---- opening and closing ---- */

static bool make_workers(struct tables *tables, char *why) {
    tables->hold = calloc(tables->span.workers + 1, sizeof *tables->hold);
    tables->writer =
        aligned_alloc(_Alignof(struct writer_undo), TABLE_WRITERS_MOST * sizeof *tables->writer);
    tables->past = calloc(TABLE_WRITERS_MOST, sizeof *tables->past);
    if (!tables->hold || !tables->writer || !tables->past) {
        return state_refuse(why, "out of memory for %u workers", tables->span.workers);
    }
    memset(tables->writer, 0, TABLE_WRITERS_MOST * sizeof *tables->writer);
    for (unsigned i = 0; i < tables->undo.header.records; i++) {
        struct undo_record *record = undo_record_at(&tables->undo, i);
        tables->writer[i].undo =
            (struct undo){.record = record, .sequence = atomic_load(&record->state) / 2};
        atomic_store(&record->count, 0); /* its commits are complete */
    }
    for (unsigned i = 0; i <= tables->span.workers; i++) {
        atomic_store(&tables->hold[i].writer, i);
        tables->held[i] = true;
    }
    return true;
}

/* Opens the folder itself; *none is set when there is none. */
static bool open_folder(struct tables *tables, int parent_fd, bool *none, char *why) {
    tables->dir_fd = openat(parent_fd, TABLES_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *none = tables->dir_fd < 0 && errno == ENOENT;
    return tables->dir_fd >= 0 ||
           (!*none && state_refuse(why, "%s: cannot open: %s", tables->dir, strerror(errno)));
}

struct tables *tables_open(struct counters *counters, unsigned workers, bool make, bool *none,
                           uint64_t *repaired, char *why) {
    char dir[sizeof counters->path];
    bool missing = false;
    uint64_t mended = 0;
    snprintf(dir, sizeof dir, "%.*s", (int)(strlen(counters->path) - strlen("/" STATE_FILE_NAME)),
             counters->path);
    struct tables *tables = new_tables(dir, true, why);
    if (none) {
        *none = false;
    }
    if (!tables) {
        return NULL;
    }
    tables->span =
        (struct table_span){workers, counters->header.horizon_us, counters->header.future_us};
    bool ok = !make || mkdirat(counters->dir_fd, TABLES_FOLDER, 0750) == 0 || errno == EEXIST ||
              state_refuse(why, "%s: cannot make the folder: %s", tables->dir, strerror(errno));
    ok = ok && open_folder(tables, counters->dir_fd, &missing, why) &&
         undo_open_file(&tables->undo, tables->dir_fd, tables->dir, workers + 1, why) &&
         open_all(tables, why) && recover(tables, counters, &mended, why) &&
         make_workers(tables, why);
    if (!ok) {
        free_tables(tables);
        if (missing && none) {
            *none = true;
        } else if (missing) {
            state_refuse(why, "%s/" TABLES_FOLDER ": there is no such folder", dir);
        }
        return NULL;
    }
    if (repaired) {
        *repaired += mended;
    }
    return tables;
}

struct tables *tables_open_readonly(const char *dir, bool *none, char *why) {
    struct tables *tables = new_tables(dir, false, why);
    *none = false;
    if (!tables) {
        return NULL;
    }
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 || state_refuse(why, "%s: cannot open: %s", dir, strerror(errno));
    ok = ok && open_folder(tables, fd, none, why) &&
         undo_open_file_readonly(&tables->undo, tables->dir_fd, tables->dir, why) &&
         open_all(tables, why);
    if (fd >= 0) {
        close(fd);
    }
    if (!ok) {
        free_tables(tables);
        return NULL;
    }
    return tables;
}

static bool has_open_transaction(const struct tables *tables) {
    bool open = false;
    for (uint32_t i = 0; i < tables->undo.header.records; i++) {
        open = open || atomic_load(&undo_record_at(&tables->undo, i)->state) % 2 == 1;
    }
    return open;
}

void tables_close(struct tables *tables) {
    char why[COUNTERS_WHY_MAX];
    if (!tables) {
        return;
    }
    if (tables->writable && !has_open_transaction(tables) && tables_sync(tables)) {
        tables->undo.header.clean = 1;
        /* on failure the next start recovers as after a crash: nothing is lost */
        undo_write_header(&tables->undo, why);
        fsync(tables->undo.fd);
    }
    free_tables(tables);
}

/* ---- tables ---- */

static uint32_t find_free_number(const struct tables *tables) {
    uint64_t words;
    uint32_t number = 1;
    while (find_words((void *)(uintptr_t)tables, number, &words)) {
        number++;
    }
    return number;
}

static struct table *find_table(const struct tables *tables, const struct table_config *config) {
    for (size_t i = 0; i < tables->count; i++) {
        struct table *table = tables->table[i];
        if (!table_is_removed(table) && strcmp(table->config.name, config->name) == 0 &&
            strcmp(table->config.digest, config->digest) == 0) {
            return table;
        }
    }
    return NULL;
}

static struct table *make_table(const struct tables *tables, const struct table_config *config,
                                char *why) {
    if (tables->count >= TABLES_MAX) {
        state_refuse(why, "%s: more than %d files of rows; restart the server", tables->dir,
                     TABLES_MAX);
        return NULL;
    }
    struct table *table = table_make_file(&(const struct table_folder){tables->dir_fd, tables->dir},
                                          config, &tables->span, find_free_number(tables), why);
    if (!table || !table_map(table, &tables->undo, why)) {
        table_free(table);
        return NULL;
    }
    return table;
}

/* Adds sections for each writer that a worker is, and lets workers count in the table. With the
 * mutex. */
static bool admit_workers(struct tables *tables, struct table *table, char *why) {
    unsigned writers = tables->span.workers + 1;
    for (unsigned i = 1; i <= tables->span.workers; i++) {
        const unsigned writer = tables_writer(tables, i);
        writers = writer >= writers ? writer + 1 : writers;
    }
    if (!table_add_writers(table, writers, why)) {
        return false;
    }
    if (!table->asked_for) {
        table->asked_for = true;
        atomic_fetch_add_explicit(&tables->asked, 1, memory_order_release);
    }
    return true;
}

struct table *tables_get(struct tables *tables, const struct table_config *config, char *why) {
    struct table *table = find_table(tables, config);
    const bool is_new = !table;
    if (table && !table_is_for(table, config, &tables->span, why)) {
        return NULL;
    }
    table = table ? table : make_table(tables, config, why); /* workers do not wait for that */
    if (!table) {
        return NULL;
    }
    pthread_mutex_lock(&tables->mutex);
    const bool ok = admit_workers(tables, table, why);
    if (is_new) {
        tables->table[tables->count] = table;
        /* Partner: tables_count. A reader that sees the number sees the table. */
        atomic_store_explicit(&tables->count, tables->count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&tables->mutex);
    return ok ? table : NULL;
}

bool table_is_removed(const struct table *table) {
    return atomic_load_explicit(&table->removed, memory_order_acquire);
}

bool tables_remove(struct tables *tables, struct table *table, int64_t now_us) {
    for (unsigned i = 0; i < table->header.widths; i++) {
        int64_t oldest, newest;
        if (table_span_windows(table, i, &oldest, &newest) &&
            (newest + 1) * table->header.width_us[i] >=
                now_us - table->header.horizon_us - TABLE_MARGIN_US) {
            return false;
        }
    }
    char name[TABLE_PATH_MAX];
    snprintf(name, sizeof name, "%s.%s" TABLE_SUFFIX, table->config.name, table->config.digest);
    if (table_is_removed(table) || (unlinkat(tables->dir_fd, name, 0) && errno != ENOENT)) {
        return table_is_removed(table);
    }
    fsync(tables->dir_fd);
    atomic_store_explicit(&table->removed, true, memory_order_release);
    return true;
}

size_t tables_count(const struct tables *tables) {
    return atomic_load_explicit(&tables->count, memory_order_acquire);
}

struct table *tables_at(const struct tables *tables, size_t i) {
    return tables->table[i];
}

int tables_dir(const struct tables *tables) {
    return tables->dir_fd;
}

struct undo *tables_undo(struct tables *tables, unsigned writer) {
    return &tables->writer[writer].undo;
}
