/* Compresses the lines of a block into a zstd frame. Records of one kind differ in a few bytes and
 * compress best when only the ones just before them are searched; when many kinds alternate, zstd
 * must look further back. So the first lines of a file are compressed in each way, and the shortest
 * result decides for the whole file; it is nearly always the fastest, too. One thread. */
#ifndef AFORO_EVENTLOG_PACK_H
#define AFORO_EVENTLOG_PACK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ZSTD_CCtx_s ZSTD_CCtx;

struct packer {
    ZSTD_CCtx *zstd;
    unsigned char *frame; /* valid until the next call; owned by the packer */
    size_t cap;
};

/* Chooses how to compress a file from its first lines, text[0..len). The packer may be reused for
 * one file after another; {0} initializes it. False when memory runs out. */
bool packer_begin(struct packer *packer, const char *text, size_t len);

/* Compresses text[0..len) into packer->frame and returns the frame's length; 0 when memory runs
 * out. */
size_t packer_pack(struct packer *packer, const char *text, size_t len);

/* Frees what the packer holds; to be called even after packer_begin failed. */
void packer_end(struct packer *packer);

#endif
