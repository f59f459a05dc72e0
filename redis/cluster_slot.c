/* The slot of a key, which tells what part of a cluster it belongs to. */
#include "redis/cluster.h"

#include <string.h>

/* CRC-16/XMODEM, four bits at a time. */
static uint16_t crc16(const char *data, size_t len) {
    static const uint16_t of_half[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5,
                                         0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
                                         0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
    uint16_t crc = 0;
    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)data[i];
        crc = (uint16_t)(crc << 4 ^ of_half[crc >> 12 ^ byte >> 4]);
        crc = (uint16_t)(crc << 4 ^ of_half[crc >> 12 ^ (byte & 0xf)]);
    }
    return crc;
}

uint16_t cluster_slot(const char *key, size_t len) {
    const char *open = memchr(key, '{', len);
    if (open) {
        const char *tag = open + 1;
        const char *close = memchr(tag, '}', len - (size_t)(tag - key));
        if (close && close > tag) {
            return crc16(tag, (size_t)(close - tag)) % CLUSTER_SLOTS;
        }
    }
    return crc16(key, len) % CLUSTER_SLOTS;
}
