/* Parses the one layout that arrives by the million, YYYY-MM-DD HH:MM:SS.ffffff (26 bytes; a T may
 * replace the blank), without a branch per digit: all bytes are checked and converted at once. The
 * result is either a time or "unknown": on false, use timestamp_parse_plain, which accepts
 * everything that this does (and second 60) and knows why a text is refused.
 *
 * The date is not converted but compared with one that was converted before (struct timestamp_day,
 * owned by the caller): in a stream of events the day seldom changes, whatever their order.
 *
 *      0         10              26
 *      YYYY-MM-DD HH:MM:SS.ffffff
 *      |---- head ----|             16 bytes: date and blank must equal the day's prefix
 *                |---- tail ----|   16 bytes: ?HH:MM:SS.ffffff
 *
 * Digits: b ^ '0' is 0..9 for a digit and larger for any other byte; b ^ ':' is 0 only for a colon.
 * So one xor with a pattern and one comparison with a limit per place check a whole word. */
#ifndef AFORO_INGEST_TIMESTAMP_FAST_H
#define AFORO_INGEST_TIMESTAMP_FAST_H

#include "counters/time/civil.h"
#include "counters/time/window.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define TIMESTAMP_FAST_LEN 26
#define TIMESTAMP_PREFIX_LEN 11 /* YYYY-MM-DD and the blank or T */

/* A date as text, and when that day begins. It always holds a real date: there is no "none" value
 * that a client could imitate. */
struct timestamp_day {
    char prefix[16]; /* bytes from TIMESTAMP_PREFIX_LEN on are ignored */
    int64_t us;
};

/* Eight bytes as a word, the first byte lowest. */
static inline uint64_t timestamp_word(const char *bytes) {
    uint64_t eight;
    memcpy(&eight, bytes, sizeof eight);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    return eight;
}

/* Whether every byte of `eight` is at most the corresponding byte of `limit` (each <= 127). A
 * larger byte sets the highest bit of its place, and only such a byte can carry into the next
 * place. */
static inline bool timestamp_within(uint64_t eight, uint64_t limit) {
    const uint64_t high = UINT64_C(0x8080808080808080);
    return (((eight + (~high - limit)) | eight) & high) == 0;
}

/* Combines adjacent digits: byte i becomes 10 x byte i + byte i + 1. */
static inline uint64_t timestamp_pairs(uint64_t digits) {
    return digits * 10 + (digits >> 8);
}

static inline unsigned timestamp_byte(uint64_t eight, unsigned i) {
    return (unsigned)(eight >> (8 * i)) & 0xff;
}

/* Parses text[0..11), a date followed by a blank, T or t, into *day; copies text[0..16). False,
 * with *day unchanged, when it is not a date. */
static inline bool timestamp_day_learn(struct timestamp_day *day, const char *text) {
    const uint64_t digits = timestamp_word(text) ^ timestamp_word("0000-00-");
    const unsigned day_tens = (unsigned char)text[8] - (unsigned)'0';
    const unsigned day_ones = (unsigned char)text[9] - (unsigned)'0';
    if (!timestamp_within(digits, UINT64_C(0x0009090009090909)) || day_tens > 3 || day_ones > 9 ||
        (text[10] != ' ' && text[10] != 'T' && text[10] != 't')) {
        return false;
    }
    const uint64_t pairs = timestamp_pairs(digits);
    const int year = (int)(timestamp_byte(pairs, 0) * 100 + timestamp_byte(pairs, 2));
    const int month = (int)timestamp_byte(pairs, 5);
    const int day_of_month = (int)(day_tens * 10 + day_ones);
    if (month < 1 || month > 12 || day_of_month < 1 ||
        day_of_month > civil_days_in_month(year, month)) {
        return false;
    }
    memcpy(day->prefix, text, sizeof day->prefix);
    day->us = civil_days_from_date(year, month, day_of_month) * INT64_C(86400) * US_PER_S;
    return true;
}

static inline void timestamp_day_begin(struct timestamp_day *day) {
    memset(day, 0, sizeof *day);
    memcpy(day->prefix, "1970-01-01 ", TIMESTAMP_PREFIX_LEN);
}

/* Converts 16 bytes of the clock after the patterns were removed: `clock` from HH:MM:SS, `second`
 * from S.ffffff. False, with *us unchanged, unless they are digits within range. */
