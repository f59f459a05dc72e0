/* Time <-> window <-> chunk. Pure arithmetic: no state, any thread.
 *
 * Windows are tumbling, [start, start + width), and aligned to the Unix epoch. A window is named by
 * its number since the epoch (start / width), and so is a chunk (window / slots). Times are
 * microseconds since 1970-01-01T00:00:00Z, without leap seconds. */
#ifndef AFORO_COUNTERS_TIME_WINDOW_H
#define AFORO_COUNTERS_TIME_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)

enum resolution { RESOLUTION_10MS, RESOLUTION_1S, RESOLUTION_1MIN, RESOLUTIONS };

struct resolution_info {
    const char *name; /* "10ms", "1s", "1min": in URLs, in Redis keys, on the command line */
    int64_t width_us; /* of one window */
    uint32_t slots;   /* windows in a chunk; one chunk is one window of the next resolution */
    uint32_t digits;  /* of a slot number when used as a field name in the store */
};

extern const struct resolution_info resolution_table[RESOLUTIONS];

/* Chunks [first, first + n) of a resolution. */
struct chunk_range {
    enum resolution resolution;
    int64_t first;
    uint32_t n;
};

#define SLOTS_MAX 100  /* most slots of any resolution's chunk */
#define SLOTS_LEAST 60 /* and the fewest */

/* Stores the resolution called `name` (NUL-terminated) in *out; false when there is none. */
bool resolution_by_name(const char *name, enum resolution *out);

/* The number of the window that holds time t_us (t_us >= 0). */
static inline int64_t window_at(enum resolution r, int64_t t_us) {
    return t_us / resolution_table[r].width_us;
}

/* When window number `window` starts, in microseconds; it ends one width later. */
static inline int64_t window_start_us(enum resolution r, int64_t window) {
    return window * resolution_table[r].width_us;
}

/* The chunk a window lives in, and its slot there (window >= 0). */
static inline int64_t window_chunk(enum resolution r, int64_t window) {
    return window / (int64_t)resolution_table[r].slots;
}

static inline uint32_t window_slot(enum resolution r, int64_t window) {
    return (uint32_t)(window % (int64_t)resolution_table[r].slots);
}

/* The first window of chunk number `chunk`. */
static inline int64_t chunk_first_window(enum resolution r, int64_t chunk) {
    return chunk * (int64_t)resolution_table[r].slots;
}

/* When chunk number `chunk` starts, and how long a chunk is; in microseconds. */
static inline int64_t chunk_start_us(enum resolution r, int64_t chunk) {
    return window_start_us(r, chunk_first_window(r, chunk));
}

static inline int64_t chunk_width_us(enum resolution r) {
    return resolution_table[r].width_us * (int64_t)resolution_table[r].slots;
}

#endif
