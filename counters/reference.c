#define _GNU_SOURCE /* statx */
/* The file:  magic, version, which, kin, inode, birth, node; then a record a chunk: resolution + 1
 * (1 byte), chunk (8), and each slot's count as a LEB128 number; a 0 byte; an FNV-1a sum of all
 * before. Made under another name and renamed when whole. */
#include "counters/reference.h"

#include "counters/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REFERENCE_VERSION 1
#define RECORD_MAX (1 + 8 + SLOTS_MAX * 10)

static const char MAGIC[8] = {'a', 'f', 'o', 'r', 'e', 'f', '\n', 0x1a};
#define NAME_MAX_BYTES (COUNTERS_NODE_MAX + 24)

struct reference_header {
    char magic[8];
    uint32_t version;
    uint32_t which;
    uint64_t kin; /* enum reference_kin */
    uint64_t inode;
    int64_t birth_ns; /* 0 where the file system does not know */
    char node[COUNTERS_NODE_MAX];
};

/* The file's name: what others report is a file for each name that this node has had, so that a
 * crash while it takes a new one leaves the old one's as it was. */
static const char *name_of(enum reference which, const char *node, char name[NAME_MAX_BYTES]) {
    snprintf(name, NAME_MAX_BYTES, which == REFERENCE_OPENED ? "opened.aforo" : "others-%s.aforo",
             node);
    return name;
}

/* The path of a reference, for messages. */
static const char *path_of(const struct counters *counters, enum reference which, char path[400]) {
    char name[NAME_MAX_BYTES];
    const char *slash = strrchr(counters->path, '/');
    snprintf(path, 400, "%.*s/%s", slash ? (int)(slash - counters->path) : 0, counters->path,
             name_of(which, counters->header.node, name));
    return path;
}

static bool identify(const struct counters *counters, struct reference_header *header) {
    struct statx about;
    if (statx(counters->fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &about)) {
        return false;
    }
    header->inode = about.stx_ino;
    header->birth_ns = about.stx_mask & STATX_BTIME
                           ? about.stx_btime.tv_sec * INT64_C(1000000000) + about.stx_btime.tv_nsec
                           : 0;
    return true;
}

/* ---- writing ---- */

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)

static uint64_t fnv(uint64_t hash, const unsigned char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static size_t put_record(enum resolution r, int64_t chunk, const uint64_t *count,
                         unsigned char *buf) {
    size_t n = 0;
    buf[n++] = (unsigned char)(r + 1);
    memcpy(buf + n, &chunk, sizeof chunk);
    n += sizeof chunk;
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
        uint64_t rest = count[slot];
        for (; rest >= 0x80; rest >>= 7) {
            buf[n++] = (unsigned char)(rest | 0x80);
        }
        buf[n++] = (unsigned char)rest;
    }
    return n;
}

static bool put(FILE *file, uint64_t *sum, const void *bytes, size_t n) {
    *sum = fnv(*sum, bytes, n);
    return fwrite(bytes, 1, n, file) == n;
}

static bool write_all(FILE *file, const struct reference_header *header, reference_next *next,
                      void *cls) {
    uint64_t sum = FNV_BASIS, count[SLOTS_MAX];
    bool ok = put(file, &sum, header, sizeof *header);
    enum resolution r;
    int64_t chunk;
    while (ok && next(cls, &r, &chunk, count)) {
        unsigned char record[RECORD_MAX];
        ok = put(file, &sum, record, put_record(r, chunk, count, record));
    }
    ok = ok && put(file, &sum, "", 1);
    return ok && fwrite(&sum, sizeof sum, 1, file) == 1 && fflush(file) == 0 &&
           fsync(fileno(file)) == 0;
}

