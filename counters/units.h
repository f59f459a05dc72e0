/* Numbers as people write them on a command line, the same for both programs: digits and a unit, nothing
 * else. Pure, any thread. False when the text is none of that kind or overflows; *out is then as it was. */
#ifndef AFORO_COUNTERS_UNITS_H
#define AFORO_COUNTERS_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* "100us" "10ms" "10s" "5m" "5min" "1h" "7d" -> microseconds, "0" -> 0. */
bool units_duration(const char *text, int64_t *us);

/* "64MiB" "4KiB" "1GiB" "123" "123B" -> bytes. */
bool units_size(const char *text, int64_t *bytes);

/* "100/s" -> 100, "0" -> 0. */
bool units_rate(const char *text, int64_t *per_s);

/* "123" -> 123. */
bool units_none(const char *text, int64_t *number);

#endif
