/* FNV-1a, 32 bit (Fowler, Noll, Vo): a number for a name, the same on every machine. Pure, any
 * thread. */
#ifndef AFORO_REDIS_FNV_H
#define AFORO_REDIS_FNV_H

#include <stdint.h>

/* The hash of a NUL-terminated name. */
static inline uint32_t fnv1a32(const char *name) {
    uint32_t hash = 2166136261U;
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    }
    return hash;
}

#endif
