/* The file of the undo records, and rolling back what an earlier run left open. */
#include "counters/rows/undo_file.h"

#include "counters/state/fnv.h"
#include "counters/state/header.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[8] = {'a', 'f', 'o', 'r', 'o', 'u', '\n', 0x1a};

_Static_assert(sizeof(struct undo_header) <= UNDO_HEADER_BYTES, "the header is one page");

static uint64_t sum_header(const struct undo_header *header) {
    return fnv1a64(FNV1A64_BASIS, header, offsetof(struct undo_header, checksum));
}

bool undo_write_header(struct undo_map *undo, char *why) {
    undo->header.checksum = sum_header(&undo->header);
    if (pwrite(undo->fd, &undo->header, sizeof undo->header, 0) != (ssize_t)sizeof undo->header) {
        return state_refuse(why, "%s: cannot write: %s", undo->path, strerror(errno));
    }
    return true;
}

static size_t count_bytes(uint32_t records) {
    return UNDO_HEADER_BYTES + (size_t)records * UNDO_BYTES;
}

static bool read_header(struct undo_map *undo, char *why) {
    struct undo_header *header = &undo->header;
    struct stat st;
    if (fstat(undo->fd, &st)) {
        return state_refuse(why, "%s: %s", undo->path, strerror(errno));
    }
    const ssize_t n = S_ISREG(st.st_mode) ? pread(undo->fd, header, sizeof *header, 0) : 0;
    if (n < (ssize_t)sizeof header->magic || memcmp(header->magic, MAGIC, sizeof MAGIC) != 0) {
        return state_refuse(why, "%s: is not a file of undo records of aforo; move it away",
                            undo->path);
    }
    if (n >= 12 && header->version != UNDO_VERSION) {
        return state_refuse(why,
                            "%s: has format version %u, this program writes version %d; start the "
                            "program that made it, or move the folder away",
                            undo->path, header->version, UNDO_VERSION);
    }
    if (n < (ssize_t)sizeof *header || header->checksum != sum_header(header) ||
        header->records < 1 || header->records > UNDO_RECORDS_MOST ||
        !memchr(header->boot, '\0', sizeof header->boot) ||
        st.st_size < (off_t)count_bytes(header->records)) {
        return state_refuse(why,
                            "%s: is damaged or cut short; move it away: rows are then found "
                            "again as after a power loss",
                            undo->path);
    }
    return true;
}

static bool map_file(struct undo_map *undo, int protection, char *why) {
    undo->map_bytes = count_bytes(undo->header.records);
    void *map = mmap(NULL, undo->map_bytes, protection, MAP_SHARED, undo->fd, 0);
    if (map == MAP_FAILED) {
        return state_refuse(why, "%s: cannot map %zu bytes: %s", undo->path, undo->map_bytes,
                            strerror(errno));
    }
    undo->map = map;
    undo->mapped = undo->header.records;
    for (uint32_t i = 0; i < undo->mapped; i++) {
        undo->record[i] = (void *)(undo->map + UNDO_HEADER_BYTES + (size_t)i * UNDO_BYTES);
    }
    atomic_store_explicit(&undo->records, undo->mapped, memory_order_release);
    return true;
}

/* Reserves everything after the first `from` bytes: live records are left alone. */
static bool reserve(const struct undo_map *undo, size_t from, char *why) {
    const size_t bytes = count_bytes(undo->header.records);
    const int error = posix_fallocate(undo->fd, (off_t)from, (off_t)(bytes - from));
    errno = error ? error : errno;
    return error == 0 || state_refuse(why, "%s: cannot reserve %zu bytes: %s; free some space",
                                      undo->path, bytes, strerror(error));
}

static bool make_file(struct undo_map *undo, int dir_fd, uint32_t records, char *why) {
    undo->fresh = true;
    undo->header = (struct undo_header){.version = UNDO_VERSION, .records = records, .clean = 1};
    memcpy(undo->header.magic, MAGIC, sizeof MAGIC);
    undo->fd = openat(dir_fd, UNDO_FILE_NAME ".new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (undo->fd < 0) {
        return state_refuse(why, "%s.new: cannot create: %s", undo->path, strerror(errno));
    }
    bool ok = reserve(undo, 0, why) && undo_write_header(undo, why);
    if (ok && (fsync(undo->fd) || renameat(dir_fd, UNDO_FILE_NAME ".new", dir_fd, UNDO_FILE_NAME) ||
               fsync(dir_fd))) {
        ok = state_refuse(why, "%s: cannot make the file: %s", undo->path, strerror(errno));
    }
    if (!ok) {
        unlinkat(dir_fd, UNDO_FILE_NAME ".new", 0);
    }
    return ok;
}

/* Appends records. Nothing follows what the header names, unless an earlier growth was cut
 * short. */
