#include "server/flush/rows_reference.h"

#include "counters/state/fnv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[8] = {'a', 'f', 'o', 'r', 'o', 'f', '1', '\n'};

#define FILE_BYTES_MAX (INT64_C(1) << 40)

/* The fields at fixed places of a record. */
struct head {
    uint32_t bytes;
    int64_t width_us, window;
    uint64_t events;
    uint16_t key_len, n;
};

#define HEAD_BYTES 32

static void pack_head(const struct head *head, char packed[HEAD_BYTES]) {
    memcpy(packed, &head->bytes, 4);
    memcpy(packed + 4, &head->width_us, 8);
    memcpy(packed + 12, &head->window, 8);
    memcpy(packed + 20, &head->events, 8);
    memcpy(packed + 28, &head->key_len, 2);
    memcpy(packed + 30, &head->n, 2);
}

static struct head read_head(const char *record) {
    struct head head;
    memcpy(&head.bytes, record, 4);
    memcpy(&head.width_us, record + 4, 8);
    memcpy(&head.window, record + 12, 8);
    memcpy(&head.events, record + 20, 8);
    memcpy(&head.key_len, record + 28, 2);
    memcpy(&head.n, record + 30, 2);
    return head;
}

void rows_reference_free(struct rows_reference *reference) {
    free(reference->record.bytes);
    free(reference->at.bytes);
    free(reference->sorted);
    *reference = (struct rows_reference){0};
}

static bool put_component(struct rows_bytes *record, const struct rows_component *component) {
    const char rule = (char)component->rule;
    const uint8_t len = (uint8_t)strlen(component->name);
    return rows_bytes_put(record, &rule, 1) && rows_bytes_put(record, &len, 1) &&
           rows_bytes_put(record, &component->value, 8) &&
           rows_bytes_put(record, component->name, len);
}

static bool is_added_up(const struct rows_component *component) {
    return component->rule == ROWS_ADD || component->rule == ROWS_WRAP;
}

void rows_reference_add(struct rows_reference *reference, const struct rows_place *place,
                        const struct rows_row *row) {
    const size_t at = reference->record.len;
    char packed[HEAD_BYTES] = {0};
    struct head head = {0, place->width_us, place->window, row->count, (uint16_t)row->key_len, 0};
    bool ok = rows_bytes_put(&reference->at, &at, sizeof at) &&
              rows_bytes_put(&reference->record, packed, HEAD_BYTES) &&
              rows_bytes_put(&reference->record, row->key, row->key_len);
    for (size_t i = 0; i < row->n && ok; i++) {
        if (is_added_up(&row->component[i])) {
            ok = put_component(&reference->record, &row->component[i]);
            head.n++;
        }
    }
    reference->failed = reference->failed || !ok;
    if (ok) {
        head.bytes = (uint32_t)(reference->record.len - at);
        pack_head(&head, packed);
        memcpy(reference->record.bytes + at, packed, HEAD_BYTES);
        reference->n++;
    }
}

static int compare_heads(const struct head *one, const char *one_key, const struct head *two,
                         const char *two_key) {
    const size_t least = one->key_len < two->key_len ? one->key_len : two->key_len;
    if (one->width_us != two->width_us || one->window != two->window) {
        return one->width_us < two->width_us ||
                       (one->width_us == two->width_us && one->window < two->window)
                   ? -1
                   : 1;
    }
    const int order = least ? memcmp(one_key, two_key, least) : 0;
    return order ? order : (one->key_len > two->key_len) - (one->key_len < two->key_len);
}

static int compare_records(const void *one, const void *two) {
    const char *a = *(const char *const *)one, *b = *(const char *const *)two;
    const struct head a_head = read_head(a), b_head = read_head(b);
    return compare_heads(&a_head, a + HEAD_BYTES, &b_head, b + HEAD_BYTES);
}

void rows_reference_sort(struct rows_reference *reference) {
    const size_t *at = (const size_t *)(const void *)reference->at.bytes;
    reference->sorted = calloc(reference->n + 1, sizeof *reference->sorted);
    reference->failed = reference->failed || !reference->sorted;
    for (size_t i = 0; i < reference->n && reference->sorted; i++) {
        reference->sorted[i] = reference->record.bytes + at[i];
    }
    if (reference->sorted) {
        qsort(reference->sorted, reference->n, sizeof *reference->sorted, compare_records);
    }
}

const char *rows_reference_find(const struct rows_reference *reference,
                                const struct rows_reference_key *key) {
    const struct head wanted = {0, key->width_us, key->window, 0, (uint16_t)key->key_len, 0};
    size_t low = 0, high = reference->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const char *record = reference->sorted[middle];
        const struct head head = read_head(record);
        const int order = compare_heads(&wanted, key->key, &head, record + HEAD_BYTES);
        if (order == 0) {
            return record;
        }
        low = order < 0 ? low : middle + 1;
        high = order < 0 ? middle : high;
    }
    return NULL;
}

