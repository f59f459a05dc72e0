/* What a scanner of JSON passes over sixteen bytes at a time: the inside of strings, and digits;
 * with a plain twin of each for machines without SSE2, which a test compares. No byte beyond the
 * text is read: its last sixteen are copied once, zeros behind them, and read there. */
#ifndef AFORO_INGEST_JSON_SCAN_H
#define AFORO_INGEST_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define JSON_SCAN_BYTES 16

struct json_text {
    const char *text, *end;
    char tail[2 * JSON_SCAN_BYTES];
};

/* text[0..len) stays the caller's. */
static inline void json_text_begin(struct json_text *scan, const char *text, size_t len) {
    scan->text = text;
    scan->end = text + len;
    memset(scan->tail, 0, sizeof scan->tail);
    if (len >= JSON_SCAN_BYTES) {
        memcpy(scan->tail, scan->end - JSON_SCAN_BYTES, JSON_SCAN_BYTES);
    } else {
        memcpy(scan->tail + JSON_SCAN_BYTES - len, text, len);
    }
}

/* Where sixteen bytes can be read that are those from `at` on, zeros where the text ends. at may be
 * the end. */
static inline const char *json_readable(const struct json_text *scan, const char *at) {
    const ptrdiff_t left = scan->end - at;
    return left >= JSON_SCAN_BYTES ? at : scan->tail + JSON_SCAN_BYTES - left;
}

/* What can stand in a string as it is, from a place on. */
struct json_run {
    const char *end; /* the first byte that cannot: quote, backslash, control, or the text's end */
    bool high;       /* a byte from 0x80 on is among those before it */
};

static inline struct json_run json_run_plain(const struct json_text *scan, const char *at) {
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

static inline const char *json_digits_end_plain(const struct json_text *scan, const char *at) {
    while (at < scan->end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

#ifdef __SSE2__
static inline struct json_run json_run_sse2(const struct json_text *scan, const char *at) {
    unsigned high = 0;
    for (;; at += JSON_SCAN_BYTES) {
        const __m128i bytes =
            _mm_loadu_si128((const __m128i *)(const void *)json_readable(scan, at));
        const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        const __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                             _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
        const unsigned stops = (unsigned)_mm_movemask_epi8(_mm_or_si128(control, special));
        const unsigned highs = (unsigned)_mm_movemask_epi8(bytes);
        if (stops != 0) {
            /* those below the lowest stop */
            high |= highs & (stops ^ (stops - 1)) >> 1;
            return (struct json_run){at + __builtin_ctz(stops), high != 0};
        }
        high |= highs;
    }
}

static inline const char *json_digits_end_sse2(const struct json_text *scan, const char *at) {
    for (;; at += JSON_SCAN_BYTES) {
        const __m128i bytes =
            _mm_loadu_si128((const __m128i *)(const void *)json_readable(scan, at));
        const __m128i digits = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
        const __m128i within = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
        const unsigned others = ~(unsigned)_mm_movemask_epi8(within) & 0xffff;
        if (others != 0) {
            return at + __builtin_ctz(others);
        }
    }
}
#endif

static inline struct json_run json_run(const struct json_text *scan, const char *at) {
#ifdef __SSE2__
    return json_run_sse2(scan, at);
#else
    return json_run_plain(scan, at);
#endif
}

static inline const char *json_digits_end(const struct json_text *scan, const char *at) {
#ifdef __SSE2__
    return json_digits_end_sse2(scan, at);
#else
    return json_digits_end_plain(scan, at);
#endif
}

#endif
