#define _GNU_SOURCE /* memrchr */
#include "eventlog/seal.h"

#include "eventlog/crc32c.h"
#include "eventlog/line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* One sealing. */
struct sealing {
    struct seal *seal;
    uint64_t next; /* sequence of the record after those that are written */
    const char *text;
    size_t len;
    int fd;
};

static bool write_all(int fd, const void *bytes, size_t len) {
    const char *at = bytes;
    while (len > 0) {
        const ssize_t n = write(fd, at, len);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* How many bytes of text[0..len) go into the next block: whole lines, at least one. */
static size_t find_block_end(const char *text, size_t len) {
    if (len <= SEAL_BLOCK_BYTES) {
        return len;
    }
    const char *end = memrchr(text, '\n', SEAL_BLOCK_BYTES);
    end = end ? end : memchr(text, '\n', len);
    return end ? (size_t)(end + 1 - text) : len;
}

static void look_at_lines(const char *text, size_t len, struct block_head *head) {
    struct line_second second = {.known = false};
    head->min_us = INT64_MAX;
    head->max_us = INT64_MIN;
    const char *const end = text + len;
    for (const char *at = text; at < end;) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        next = next ? next + 1 : end;
        int64_t us;
        if (line_read_time(&second, at, (size_t)(next - at), &us)) {
            head->min_us = us < head->min_us ? us : head->min_us;
            head->max_us = us > head->max_us ? us : head->max_us;
        }
        head->records++;
        at = next;
    }
    if (head->min_us > head->max_us) { /* times unknown: never skip this block */
        head->min_us = INT64_MIN;
        head->max_us = INT64_MAX;
    }
}

static bool make_frame(struct sealing *sealing, const char *text, size_t len,
                       struct block_head *head) {
    const size_t n = packer_pack(sealing->seal->packer, text, len);
    if (n == 0) {
        errno = ENOMEM;
        return false;
    }
    head->frame_bytes = (uint32_t)n;
    head->frame_crc = crc32c(sealing->seal->packer->frame, n);
    return true;
}

static bool write_block(struct sealing *sealing, const char *text, size_t len, uint32_t flags) {
    struct seal *seal = sealing->seal;
    struct block_head head = {.shard = seal->shard,
                              .flags = flags,
                              .first = sealing->next,
                              .text_bytes = (uint32_t)len,
                              .before = seal->digest,
                              .after = seal->digest};
    snprintf(head.node, sizeof head.node, "%s", seal->node);
    if (len > 0) {
        look_at_lines(text, len, &head);
        head.after = block_digest(seal->digest, text, len);
        if (!make_frame(sealing, text, len, &head)) {
            return false;
        }
    }
    unsigned char bytes[BLOCK_HEAD_BYTES];
    block_encode(&head, bytes);
    sealing->next += head.records;
    seal->digest = head.after;
    return write_all(sealing->fd, bytes, sizeof bytes) &&
           write_all(sealing->fd, seal->packer->frame, head.frame_bytes);
}

static bool write_blocks(struct sealing *sealing) {
    for (size_t at = 0; at < sealing->len;) {
        const size_t n = find_block_end(sealing->text + at, sealing->len - at);
        if (!write_block(sealing, sealing->text + at, n, 0)) {
            return false;
        }
        at += n;
        if (sealing->seal->pause) {
            sealing->seal->pause(sealing->seal->cls);
        }
    }
    return write_block(sealing, NULL, 0, BLOCK_END);
}

/* Writes the whole file, under another name until it is on disk. */
static bool write_file(struct sealing *sealing, const char *name) {
    const int dir_fd = sealing->seal->dir_fd;
    sealing->fd =
        openat(dir_fd, FILES_SEALING, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (sealing->fd < 0) {
        return false;
    }
    const bool begun = packer_begin(sealing->seal->packer, sealing->text, sealing->len);
    bool ok = begun && write_blocks(sealing) && fsync(sealing->fd) == 0;
    int error = begun ? errno : ENOMEM;
    close(sealing->fd);
    if (ok) {
        ok = renameat(dir_fd, FILES_SEALING, dir_fd, name) == 0 && fsync(dir_fd) == 0;
        error = errno;
    }
    if (!ok) {
        unlinkat(dir_fd, FILES_SEALING, 0);
    }
    errno = error;
    return ok;
}

/* Maps the tail's lines, whether or not it was truncated to them. Without any line text is NULL. */
static bool map_tail(int dir_fd, const char *name, const char **text, size_t *len) {
    const int fd = files_open(dir_fd, name, O_RDONLY);
    struct stat st;
    if (fd < 0) {
        return false;
    }
    void *map = NULL;
    uint64_t length = 0;
    bool ok = fstat(fd, &st) == 0;
    if (ok && !tail_read_length(fd, (uint64_t)st.st_size, &length)) {
        length = (uint64_t)st.st_size;
    }
    if (ok && length > 0) {
        map = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
        ok = map != MAP_FAILED;
    }
    const int error = errno;
    close(fd);
    errno = error;
    *text = map;
    *len = map ? length : 0;
    return ok;
}

/* Makes the sealed file from text, if any, and removes the tail of that name. */
static bool seal_text(struct sealing *sealing, const char *tail, char *why) {
    struct seal *seal = sealing->seal;
    const uint64_t before = seal->digest;
    char name[FILES_NAME_MAX];
    files_name(&(const struct log_file){.first = sealing->next, .sealed = true}, name);
    if (sealing->len > 0 && !write_file(sealing, name)) {
        seal->digest = before;
        snprintf(why, SEAL_WHY_MAX, "%s: %s", tail, strerror(errno));
        return false;
    }
    if (unlinkat(seal->dir_fd, tail, 0)) {
        snprintf(why, SEAL_WHY_MAX, "%s: is sealed and cannot be removed: %s", tail,
                 strerror(errno));
    }
    return true;
}

bool seal_file(struct seal *seal, uint64_t first, char why[SEAL_WHY_MAX]) {
    char tail[FILES_NAME_MAX];
    files_name(&(const struct log_file){.first = first}, tail);
    struct sealing sealing = {.seal = seal, .next = first, .fd = -1};
    if (!map_tail(seal->dir_fd, tail, &sealing.text, &sealing.len)) {
        snprintf(why, SEAL_WHY_MAX, "%s: %s", tail, strerror(errno));
        return false;
    }
    const bool ok = seal_text(&sealing, tail, why);
    if (sealing.text) {
        munmap((void *)sealing.text, sealing.len);
    }
    return ok;
}

bool seal_tail(struct seal *seal, struct tail *tail, char why[SEAL_WHY_MAX]) {
    char name[FILES_NAME_MAX];
    if (!tail->base) {
        return seal_file(seal, tail->first, why);
    }
    files_name(&(const struct log_file){.first = tail->first}, name);
    struct sealing sealing = {
        .seal = seal,
        .next = tail->first,
        .text = tail->base,
        .len = atomic_load_explicit(&tail->trailer->length, memory_order_acquire),
        .fd = -1};
    const bool ok = seal_text(&sealing, name, why);
    if (!ok) {
        tail_close(tail); /* one that could not be truncated is sealed up to its length */
    }
    return ok;
}
