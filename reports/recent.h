/* Where the rows of the latest keys are: a small table beside the rows, so that a key that comes
 * again is neither written out nor hashed nor looked for. It holds the values of the `by` fields as
 * they came, and for each width the row of their key, or the one that the key was sent to when it
 * found no room. Whether that still holds is the table's to say (table_find_again_owner). A key
 * that takes another's slot only costs that one its next search. By the adder's thread. */
#ifndef AFORO_REPORTS_RECENT_H
#define AFORO_REPORTS_RECENT_H

#include "counters/rows/table.h"

#include <string.h>

#define RECENT_SLOTS 1024 /* a power of two */
#define RECENT_SLOT_SHIFT 54
#define RECENT_WORDS 7

/* The values of the `by` fields, one behind the other. word[0] is the lengths of those that are
 * text, a byte each; a text takes as many words as it fills, a number one. */
struct recent_key {
    uint64_t word[RECENT_WORDS];
    unsigned words; /* 0: too long to be known */
};

struct recent_slot {
    uint64_t word[RECENT_WORDS]; /* word[0] 0: empty */
    uint64_t hash;               /* of the key, as the table hashes it */
    struct table_place place[];  /* [widths] */
};

struct recent {
    size_t slot_bytes;
    unsigned char *slots;
    unsigned looks, hits; /* of this round */
    unsigned rests;       /* so many events more are not looked for */
};

/* Keys that hardly ever come again are not worth a look each: when less than half of a round's
 * looks were hits, so many events pass without one. */
#define RECENT_ROUND 256
#define RECENT_RESTS 4096

/* False when out of memory. recent_free frees what this made, or nothing of zeros. */
bool recent_make(struct recent *recent, unsigned widths);
void recent_free(struct recent *recent);

static inline void recent_begin(struct recent_key *key) {
    key->word[0] = UINT64_C(1) << 63; /* no key is all zeros */
    key->words = 1;
}

static inline void recent_add_number(struct recent_key *key, int64_t number) {
    if (key->words == 0 || key->words == RECENT_WORDS) {
        key->words = 0;
        return;
    }
    key->word[key->words++] = (uint64_t)number;
}

/* Of less than eight bytes. */
static inline uint64_t recent_load_short(const char *text, size_t len) {
    uint32_t first, last;
    if (len >= sizeof first) { /* which may overlap */
        memcpy(&first, text, sizeof first);
        memcpy(&last, text + len - sizeof last, sizeof last);
        return (uint64_t)last << 32 | first;
    }
    return len == 0
               ? 0
               : (uint64_t)(unsigned char)text[0] | (uint64_t)(unsigned char)text[len / 2] << 8 |
                     (uint64_t)(unsigned char)text[len - 1] << 16;
}

/* Field number i, i < TABLE_FIELDS_MAX. */
static inline void recent_add_text(struct recent_key *key, unsigned i, const char *text,
                                   size_t len) {
    const size_t words = (len + 7) / 8;
    if (key->words == 0 || words > RECENT_WORDS - key->words) {
        key->words = 0;
        return;
    }
    uint64_t *next = key->word + key->words;
    key->word[0] |= (uint64_t)len << (8 * i);
    key->words += (unsigned)words;
    if (len < 8) {
        if (words > 0) {
            *next = recent_load_short(text, len);
        }
        return;
    }
    for (size_t w = 0; w + 1 < words; w++) {
        memcpy(&next[w], text + 8 * w, 8);
    }
    memcpy(&next[words - 1], text + len - 8, 8);
}

/* Whether the next key is worth a look. */
static inline bool recent_is_worth(struct recent *recent) {
    if (recent->rests > 0) {
        recent->rests--;
        return false;
    }
    if (recent->looks++ == RECENT_ROUND) {
        recent->rests = recent->hits < RECENT_ROUND / 2 ? RECENT_RESTS : 0;
        recent->looks = recent->hits = 0;
    }
    return true;
}

/* The slot that a key has, or would have. */
static inline struct recent_slot *recent_find(const struct recent *recent,
                                              const struct recent_key *key) {
    uint64_t hash = 0;
    for (unsigned i = 0; i < key->words; i++) {
        hash = (hash ^ key->word[i]) * UINT64_C(0x9fb21c651e98df25);
        hash ^= hash >> 29;
    }
    hash *= UINT64_C(0x9fb21c651e98df25);
    return (struct recent_slot *)(void *)(recent->slots +
                                          (hash >> RECENT_SLOT_SHIFT) * recent->slot_bytes);
}

/* Whether it is the key's. */
static inline bool recent_is(const struct recent_slot *slot, const struct recent_key *key) {
    uint64_t differ = 0;
    for (unsigned i = 0; i < key->words; i++) {
        differ |= slot->word[i] ^ key->word[i];
    }
    return differ == 0;
}

#endif
