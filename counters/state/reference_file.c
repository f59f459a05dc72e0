#define _GNU_SOURCE /* statx */
/* The bytes of a reference:
 *
 *   struct reference_header
 *   a record for each chunk: resolution + 1 (1 byte), chunk (8), each slot's count (LEB128)
 *   a 0 byte
 *   FNV-1a of everything before (8)
 *
 * Numbers are in the machine's byte order. The file is created under another name and renamed when
 * complete. */
#include "counters/state/reference_file.h"

#include "counters/state/fnv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REFERENCE_VERSION 1
#define RECORD_MAX (1 + 8 + SLOTS_MAX * 10)

static const char MAGIC[8] = {'a', 'f', 'o', 'r', 'e', 'f', '\n', 0x1a};

const char *reference_name(enum reference which, const char *node, char name[REFERENCE_NAME_MAX]) {
    snprintf(name, REFERENCE_NAME_MAX,
             which == REFERENCE_OPENED ? "opened.aforo" : "others-%s.aforo", node);
    return name;
}

const char *reference_path(const struct counters *counters, enum reference which,
                           char path[REFERENCE_PATH_MAX]) {
    char name[REFERENCE_NAME_MAX];
    const char *slash = strrchr(counters->path, '/');
    snprintf(path, REFERENCE_PATH_MAX, "%.*s/%s", slash ? (int)(slash - counters->path) : 0,
             counters->path, reference_name(which, counters->header.node, name));
    return path;
}

struct reference_header reference_make_header(enum reference which, enum reference_kin kin,
                                              const char *node) {
    struct reference_header header = {.version = REFERENCE_VERSION, .which = which, .kin = kin};
    memcpy(header.magic, MAGIC, sizeof MAGIC);
    snprintf(header.node, sizeof header.node, "%s", node);
    return header;
}

bool reference_identify(const struct counters *counters, struct reference_header *header) {
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
    *sum = fnv1a64(*sum, bytes, n);
    return fwrite(bytes, 1, n, file) == n;
}

static bool write_all(FILE *file, const struct reference_header *header, reference_next *next,
                      void *cls) {
    uint64_t sum = FNV1A64_BASIS, count[SLOTS_MAX];
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

bool reference_write(const struct counters *counters, const struct reference_header *header,
                     reference_next *next, void *cls, char *why) {
    char path[REFERENCE_PATH_MAX], name[REFERENCE_NAME_MAX], temporary[REFERENCE_NAME_MAX + 4];
    const enum reference which = (enum reference)header->which;
    snprintf(temporary, sizeof temporary, "%s.new", reference_name(which, header->node, name));
    const int fd = openat(counters->dir_fd, temporary,
                          O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool ok = file && write_all(file, header, next, cls);
    const int error = errno;
    if (file) {
        ok = fclose(file) == 0 && ok;
    } else if (fd >= 0) {
        close(fd); /* cppcheck-suppress doubleFree ; fdopen did not take it */
    }
    if (!ok) {
        unlinkat(counters->dir_fd, temporary, 0);
        return state_refuse(
            why, "%s: cannot write: %s; the state directory must be writable, and have room",
            reference_path(counters, which, path), strerror(error));
    }
    if (renameat(counters->dir_fd, temporary, counters->dir_fd, name) || fsync(counters->dir_fd)) {
        return state_refuse(why, "%s: cannot make the file: %s",
                            reference_path(counters, which, path), strerror(errno));
    }
    return true;
}

/* ---- reading ---- */

/* Parses a record; returns its length, 0 when it is malformed. */
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

static bool read_records(const unsigned char *bytes, size_t n,
                         const struct reference_taker *taker) {
    size_t at = sizeof(struct reference_header);
    while (at < n && bytes[at]) {
        enum resolution r;
        int64_t chunk;
        uint64_t count[SLOTS_MAX] = {0};
        const size_t len = get_record(bytes + at, n - at, &r, &chunk, count);
        if (!len) {
            return false;
        }
        if (taker) {
            taker->each(taker->cls, r, chunk, count);
        }
        at += len;
    }
    return at + 1 == n;
}

unsigned char *reference_load(const struct counters *counters, enum reference which, size_t *n) {
    char path[REFERENCE_PATH_MAX], name[REFERENCE_NAME_MAX];
    reference_name(which, counters->header.node, name);
    const int fd =
        counters->dir_fd < 0
            ? open(reference_path(counters, which, path), O_RDONLY | O_NONBLOCK | O_CLOEXEC)
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

bool reference_read(const struct counters *counters, enum reference which,
                    struct reference_header *header, const struct reference_taker *taker,
                    char *why) {
    char path[REFERENCE_PATH_MAX];
    size_t n = 0;
    memset(header, 0, sizeof *header);
    unsigned char *bytes = reference_load(counters, which, &n);
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
             fnv1a64(FNV1A64_BASIS, bytes, n - sizeof sum) == sum &&
             read_records(bytes, n - sizeof sum, taker);
    }
    free(bytes);
    return ok || state_refuse(why,
                              "%s: cannot be read, or is damaged, or of another version: it says "
                              "which of the counts in the state file Redis may have already; move "
                              "it away to go on without (some may then be missing in Redis)",
                              reference_path(counters, which, path));
}