static bool write_reference(const struct counters *counters, const struct reference_header *header,
                            reference_next *next, void *cls, char *why) {
    char path[400], name[NAME_MAX_BYTES], temporary[NAME_MAX_BYTES + 4];
    const enum reference which = (enum reference)header->which;
    snprintf(temporary, sizeof temporary, "%s.new", name_of(which, header->node, name));
    const int fd = openat(counters->dir_fd, temporary,
                          O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool ok = file && write_all(file, header, next, cls);
    const int error = errno;
    if (file) {
        ok = fclose(file) == 0 && ok;
    } else if (fd >= 0) {
        close(fd);
    }
    if (!ok) {
        unlinkat(counters->dir_fd, temporary, 0);
        return state_refuse(
            why, "%s: cannot write: %s; the state directory must be writable, and have room",
            path_of(counters, which, path), strerror(error));
    }
    if (renameat(counters->dir_fd, temporary, counters->dir_fd, name) || fsync(counters->dir_fd)) {
        return state_refuse(why, "%s: cannot make the file: %s", path_of(counters, which, path),
                            strerror(errno));
    }
    return true;
}

/* ---- reading ---- */

/* A record -> its numbers; how many bytes it was, 0 when it is none. */
static size_t get_record(const unsigned char *bytes, size_t n, enum resolution *r, int64_t *chunk,
                         uint64_t *count) {
    size_t at = 9;
    if (n < at || bytes[0] < 1 || bytes[0] > RESOLUTIONS) {
        return 0;
    }
    *r = (enum resolution)(bytes[0] - 1);
    memcpy(chunk, bytes + 1, sizeof *chunk);
    for (uint32_t slot = 0; slot < resolution_table[*r].slots; slot++) {
        count[slot] = 0;
        for (unsigned shift = 0;; shift += 7) {
            if (at == n || shift > 63) {
                return 0;
            }
            count[slot] |= (uint64_t)(bytes[at] & 0x7f) << shift;
            if (!(bytes[at++] & 0x80)) {
                break;
            }
        }
    }
    int64_t end_us;
    return *chunk >= 0 && *chunk < INT64_MAX &&
                   !__builtin_mul_overflow(*chunk + 1, chunk_width_us(*r), &end_us)
               ? at
               : 0;
}

static bool read_records(const unsigned char *bytes, size_t n, reference_each *each, void *cls) {
    size_t at = sizeof(struct reference_header);
    while (at < n && bytes[at]) {
        enum resolution r;
        int64_t chunk;
        uint64_t count[SLOTS_MAX] = {0};
        const size_t len = get_record(bytes + at, n - at, &r, &chunk, count);
        if (!len) {
            return false;
        }
        if (each) {
            each(cls, r, chunk, count);
        }
        at += len;
    }
    return at + 1 == n;
}

/* The whole file; NULL, errno set (0: it is too short, or changed meanwhile). */
static unsigned char *load(const struct counters *counters, enum reference which, size_t *n) {
    char path[400], name[NAME_MAX_BYTES];
    name_of(which, counters->header.node, name);
    const int fd = counters->dir_fd < 0
                       ? open(path_of(counters, which, path), O_RDONLY | O_NONBLOCK | O_CLOEXEC)
                       : openat(counters->dir_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat about;
    if (fd < 0) {
        return NULL;
    }
    errno = 0;
    unsigned char *bytes = NULL;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) &&
        about.st_size >= (off_t)(sizeof(struct reference_header) + 1 + sizeof(uint64_t))) {
        *n = (size_t)about.st_size;
        bytes = calloc(1, *n);
        size_t have = 0;
        for (ssize_t got = 1; bytes && have < *n && got > 0; have += got > 0 ? (size_t)got : 0) {
            got = read(fd, bytes + have, *n - have);
        }
        if (bytes && have != *n) {
            free(bytes);
            bytes = NULL;
        }
    }
    const int error = errno;
    close(fd);
    errno = error;
    return bytes;
}

/* Loads and checks. *header is zeroed when there is no such file. */
static bool read_reference(const struct counters *counters, enum reference which,
                           struct reference_header *header, reference_each *each, void *cls,
                           char *why) {
    char path[400];
    size_t n = 0;
    memset(header, 0, sizeof *header);
    unsigned char *bytes = load(counters, which, &n);
    if (!bytes && errno == ENOENT) {
        return true;
    }
    uint64_t sum = 0;
    bool ok = bytes != NULL;
    if (ok) {
        memcpy(header, bytes, sizeof *header);
        memcpy(&sum, bytes + n - sizeof sum, sizeof sum);
        ok = memcmp(header->magic, MAGIC, sizeof MAGIC) == 0 &&
             header->version == REFERENCE_VERSION && header->which == which &&
             header->kin <= REFERENCE_INHERITED &&
             memchr(header->node, '\0', sizeof header->node) &&
             fnv(FNV_BASIS, bytes, n - sizeof sum) == sum &&
             read_records(bytes, n - sizeof sum, each, cls);
    }
    free(bytes);
    return ok || state_refuse(why,
                              "%s: cannot be read, or is damaged, or of another version: it says "
                              "which of the counts in the state file Redis may have already; move "
                              "it away to go on without (some may then be missing in Redis)",
                              path_of(counters, which, path));
}

