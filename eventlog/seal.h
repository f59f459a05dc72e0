/* Turns a tail into a sealed file: its lines in blocks, each a zstd frame after a header. One
 * thread at a time. */
#ifndef AFORO_EVENTLOG_SEAL_H
#define AFORO_EVENTLOG_SEAL_H

#include "eventlog/block.h"
#include "eventlog/files.h"
#include "eventlog/pack.h"
#include "eventlog/tail.h"

/* A block takes further lines while it is smaller than this. Readers decompress a block at once. */
#define SEAL_BLOCK_BYTES (UINT32_C(512) << 10)

#define SEAL_WHY_MAX 256

/* The shard whose tails are sealed. */
struct seal {
    int dir_fd;
    const char *node;
    unsigned shard;
    uint64_t digest;       /* of all earlier lines; seal_file updates it */
    struct packer *packer; /* initially {0}; whoever made it ends it */
    /* Called after each block, for work that cannot wait; may be NULL. */
    void (*pause)(void *cls);
    void *cls;
};

/* Seals the closed tail that begins with record `first`: writes <first>.ndjson.zst under a
 * temporary name, syncs it, renames it, and then removes the tail. A tail without lines is just
 * removed. False fills `why`, and the tail is still there. */
bool seal_file(struct seal *seal, uint64_t first, char why[SEAL_WHY_MAX]);

/* The same for a tail that its worker has left, read from its mapping. One that cannot be sealed is
 * closed. */
bool seal_tail(struct seal *seal, struct tail *tail, char why[SEAL_WHY_MAX]);

#endif
