/* Bytes -> event time. Pure: no I/O, no allocation, no state shared between threads.
 *
 * Accepted, whole length (no blanks around it):
 *   YYYY-MM-DD HH:MM:SS[.1-9 digits]                          UTC
 *   YYYY-MM-DD(T|t| )HH:MM:SS[.1-9 digits](Z|z|+hh:mm|-hh:mm)   RFC 3339
 *   YYYY-MM-DDTHH:MM:SS[.1-9 digits]                          UTC too
 *   Unix epoch in s, ms, us or ns, told apart by magnitude; seconds may carry a decimal fraction
 * Second 60 (a leap second) is taken as the next second. Digits below a microsecond are cut off. */
#ifndef AFORO_SERVER_TIMESTAMP_H
#define AFORO_SERVER_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMESTAMP_MAX 64 /* bytes; anything longer is not a timestamp */

struct timestamp_error {
    int fault;     /* which rule was broken: one of a list that timestamp.c keeps with its sentences */
    int value;     /* the number that was out of range, where there is one */
    size_t at;     /* offset of the first byte that was wrong */
};

/* Parses text[0..len) into *us, microseconds since the epoch (may be negative: before 1970). False leaves *us
 * alone and fills *error. text need not be NUL-terminated. */
bool timestamp_parse(const char *text, size_t len, int64_t *us, struct timestamp_error *error);

/* The sentence of an error, e.g. "month 13 is out of range", NUL-terminated, cut to cap; returns its length. */
size_t timestamp_explain(const struct timestamp_error *error, char *buf, size_t cap);

#endif