static bool lengthen(struct undo_map *undo, uint32_t records, char *why) {
    const uint32_t before = undo->header.records;
    if (ftruncate(undo->fd, (off_t)count_bytes(before))) {
        return state_refuse(why, "%s: cannot grow: %s", undo->path, strerror(errno));
    }
    undo->header.records = records;
    if (!reserve(undo, count_bytes(before), why) || !undo_write_header(undo, why)) {
        undo->header.records = before;
        return false;
    }
    return true;
}

bool undo_add_record(struct undo_map *undo, uint64_t sequence, char *why) {
    const uint32_t before = undo->header.records;
    if (before >= UNDO_RECORDS_MOST) {
        errno = EMFILE;
        return state_refuse(why, "%s: has %u records, as many as there can be", undo->path, before);
    }
    if (!lengthen(undo, before + 1, why)) {
        return false;
    }
    void *map = mmap(NULL, UNDO_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, undo->fd,
                     (off_t)count_bytes(before));
    if (map == MAP_FAILED) {
        undo->header.records = before; /* the file's is larger; that record is empty */
        return state_refuse(why, "%s: cannot map %d bytes: %s", undo->path, UNDO_BYTES,
                            strerror(errno));
    }
    undo->record[before] = map;
    atomic_store_explicit(&undo->record[before]->state, 2 * sequence, memory_order_relaxed);
    /* Partner: undo_committed. A reader that sees the number sees the record. */
    atomic_store_explicit(&undo->records, before + 1, memory_order_release);
    return true;
}

bool undo_sync(const struct undo_map *undo) {
    bool ok = msync(undo->map, undo->map_bytes, MS_SYNC) == 0;
    const uint32_t records = atomic_load_explicit(&undo->records, memory_order_acquire);
    for (uint32_t i = undo->mapped; ok && i < records; i++) {
        ok = msync(undo->record[i], UNDO_BYTES, MS_SYNC) == 0;
    }
    return ok;
}

bool undo_open_file(struct undo_map *undo, int dir_fd, const char *dir, uint32_t records,
                    char *why) {
    snprintf(undo->path, sizeof undo->path, "%s/" UNDO_FILE_NAME, dir);
    undo->fd = openat(dir_fd, UNDO_FILE_NAME, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (undo->fd < 0 && errno != ENOENT) {
        return state_refuse(why, "%s: cannot open: %s", undo->path, strerror(errno));
    }
    if (undo->fd < 0 ? !make_file(undo, dir_fd, records, why)
                     : !read_header(undo, why) || !reserve(undo, 0, why)) {
        return false;
    }
    return (undo->header.records >= records || lengthen(undo, records, why)) &&
           map_file(undo, PROT_READ | PROT_WRITE, why);
}

bool undo_open_file_readonly(struct undo_map *undo, int dir_fd, const char *dir, char *why) {
    snprintf(undo->path, sizeof undo->path, "%s/" UNDO_FILE_NAME, dir);
    undo->fd = openat(dir_fd, UNDO_FILE_NAME, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (undo->fd < 0) {
        return state_refuse(why, "%s: cannot open: %s", undo->path, strerror(errno));
    }
    return read_header(undo, why) && map_file(undo, PROT_READ, why);
}

void undo_close_file(struct undo_map *undo) {
    for (uint32_t i = undo->mapped; i < undo->records; i++) {
        munmap(undo->record[i], UNDO_BYTES);
    }
    if (undo->map) {
        munmap(undo->map, undo->map_bytes);
    }
    undo->mapped = 0;
    undo->records = 0;
    if (undo->fd >= 0) {
        close(undo->fd);
    }
    undo->map = NULL;
    undo->fd = -1;
}

bool undo_roll_back(struct undo_record *record, const struct undo_places *places) {
    const uint64_t state = atomic_load_explicit(&record->state, memory_order_relaxed);
    if (state % 2 == 0) {
        return false;
    }
    const uint64_t entries = atomic_load_explicit(&record->entries, memory_order_relaxed);
    for (uint64_t i = entries < UNDO_ENTRIES_MAX ? entries : UNDO_ENTRIES_MAX; i-- > 0;) {
        const struct undo_entry *entry = &record->entry[i];
        const uint64_t where = atomic_load_explicit(&entry->where, memory_order_relaxed);
        const uint64_t index = where & ((UINT64_C(1) << UNDO_FILE_SHIFT) - 1);
        uint64_t words = 0;
        word *base = places->find(places->cls, where >> UNDO_FILE_SHIFT, &words);
        if (base && index < words) { /* else: of a file that was deleted */
            atomic_store_explicit(&base[index],
                                  atomic_load_explicit(&entry->old, memory_order_relaxed),
                                  memory_order_relaxed);
        }
    }
    atomic_signal_fence(memory_order_seq_cst); /* a kill here: this is repeated */
    /* The previous commit has all its counts, because this transaction began after them. */
    atomic_store_explicit(&record->count, 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&record->state, state / 2 * 2, memory_order_relaxed);
    return true;
}
