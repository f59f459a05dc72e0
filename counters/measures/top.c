/* top(x): the most frequent values of a field, by SpaceSaving (Metwally, Agrawal, El Abbadi 2005).
 * It has a fixed number of counters, one per value. A value without a counter takes over the one
 * with the lowest count and inherits that count as its error. With m counters and n events no error
 * exceeds n / m, and as long as there are no more than m values everything is exact.
 *
 *   state   | used, searched | lowest | heads of chains: 16 bits each, four a word |
 *           | counts | errors | links | keys: 48 bytes each |
 *   link    | hash: 32 bits | length of the key: 16 bits | next in the chain: 16 bits |
 *
 * Counters are numbered from 1; 0 ends a chain. A value is found by its hash and a chain. The
 * lowest counter is found by a search that resumes where the last one ended and starts over at the
 * end: counts only grow, so by then none is as low as `lowest` any more. As `lowest` never exceeds
 * n / m, that takes one to three steps per event, whatever the events are.
 *
 * Two states are merged by adding up counts; a value that one of them does not have may have
 * occurred there as often as its lowest counter says. Then the m highest are kept. Errors stay
 * below n / m (Agarwal et al., Mergeable summaries, 2012). Beyond m values the order of merges
 * affects the result, but only within the errors. */
#include "counters/measures/figure.h"
#include "counters/measures/top_layout.h"

#include <stdlib.h>

#define N_DEFAULT 10
#define COUNTERS_AN_ITEM 10 /* error: a tenth of an average item, unless capped */
#define COUNTERS_MIN 64

static const char *top_open(struct measure *measure) {
    struct layout *l = malloc(sizeof *l);
    if (!l) {
        return "out of memory";
    }
    const size_t n = measure->parameter > 0 ? measure->parameter : N_DEFAULT;
    l->counters = n * COUNTERS_AN_ITEM;
    l->counters = l->counters < COUNTERS_MIN ? COUNTERS_MIN : l->counters;
    l->counters = l->counters > COUNTERS_MAX ? COUNTERS_MAX : l->counters;
    size_t heads = COUNTERS_MIN;
    while (heads < l->counters) {
        heads *= 2;
    }
    l->head_mask = heads - 1;
    l->counts = HEADS + heads / HEADS_A_WORD;
    l->errors = l->counts + l->counters;
    l->links = l->errors + l->counters;
    l->keys = l->links + l->counters;
    l->words = l->keys + l->counters * KEY_WORDS;
    measure->words = l->words;
    measure->config = l;
    return NULL;
}

static void top_close(struct measure *measure) {
    free(measure->config);
    measure->config = NULL;
}

/* ---- states ---- */

static struct top_entry get_entry(const struct layout *l, const uint64_t *state, size_t number) {
    return (struct top_entry){.count = state[l->counts + number - 1],
                              .error = state[l->errors + number - 1],
                              .len = link_len(state[l->links + number - 1]) % (TOP_KEY_MAX + 1),
                              .bytes = (const char *)&state[l->keys + (number - 1) * KEY_WORDS]};
}

static size_t used_of(const struct layout *l, const uint64_t *state) {
    const size_t used = state[USED] & NUMBER_MASK;
    return used < l->counters ? used : l->counters;
}

/* The most often that a value may have occurred that a state does not have. */
static uint64_t unknown_of(const struct layout *l, const uint64_t *state) {
    uint64_t lowest = UINT64_MAX;
    if (used_of(l, state) < l->counters) {
        return 0;
    }
    for (size_t i = 0; i < l->counters; i++) {
        lowest = state[l->counts + i] < lowest ? state[l->counts + i] : lowest;
    }
    return lowest;
}

/* The counter of an entry's value in a state; 0: none. */
static size_t find_entry(const struct layout *l, const uint64_t *state,
                         const struct top_entry *entry) {
    struct key key = {0};
    set_key(&key, entry->bytes, entry->len);
    const uint64_t meant = make_link(&key, 0);
    const struct head head = find_head(l, key.hash);
    size_t number = state[head.at] >> head.shift & NUMBER_MASK;
    for (size_t steps = 0; is_counter(l, number) && steps < l->counters; steps++) {
        const uint64_t link = state[l->links + number - 1];
        if ((link & ~NUMBER_MASK) == meant &&
            memcmp(&state[l->keys + (number - 1) * KEY_WORDS], entry->bytes, entry->len) == 0) {
            return number;
        }
        number = link_next(link);
    }
    return 0;
}

