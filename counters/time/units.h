/* Numbers with units as people write them on a command line, the same for both programs. Pure, any
 * thread. False when the text is malformed or overflows; *out is then unchanged. */
#ifndef AFORO_COUNTERS_TIME_UNITS_H
#define AFORO_COUNTERS_TIME_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "100us" "10ms" "10s" "5m" "5min" "1h" "7d" -> microseconds, "0" -> 0. */
bool units_duration(const char *text, int64_t *us);

/* "64MiB" "4KiB" "1GiB" "123" "123B" -> bytes. As in GNU's programs, "64k" "64M" "1G" "1T" are KiB,
 * MiB, GiB, TiB, and "64kB" "64MB" "1GB" "1TB" are 1000, 1000^2, 1000^3, 1000^4 bytes. */
bool units_size(const char *text, int64_t *bytes);

/* "100/s" -> 100, "0" -> 0. */
bool units_rate(const char *text, int64_t *per_s);

/* "123" -> 123. */
bool units_none(const char *text, int64_t *number);

/* The reverse, for people. A duration >= 0 is shown in its two largest units, truncated ("1 h 3
 * min", "24 h", "7 d", "3 s 250 ms"); a size >= 0 in the largest unit that divides it ("64 MiB", "1
 * TiB", "100 B"). Returns buf, NUL-terminated and cut to cap; UNITS_SAY_MAX is always enough. */
#define UNITS_SAY_MAX 40
const char *units_say_duration(int64_t us, char *buf, size_t cap);
const char *units_say_size(int64_t bytes, char *buf, size_t cap);

#endif
