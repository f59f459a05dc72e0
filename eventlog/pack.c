#include "eventlog/pack.h"

#include <stdint.h>
#include <stdlib.h>
#include <zstd.h>

/* Level 3 takes a third more CPU and gains nothing; levels -1 to -5 need up to 84 % more space
 * (bench-eventlog). */
#define LEVEL 1
#define MATCH_MIN 6
#define SAMPLE_BYTES ((size_t)64 << 10)

/* How many places of earlier text are remembered, as powers of two: those of one or two records, of
 * some dozens, of a whole block. */
static const int hash_logs[] = {7, 10, 14};

static bool set_table(struct packer *packer, int hash_log) {
    return !ZSTD_isError(ZSTD_CCtx_setParameter(packer->zstd, ZSTD_c_hashLog, hash_log));
}

bool packer_begin(struct packer *packer, const char *text, size_t len) {
    packer->zstd = packer->zstd ? packer->zstd : ZSTD_createCCtx();
    if (!packer->zstd ||
        ZSTD_isError(ZSTD_CCtx_setParameter(packer->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(packer->zstd, ZSTD_c_minMatch, MATCH_MIN))) {
        return false;
    }
    size_t least = SIZE_MAX;
    int best = hash_logs[0];
    for (size_t i = 0; i < sizeof hash_logs / sizeof *hash_logs; i++) {
        const size_t n = set_table(packer, hash_logs[i])
                             ? packer_pack(packer, text, len < SAMPLE_BYTES ? len : SAMPLE_BYTES)
                             : 0;
        if (n == 0) {
            return false;
        }
        best = n < least ? hash_logs[i] : best;
        least = n < least ? n : least;
    }
    return set_table(packer, best);
}

size_t packer_pack(struct packer *packer, const char *text, size_t len) {
    const size_t bound = ZSTD_compressBound(len);
    if (bound > packer->cap) {
        free(packer->frame);
        packer->frame = malloc(bound);
        packer->cap = packer->frame ? bound : 0;
    }
    const size_t n =
        packer->frame ? ZSTD_compress2(packer->zstd, packer->frame, packer->cap, text, len) : 0;
    return ZSTD_isError(n) ? 0 : n;
}

void packer_end(struct packer *packer) {
    ZSTD_freeCCtx(packer->zstd);
    free(packer->frame);
    *packer = (struct packer){0};
}
