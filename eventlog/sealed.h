/* Reads a sealed file from memory, block by block: passes on what is intact and reports what is
 * not. The input may be any bytes. Pure except for the memory that a block is decompressed into. */
#ifndef AFORO_EVENTLOG_SEALED_H
#define AFORO_EVENTLOG_SEALED_H

#include "eventlog/block.h"

/* Records first .. last are missing, or not as they were written. last == UINT64_MAX: the number is
 * unknown. last == first - 1: none is missing, but something beside them is damaged. */
struct sealed_damage {
    uint64_t first, last;
    const char *why;
};

/* The complete lines of a block, with their LFs. */
struct sealed_lines {
    const struct block_head *head;
    const char *text;
    size_t len;
};

struct sealed_taker {
    /* returns false to stop */
    bool (*lines)(void *cls, const struct sealed_lines *lines);
    void (*damage)(void *cls, const struct sealed_damage *damage);
    void *cls;
};

struct sealed_file {
    const unsigned char *bytes;
    size_t len;
    uint64_t first; /* according to its name */
    uint64_t next;  /* first record of the next file; 0: there is none */
    /* blocks without a record in [from_us, to_us) are skipped and not decompressed */
    int64_t from_us, to_us;
    const char *node; /* expected node; NULL: any */
    unsigned shard;
    /* Accept a block when the checksum of its frame is right, without checking its digest and the
     * number of its lines; those checks cost more than everything else but decompression. */
    bool trusts_checksums;
};

/* Reads the file. False when the taker stopped. */
bool sealed_read(const struct sealed_file *file, const struct sealed_taker *taker);

/* Finds what follows a sealed file in the shard's log: the next sequence, and the digest so far.
 * False when the file's end is damaged; *next is then beyond anything known of it. */
bool sealed_find_end(const unsigned char *bytes, size_t len, uint64_t first, uint64_t *next,
                     uint64_t *digest);

#endif
