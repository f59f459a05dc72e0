/* A text in which sixteen bytes can be read at any place without reading beyond its end: its last
 * sixteen bytes are copied once, followed by zeros, and read there. For functions that look at
 * sixteen bytes at a time; each has a plain twin for machines without SSE2, and a test compares the
 * two. */
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

/* text[0..len) stays the caller's and must remain valid. */
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

/* A pointer to sixteen readable bytes: those at `at`, with zeros after the end of the text. `at`
 * may be the end. */
static inline const char *scan_readable(const struct scan_text *scan, const char *at) {
    const ptrdiff_t left = scan->end - at;
    return left >= SCAN_BYTES ? at : scan->tail + SCAN_BYTES - left;
}

/* A word of less than sixteen bytes, up to the byte that ends it. */
struct scan_word {
    unsigned len;           /* SCAN_BYTES: too long, or it has bytes that are not allowed */
    uint64_t first, second; /* its bytes in memory order, padded with zeros */
};

/* The word in bytes[0..len). */
static inline struct scan_word scan_word_of(const char *bytes, unsigned len) {
    struct scan_word found = {len, 0, 0};
    char kept[SCAN_BYTES] = {0};
    memcpy(kept, bytes, len);
    memcpy(&found.first, kept, sizeof found.first);
    memcpy(&found.second, kept + sizeof found.first, sizeof found.second);
    return found;
}

/* A run of digits and its value. */
struct scan_digits {
    unsigned len;    /* SCAN_BYTES: that many or more */
    uint64_t number; /* if len <= SCAN_DIGITS_READ; else 0 */
};

#define SCAN_DIGITS_READ 8

static inline struct scan_digits scan_digits_plain(const struct scan_text *scan, const char *at) {
    struct scan_digits digits = {0, 0};
    while (digits.len < SCAN_BYTES && at + digits.len < scan->end && at[digits.len] >= '0' &&
           at[digits.len] <= '9') {
        digits.number = digits.number * 10 + (uint64_t)(at[digits.len++] - '0');
    }
    if (digits.len > SCAN_DIGITS_READ) {
        digits.number = 0;
    }
    return digits;
}

#ifdef __SSE2__
static inline __m128i scan_sixteen(const struct scan_text *scan, const char *at) {
    return _mm_loadu_si128((const __m128i *)(const void *)scan_readable(scan, at));
}

/* One bit for each byte equal to `byte`. */
static inline unsigned scan_equal(__m128i bytes, char byte) {
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte)));
}

/* The two halves as words. */
static inline uint64_t scan_low(__m128i bytes) {
    return (uint64_t)_mm_cvtsi128_si64(bytes);
}

static inline uint64_t scan_high(__m128i bytes) {
    return (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(bytes, bytes));
}

/* The word up to the lowest bit of `ends`, provided no bit of `others` is below it. */
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

static inline struct scan_digits scan_digits_sse2(const struct scan_text *scan, const char *at) {
    const __m128i bytes = scan_sixteen(scan, at);
    const __m128i values = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    const __m128i within = _mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values);
    const unsigned others = ~(unsigned)_mm_movemask_epi8(within);
    const unsigned len = (unsigned)__builtin_ctz(others); /* bits above the sixteenth are set */
    if (len == 0 || len > SCAN_DIGITS_READ) {
        return (struct scan_digits){len, 0};
    }
    /* Shift the last digit to the highest byte; then add neighbours, weighted by their place. */
    uint64_t sums = scan_low(values) << (64 - 8 * len);
    sums = (sums * 10 + (sums >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    sums = (sums * 100 + (sums >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (struct scan_digits){len, (uint32_t)(sums * 10000 + (sums >> 32))};
}
#endif

static inline struct scan_digits scan_digits(const struct scan_text *scan, const char *at) {
#ifdef __SSE2__
    return scan_digits_sse2(scan, at);
#else
    return scan_digits_plain(scan, at);
#endif
}

#endif
