/* Time stamps of any documented layout, when they come as those before: a stream seldom has more
 * than one or two layouts. What the bytes of a stamp must be to be of a layout is learnt from one
 * that the plain parser has read; the next ones of as many bytes are then checked and converted at
 * once, as timestamp_fast.h does it for the one layout that it knows from the start.
 *
 *      0          11       19       len
 *      YYYY-MM-DD HH:MM:SS.fff+hh:mm     the day, the point and the zone are those of the stamp
 *                                        that was learnt; a new day is learnt in passing
 *      ssssssssss.fff                    epoch: s with a fraction, s, ms, us, ns by their digits
 *
 * It says yes or nothing: whoever gets false asks timestamp_parse_plain. Pure; a set of layouts
 * belongs to one thread. */
#ifndef AFORO_INGEST_TIMESTAMP_LAYOUT_H
#define AFORO_INGEST_TIMESTAMP_LAYOUT_H

#include "ingest/timestamp.h"
#include "ingest/timestamp_fast.h"

#define TIMESTAMP_NINES UINT64_C(0x0909090909090909)
#define TIMESTAMP_ANY 0xff

/* All zeros: none. */
struct timestamp_layout {
    uint8_t len;     /* of a stamp; 0: none */
    uint8_t reach;   /* bytes that are read, from its first on */
    uint8_t rest_at; /* 16 bytes: what is not converted, and must be right all the same */
    bool is_epoch;
    bool is_tenths;   /* epoch: its digits count 1/10 us */
    int64_t ahead_us; /* of UTC */
    struct timestamp_day day;
    /* The rest: by how much each byte may differ (xor) from `rest`. Z, an offset and the epoch's
     * point by nothing, digits below a microsecond, which are cut off, by 9 from '0', others by
     * TIMESTAMP_ANY. */
    char rest[16];
    unsigned char rest_limit[16];
    /* 16 bytes, the calendar's from the eleventh on, the epoch's from the first or second on: which
     * count. And what is taken off the calendar's. */
    char keep[16], keep_next[16], pattern[16];
};

/* ---- a stamp of a layout ---- */

/* Eight digits, the first the lowest byte. */
static inline uint64_t timestamp_eight_digits(uint64_t digits) {
    const uint64_t pairs = timestamp_pairs(digits) & UINT64_C(0x00ff00ff00ff00ff);
    const uint64_t fours = (pairs * 100 + (pairs >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(fours * 10000 + (fours >> 32));
}

/* Whether eight bytes of the rest are as the layout's. */
static inline bool timestamp_rest_eight(const struct timestamp_layout *layout, const char *text,
                                        unsigned at) {
    const uint64_t limit = timestamp_word((const char *)layout->rest_limit + at);
    const uint64_t any = (limit >> 7 & UINT64_C(0x0101010101010101)) * TIMESTAMP_ANY;
    const uint64_t rest =
        timestamp_word(text + layout->rest_at + at) ^ timestamp_word(layout->rest + at);
    return timestamp_within(rest & ~any, limit & ~any);
}

/* Whether the rest of the stamp is as the layout's: Z, the offset, the digits that are cut off. */
static inline bool timestamp_layout_rest_swar(const struct timestamp_layout *layout,
                                              const char *text) {
    return timestamp_rest_eight(layout, text, 0) && timestamp_rest_eight(layout, text, 8);
}

static inline bool timestamp_layout_calendar_swar(const struct timestamp_layout *layout,
                                                  const char *text, int64_t *us) {
    const uint64_t second = timestamp_word(text + 18) ^ timestamp_word(layout->pattern + 8);
    return timestamp_day_is(&layout->day, text) &&
           timestamp_clock_swar(timestamp_word(text + 11) ^ timestamp_word("00:00:00"),
                                second & timestamp_word(layout->keep + 8),
                                layout->day.us - layout->ahead_us, us);
}

/* Eight of the 16 digits of timestamp_layout_epoch_swar. */
static inline uint64_t timestamp_epoch_digits(const struct timestamp_layout *layout,
                                              const char *text, unsigned at) {
    const uint64_t zeros = timestamp_word("00000000");
    return ((timestamp_word(text + at) ^ zeros) & timestamp_word(layout->keep + at)) |
           ((timestamp_word(text + at + 1) ^ zeros) & timestamp_word(layout->keep_next + at));
}

/* The first 16 digits, zeros behind fewer and without the point, are us or 1/10 us. The first is
 * not 0, so that their number says what they count. */
static inline bool timestamp_layout_epoch_swar(const struct timestamp_layout *layout,
                                               const char *text, int64_t *us) {
    const uint64_t first = timestamp_epoch_digits(layout, text, 0);
    const uint64_t second = timestamp_epoch_digits(layout, text, 8);
    if (!timestamp_within(first, TIMESTAMP_NINES) || !timestamp_within(second, TIMESTAMP_NINES) ||
        (first & 0xff) == 0) {
        return false;
    }
    const uint64_t number =
        timestamp_eight_digits(first) * 100000000 + timestamp_eight_digits(second);
    *us = (int64_t)(layout->is_tenths ? number / 10 : number);
    return true;
}

#ifdef __SSE2__
static inline bool timestamp_layout_rest_sse2(const struct timestamp_layout *layout,
                                              const char *text) {
    const __m128i rest =
        _mm_xor_si128(timestamp_sixteen(text + layout->rest_at), timestamp_sixteen(layout->rest));
    const __m128i beyond = _mm_subs_epu8(rest, timestamp_sixteen((const char *)layout->rest_limit));
    return _mm_movemask_epi8(_mm_cmpeq_epi8(beyond, _mm_setzero_si128())) == 0xffff;
}

static inline bool timestamp_layout_calendar_sse2(const struct timestamp_layout *layout,
                                                  const char *text, int64_t *us) {
    const __m128i tail =
        _mm_xor_si128(timestamp_sixteen(text + 10), timestamp_sixteen(layout->pattern));
    return timestamp_clock_sse2(
        _mm_xor_si128(timestamp_sixteen(text), timestamp_sixteen(layout->day.prefix)),
        _mm_and_si128(tail, timestamp_sixteen(layout->keep)), layout->day.us - layout->ahead_us,
        us);
}

static inline bool timestamp_layout_epoch_sse2(const struct timestamp_layout *layout,
                                               const char *text, int64_t *us) {
    const __m128i zeros = _mm_set1_epi8('0'), zero = _mm_setzero_si128();
    const __m128i digits =
        _mm_or_si128(_mm_and_si128(_mm_xor_si128(timestamp_sixteen(text), zeros),
                                   timestamp_sixteen(layout->keep)),
                     _mm_and_si128(_mm_xor_si128(timestamp_sixteen(text + 1), zeros),
                                   timestamp_sixteen(layout->keep_next)));
    const __m128i beyond = _mm_subs_epu8(digits, _mm_set1_epi8(9));
    /* Neighbours are added three times: two digits, four, eight. */
    const __m128i tens = _mm_setr_epi16(10, 1, 10, 1, 10, 1, 10, 1);
    const __m128i twos = _mm_packs_epi32(_mm_madd_epi16(_mm_unpacklo_epi8(digits, zero), tens),
                                         _mm_madd_epi16(_mm_unpackhi_epi8(digits, zero), tens));
    const __m128i fours = _mm_madd_epi16(twos, _mm_setr_epi16(100, 1, 100, 1, 100, 1, 100, 1));
    const __m128i eights = _mm_madd_epi16(_mm_packs_epi32(fours, fours),
                                          _mm_setr_epi16(10000, 1, 10000, 1, 10000, 1, 10000, 1));
    const uint64_t halves = (uint64_t)_mm_cvtsi128_si64(eights);
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(beyond, zero)) != 0xffff || *text == '0') {
        return false;
    }
    const uint64_t number = (uint32_t)halves * UINT64_C(100000000) + (halves >> 32);
    *us = (int64_t)(layout->is_tenths ? number / 10 : number);
    return true;
}
#endif

