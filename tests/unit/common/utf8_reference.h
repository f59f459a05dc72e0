/* A code point as UTF-8, by the table of RFC 3629. */
#ifndef AFORO_TESTS_UTF8_REFERENCE_H
#define AFORO_TESTS_UTF8_REFERENCE_H

#include <stddef.h>

static inline size_t reference_encode(unsigned c, char *out) {
    const size_t tails = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0x00, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(first[tails] | c >> 6 * tails);
    for (size_t i = 1; i <= tails; i++) {
        out[i] = (char)(0x80 | (c >> 6 * (tails - i) & 0x3f));
    }
    return tails + 1;
}

#endif
