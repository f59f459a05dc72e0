/* The lines of a block -> a zstd frame. Records of one kind differ in a few bytes, and pack best
 * when only those just before them are looked at; where many kinds take turns, further ones must
 * be. So the first lines of a file are packed in each way, and the file in that which is shortest:
 * it is nearly always the fastest, too. One thread. */
#ifndef AFORO_EVENTLOG_PACK_H
#define AFORO_EVENTLOG_PACK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ZSTD_CCtx_s ZSTD_CCtx;

struct packer {
    ZSTD_CCtx *zstd;
    unsigned char *frame; /* the packer's, until the next call */
    size_t cap;
};

/* Chooses how the lines of text[0..len) are packed: of one file after the other, from {0} on. False
 * when out of memory. */
bool packer_begin(struct packer *packer, const char *text, size_t len);

/* Packs text[0..len) to packer->frame; its length, or 0 when out of memory. */
size_t packer_pack(struct packer *packer, const char *text, size_t len);

/* Frees what it holds; also after a packer_begin that failed. */
void packer_end(struct packer *packer);

#endif
