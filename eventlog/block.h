/* The header in front of each zstd frame of a sealed file. It is a skippable frame, so that zstd
 * ignores it. Its layout is in docs/eventlog.md. Pure, any thread. */
#ifndef AFORO_EVENTLOG_BLOCK_H
#define AFORO_EVENTLOG_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTLOG_NODE_MAX 64 /* bytes of a node's name, with its NUL */
#define BLOCK_HEAD_BYTES 152
#define BLOCK_VERSION 1
#define BLOCK_TEXT_MAX (UINT32_C(64) << 20) /* bytes of the lines of one block */

#define BLOCK_END UINT32_C(1) /* flag: the file ends here; no records and no frame */

struct block_head {
    char node[EVENTLOG_NODE_MAX];
    uint32_t shard;
    uint32_t flags;
    uint64_t first;         /* sequence of the first record; in an end block: the next sequence */
    uint32_t records;       /* in this block */
    uint32_t text_bytes;    /* of its lines */
    uint32_t frame_bytes;   /* of the zstd frame that follows */
    uint32_t frame_crc;     /* CRC-32C of that frame */
    int64_t min_us, max_us; /* range of the records' times */
    uint64_t before, after; /* digest of all lines of this shard before the block, and after it */
};

/* Encodes a header. */
void block_encode(const struct block_head *head, unsigned char bytes[BLOCK_HEAD_BYTES]);

/* Decodes the header at the start of bytes[0..len). False when there is no intact one. */
bool block_decode(const unsigned char *bytes, size_t len, struct block_head *head);

/* Finds the next intact header in bytes[from..len) and returns its offset; len when there is
 * none. */
size_t block_find(const unsigned char *bytes, size_t from, size_t len, struct block_head *head);

/* Continues the digest `before` over text[0..len). */
uint64_t block_digest(uint64_t before, const char *text, size_t len);

#endif
