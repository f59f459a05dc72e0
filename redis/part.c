#include "redis/part.h"

#include "redis/fnv.h"

#include <string.h>

#define HEAD 12 /* W, owner, sum */
#define OWNER_BYTES 4
#define SUM_BYTES 7

static uint64_t read_number(const char *bytes, size_t width) {
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++) {
        number |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
    }
    return number;
}

bool part_read(const char *bytes, size_t len, enum resolution r, struct part *part) {
    memset(part, 0, sizeof *part);
    const size_t width = len > HEAD ? (unsigned char)bytes[0] : 0;
    if (width < 1 || width > 7 || (len - HEAD) % width ||
        (len - HEAD) / width > resolution_table[r].slots) {
        return false;
    }
    uint64_t sum = 0;
    part->owner = (uint32_t)read_number(bytes + 1, OWNER_BYTES);
    part->sum = read_number(bytes + 1 + OWNER_BYTES, SUM_BYTES);
    for (size_t i = 0; i < (len - HEAD) / width; i++) {
        part->count[i] = read_number(bytes + HEAD + i * width, width);
        sum += part->count[i];
    }
    return sum == part->sum;
}

size_t part_windows(const uint8_t *slot, const uint64_t *count, uint32_t n, char *buf) {
    size_t width = 1, len = 0;
    for (uint32_t i = 0; i < n; i++) {
        while (width < 7 && count[i] >> 8 * width) {
            width++;
        }
    }
    buf[len++] = (char)width;
    for (uint32_t i = 0; i < n; i++) {
        buf[len++] = (char)slot[i];
        for (size_t byte = 0; byte < width; byte++) {
            buf[len++] = (char)(count[i] >> 8 * byte);
        }
    }
    return len;
}

uint32_t part_owner(const char *owner) {
    return fnv1a32(owner);
}
