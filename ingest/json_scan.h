/* What a JSON reader skips sixteen bytes at a time: the inside of strings, and digits. */
#ifndef AFORO_INGEST_JSON_SCAN_H
#define AFORO_INGEST_JSON_SCAN_H

#include "ingest/scan.h"

/* A run of bytes that may occur in a string unescaped. */
struct json_run {
    const char *end; /* the first byte that ends it: quote, backslash, control, or end of text */
    bool high;       /* some byte before `end` is >= 0x80 */
};

static inline struct json_run json_run_plain(const struct scan_text *scan, const char *at) {
    struct json_run run = {at, false};
    for (; run.end < scan->end; run.end++) {
        const unsigned char byte = (unsigned char)*run.end;
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            break;
        }
        run.high |= byte >= 0x80;
    }
    return run;
}

/* A short string, like most names and values, up to its closing quote; without escapes, control
 * characters and bytes beyond ASCII. */
static inline struct scan_word json_short_plain(const struct scan_text *scan, const char *at) {
    const char *bytes = scan_readable(scan, at);
    for (unsigned len = 0; len < SCAN_BYTES; len++) {
        const unsigned char byte = (unsigned char)bytes[len];
        if (byte == '"') {
            return scan_word_of(bytes, len);
        }
        if (byte < 0x20 || byte >= 0x80 || byte == '\\') {
            break;
        }
    }
    return (struct scan_word){SCAN_BYTES, 0, 0};
}

static inline const char *json_digits_end_plain(const struct scan_text *scan, const char *at) {
    while (at < scan->end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

#ifdef __SSE2__
static inline struct json_run json_run_sse2(const struct scan_text *scan, const char *at) {
    unsigned high = 0;
    for (;; at += SCAN_BYTES) {
        const __m128i bytes = scan_sixteen(scan, at);
        const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        const __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                             _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
        const unsigned stops = (unsigned)_mm_movemask_epi8(_mm_or_si128(control, special));
        const unsigned highs = (unsigned)_mm_movemask_epi8(bytes);
        if (stops != 0) {
            /* only bytes below the lowest stop */
            high |= highs & (stops ^ (stops - 1)) >> 1;
            return (struct json_run){at + __builtin_ctz(stops), high != 0};
        }
        high |= highs;
    }
}

static inline struct scan_word json_short_sse2(const struct scan_text *scan, const char *at) {
    const __m128i bytes = scan_sixteen(scan, at);
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const __m128i escape = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    /* the highest bit of a byte marks those beyond ASCII */
    const __m128i others = _mm_or_si128(_mm_or_si128(control, escape), bytes);
    return scan_word_sse2(bytes, scan_equal(bytes, '"'), (unsigned)_mm_movemask_epi8(others));
}

static inline const char *json_digits_end_sse2(const struct scan_text *scan, const char *at) {
    for (;; at += SCAN_BYTES) {
        const __m128i bytes = scan_sixteen(scan, at);
        const __m128i digits = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
        const __m128i within = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
        const unsigned others = ~(unsigned)_mm_movemask_epi8(within) & 0xffff;
        if (others != 0) {
            return at + __builtin_ctz(others);
        }
    }
}
#endif

static inline struct json_run json_run(const struct scan_text *scan, const char *at) {
#ifdef __SSE2__
    return json_run_sse2(scan, at);
#else
    return json_run_plain(scan, at);
#endif
}

static inline struct scan_word json_short(const struct scan_text *scan, const char *at) {
#ifdef __SSE2__
    return json_short_sse2(scan, at);
#else
    return json_short_plain(scan, at);
#endif
}

static inline const char *json_digits_end(const struct scan_text *scan, const char *at) {
#ifdef __SSE2__
    return json_digits_end_sse2(scan, at);
#else
    return json_digits_end_plain(scan, at);
#endif
}

#endif
