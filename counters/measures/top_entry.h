/* One of the values that top(x) has a counter for, outside its state: how they are ordered, and how
 * one is encoded as bytes. Pure.
 *
 *   entry | count | error | length of the value | value |   numbers in groups of seven bits, lowest
 *         first; the highest bit of a byte is set when more follow */
#ifndef AFORO_COUNTERS_MEASURES_TOP_ENTRY_H
#define AFORO_COUNTERS_MEASURES_TOP_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOP_KEY_MAX 48
#define TOP_NUMBER_BYTES 10
#define TOP_ENTRY_BYTES_MAX (2 * TOP_NUMBER_BYTES + 1 + TOP_KEY_MAX)

struct top_entry {
    uint64_t count, error; /* occurred at most count times, at least count - error */
    size_t len;            /* <= TOP_KEY_MAX */
    const char *bytes;
};

/* For qsort: the higher count first; among equal counts the smaller error, then by bytes. */
int top_entry_compare(const void *a, const void *b);

/* Writes an entry to `at`, which has room for TOP_ENTRY_BYTES_MAX. Returns where it ends. */
unsigned char *top_entry_write(unsigned char *at, const struct top_entry *entry);

/* Reads the entry at *at and advances *at; entry->bytes points into the input. False when the bytes
 * are no valid entry. */
bool top_entry_read(const unsigned char **at, const unsigned char *end, struct top_entry *entry);

#endif
