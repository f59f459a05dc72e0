#include "eventlog/crc32c.h"

#include <stdbool.h>
#include <string.h>

/* Four bits at a time, from a table of 16: 3 ns a byte. */
static const uint32_t table[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

static uint32_t add_by_table(uint32_t crc, const unsigned char *at, size_t len) {
    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

/* SSE4.2 has an instruction for it: eight bytes a nanosecond. */
#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t
add_by_processor(uint32_t crc, const unsigned char *at, size_t len) {
    uint64_t all = crc, word;
    for (; len >= sizeof word; at += sizeof word, len -= sizeof word) {
        memcpy(&word, at, sizeof word);
        all = __builtin_ia32_crc32di(all, word);
    }
    crc = (uint32_t)all;
    for (; len > 0; at++, len--) {
        crc = __builtin_ia32_crc32qi(crc, *at);
    }
    return crc;
}

static bool processor_can(void) {
    return __builtin_cpu_supports("sse4.2");
}
#else
static uint32_t add_by_processor(uint32_t crc, const unsigned char *at, size_t len) {
    return add_by_table(crc, at, len);
}

static bool processor_can(void) {
    return false;
}
#endif

uint32_t crc32c(const void *bytes, size_t len) {
    return ~(processor_can() ? add_by_processor(UINT32_MAX, bytes, len)
                             : add_by_table(UINT32_MAX, bytes, len));
}

uint32_t crc32c_plain(const void *bytes, size_t len) {
    return ~add_by_table(UINT32_MAX, bytes, len);
}
