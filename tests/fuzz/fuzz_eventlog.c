/* Any bytes as a sealed file of the event log: every record that is given is of a block that says
 * so, none is given twice, and what is named lies outside of what is given. The first byte: whether
 * the checksums of the first block are put right, so that what lies behind them is reached. */
#include "eventlog/crc32c.h"
#include "eventlog/line.h"
#include "eventlog/sealed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct given {
    uint64_t next;
    bool any;
};

static bool take_lines(void *cls, const struct sealed_lines *lines) {
    struct given *given = cls;
    const struct block_head *head = lines->head;
    assert(!given->any || head->first >= given->next);
    assert(lines->len == head->text_bytes && lines->text[lines->len - 1] == '\n');
    given->any = true;
    given->next = head->first + head->records;
    for (size_t at = 0; at < lines->len;) {
        struct line_info info;
        line_read(lines->text + at, lines->len - at, &info);
        at = (size_t)((const char *)memchr(lines->text + at, '\n', lines->len - at) - lines->text) +
             1;
    }
    return true;
}

static void take_damage(void *cls, const struct sealed_damage *damage) {
    const struct given *given = cls;
    assert(damage->why && (!given->any || damage->first >= given->next));
}

/* Puts little-endian numbers right where the header has them. */
static void put_crc(unsigned char *bytes, size_t at, uint32_t crc) {
    for (unsigned i = 0; i < 4; i++) {
        bytes[at + i] = (unsigned char)(crc >> 8 * i);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    if (size < 1) {
        return 0;
    }
    const size_t len = size - 1;
    unsigned char *bytes = malloc(len + 1);
    memcpy(bytes, data + 1, len);
    if (data[0] & 1 && len >= BLOCK_HEAD_BYTES) {
        size_t frame = 0;
        for (unsigned i = 0; i < 4; i++) {
            frame |= (size_t)bytes[40 + i] << 8 * i;
        }
        if (frame <= len - BLOCK_HEAD_BYTES) {
            put_crc(bytes, 44, crc32c(bytes + BLOCK_HEAD_BYTES, frame));
        }
        put_crc(bytes, 148, crc32c(bytes, 148));
    }
    struct given given = {0};
    const struct sealed_file file = {bytes, len, 1, 0, INT64_MIN, INT64_MAX, NULL, 0, false};
    const struct sealed_taker taker = {take_lines, take_damage, &given};
    sealed_read(&file, &taker);
    uint64_t next, digest;
    sealed_find_end(bytes, len, 1, &next, &digest);
    free(bytes);
    return 0;
}