uint64_t rows_reference_events(const char *record) {
    return record ? read_head(record).events : 0;
}

int64_t rows_reference_value(const char *record, const char *component) {
    const struct head head = record ? read_head(record) : (struct head){0};
    const char *at = record ? record + HEAD_BYTES + head.key_len : NULL;
    const size_t wanted = strlen(component);
    for (unsigned i = 0; i < head.n; i++) {
        const size_t len = (unsigned char)at[1];
        if (len == wanted && memcmp(at + 10, component, len) == 0) {
            int64_t value;
            memcpy(&value, at + 2, sizeof value);
            return value;
        }
        at += 10 + len;
    }
    return 0;
}

/* ---- the file ---- */

static bool explain(const char *name, const char *what, char *why) {
    snprintf(why, ROWS_REFERENCE_WHY_MAX, "reports/%.150s: %.80s", name, what);
    return false;
}

static bool write_all(int fd, const void *bytes, size_t len) {
    for (size_t done = 0; done < len;) {
        const ssize_t n = write(fd, (const char *)bytes + done, len - done);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

bool rows_reference_save(const struct rows_reference *reference, int dir_fd, const char *name,
                         char why[ROWS_REFERENCE_WHY_MAX]) {
    char made[ROWS_REFERENCE_NAME_MAX + 8];
    const uint64_t len = reference->record.len,
                   checksum = fnv1a64(FNV1A64_BASIS, reference->record.bytes, len);
    snprintf(made, sizeof made, "%s.new", name);
    if (reference->failed) {
        return explain(name, "out of memory", why);
    }
    const int fd = openat(dir_fd, made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    bool ok = fd >= 0 && write_all(fd, MAGIC, sizeof MAGIC) && write_all(fd, &len, sizeof len) &&
              write_all(fd, reference->record.bytes, len) &&
              write_all(fd, &checksum, sizeof checksum) && fsync(fd) == 0;
    const int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = error;
    ok = ok && renameat(dir_fd, made, dir_fd, name) == 0 && fsync(dir_fd) == 0;
    if (!ok) {
        explain(name, strerror(errno), why);
        unlinkat(dir_fd, made, 0);
    }
    return ok;
}

/* Whether the bytes read are records, one after the other. Notes where each begins. */
static bool index_records(struct rows_reference *reference) {
    for (size_t at = 0; at < reference->record.len;) {
        const size_t left = reference->record.len - at;
        const char *record = reference->record.bytes + at;
        const struct head head = left >= HEAD_BYTES ? read_head(record) : (struct head){0};
        size_t used = HEAD_BYTES + head.key_len;
        for (unsigned i = 0; i < head.n && used + 10 <= head.bytes; i++) {
            used += 10 + (unsigned char)record[used + 1];
        }
        if (left < HEAD_BYTES || head.bytes > left || used != head.bytes ||
            !rows_bytes_put(&reference->at, &at, sizeof at)) {
            return false;
        }
        reference->n++;
        at += head.bytes;
    }
    return true;
}

static bool read_all(int fd, void *bytes, size_t len) {
    for (size_t done = 0; done < len;) {
        const ssize_t n = read(fd, (char *)bytes + done, len - done);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool read_records(struct rows_reference *reference, int fd) {
    char magic[sizeof MAGIC];
    uint64_t len = 0, checksum = 0;
    struct stat st;
    if (fstat(fd, &st) || !read_all(fd, magic, sizeof magic) ||
        memcmp(magic, MAGIC, sizeof MAGIC) != 0 || !read_all(fd, &len, sizeof len) ||
        len > (uint64_t)FILE_BYTES_MAX ||
        (int64_t)len + (int64_t)(sizeof MAGIC + 16) != (int64_t)st.st_size) {
        return false;
    }
    reference->record.bytes = malloc(len ? len : 1);
    reference->record.len = reference->record.cap = len;
    return reference->record.bytes && read_all(fd, reference->record.bytes, len) &&
           read_all(fd, &checksum, sizeof checksum) &&
           checksum == fnv1a64(FNV1A64_BASIS, reference->record.bytes, len) &&
           index_records(reference);
}

bool rows_reference_load(struct rows_reference *reference, int dir_fd, const char *name,
                         bool *there, char why[ROWS_REFERENCE_WHY_MAX]) {
    *reference = (struct rows_reference){0};
    const int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    *there = fd >= 0;
    if (fd < 0) {
        return errno == ENOENT || explain(name, strerror(errno), why);
    }
    const bool ok = read_records(reference, fd);
    close(fd);
    if (ok) {
        rows_reference_sort(reference);
    }
    if (!ok || reference->failed) {
        rows_reference_free(reference);
        return explain(name, ok ? "out of memory" : "is damaged, or cannot be read; move it away",
                       why);
    }
    return true;
}

bool rows_reference_remove(int dir_fd, const char *name) {
    return unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT;
}
