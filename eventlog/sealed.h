/* A sealed file, read from memory: block by block, what is whole is given, what is not is named.
 * Any bytes may stand there. Pure but for the memory that a block is unpacked to. */
#ifndef AFORO_EVENTLOG_SEALED_H
#define AFORO_EVENTLOG_SEALED_H

#include "eventlog/block.h"

/* Records first .. last are not there, or not as they were written; last UINT64_MAX: nobody can
 * tell how many; last first - 1: all are there, and something beside them is damaged. */
struct sealed_damage {
    uint64_t first, last;
    const char *why;
};

/* The lines of a block, whole, with their LFs. */
struct sealed_lines {
    const struct block_head *head;
    const char *text;
    size_t len;
};

struct sealed_taker {
    /* false: it wants no more */
    bool (*lines)(void *cls, const struct sealed_lines *lines);
    void (*damage)(void *cls, const struct sealed_damage *damage);
    void *cls;
};

struct sealed_file {
    const unsigned char *bytes;
    size_t len;
    uint64_t first; /* by its name */
    uint64_t next;  /* the first of the file after it; 0: there is none */
    /* blocks without a record in [from_us, to_us) are passed over without being unpacked */
    int64_t from_us, to_us;
    const char *node; /* whose it has to be; NULL: anybody's */
    unsigned shard;
    /* A block whose frame has its checksum is taken for what it was made of: its digest and the
     * number of its lines, which cost more than all else but unpacking, are not looked at. */
    bool trusts_checksums;
};

/* False: the taker wanted no more. */
bool sealed_read(const struct sealed_file *file, const struct sealed_taker *taker);

/* What a shard's log goes on with after a sealed file: the next sequence, and the digest so far.
 * False: its end is damaged, and *next is beyond what is known of it. */
bool sealed_find_end(const unsigned char *bytes, size_t len, uint64_t first, uint64_t *next,
                     uint64_t *digest);

#endif
