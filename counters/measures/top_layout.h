/* The layout of the state of top(x) (top.c). Private to top*.c. */
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
#define CUT_AT 31 /* length kept of a longer value; `~` and 16 digits of its hash follow */
#define PUTS (KEY_WORDS + 7)
#define WORDS_MAX (HEADS + (1 + 2) * COUNTERS_MAX / HEADS_A_WORD + (3 + KEY_WORDS) * COUNTERS_MAX)

enum { USED, LOWEST, HEADS };
#define SEARCHED_SHIFT 16 /* in USED: number of counters before the one to search next */

/* Where everything is, for a given number of counters: a measure's config. */
struct layout {
    size_t counters, head_mask;
    size_t counts, errors, links, keys, words; /* where each part begins */
};

static inline const struct layout *layout_of(const struct measure *measure) {
    return measure->config;
}

/* ---- values and links ---- */

struct key {
    uint64_t word[KEY_WORDS]; /* the bytes, padded with zeros to a whole word */
    size_t len, words;
    uint32_t hash;
};

/* `key` must be all zeros. */
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

/* A file damaged by a power loss must not send us out of bounds: every link of a chain is
 * checked. */
static inline bool is_counter(const struct layout *l, size_t number) {
    return number > 0 && number <= l->counters;
}

/* The word that holds a chain's head, and the head's place in it. */
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