/* Appends an entry, which has no counter yet, to a state. */
static void append_entry(const struct layout *l, uint64_t *state, const struct top_entry *entry) {
    const size_t number = ++state[USED];
    struct key key = {0};
    set_key(&key, entry->bytes, entry->len);
    const struct head head = find_head(l, key.hash);
    state[l->counts + number - 1] = entry->count;
    state[l->errors + number - 1] = entry->error;
    memcpy(&state[l->keys + (number - 1) * KEY_WORDS], key.word, key.words * sizeof key.word[0]);
    state[l->links + number - 1] = make_link(&key, state[head.at] >> head.shift & NUMBER_MASK);
    state[head.at] = (state[head.at] & ~(NUMBER_MASK << head.shift)) | (uint64_t)number
                                                                           << head.shift;
}

/* Collects the entries of a state, adding what another state knows of their values or may have
 * missed. */
static size_t gather(const struct layout *l, const uint64_t *state, const uint64_t *other,
                     struct top_entry *entry) {
    const size_t used = used_of(l, state);
    const uint64_t unknown = unknown_of(l, other);
    for (size_t i = 0; i < used; i++) {
        entry[i] = get_entry(l, state, i + 1);
        const size_t there = find_entry(l, other, &entry[i]);
        entry[i].count += there > 0 ? other[l->counts + there - 1] : unknown;
        entry[i].error += there > 0 ? other[l->errors + there - 1] : unknown;
    }
    return used;
}

static void top_merge(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    const struct layout *l = layout_of(measure);
    struct top_entry entry[2 * COUNTERS_MAX];
    uint64_t old[WORDS_MAX];
    memcpy(old, into, l->words * sizeof *old);
    size_t n = gather(l, old, from, entry);
    const uint64_t unknown = unknown_of(l, old);
    for (size_t number = 1; number <= used_of(l, from); number++) {
        struct top_entry more = get_entry(l, from, number);
        if (find_entry(l, old, &more) == 0) {
            more.count += unknown;
            more.error += unknown;
            entry[n++] = more;
        }
    }
    qsort(entry, n, sizeof entry[0], top_entry_compare);
    memset(into, 0, l->words * sizeof *into);
    for (size_t i = 0; i < n && i < l->counters; i++) {
        append_entry(l, into, &entry[i]);
    }
}

size_t top_read(const struct measure *measure, const uint64_t *state, size_t n,
                struct figure_item *item) {
    const struct layout *l = layout_of(measure);
    struct top_entry entry[COUNTERS_MAX];
    const size_t used = used_of(l, state);
    for (size_t i = 0; i < used; i++) {
        entry[i] = get_entry(l, state, i + 1);
    }
    qsort(entry, used, sizeof entry[0], top_entry_compare);
    n = used < n ? used : n;
    for (size_t i = 0; i < n; i++) {
        item[i] =
            (struct figure_item){entry[i].bytes, entry[i].len, entry[i].count, entry[i].error};
    }
    return n;
}

/* ---- as bytes ---- */

static void top_emit(const struct measure *measure, const uint64_t *state,
                     const struct component_taker *taker) {
    const struct layout *l = layout_of(measure);
    struct top_entry entry[COUNTERS_MAX];
    unsigned char bytes[COUNTERS_MAX * TOP_ENTRY_BYTES_MAX], *at = bytes;
    const size_t used = used_of(l, state);
    for (size_t i = 0; i < used; i++) {
        entry[i] = get_entry(l, state, i + 1);
    }
    qsort(entry, used, sizeof entry[0], top_entry_compare);
    for (size_t i = 0; i < used; i++) {
        at = top_entry_write(at, &entry[i]);
    }
    if (used > 0) {
        taker->take(taker->cls, &(struct component){.name = measure->text,
                                                    .rule = COMPONENT_BLOB,
                                                    .bytes = bytes,
                                                    .len = (size_t)(at - bytes)});
    }
}

static bool top_absorb(const struct measure *measure, uint64_t *state,
                       const struct component *component) {
    const struct layout *l = layout_of(measure);
    uint64_t told[WORDS_MAX];
    if (!component_is(component, measure->text, COMPONENT_BLOB)) {
        return false;
    }
    memset(told, 0, l->words * sizeof *told);
    const unsigned char *at = component->bytes, *end = at + component->len;
    while (at < end) {
        struct top_entry entry;
        if (used_of(l, told) == l->counters || !top_entry_read(&at, end, &entry) ||
            find_entry(l, told, &entry) > 0) {
            return false;
        }
        append_entry(l, told, &entry);
    }
    top_merge(measure, state, told);
    return true;
}

const struct measure_kind measure_top = {.name = "top",
                                         .class = MEASURE_NEWEST,
                                         .wants = MEASURE_WANTS_VALUE,
                                         .open = top_open,
                                         .close = top_close,
                                         .plan = top_plan,
                                         .merge = top_merge,
                                         .emit = top_emit,
                                         .absorb = top_absorb,
                                         .puts = top_puts};
