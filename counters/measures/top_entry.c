#include "counters/measures/top_entry.h"

#include <string.h>

int top_entry_compare(const void *a, const void *b) {
    const struct top_entry *x = a, *y = b;
    if (x->count != y->count) {
        return x->count < y->count ? 1 : -1;
    }
    if (x->error != y->error) {
        return x->error > y->error ? 1 : -1;
    }
    const int order = memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static unsigned char *write_number(unsigned char *at, uint64_t number) {
    for (; number > 0x7f; number >>= 7) {
        *at++ = (unsigned char)(number | 0x80);
    }
    *at++ = (unsigned char)number;
    return at;
}

unsigned char *top_entry_write(unsigned char *at, const struct top_entry *entry) {
    at = write_number(at, entry->count);
    at = write_number(at, entry->error);
    at = write_number(at, entry->len);
    memcpy(at, entry->bytes, entry->len);
    return at + entry->len;
}

/* Reads a number below 2^56 from *at and advances; false when none ends before `end`. */
static bool read_number(const unsigned char **at, const unsigned char *end, uint64_t *number) {
    *number = 0;
    for (unsigned shift = 0; *at < end && shift < 56; shift += 7) {
        const unsigned char byte = *(*at)++;
        *number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte <= 0x7f) {
            return true;
        }
    }
    return false;
}

bool top_entry_read(const unsigned char **at, const unsigned char *end, struct top_entry *entry) {
    uint64_t len;
    if (!read_number(at, end, &entry->count) || !read_number(at, end, &entry->error) ||
        !read_number(at, end, &len) || entry->error >= entry->count || len > TOP_KEY_MAX ||
        len > (size_t)(end - *at)) {
        return false;
    }
    entry->len = len;
    entry->bytes = (const char *)*at;
    *at += len;
    return true;
}
