/* Finds runs of lines of the usual layout that lie in one 10 ms window, as a sender of batches
 * produces them by the hundred. A caller that counts windows need not know their times: from the
 * second line on, all but four digits equal those of the line before, and these four only have to
 * be digits. So four lines are compared at a time, with one branch: 0.7 ns a line, where
 * timestamp_fast takes 2 (bench/lines.c).
 *
 *      0           12        22  26
 *      YYYY-MM-DD HH:MM:SS.wwdddd L     L: what ends the line: LF, or CR or Z and LF
 *      |---- head ----|                 16 bytes: as in the first line
 *                  |---- tail ----|     16 bytes: H:MM:SS.wwddddL?
 *
 * It accepts only what timestamp_fast accepts. Without SSE2 it finds nothing. */
#ifndef AFORO_INGEST_TIMESTAMP_WINDOW_H
#define AFORO_INGEST_TIMESTAMP_WINDOW_H

#include "ingest/timestamp_fast.h"

#define TIMESTAMP_WINDOW_LINES 4
#define TIMESTAMP_WINDOW_TAIL 12
/* bytes that are read from the start of the last line */
#define TIMESTAMP_WINDOW_REACH (TIMESTAMP_WINDOW_TAIL + 16)

#ifdef __SSE2__
/* A line, and by how much later ones may differ from it. */
struct timestamp_window {
    __m128i head, tail, limit;
};

/* `line` has `stride` bytes, 27 or 28 with its end, and timestamp_fast has read it. */
static inline struct timestamp_window timestamp_window_learn(const char *line, size_t stride) {
    const __m128i digits = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, 0, 0);
    const char behind = stride < TIMESTAMP_WINDOW_REACH ? -1 : 0; /* the next line's first byte */
    const __m128i tail = timestamp_sixteen(line + TIMESTAMP_WINDOW_TAIL);
    return (struct timestamp_window){
        .head = timestamp_sixteen(line),
        .tail =
            _mm_or_si128(_mm_andnot_si128(digits, tail), _mm_and_si128(digits, _mm_set1_epi8('0'))),
        .limit = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 0, behind)};
}

/* Whether the next four lines, each of `stride` bytes, are in the window. */
static inline bool timestamp_window_has(const struct timestamp_window *window, const char *line,
                                        size_t stride) {
    __m128i beyond = _mm_setzero_si128();
    for (int i = 0; i < TIMESTAMP_WINDOW_LINES; i++, line += stride) {
        const __m128i head = _mm_xor_si128(timestamp_sixteen(line), window->head);
        const __m128i tail =
            _mm_xor_si128(timestamp_sixteen(line + TIMESTAMP_WINDOW_TAIL), window->tail);
        beyond = _mm_or_si128(beyond, _mm_or_si128(head, _mm_subs_epu8(tail, window->limit)));
    }
    return _mm_movemask_epi8(_mm_cmpeq_epi8(beyond, _mm_setzero_si128())) == 0xffff;
}

/* How many of at most `most` lines after the one at `data` are in its window; a multiple of
 * four. */
static inline size_t timestamp_window_count(const char *data, size_t len, size_t stride,
                                            size_t most) {
    const size_t step = TIMESTAMP_WINDOW_LINES * stride;
    const size_t reach = step - stride + TIMESTAMP_WINDOW_REACH;
    /* the fourth line usually shows whether it is worth trying */
    if (len < stride + reach || timestamp_word(data + 14) != timestamp_word(data + step + 14)) {
        return 0;
    }
    const struct timestamp_window window = timestamp_window_learn(data, stride);
    const char *at = data + stride;
    size_t n = 0;
    while (n + TIMESTAMP_WINDOW_LINES <= most && (size_t)(data + len - at) >= reach &&
           timestamp_window_has(&window, at, stride)) {
        n += TIMESTAMP_WINDOW_LINES;
        at += step;
    }
    return n;
}
#else
static inline size_t timestamp_window_count(const char *data, size_t len, size_t stride,
                                            size_t most) {
    (void)data;
    (void)len;
    (void)stride;
    (void)most;
    return 0;
}
#endif

#endif