/* ---- the library's calls ---- */

bool counters_reference(const struct counters *counters, enum reference which, reference_each *each,
                        void *cls, enum reference_kin *kin, char *why) {
    struct reference_header header;
    if (!read_reference(counters, which, &header, NULL, NULL, why)) {
        return false;
    }
    const bool counts = *header.magic && (which == REFERENCE_OPENED ||
                                          strcmp(header.node, counters->header.node) == 0);
    if (kin) {
        *kin = (enum reference_kin)header.kin;
    }
    return !counts || read_reference(counters, which, &header, each, cls, why);
}

bool counters_is_copy(const struct counters *counters) {
    struct reference_header header;
    char why[COUNTERS_WHY_MAX];
    return read_reference(counters, REFERENCE_OTHERS, &header, NULL, NULL, why) && *header.magic &&
           strcmp(header.node, counters->header.node) == 0;
}

/* What worker threads have counted: what was read back from the store has a shard of its own, which
 * only grows by that. */
static void read_workers(const struct counters *counters, enum resolution r, int64_t chunk,
                         uint64_t *count) {
    const uint32_t slots = resolution_table[r].slots;
    memset(count, 0, slots * sizeof *count);
    for (unsigned i = 1; i < counters->shards; i++) {
        ring_read(&counters->shard[i].ring[r], chunk, 0, slots, count);
    }
}

/* Goes through all chunks that worker threads have counted in, wherever the clock was then. */
struct walk {
    const struct counters *counters;
    int r;
    unsigned shard; /* from 0 on: of the worker threads' */
    int64_t place;
};

static int64_t epoch_at(const struct ring *ring, int64_t place) {
    return (int64_t)atomic_load_explicit(&ring_place(ring, place)->epoch, memory_order_relaxed);
}

/* Has a shard before this one the same chunk? Then it was there already. */
static bool is_repeated(const struct walk *walk, int64_t chunk) {
    for (unsigned i = 0; i < walk->shard; i++) {
        if (epoch_at(&walk->counters->shard[i + 1].ring[walk->r], chunk) == chunk) {
            return true;
        }
    }
    return false;
}

static bool next_held(void *cls, enum resolution *r, int64_t *chunk, uint64_t *count) {
    struct walk *walk = cls;
    for (; walk->r < RESOLUTIONS; walk->r++, walk->shard = 0) {
        for (; walk->shard + 1 < walk->counters->shards; walk->shard++, walk->place = 0) {
            const struct ring *ring = &walk->counters->shard[walk->shard + 1].ring[walk->r];
            while (walk->place < ring->chunks) {
                const int64_t epoch = epoch_at(ring, walk->place++);
                if (epoch != EPOCH_NONE && !is_repeated(walk, epoch)) {
                    *r = (enum resolution)walk->r;
                    *chunk = epoch;
                    read_workers(walk->counters, *r, epoch, count);
                    return true;
                }
            }
        }
    }
    return false;
}

/* Has a shard's ring moved past this chunk? Then what it held may be gone. */
static bool may_be_recycled(const struct counters *counters, enum resolution r, int64_t chunk) {
    for (unsigned i = 1; i < counters->shards; i++) {
        if (epoch_at(&counters->shard[i].ring[r], chunk) > chunk) {
            return true;
        }
    }
    return false;
}

struct comparison {
    const struct counters *counters;
    bool less;
};

static void compare_chunk(void *cls, enum resolution r, int64_t chunk, const uint64_t *count) {
    struct comparison *comparison = cls;
    uint64_t held[SLOTS_MAX];
    if (may_be_recycled(comparison->counters, r, chunk)) {
        return;
    }
    read_workers(comparison->counters, r, chunk, held);
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
        comparison->less = comparison->less || held[slot] < count[slot];
    }
}

/* Does the file hold less than it did when it was noted as opened? Then an older copy was put into
 * its place since. */
