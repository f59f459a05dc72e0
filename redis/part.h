/* A node's part of a chunk as it is stored in the chunk's hash, and the windows that a call of
 * merge.lua sends: byte formats that C and Lua both read and write at once. Numbers are
 * little-endian. Pure, any thread.
 *
 *   part      W (1 byte)  owner (4)  sum of all values (7)  value of slot 0 (W)  of slot 1 (W)  ...
 *   windows   W (1 byte)  slot (1) value (W)  slot (1) value (W)  ...
 *
 * W is 1 to 7, as the largest value requires. Slots after the last value are 0. `owner` is a number
 * derived from the owner of the node's lease who wrote the part last. */
#ifndef AFORO_REDIS_PART_H
#define AFORO_REDIS_PART_H

#include "counters/time/window.h"

#include <stddef.h>

#define PART_WINDOWS_MAX (1 + SLOTS_MAX * 8) /* bytes of windows */

struct part {
    uint32_t owner;
    uint64_t sum;
    uint64_t count[SLOTS_MAX];
};

/* Parses bytes[0..len) into *part. False when it is not a valid part of a chunk of this resolution:
 * too long, truncated, or with a sum that does not match its values. */
bool part_read(const char *bytes, size_t len, enum resolution r, struct part *part);

/* Writes n windows (1 to SLOTS_MAX, values below 2^53) to buf (PART_WINDOWS_MAX bytes) and returns
 * their length. */
size_t part_windows(const uint8_t *slot, const uint64_t *count, uint32_t n, char *buf);

/* The number that stands for an owner in parts. */
uint32_t part_owner(const char *owner);

#endif
