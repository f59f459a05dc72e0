/* A text of which sixteen bytes can be read from any place on, and none beyond it: its last sixteen
 * are copied once, zeros behind them, and read there. For what looks at sixteen bytes at a time;
 * each such function has a plain twin for machines without SSE2, which a test compares. */
#ifndef AFORO_INGEST_SCAN_H
#define AFORO_INGEST_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SCAN_BYTES 16

struct scan_text {
    const char *text, *end;
    char tail[2 * SCAN_BYTES];
};

/* text[0..len) stays the caller's. */
static inline void scan_begin(struct scan_text *scan, const char *text, size_t len) {
    scan->text = text;
    scan->end = text + len;
    memset(scan->tail, 0, sizeof scan->tail);
    if (len >= SCAN_BYTES) {
        memcpy(scan->tail, scan->end - SCAN_BYTES, SCAN_BYTES);
    } else {
        memcpy(scan->tail + SCAN_BYTES - len, text, len);
    }
}

/* Where sixteen bytes can be read that are those from `at` on, zeros where the text ends. at may be
 * the end. */
static inline const char *scan_readable(const struct scan_text *scan, const char *at) {
    const ptrdiff_t left = scan->end - at;
    return left >= SCAN_BYTES ? at : scan->tail + SCAN_BYTES - left;
}

/* A word of less than sixteen bytes up to the byte that ends it. */
struct scan_word {
    unsigned len;           /* SCAN_BYTES: it is not so short, or has bytes that it must not have */
    uint64_t first, second; /* its bytes as they lie in memory, zeros behind them */
};

/* The word of bytes[0..len). */
static inline struct scan_word scan_word_of(const char *bytes, unsigned len) {
    struct scan_word word = {len, 0, 0};
    char kept[SCAN_BYTES] = {0};
    memcpy(kept, bytes, len);
    memcpy(&word.first, kept, sizeof word.first);
    memcpy(&word.second, kept + sizeof word.first, sizeof word.second);
    return word;
}

#ifdef __SSE2__
static inline __m128i scan_sixteen(const struct scan_text *scan, const char *at) {
    return _mm_loadu_si128((const __m128i *)(const void *)scan_readable(scan, at));
}

/* A bit for each byte that is `byte`. */
static inline unsigned scan_equal(__m128i bytes, char byte) {
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte)));
}

/* The words of two halves. */
static inline uint64_t scan_low(__m128i bytes) {
    return (uint64_t)_mm_cvtsi128_si64(bytes);
}

static inline uint64_t scan_high(__m128i bytes) {
    return (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(bytes, bytes));
}

/* The word up to the lowest bit of `ends`, when none of `others` is below it. */
static inline struct scan_word scan_word_sse2(__m128i bytes, unsigned ends, unsigned others) {
    static const char keep[2 * SCAN_BYTES] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                              -1, -1, -1, -1, -1, -1, -1, -1};
    if (ends == 0 || (others & (ends ^ (ends - 1))) != 0) {
        return (struct scan_word){SCAN_BYTES, 0, 0};
    }
    const unsigned len = (unsigned)__builtin_ctz(ends);
    const __m128i kept = _mm_and_si128(
        bytes, _mm_loadu_si128((const __m128i *)(const void *)(keep + SCAN_BYTES - len)));
    return (struct scan_word){len, scan_low(kept), scan_high(kept)};
}
#endif

#endif