static bool is_older(const struct counters *counters, char *why) {
    struct comparison comparison = {counters, false};
    struct reference_header header;
    return read_reference(counters, REFERENCE_OPENED, &header, compare_chunk, &comparison, why) &&
           comparison.less;
}

static bool holds_anything(const struct counters *counters) {
    struct walk walk = {.counters = counters};
    enum resolution r;
    int64_t chunk;
    uint64_t count[SLOTS_MAX];
    return next_held(&walk, &r, &chunk, count);
}

bool reference_open(struct counters *counters, char *why) {
    struct reference_header there, now = {.version = REFERENCE_VERSION, .which = REFERENCE_OPENED};
    if (!read_reference(counters, REFERENCE_OPENED, &there, NULL, NULL, why)) {
        return false;
    }
    if (!identify(counters, &now)) {
        return state_refuse(why, "%s: %s", counters->path, strerror(errno));
    }
    if (*there.magic && there.inode == now.inode && there.birth_ns == now.birth_ns &&
        !is_older(counters, why)) {
        return true;
    }
    memcpy(now.magic, MAGIC, sizeof MAGIC);
    memcpy(now.node, counters->header.node, sizeof now.node);
    now.kin = counters->header.read_back                 ? REFERENCE_AGREED
              : *there.magic && holds_anything(counters) ? REFERENCE_INHERITED
                                                         : REFERENCE_NEW;
    struct walk walk = {.counters = counters};
    return write_reference(counters, &now, next_held, &walk, why);
}

bool reference_settle(struct counters *counters) {
    /* On the disk before anything is sent: after a power loss what was sent must not be taken for
     * somebody else's. */
    char name[NAME_MAX_BYTES];
    name_of(REFERENCE_OPENED, "", name);
    return (unlinkat(counters->dir_fd, name, 0) == 0 || errno == ENOENT) &&
           fsync(counters->dir_fd) == 0;
}

bool counters_become_copy_owner(struct counters *counters, const char *node, reference_next *next,
                                void *cls, char *why) {
    struct reference_header header = {
        .version = REFERENCE_VERSION, .which = REFERENCE_OTHERS, .kin = REFERENCE_AGREED};
    memcpy(header.magic, MAGIC, sizeof MAGIC);
    snprintf(header.node, sizeof header.node, "%s", node);
    char before[NAME_MAX_BYTES], after[NAME_MAX_BYTES];
    name_of(REFERENCE_OTHERS, counters->header.node, before);
    name_of(REFERENCE_OTHERS, node, after);
    /* Until the state file has the new name, this one is of nobody: a crash in between leaves the
     * old name, and what it had. */
    if (!state_file_may_rename(counters, why) ||
        !write_reference(counters, &header, next, cls, why) ||
        !state_file_rename(counters, node, why)) {
        return false;
    }
    if (strcmp(before, after) != 0) {
        unlinkat(counters->dir_fd, before, 0);
    }
    return reference_settle(counters) ||
           state_refuse(why, "%s: %s", counters->path, strerror(errno));
}

bool reference_copy(const struct counters *counters, const struct counters *copy, char *why) {
    size_t n = 0;
    struct reference_header header;
    if (!read_reference(counters, REFERENCE_OTHERS, &header, NULL, NULL, why)) {
        return false;
    }
    unsigned char *bytes = *header.magic ? load(counters, REFERENCE_OTHERS, &n) : NULL;
    if (!*header.magic) {
        return true;
    }
    char name[NAME_MAX_BYTES];
    name_of(REFERENCE_OTHERS, header.node, name);
    const int fd =
        openat(copy->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    const bool ok = bytes && fd >= 0 && write(fd, bytes, n) == (ssize_t)n && fsync(fd) == 0;
    const int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    free(bytes);
    return ok || state_refuse(why, "%s: cannot be copied: %s", name, strerror(error));
}

void counters_explain_inherited(const struct counters *counters, char *why) {
    char path[400];
    state_refuse(why,
                 "%s: is a copy of a state file whose counts had never reached Redis: with both in "
                 "use they would arrive twice; if the original is gone for good, remove %s and "
                 "start again, else begin with an empty state directory",
                 counters->path, path_of(counters, REFERENCE_OPENED, path));
}
