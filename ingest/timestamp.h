/* Bytes -> event time. Pure: no I/O, no allocation, no state shared between threads.
 *
 * Accepted, whole length (no blanks around it):
 *   YYYY-MM-DD HH:MM:SS[.1-9 digits]                            UTC
 *   YYYY-MM-DD(T|t| )HH:MM:SS[.1-9 digits](Z|z|+hh:mm|-hh:mm)   RFC 3339
 *   YYYY-MM-DDTHH:MM:SS[.1-9 digits]                            UTC, too
 *     in these, +hhmm and -hhmm for an offset, and a comma for the point before 3, 6 or 9 digits
 *     (date -Ins, date +%z)
 *   1-19 digits without a sign                                  Unix epoch, by its magnitude:
 *     s below 10^11 (the year 5138), ms below 10^14, us below 10^17, ns from there on;
 *     seconds may have [.1-9 digits]
 *
 * Second 60 is taken as the next second, whatever the minute: where leap seconds fall is decided by
 * a table that grows, an offset moves them to other minutes, and a clock that shows :60 means the
 * second before the next minute's :01. 61 is out of range. Years 0000..9999, offsets up to 23:59.
 * Digits below a microsecond are cut off. */
#ifndef AFORO_INGEST_TIMESTAMP_H
#define AFORO_INGEST_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMESTAMP_MAX 64 /* bytes; anything longer is not a timestamp */

struct timestamp_error {
    /* which rule was broken: one of a list that timestamp.c keeps with its sentences */
    unsigned char fault;
    unsigned char found; /* the byte at `at`, when it was not what was expected */
    short value;         /* the number that was out of range, where there is one */
    short year, month;   /* of the day that is out of range */
    size_t at;           /* offset of the first byte that was wrong */
    const char *what;    /* a constant: what should stand there, or what the number is */
};

/* Parses text[0..len) into *us, microseconds since the epoch (may be negative: before 1970). False
 * leaves *us alone and fills *error. text need not be NUL-terminated. */
bool timestamp_parse(const char *text, size_t len, int64_t *us, struct timestamp_error *error);

/* The same answers for every text, byte by byte and without the short cuts: what timestamp_parse
 * falls back to, and what it is tested against. */
bool timestamp_parse_plain(const char *text, size_t len, int64_t *us,
                           struct timestamp_error *error);

/* The sentence of an error, e.g. "month 13 is out of range", NUL-terminated, cut to cap (> 0);
 * returns its length. Printable ASCII only: of the text it quotes at most one byte, as \xNN when
 * not printable. */
size_t timestamp_explain(const struct timestamp_error *error, char *buf, size_t cap);

#endif
