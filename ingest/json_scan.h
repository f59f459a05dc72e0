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

/* A short string, as most names and values are: it ends within sixteen bytes, and nothing in it is
 * an escape, a control character or beyond ASCII. */
struct json_short {
    unsigned len;           /* JSON_SCAN_BYTES: it is not so short, or not so plain */
    uint64_t first, second; /* its bytes as they lie in memory, zeros behind them */
};

static inline struct json_short json_short_plain(const struct json_text *scan, const char *at) {
    struct json_short string = {0, 0, 0};
    char bytes[JSON_SCAN_BYTES] = {0};
    for (; string.len < JSON_SCAN_BYTES; string.len++) {
        const unsigned char byte = at + string.len < scan->end ? (unsigned char)at[string.len] : 0;
        if (byte == '"') {
            memcpy(&string.first, bytes, sizeof string.first);
            memcpy(&string.second, bytes + sizeof string.first, sizeof string.second);
            return string;
        }
        if (byte < 0x20 || byte >= 0x80 || byte == '\\') {
            break;
        }
        bytes[string.len] = (char)byte;
    }
    return (struct json_short){JSON_SCAN_BYTES, 0, 0};
}

/* Digits, as many as stand there, and their number. */
struct json_digits {
    unsigned len;    /* JSON_SCAN_BYTES: so many, or more */
    uint64_t number; /* when there are JSON_DIGITS_READ at the most; else 0 */
};

#define JSON_DIGITS_READ 8

static inline struct json_digits json_digits_plain(const struct json_text *scan, const char *at) {
    struct json_digits digits = {0, 0};
    while (digits.len < JSON_SCAN_BYTES && at + digits.len < scan->end && at[digits.len] >= '0' &&
           at[digits.len] <= '9') {
        digits.number = digits.number * 10 + (uint64_t)(at[digits.len++] - '0');
    }
    if (digits.len > JSON_DIGITS_READ) {
        digits.number = 0;
    }
    return digits;
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

/* The words of two halves. */
static inline uint64_t json_low(__m128i bytes) {
    return (uint64_t)_mm_cvtsi128_si64(bytes);
}

static inline uint64_t json_high(__m128i bytes) {
    return (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(bytes, bytes));
}

static inline struct json_short json_short_sse2(const struct json_text *scan, const char *at) {
    static const char keep[2 * JSON_SCAN_BYTES] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                   -1, -1, -1, -1, -1, -1, -1, -1};
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)json_readable(scan, at));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const __m128i escape = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const unsigned quotes = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    /* the highest bit of a byte is what tells those beyond ASCII */
    const unsigned others =
        (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(control, escape), bytes));
    if (quotes == 0 || (others & (quotes ^ (quotes - 1))) != 0) {
        return (struct json_short){JSON_SCAN_BYTES, 0, 0};
    }
    const unsigned len = (unsigned)__builtin_ctz(quotes);
    const __m128i kept = _mm_and_si128(
        bytes, _mm_loadu_si128((const __m128i *)(const void *)(keep + JSON_SCAN_BYTES - len)));
    return (struct json_short){len, json_low(kept), json_high(kept)};
}

static inline struct json_digits json_digits_sse2(const struct json_text *scan, const char *at) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)json_readable(scan, at));
    const __m128i values = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    const __m128i within = _mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values);
    const unsigned others = ~(unsigned)_mm_movemask_epi8(within);
    const unsigned len = (unsigned)__builtin_ctz(others); /* bits beyond the sixteenth are set */
    if (len == 0 || len > JSON_DIGITS_READ) {
        return (struct json_digits){len, 0};
    }
    /* The last digit goes to the highest byte; then neighbours are added, each times its worth. */
    uint64_t word = json_low(values) << (64 - 8 * len);
    word = (word * 10 + (word >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    word = (word * 100 + (word >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (struct json_digits){len, (uint32_t)(word * 10000 + (word >> 32))};
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

static inline struct json_short json_short(const struct json_text *scan, const char *at) {
#ifdef __SSE2__
    return json_short_sse2(scan, at);
#else
    return json_short_plain(scan, at);
#endif
}

static inline struct json_digits json_digits(const struct json_text *scan, const char *at) {
#ifdef __SSE2__
    return json_digits_sse2(scan, at);
#else
    return json_digits_plain(scan, at);
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
