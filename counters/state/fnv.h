/* FNV-1a, 64 bit (Fowler, Noll, Vo): the checksum of the files in the state directory. It detects
 * flipped bits and truncation; it does not protect against tampering. Pure, any thread. */
#ifndef AFORO_COUNTERS_STATE_FNV_H
#define AFORO_COUNTERS_STATE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV1A64_BASIS UINT64_C(0xcbf29ce484222325) /* the hash of no bytes */

/* Continues `hash` over bytes[0..n). */
static inline uint64_t fnv1a64(uint64_t hash, const void *bytes, size_t n) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

#endif
