/* What a reader of text lines skips sixteen bytes at a time: names and values. */
#ifndef AFORO_INGEST_LINE_SCAN_H
#define AFORO_INGEST_LINE_SCAN_H

#include "ingest/scan.h"

/* A short name up to its '='; without blanks and quotes. */
static inline struct scan_word line_name_plain(const struct scan_text *scan, const char *at) {
    const char *bytes = scan_readable(scan, at);
    const ptrdiff_t left = scan->end - at;
    for (unsigned len = 0; len < SCAN_BYTES && len < left; len++) {
        if (bytes[len] == '=') {
            return scan_word_of(bytes, len);
        }
        if (bytes[len] == ' ' || bytes[len] == '\t' || bytes[len] == '"') {
            break;
        }
    }
    return (struct scan_word){SCAN_BYTES, 0, 0};
}

/* The first blank or quote at or after `at`, or the end of the text. */
static inline const char *line_value_end_plain(const struct scan_text *scan, const char *at) {
    while (at < scan->end && *at != ' ' && *at != '\t' && *at != '"') {
        at++;
    }
    return at;
}

#ifdef __SSE2__
static inline unsigned line_stops(__m128i bytes) {
    return scan_equal(bytes, ' ') | scan_equal(bytes, '\t') | scan_equal(bytes, '"');
}

static inline struct scan_word line_name_sse2(const struct scan_text *scan, const char *at) {
    const __m128i bytes = scan_sixteen(scan, at);
    return scan_word_sse2(bytes, scan_equal(bytes, '='), line_stops(bytes));
}

static inline const char *line_value_end_sse2(const struct scan_text *scan, const char *at) {
    for (; scan->end - at > 0; at += SCAN_BYTES) {
        const unsigned stops = line_stops(scan_sixteen(scan, at));
        if (stops != 0) {
            return at + __builtin_ctz(stops);
        }
        if (scan->end - at < SCAN_BYTES) {
            break;
        }
    }
    return scan->end;
}
#endif

static inline struct scan_word line_name(const struct scan_text *scan, const char *at) {
#ifdef __SSE2__
    return line_name_sse2(scan, at);
#else
    return line_name_plain(scan, at);
#endif
}

static inline const char *line_value_end(const struct scan_text *scan, const char *at) {
#ifdef __SSE2__
    return line_value_end_sse2(scan, at);
#else
    return line_value_end_plain(scan, at);
#endif
}

#endif
