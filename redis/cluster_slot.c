/* The slot of a key: which part of a cluster it belongs to. */
#include "redis/cluster.h"

#include <string.h>

static uint16_t crc16(const char *data, size_t len) {
    uint16_t crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc = (uint16_t)(crc ^ ((uint16_t)(unsigned char)data[i] << 8));
        for (int bit = 0; bit < 8; bit++) {
            crc = (uint16_t)(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
        }
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
