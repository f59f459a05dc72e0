/* A small cache beside the rows that tells where the rows of recent keys are, so that a key that
 * occurs again need not be written out, hashed and looked up. It stores the values of the `by`
 * fields as they came, and for each width the row of their key, or the row that the key was sent to
 * when it found no room. Whether an entry is still valid is up to the table
 * (table_find_again_owner). A key that takes another's slot costs that one only its next lookup. By
 * the adder's thread. */
#ifndef AFORO_REPORTS_RECENT_H
#define AFORO_REPORTS_RECENT_H

#include "counters/rows/table.h"

#include <string.h>

#define RECENT_SLOTS 1024 /* a power of two */
#define RECENT_SLOT_SHIFT 54
#define RECENT_WORDS 7

/* The values of the `by` fields, one after another. word[0] has the lengths of the texts, one byte
 * each; a text takes as many words as it fills, a number takes one. */
struct recent_key {
    uint64_t word[RECENT_WORDS];
    uint64_t hash;
    unsigned words; /* 0: too long to be cached */
};

struct recent_slot {
    uint64_t word[RECENT_WORDS]; /* word[0] 0: empty */
    uint64_t hash;               /* of the key, as the table hashes it */
    struct table_row row[];      /* [widths] */
};

struct recent {
    size_t slot_bytes;
    unsigned char *slots;
    unsigned looks, hits; /* of this round */
    unsigned rests;       /* this many more events are not looked up */
};

/* Keys that hardly ever recur are not worth a lookup each: when fewer than half of a round's
 * lookups were hits, the next RECENT_RESTS events skip it. */
#define RECENT_ROUND 256
#define RECENT_RESTS 4096

/* False when memory runs out. recent_free frees what this made; a struct of zeros is allowed. */
bool recent_make(struct recent *recent, unsigned widths);
void recent_free(struct recent *recent);

/* Empties all slots. */
void recent_forget(struct recent *recent);

/* Odd factors of the words in a key's slot number. With one for each word, no multiplication
 * depends on another. */
static const uint64_t recent_factor[RECENT_WORDS] = {
    UINT64_C(0x9fb21c651e98df25), UINT64_C(0xa0761d6478bd642f), UINT64_C(0xe7037ed1a0b428db),
    UINT64_C(0x8ebc6af09c88c6e3), UINT64_C(0x589965cc75374cc3), UINT64_C(0x1d8e4e27c47d124f),
    UINT64_C(0xeb44accab455d165)};

static inline void recent_begin(struct recent_key *key) {
    key->word[0] = UINT64_C(1) << 63; /* no key is all zeros */
    key->words = 1;
    key->hash = 0;
}

static inline void recent_add_word(struct recent_key *key, unsigned i, uint64_t value) {
    key->word[i] = value;
    key->hash += (value ^ value >> 32) * recent_factor[i];
}

static inline void recent_add_number(struct recent_key *key, int64_t number) {
    if (key->words == 0 || key->words == RECENT_WORDS) {
        key->words = 0;
        return;
    }
    recent_add_word(key, key->words++, (uint64_t)number);
}

static inline uint64_t recent_load(const char *text) {
    uint64_t loaded;
    memcpy(&loaded, text, sizeof loaded);
    return loaded;
}

/* Loads 1 to 7 bytes. */
static inline uint64_t recent_load_short(const char *text, size_t len) {
    uint32_t first, last;
    if (len >= sizeof first) { /* they may overlap */
        memcpy(&first, text, sizeof first);
        memcpy(&last, text + len - sizeof last, sizeof last);
        return (uint64_t)last << 32 | first;
    }
    return (uint64_t)(unsigned char)text[0] | (uint64_t)(unsigned char)text[len / 2] << 8 |
           (uint64_t)(unsigned char)text[len - 1] << 16;
}

/* Adds the text of field number i < TABLE_FIELDS_MAX. */
static inline void recent_add_text(struct recent_key *key, unsigned i, const char *text,
                                   size_t len) {
    const size_t words = (len + 7) / 8;
    unsigned next = key->words;
    if (next == 0 || words > RECENT_WORDS - next) {
        key->words = 0;
        return;
    }
    key->word[0] |= (uint64_t)len << (8 * i);
    key->words = next + (unsigned)words;
    if (words == 1 && len < 8) {
        recent_add_word(key, next, recent_load_short(text, len));
    } else if (words > 0) {
        for (; next + 1 < key->words; next++, text += 8, len -= 8) {
            recent_add_word(key, next, recent_load(text));
        }
        recent_add_word(key, next, recent_load(text + len - 8));
    }
}

/* Whether the next key is worth a lookup. */
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

/* The slot that belongs to a key, whichever key is in it. */
static inline struct recent_slot *recent_find(const struct recent *recent,
                                              const struct recent_key *key) {
    const uint64_t hash = (key->hash + key->word[0]) * recent_factor[0];
    return (struct recent_slot *)(void *)(recent->slots +
                                          (hash >> RECENT_SLOT_SHIFT) * recent->slot_bytes);
}

/* Whether the slot holds this key. */
static inline bool recent_is(const struct recent_slot *slot, const struct recent_key *key) {
    uint64_t differ = 0;
    for (unsigned i = 0; i < key->words; i++) {
        differ |= slot->word[i] ^ key->word[i];
    }
    return differ == 0;
}

#endif
