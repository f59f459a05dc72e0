#include "eventlog/crc32c.h"

#include <string.h>

#define POLYNOMIAL UINT32_C(0x82f63b78) /* reflected */
#define SLICES 8

/* table[k][b]: what byte b makes of the remainder when k bytes follow it: eight bytes are eight
 * looks that do not wait for each other (M. E. Kounavis, F. L. Berry, "A systematic approach to
 * building high performance, software-based, CRC generators", 2005). */
static uint32_t table[SLICES][256]; /* made before main, and then constant */

__attribute__((constructor)) static void make_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t rest = byte;
        for (int bit = 0; bit < 8; bit++) {
            rest = rest >> 1 ^ (rest & 1 ? POLYNOMIAL : 0);
        }
        table[0][byte] = rest;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int k = 1; k < SLICES; k++) {
            table[k][byte] = table[k - 1][byte] >> 8 ^ table[0][table[k - 1][byte] & 0xff];
        }
    }
}

uint32_t crc32c(const void *bytes, size_t len) {
    const unsigned char *at = bytes;
    uint32_t crc = ~UINT32_C(0);
    for (; len >= SLICES; len -= SLICES, at += SLICES) {
        const uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                                    (uint32_t)at[3] << 24);
        crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^
              table[4][low >> 24] ^ table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]] ^
              table[0][at[7]];
    }
    for (; len > 0; len--, at++) {
        crc = crc >> 8 ^ table[0][(crc ^ *at) & 0xff];
    }
    return ~crc;
}
