/* Bytes -> event time. Pure: no I/O, no allocation, no state shared between threads.
 *
 * Accepted layouts, with no blanks around them:
 *   YYYY-MM-DD HH:MM:SS[.1-9 digits]                            UTC
 *   YYYY-MM-DD(T|t| )HH:MM:SS[.1-9 digits](Z|z|+hh:mm|-hh:mm)   RFC 3339
 *   YYYY-MM-DDTHH:MM:SS[.1-9 digits]                            UTC, too
 *     in all of these: +hhmm and -hhmm as an offset, and a comma for the point before 3, 6 or 9
 *     digits (date -Ins, date +%z)
 *   1-19 digits without a sign                                  Unix epoch, by its magnitude:
 *     s below 10^11 (the year 5138), ms below 10^14, us below 10^17, ns from there on;
 *     seconds may have [.1-9 digits]
 *
 * Second 60 is taken as the next second, in any minute: which minutes have a leap second is decided
 * by a table that keeps growing, an offset moves them to other minutes, and a clock that shows :60
 * means the second before the next minute's :01. 61 is out of range. Years are 0000..9999, offsets
 * up to 23:59. Digits below a microsecond are cut off. */
#ifndef AFORO_INGEST_TIMESTAMP_H
#define AFORO_INGEST_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMESTAMP_MAX 64 /* bytes; anything longer is not a timestamp */

struct timestamp_error {
    /* which rule was broken: an index into timestamp.c's list of messages */
    unsigned char fault;
    unsigned char found; /* the byte at `at`, when it was not what was expected */
    short value;         /* the number that is out of range, if any */
    short year, month;   /* of a day that is out of range */
    size_t at;           /* offset of the first wrong byte */
    const char *what;    /* a constant: what was expected there, or what the number is */
};

/* Parses text[0..len) into *us, microseconds since the epoch (negative before 1970). False leaves
 * *us unchanged and fills *error. The text need not be NUL-terminated. */
bool timestamp_parse(const char *text, size_t len, int64_t *us, struct timestamp_error *error);

/* The same result for every text, byte by byte and without shortcuts. timestamp_parse falls back to
 * it and is tested against it. */
bool timestamp_parse_plain(const char *text, size_t len, int64_t *us,
                           struct timestamp_error *error);

/* Writes the message of an error, e.g. "month 13 is out of range", NUL-terminated and cut to cap (>
 * 0); returns its length. Printable ASCII only: at most one byte of the input is quoted, as \xNN
 * when it is not printable. */
size_t timestamp_explain(const struct timestamp_error *error, char *buf, size_t cap);

#endif