static inline bool timestamp_clock_swar(uint64_t clock, uint64_t second, int64_t day_us,
                                        int64_t *us) {
    const uint64_t clock_pairs = timestamp_pairs(clock);
    const unsigned hour = timestamp_byte(clock_pairs, 0);
    if (!timestamp_within(clock, UINT64_C(0x0905000905000902)) ||
        !timestamp_within(second, UINT64_C(0x0909090909090009)) || hour > 23) {
        return false;
    }
    const uint64_t pairs = timestamp_pairs(second);
    const unsigned s =
        hour * 3600 + timestamp_byte(clock_pairs, 3) * 60 + timestamp_byte(clock_pairs, 6);
    const unsigned fraction_us = timestamp_byte(pairs, 2) * 10000 + timestamp_byte(pairs, 4) * 100 +
                                 timestamp_byte(pairs, 6);
    *us = day_us + (int64_t)s * US_PER_S + fraction_us;
    return true;
}

/* Whether text[0..11) is the day's prefix. */
static inline bool timestamp_day_is(const struct timestamp_day *day, const char *text) {
    const uint64_t date = timestamp_word(text) ^ timestamp_word(day->prefix);
    const uint64_t rest = timestamp_word(text + 3) ^ timestamp_word(day->prefix + 3);
    return (date | rest) == 0;
}

/* Parses text[0..26) into *us when it has this layout and is of that day; otherwise false, with *us
 * unchanged. With 64-bit words. */
static inline bool timestamp_fast_swar(const struct timestamp_day *day, const char *text,
                                       int64_t *us) {
    return timestamp_day_is(day, text) &&
           timestamp_clock_swar(timestamp_word(text + 11) ^ timestamp_word("00:00:00"),
                                timestamp_word(text + 18) ^ timestamp_word("0.000000"), day->us,
                                us);
}

#ifdef __SSE2__
static inline __m128i timestamp_sixteen(const char *bytes) {
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

/* The same with 128-bit words: `head` is the difference from the day's prefix, `tail` is
 * ?HH:MM:SS.ffffff after removal of its pattern. */
static inline bool timestamp_clock_sse2(__m128i head, __m128i tail, int64_t day_us, int64_t *us) {
    const __m128i head_limit = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1);
    const __m128i tail_limit = _mm_setr_epi8(-1, 2, 9, 0, 5, 9, 0, 5, 9, 0, 9, 9, 9, 9, 9, 9);
    const __m128i zero = _mm_setzero_si128();
    const __m128i beyond =
        _mm_or_si128(_mm_subs_epu8(head, head_limit), _mm_subs_epu8(tail, tail_limit));

    /* Add neighbours, weighted by their place; the places of the colons and the blank weigh 0:
     *   ?H H: MM :S   ->  minutes, minutes, minutes, tens of seconds
     *   S. ff ff ff   ->  seconds, three numbers 0..99 */
    const __m128i low =
        _mm_madd_epi16(_mm_unpacklo_epi8(tail, zero), _mm_setr_epi16(0, 600, 60, 0, 10, 1, 0, 10));
    const __m128i high =
        _mm_madd_epi16(_mm_unpackhi_epi8(tail, zero), _mm_setr_epi16(1, 0, 10, 1, 10, 1, 10, 1));
    /* And again: hours in s; minutes and tens of s in s; s and 1/100 s in 100 us; us. */
    const __m128i sums = _mm_madd_epi16(_mm_packs_epi32(low, high),
                                        _mm_setr_epi16(60, 60, 60, 1, 10000, 100, 100, 1));
    const uint64_t s_pair = (uint64_t)_mm_cvtsi128_si64(sums);
    const uint64_t us_pair = (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums));
    const uint32_t s = (uint32_t)s_pair + (uint32_t)(s_pair >> 32);
    /* The limits of digits already bound minutes and seconds; the sum tells whether the hour was
     * below 24. */
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(beyond, zero)) != 0xffff || s >= 86400) {
        return false;
    }
    *us = day_us +
          (int64_t)(s * (uint64_t)US_PER_S + (uint32_t)us_pair * UINT64_C(100) + (us_pair >> 32));
    return true;
}

static inline bool timestamp_fast_sse2(const struct timestamp_day *day, const char *text,
                                       int64_t *us) {
    const __m128i pattern =
        _mm_setr_epi8(0, '0', '0', ':', '0', '0', ':', '0', '0', '.', '0', '0', '0', '0', '0', '0');
    return timestamp_clock_sse2(
        _mm_xor_si128(timestamp_sixteen(text), timestamp_sixteen(day->prefix)),
        _mm_xor_si128(timestamp_sixteen(text + 10), pattern), day->us, us);
}
#endif

static inline bool timestamp_fast(const struct timestamp_day *day, const char *text, int64_t *us) {
#ifdef __SSE2__
    return timestamp_fast_sse2(day, text, us);
#else
    return timestamp_fast_swar(day, text, us);
#endif
}

#endif
