/* Copies the folder of tables, even while a server counts in it.
 *
 * A plain copy would contain rows in the middle of an event. Here each row is read by the readers'
 * protocol and counted again in an empty file of the same geometry. So the copy has its own chains
 * and needs no repair. */
#include "counters/rows/table_file.h"
#include "counters/rows/tables.h"
#include "counters/state/header.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a row goes. */
struct target {
    struct table_section *section;
    struct undo undo;
    int64_t window;
    bool full;
};

/* Splits a key into values, which the limits of `by` fields apply to. */
static struct table_key split_key(const struct table_section *section,
                                  const struct table_copy *copy) {
    struct table_key key = {.bytes = copy->key,
                            .len = copy->key_len,
                            .hash = table_hash(section->table, copy->key, copy->key_len)};
    size_t at = 0;
    while (key.fields < section->fields && at <= key.len) {
        const char *end = memchr(copy->key + at, TABLE_KEY_SEPARATOR, key.len - at);
        const size_t len = end ? (size_t)(end - copy->key) - at : key.len - at;
        key.at[key.fields] = (uint16_t)at;
        key.field_len[key.fields++] = (uint16_t)len;
        at += len + 1;
    }
    return key;
}

static bool take_row(void *cls, const struct table_copy *copy) {
    struct target *target = cls;
    struct table_section *section = target->section;
    const struct table_key key = copy->key ? split_key(section, copy) : (struct table_key){0};
    const struct table_touch touch = {target->window, copy->key ? &key : NULL, copy->state[0]};
    struct table_row row;
    undo_begin_owner(&target->undo);
    target->full = !table_touch_events_owner(section, &target->undo, &touch, &row) || row.other;
    for (size_t i = 0; !target->full && i < section->state_words; i++) {
        atomic_store_explicit(&row.state[i], copy->state[i], memory_order_relaxed);
    }
    undo_commit_owner(&target->undo, &(const struct undo_count){0, 0, 0});
    return !target->full;
}

/* How often there was no room is copied, too. */
static void copy_statistics(const struct section_page *from, struct section_page *to) {
    atomic_store(&to->other, atomic_load(&from->other));
    atomic_store(&to->wanted, estimate_keys_wanted(from));
}

static bool copy_section(const struct table_section *from, struct table_section *to) {
    const struct undo_map *undo = to->table->undo;
    struct undo_record *record = undo_record_at(undo, to->worker);
    struct target target = {
        .section = to, .undo = {.record = record, .sequence = atomic_load(&record->state) / 2}};
    const struct table_taker taker = {take_row, &target};
    const int64_t oldest = (int64_t)atomic_load(&from->page->oldest),
                  newest = (int64_t)atomic_load(&from->page->newest);
    const int64_t most = (int64_t)from->windows_count;
    int64_t window = newest - most + 1 > oldest ? newest - most + 1 : oldest;
    bool ok = true;
    for (; ok && newest != TABLE_WINDOW_NONE && window <= newest; window++) {
        target.window = window;
        ok = table_read_section(from, window, &taker);
    }
    copy_statistics(from->page, to->page);
    return ok;
}

static bool copy_table(const struct table *from, const struct table_folder *folder,
                       const struct undo_map *undo, char *why) {
    struct table *to = table_make_twin(folder, from, why);
    bool ok = to && table_map(to, undo, why);
    for (unsigned i = 0; ok && i < from->header.sections * from->header.widths; i++) {
        ok = copy_section(table_section_at(from, i), table_section_at(to, i)) ||
             state_refuse(why, "%s: its rows cannot be read, or find no room in the copy",
                          from->path);
    }
    ok = ok && table_verify(to, why) &&
         (msync(to->map, to->map_bytes, MS_SYNC) == 0 ||
          state_refuse(why, "%s: cannot write: %s", to->path, strerror(errno)));
    table_free(to);
    return ok;
}

