#include "eventlog/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[8] = {'a', 'f', 'o', 'r', 'o', 't', '\n', 0x1a};

#define PUT(bytes, member, from, len)                                                              \
    memcpy((bytes) + offsetof(struct tail_trailer, member), from, len)

/* By a write, not through the mapping: a missing page is read in together with megabytes around it,
 * whose pages would then be small ones. */
static bool write_trailer(const struct tail *tail, const struct tail_owner *owner) {
    char bytes[sizeof(struct tail_trailer)] = "";
    const uint32_t version = TAIL_VERSION, shard = owner->shard;
    PUT(bytes, magic, MAGIC, sizeof MAGIC);
    PUT(bytes, version, &version, sizeof version);
    PUT(bytes, shard, &shard, sizeof shard);
    PUT(bytes, node, owner->node, strnlen(owner->node, EVENTLOG_NODE_MAX - 1));
    return pwrite(tail->fd, bytes, sizeof bytes, (off_t)tail->room) == (ssize_t)sizeof bytes;
}

/* Reserves and maps the file. Returns 0 or an errno. */
static int map_file(struct tail *tail, size_t room) {
    const size_t bytes = room + TAIL_PAGE;
    const int error = posix_fallocate(tail->fd, 0, (off_t)bytes);
    if (error) {
        return error;
    }
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, tail->fd, 0);
    if (map == MAP_FAILED) {
        return errno;
    }
    tail->base = map;
    tail->room = room;
    tail->trailer = (struct tail_trailer *)(tail->base + room);
    return 0;
}

struct tail *tail_make(const struct tail_owner *owner, const char *temporary, size_t room) {
    struct tail *tail = calloc(1, sizeof *tail);
    if (!tail) {
        return NULL;
    }
    tail->shard = owner->shard;
    tail->fd = openat(owner->dir_fd, temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    int error = tail->fd < 0 ? errno : map_file(tail, room);
    if (!error && !write_trailer(tail, owner)) {
        error = errno;
    }
    if (error || !tail->base) {
        if (tail->fd >= 0) {
            unlinkat(owner->dir_fd, temporary, 0);
        }
        tail_free(tail);
        errno = error;
        return NULL;
    }
    return tail;
}

void tail_touch(struct tail *tail) {
#ifdef MADV_POPULATE_WRITE
    tail->wide = madvise(tail->base, tail->room, MADV_HUGEPAGE) == 0;
    madvise(tail->base, tail->room + TAIL_PAGE, MADV_POPULATE_WRITE);
#else
    (void)tail;
#endif
}

void tail_narrow(struct tail *tail) {
    tail->wide = false;
    madvise(tail->base, tail->room, MADV_NOHUGEPAGE);
    madvise(tail->base, tail->room, MADV_DONTNEED);
    posix_fadvise(tail->fd, 0, (off_t)tail->room, POSIX_FADV_DONTNEED);
}

bool tail_begin(struct tail *tail, int dir_fd, const char *temporary, uint64_t first) {
    char name[FILES_NAME_MAX];
    files_name(&(const struct log_file){.first = first}, name);
    tail->first = tail->trailer->first = first;
    return renameat(dir_fd, temporary, dir_fd, name) == 0;
}

bool tail_close(struct tail *tail) {
    if (!tail->base) {
        return true;
    }
    const uint64_t length = atomic_load_explicit(&tail->trailer->length, memory_order_acquire);
    munmap(tail->base, tail->room + TAIL_PAGE);
    tail->base = NULL;
    const bool ok = ftruncate(tail->fd, (off_t)length) == 0;
    const int error = errno;
    close(tail->fd);
    tail->fd = -1;
    errno = error;
    return ok;
}

void tail_free(struct tail *tail) {
    if (!tail) {
        return;
    }
    if (tail->base) {
        munmap(tail->base, tail->room + TAIL_PAGE);
    }
    if (tail->fd >= 0) {
        close(tail->fd);
    }
    free(tail);
}

/* ---- any file ---- */

/* The contents of a file's trailer. */
struct told {
    uint32_t version, shard;
    uint64_t length;
    char node[EVENTLOG_NODE_MAX];
};

#define TAKE(from, member, into)                                                                   \
    memcpy(&(into)->member, (from) + offsetof(struct tail_trailer, member), sizeof(into)->member)

/* Read into plain bytes: the structure's alignment exceeds that of a stack under a sanitizer. */
static bool read_trailer(int fd, uint64_t file_bytes, struct told *told) {
    char bytes[sizeof(struct tail_trailer)];
    if (file_bytes < TAIL_PAGE || file_bytes % TAIL_PAGE != 0 ||
        pread(fd, bytes, sizeof bytes, (off_t)(file_bytes - TAIL_PAGE)) != (ssize_t)sizeof bytes) {
        return false;
    }
    TAKE(bytes, version, told);
    TAKE(bytes, shard, told);
    TAKE(bytes, length, told);
    TAKE(bytes, node, told);
    return memcmp(bytes, MAGIC, sizeof MAGIC) == 0 && told->version == TAIL_VERSION;
}

bool tail_read_length(int fd, uint64_t file_bytes, uint64_t *length) {
    struct told told;
    if (!read_trailer(fd, file_bytes, &told)) {
        return false;
    }
    *length = told.length;
    return told.length <= file_bytes - TAIL_PAGE;
}

bool tail_is_of(int fd, uint64_t file_bytes, const char *node, unsigned shard) {
    struct told told;
    return !read_trailer(fd, file_bytes, &told) ||
           (told.shard == shard && strncmp(told.node, node, sizeof told.node) == 0);
}

uint64_t tail_find_length(int fd, uint64_t file_bytes) {
    uint64_t length;
    struct stat st;
    if (tail_read_length(fd, file_bytes, &length)) {
        return length;
    }
    return fstat(fd, &st) == 0 && (uint64_t)st.st_size < file_bytes ? (uint64_t)st.st_size
                                                                    : file_bytes;
}
