/* What stands where in the state of top(x) (top.c). Private to top*.c. */
#ifndef AFORO_COUNTERS_MEASURES_TOP_LAYOUT_H
#define AFORO_COUNTERS_MEASURES_TOP_LAYOUT_H

#include "counters/measures/kinds.h"
#include "counters/measures/top_entry.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define COUNTERS_MAX 512 /* 37 KiB a row */
#define HEADS_A_WORD 4
#define NUMBER_MASK UINT64_C(0xffff)
#define KEY_WORDS (TOP_KEY_MAX / 8)
#define CUT_AT 31 /* of a value that is longer: `~` and 16 digits of its hash are behind it */
#define PUTS (KEY_WORDS + 7)
#define WORDS_MAX (HEADS + (1 + 2) * COUNTERS_MAX / HEADS_A_WORD + (3 + KEY_WORDS) * COUNTERS_MAX)

enum { USED, LOWEST, HEADS };
#define SEARCHED_SHIFT 16 /* in USED: counters before the one that the search goes on with */

/* Where everything is, by the number of counters: a measure's config. */
struct layout {
    size_t counters, head_mask;
    size_t counts, errors, links, keys, words; /* where each begins */
};

static inline const struct layout *layout_of(const struct measure *measure) {
    return measure->config;
}

/* ---- values and links ---- */

struct key {
    uint64_t word[KEY_WORDS]; /* the bytes, and zeros up to the end of the word */
    size_t len, words;
    uint32_t hash;
};

/* `key` is zeros. */
static inline void set_key(struct key *key, const char *bytes, size_t len) {
    static const char digits[] = "0123456789abcdef";
    char *text = (char *)key->word;
    if (len > TOP_KEY_MAX) {
        uint64_t hash = XXH3_64bits(bytes, len);
        memcpy(text, bytes, CUT_AT);
        text[CUT_AT] = '~';
        for (size_t i = TOP_KEY_MAX; i-- > CUT_AT + 1; hash >>= 4) {
            text[i] = digits[hash & 0xf];
        }
        len = TOP_KEY_MAX;
    } else {
        memcpy(text, bytes, len);
    }
    key->len = len;
    key->words = (len + 7) / 8;
    key->hash = (uint32_t)XXH3_64bits(text, len);
}

static inline uint64_t make_link(const struct key *key, uint64_t next) {
    return (uint64_t)key->hash << 32 | key->len << 16 | next;
}

static inline uint64_t link_hash(uint64_t link) {
    return link >> 32;
}

static inline size_t link_len(uint64_t link) {
    return link >> 16 & NUMBER_MASK;
}

static inline size_t link_next(uint64_t link) {
    return link & NUMBER_MASK;
}

/* A file that a loss of power has damaged must not lead astray: chains are walked within bounds. */
static inline bool is_counter(const struct layout *l, size_t number) {
    return number > 0 && number <= l->counters;
}

/* The word and the place in it of a chain's head. */
struct head {
    size_t at;
    unsigned shift;
};

static inline struct head find_head(const struct layout *l, uint64_t hash) {
    const size_t i = hash & l->head_mask;
    return (struct head){HEADS + i / HEADS_A_WORD, (unsigned)(i % HEADS_A_WORD) * 16};
}

/* ---- top_plan.c ---- */

struct undo_change *top_plan(const struct measure *measure, const struct aforo_event *event,
                             const struct measure_rows *rows, struct undo_change *change);
size_t top_puts(const struct measure *measure);

#endif
