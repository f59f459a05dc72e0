#define XXH_INLINE_ALL
#include "eventlog/block.h"

#include "eventlog/crc32c.h"

#include <string.h>
#include <xxhash.h>

#define MAGIC_SKIPPABLE UINT32_C(0x184d2a50)

/* The offset of each field from the frame's first byte; docs/eventlog.md has the same table. */
enum {
    AT_MAGIC = 0,
    AT_SIZE = 4,
    AT_NAME = 8,
    AT_VERSION = 12,
    AT_SHARD = 16,
    AT_FLAGS = 20,
    AT_FIRST = 24,
    AT_RECORDS = 32,
    AT_TEXT_BYTES = 36,
    AT_FRAME_BYTES = 40,
    AT_FRAME_CRC = 44,
    AT_MIN = 48,
    AT_MAX = 56,
    AT_BEFORE = 64,
    AT_AFTER = 72,
    AT_NODE = 80,
    AT_ZERO = 144,
    AT_CRC = 148
};

static const char NAME[4] = {'a', 'f', 'l', 'g'};

static void put(unsigned char *bytes, uint64_t value, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        bytes[i] = (unsigned char)(value >> 8 * i);
    }
}

static uint64_t get(const unsigned char *bytes, unsigned n) {
    uint64_t value = 0;
    for (unsigned i = 0; i < n; i++) {
        value |= (uint64_t)bytes[i] << 8 * i;
    }
    return value;
}

static uint32_t get32(const unsigned char *bytes) {
    return (uint32_t)get(bytes, 4);
}

void block_encode(const struct block_head *head, unsigned char bytes[BLOCK_HEAD_BYTES]) {
    memset(bytes, 0, BLOCK_HEAD_BYTES);
    put(bytes + AT_MAGIC, MAGIC_SKIPPABLE, 4);
    put(bytes + AT_SIZE, BLOCK_HEAD_BYTES - AT_NAME, 4);
    memcpy(bytes + AT_NAME, NAME, sizeof NAME);
    put(bytes + AT_VERSION, BLOCK_VERSION, 4);
    put(bytes + AT_SHARD, head->shard, 4);
    put(bytes + AT_FLAGS, head->flags, 4);
    put(bytes + AT_FIRST, head->first, 8);
    put(bytes + AT_RECORDS, head->records, 4);
    put(bytes + AT_TEXT_BYTES, head->text_bytes, 4);
    put(bytes + AT_FRAME_BYTES, head->frame_bytes, 4);
    put(bytes + AT_FRAME_CRC, head->frame_crc, 4);
    put(bytes + AT_MIN, (uint64_t)head->min_us, 8);
    put(bytes + AT_MAX, (uint64_t)head->max_us, 8);
    put(bytes + AT_BEFORE, head->before, 8);
    put(bytes + AT_AFTER, head->after, 8);
    memcpy(bytes + AT_NODE, head->node, strnlen(head->node, EVENTLOG_NODE_MAX - 1));
    put(bytes + AT_CRC, crc32c(bytes, AT_CRC), 4);
}

bool block_decode(const unsigned char *bytes, size_t len, struct block_head *head) {
    if (len < BLOCK_HEAD_BYTES || get32(bytes + AT_MAGIC) != MAGIC_SKIPPABLE ||
        get32(bytes + AT_SIZE) != BLOCK_HEAD_BYTES - AT_NAME ||
        memcmp(bytes + AT_NAME, NAME, sizeof NAME) != 0 ||
        get32(bytes + AT_VERSION) != BLOCK_VERSION ||
        get32(bytes + AT_CRC) != crc32c(bytes, AT_CRC)) {
        return false;
    }
    *head = (struct block_head){.shard = get32(bytes + AT_SHARD),
                                .flags = get32(bytes + AT_FLAGS),
                                .first = get(bytes + AT_FIRST, 8),
                                .records = get32(bytes + AT_RECORDS),
                                .text_bytes = get32(bytes + AT_TEXT_BYTES),
                                .frame_bytes = get32(bytes + AT_FRAME_BYTES),
                                .frame_crc = get32(bytes + AT_FRAME_CRC),
                                .min_us = (int64_t)get(bytes + AT_MIN, 8),
                                .max_us = (int64_t)get(bytes + AT_MAX, 8),
                                .before = get(bytes + AT_BEFORE, 8),
                                .after = get(bytes + AT_AFTER, 8)};
    memcpy(head->node, bytes + AT_NODE, EVENTLOG_NODE_MAX - 1);
    const bool ends = head->flags & BLOCK_END;
    return ends ? head->records == 0 && head->frame_bytes == 0
                : head->records > 0 && head->text_bytes >= head->records &&
                      head->text_bytes <= BLOCK_TEXT_MAX && head->min_us <= head->max_us &&
                      head->first <= UINT64_MAX - head->records;
}

size_t block_find(const unsigned char *bytes, size_t from, size_t len, struct block_head *head) {
    static const unsigned char magic[4] = {0x50, 0x2a, 0x4d, 0x18};
    while (from < len) {
        const unsigned char *at = memchr(bytes + from, magic[0], len - from);
        if (!at) {
            return len;
        }
        from = (size_t)(at - bytes);
        if (len - from >= BLOCK_HEAD_BYTES && memcmp(at, magic, sizeof magic) == 0 &&
            block_decode(at, len - from, head)) {
            return from;
        }
        from++;
    }
    return len;
}

uint64_t block_digest(uint64_t before, const char *text, size_t len) {
    return XXH3_64bits_withSeed(text, len, before);
}