static inline bool timestamp_layout_calendar(const struct timestamp_layout *layout,
                                             const char *text, int64_t *us) {
#ifdef __SSE2__
    return timestamp_layout_calendar_sse2(layout, text, us);
#else
    return timestamp_layout_calendar_swar(layout, text, us);
#endif
}

static inline bool timestamp_layout_epoch(const struct timestamp_layout *layout, const char *text,
                                          int64_t *us) {
#ifdef __SSE2__
    return timestamp_layout_epoch_sse2(layout, text, us);
#else
    return timestamp_layout_epoch_swar(layout, text, us);
#endif
}

static inline bool timestamp_layout_rest(const struct timestamp_layout *layout, const char *text) {
#ifdef __SSE2__
    return timestamp_layout_rest_sse2(layout, text);
#else
    return timestamp_layout_rest_swar(layout, text);
#endif
}

/* text[0..len) of the layout into *us; text[0..reach) is read. False, with *us as it was, when it
 * is of another, or of another day. */
static inline bool timestamp_layout_read(const struct timestamp_layout *layout, const char *text,
                                         int64_t *us) {
    return timestamp_layout_rest(layout, text) &&
           (layout->is_epoch ? timestamp_layout_epoch(layout, text, us)
                             : timestamp_layout_calendar(layout, text, us));
}

/* The same of a stamp of another day: it becomes the layout's. */
bool timestamp_layout_read_day(struct timestamp_layout *layout, const char *text, int64_t *us);

/* The same of one of any day. */
static inline bool timestamp_layout_read_on(struct timestamp_layout *layout, const char *text,
                                            int64_t *us) {
    return __builtin_expect(timestamp_layout_read(layout, text, us), 1) ||
           timestamp_layout_read_day(layout, text, us);
}

/* Learns the layout of text[0..len), which the plain parser has read as us. False when it has none
 * that can be learnt (second 60; numbers since the epoch that mean no time of this century): the
 * layout is as it was then. */
bool timestamp_layout_learn(struct timestamp_layout *layout, const char *text, size_t len,
                            int64_t us);

/* ---- the layouts of a stream ---- */

#define TIMESTAMP_LAYOUTS 8

/* All zeros: nothing is known yet. */
struct timestamp_layouts {
    struct timestamp_layout layout[TIMESTAMP_LAYOUTS]; /* by the stamps' bytes */
    unsigned last;                                     /* which came last */
};

/* As timestamp_parse; what the text is like is expected of the next ones. */
bool timestamp_layouts_parse(struct timestamp_layouts *layouts, const char *text, size_t len,
                             int64_t *us, struct timestamp_error *error);

#endif
