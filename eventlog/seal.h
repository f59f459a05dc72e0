/* Makes a sealed file of a tail: its lines in blocks, each a zstd frame behind a header. By one
 * thread at a time. */
#ifndef AFORO_EVENTLOG_SEAL_H
#define AFORO_EVENTLOG_SEAL_H

#include "eventlog/block.h"
#include "eventlog/files.h"
#include "eventlog/pack.h"
#include "eventlog/tail.h"

/* Lines are put into a block while it has no more than this: what a reader unpacks at once. */
#define SEAL_BLOCK_BYTES (UINT32_C(512) << 10)

#define SEAL_WHY_MAX 256

/* Of what it is made, and where it stands. */
struct seal {
    int dir_fd;
    const char *node;
    unsigned shard;
    uint64_t digest;       /* of all that came before; seal_file leaves what it is then */
    struct packer *packer; /* {0} at first; who made it ends it */
    /* What else is to be done soon, after each block; may be NULL. */
    void (*pause)(void *cls);
    void *cls;
};

/* Seals the tail of number `first`, which is closed: DIR/<first>.ndjson.zst is made under another
 * name, written to the disk, and given its name; then the tail is removed. A tail without a line is
 * removed. False fills why, and the tail is still there. */
bool seal_file(struct seal *seal, uint64_t first, char why[SEAL_WHY_MAX]);

/* The same of a tail that its worker has left, from the memory that it is mapped to. One that
 * cannot be sealed is closed. */
bool seal_tail(struct seal *seal, struct tail *tail, char why[SEAL_WHY_MAX]);

#endif
