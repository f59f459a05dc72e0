/* One of the values that top(x) has a counter for, apart from its state: in order, and as bytes.
 * Pure.
 *
 *   entry | count | error | length of the value | value |   numbers in pieces of seven bits, the
 *         lowest first; the highest bit of a byte says that more follow */
#ifndef AFORO_COUNTERS_MEASURES_TOP_ENTRY_H
#define AFORO_COUNTERS_MEASURES_TOP_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOP_KEY_MAX 48
#define TOP_NUMBER_BYTES 10
#define TOP_ENTRY_BYTES_MAX (2 * TOP_NUMBER_BYTES + 1 + TOP_KEY_MAX)

struct top_entry {
    uint64_t count, error; /* it came count times at the most, count - error at the least */
    size_t len;            /* <= TOP_KEY_MAX */
    const char *bytes;
};

/* For qsort. The higher count first; equal ones: the smaller error, then by bytes. */
int top_entry_compare(const void *a, const void *b);

/* Writes an entry; where it ends. `at` has room for TOP_ENTRY_BYTES_MAX. */
unsigned char *top_entry_write(unsigned char *at, const struct top_entry *entry);

/* Reads the entry at *at, and moves on; its bytes stay where they are. False when there is none
 * that can be. */
bool top_entry_read(const unsigned char **at, const unsigned char *end, struct top_entry *entry);

#endif