static bool copy_all(const struct tables *from, int dir_fd, const char *dir, char *why) {
    struct undo_map undo = {.fd = -1};
    uint32_t records = 1;
    for (size_t i = 0; i < tables_count(from); i++) {
        const unsigned workers = table_workers(tables_at(from, i));
        records = workers > records ? workers : records;
    }
    bool ok = undo_open_file(&undo, dir_fd, dir, records, why);
    for (size_t i = 0; ok && i < tables_count(from); i++) {
        ok = copy_table(tables_at(from, i), &(const struct table_folder){dir_fd, dir}, &undo, why);
    }
    if (ok) {
        state_read_boot_id(undo.header.boot);
        undo.header.clean = 1;
        ok = (msync(undo.map, undo.map_bytes, MS_SYNC) == 0 && undo_write_header(&undo, why) &&
              fsync(undo.fd) == 0 && fsync(dir_fd) == 0) ||
             state_refuse(why, "%s: cannot write: %s", dir, strerror(errno));
    }
    undo_close_file(&undo);
    return ok;
}

/* ---- the files of a server that is itself a copy, beside its tables ---- */

static bool copy_bytes(int from, int to) {
    char bytes[65536];
    ssize_t n;
    while ((n = read(from, bytes, sizeof bytes)) > 0) {
        if (write(to, bytes, (size_t)n) != n) {
            return false;
        }
    }
    return n == 0 && fsync(to) == 0;
}

static bool copy_file(int from_fd, int to_fd, const char *name, char *why) {
    const int from = openat(from_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    const int to =
        from >= 0 ? openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640) : -1;
    const bool ok = to >= 0 && copy_bytes(from, to);
    const int error = errno;
    if (from >= 0) {
        close(from);
    }
    if (to >= 0) {
        close(to);
    }
    return ok || (from < 0 && error == ENOENT) || /* removed meanwhile */
           state_refuse(why, "%.200s: cannot be copied: %s", name, strerror(error));
}

/* NAME.others-NODE: what another server reports of the same rows. As with others-NODE.aforo of the
 * dense windows, a server started on the copy subtracts it from what it sends. */
static bool copy_others(const char *from, int to_fd, char *why) {
    char path[TABLE_PATH_MAX];
    snprintf(path, sizeof path, "%s/" TABLES_FOLDER, from);
    DIR *dir = opendir(path);
    if (!dir) {
        return state_refuse(why, "%s: cannot read: %s", path, strerror(errno));
    }
    bool ok = true;
    const struct dirent *entry;
    /* cppcheck-suppress readdirCalled ; nobody else has this one */
    while (ok && (entry = readdir(dir)) != NULL) {
        const size_t len = strlen(entry->d_name);
        const bool unfinished = len > 4 && strcmp(entry->d_name + len - 4, ".new") == 0;
        if (strstr(entry->d_name, ".others-") && !unfinished) {
            ok = copy_file(dirfd(dir), to_fd, entry->d_name, why);
        }
    }
    closedir(dir);
    return ok;
}

/* Fills the folder under another name first, so that an incomplete one is never taken for the
 * copy. */
static bool fill_folder(const struct tables *tables, const char *from, const char *dir, char *why) {
    char temporary[TABLE_PATH_MAX + 8];
    snprintf(temporary, sizeof temporary, "%s.new", dir);
    if (access(dir, F_OK) == 0) {
        return state_refuse(why, "%s: is there already; choose another directory for the copy",
                            dir);
    }
    if (mkdir(temporary, 0750)) {
        return state_refuse(why, "%s: cannot make the folder: %s%s", temporary, strerror(errno),
                            errno == EEXIST ? "; it is of a copy that failed: remove it" : "");
    }
    const int dir_fd = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        return state_refuse(why, "%s: cannot open: %s", temporary, strerror(errno));
    }
    const bool ok = copy_others(from, dir_fd, why) && copy_all(tables, dir_fd, temporary, why) &&
                    (rename(temporary, dir) == 0 ||
                     state_refuse(why, "%s: cannot name the folder: %s", dir, strerror(errno)));
    close(dir_fd);
    return ok;
}

bool tables_backup(const char *from, const char *to, char *why) {
    bool none;
    struct tables *tables = tables_open_readonly(from, &none, why);
    if (!tables) {
        return none;
    }
    char dir[TABLE_PATH_MAX];
    const int n = snprintf(dir, sizeof dir, "%s/" TABLES_FOLDER, to);
    const bool ok = ((n > 0 && n < (int)sizeof dir) ||
                     state_refuse(why, "%.80s...: the directory's name is too long", to)) &&
                    fill_folder(tables, from, dir, why);
    tables_close(tables);
    return ok;
}
