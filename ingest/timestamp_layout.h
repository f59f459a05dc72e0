/* Parses timestamps of any documented layout when they look like earlier ones: a stream seldom has
 * more than one or two layouts. A layout is learnt from a timestamp that the plain parser has read:
 * what each byte must be. Later timestamps of the same length are then checked and converted at
 * once, as timestamp_fast.h does for the one layout that it knows from the start.
 *
 *      0          11       19       len
 *      YYYY-MM-DD HH:MM:SS.fff+hh:mm     day, point and zone are those of the learnt timestamp; a
 *                                        new day is learnt on the way
 *      ssssssssss.fff                    epoch: s with a fraction, s, ms, us, ns by their digits
 *
 * The result is either a time or "unknown": on false, use timestamp_parse_plain. Pure; a set of
 * layouts belongs to one thread. */
#ifndef AFORO_INGEST_TIMESTAMP_LAYOUT_H
#define AFORO_INGEST_TIMESTAMP_LAYOUT_H

#include "ingest/timestamp.h"
#include "ingest/timestamp_fast.h"

#define TIMESTAMP_NINES UINT64_C(0x0909090909090909)
#define TIMESTAMP_ANY 0xff

/* All zeros: none. */
struct timestamp_layout {
    uint8_t len;     /* of a timestamp; 0: none */
    uint8_t reach;   /* bytes that are read, from its first one */
    uint8_t rest_at; /* offset of 16 bytes that are checked but not converted */
    bool is_epoch;
    bool is_tenths;   /* epoch: its digits count units of 1/10 us */
    int64_t ahead_us; /* of UTC */
    struct timestamp_day day;
    /* By how much (xor) each of these bytes may differ from `rest`: not at all for Z, an offset and
     * the epoch's point; by 9 from '0' for digits below a microsecond, which are cut off; by
     * TIMESTAMP_ANY for all others. */
    char rest[16];
    unsigned char rest_limit[16];
    /* Masks for 16 bytes, for a calendar layout from the eleventh byte on, for the epoch from the
     * first and from the second on; and the pattern to remove from a calendar layout. */
    char keep[16], keep_next[16], pattern[16];
};

/* ---- one timestamp of a layout ---- */

/* The value of eight digits, the first in the lowest byte. */
static inline uint64_t timestamp_eight_digits(uint64_t digits) {
    const uint64_t pairs = timestamp_pairs(digits) & UINT64_C(0x00ff00ff00ff00ff);
    const uint64_t fours = (pairs * 100 + (pairs >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(fours * 10000 + (fours >> 32));
}

/* Whether eight bytes of the rest match the layout's. */
static inline bool timestamp_rest_eight(const struct timestamp_layout *layout, const char *text,
                                        unsigned at) {
    const uint64_t limit = timestamp_word((const char *)layout->rest_limit + at);
    const uint64_t any = (limit >> 7 & UINT64_C(0x0101010101010101)) * TIMESTAMP_ANY;
    const uint64_t rest =
        timestamp_word(text + layout->rest_at + at) ^ timestamp_word(layout->rest + at);
    return timestamp_within(rest & ~any, limit & ~any);
}

/* Whether the rest of the timestamp matches the layout's: Z, the offset, the digits that are cut
 * off. */
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

/* Eight of the 16 digits that timestamp_layout_epoch_swar reads. */
static inline uint64_t timestamp_epoch_digits(const struct timestamp_layout *layout,
                                              const char *text, unsigned at) {
    const uint64_t zeros = timestamp_word("00000000");
    return ((timestamp_word(text + at) ^ zeros) & timestamp_word(layout->keep + at)) |
           ((timestamp_word(text + at + 1) ^ zeros) & timestamp_word(layout->keep_next + at));
}

/* The first 16 digits, without the point and padded with zeros, count us or 1/10 us. The first
 * digit must not be 0, so that their number tells the unit. */
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
    /* Add neighbours three times: two digits, four, eight. */
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

/* Parses a text of the layout's length into *us; reads text[0..reach). False, with *us unchanged,
 * when it has another layout or is of another day. */
static inline bool timestamp_layout_read(const struct timestamp_layout *layout, const char *text,
                                         int64_t *us) {
    return timestamp_layout_rest(layout, text) &&
           (layout->is_epoch ? timestamp_layout_epoch(layout, text, us)
                             : timestamp_layout_calendar(layout, text, us));
}

/* The same for a timestamp of another day, which becomes the layout's day. */
bool timestamp_layout_read_day(struct timestamp_layout *layout, const char *text, int64_t *us);

/* The same for a timestamp of any day. */
static inline bool timestamp_layout_read_on(struct timestamp_layout *layout, const char *text,
                                            int64_t *us) {
    return __builtin_expect(timestamp_layout_read(layout, text, us), 1) ||
           timestamp_layout_read_day(layout, text, us);
}

/* Learns the layout of text[0..len), which the plain parser has read as `us`. False, with the
 * layout unchanged, when it cannot be learnt (second 60; numbers since the epoch outside this
 * century). */
bool timestamp_layout_learn(struct timestamp_layout *layout, const char *text, size_t len,
                            int64_t us);

/* ---- the layouts of a stream ---- */

#define TIMESTAMP_LAYOUTS 8

/* All zeros: nothing learnt yet. */
struct timestamp_layouts {
    struct timestamp_layout layout[TIMESTAMP_LAYOUTS]; /* by length of the timestamp */
    unsigned last;                                     /* the one that matched last */
};

/* Like timestamp_parse, but learns the layout of the text for the next ones. */
bool timestamp_layouts_parse(struct timestamp_layouts *layouts, const char *text, size_t len,
                             int64_t *us, struct timestamp_error *error);

#endif
