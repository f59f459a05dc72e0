/* distinct(x): how many different values a field had. A short list of hashes gives the exact number
 * while it is small. A HyperLogLog as in Redis is always kept up to date as well, because that is
 * what is published.
 *
 *   state | listed | 64 places of hashes | 1536 words of registers |
 *
 * `listed` is the number of values in the list, or LIST_OVER: there were more, or the state came
 * from a store, which has no list. A hash is in the first free place from the one that its upper
 * bits name. */
#include "counters/measures/hyperloglog.h"
#include "counters/measures/kinds.h"

#include <stdlib.h>

#define LIST_MAX 32
#define LIST_OVER (LIST_MAX + 1)
#define PLACES 64 /* twice as many as hashes: two looks find one */
#define PLACE_SHIFT 58
#define LIST 1
#define REGISTERS (LIST + PLACES)
#define MASK UINT64_C(0x3f)

static const char *distinct_open(struct measure *measure) {
    measure->words = REGISTERS + HLL_WORDS;
    return NULL;
}

/* ---- an event ---- */

static struct undo_change *plan_register(word *registers, const struct hll_place *place,
                                         struct undo_change *change) {
    word *at = &registers[place->word];
    const uint64_t old = measure_load(at);
    uint64_t rank = old >> place->shift;
    if (!hll_straddles(place->shift)) {
        if (place->rank > (rank & MASK)) {
            *change++ = (struct undo_change){at, (old & ~(MASK << place->shift)) |
                                                     place->rank << place->shift};
        }
        return change;
    }
    const unsigned low = 64 - place->shift; /* bits in the first word */
    const uint64_t next = measure_load(at + 1);
    rank |= next << low;
    if (place->rank > (rank & MASK)) {
        *change++ =
            (struct undo_change){at, (old & ~(MASK << place->shift)) | place->rank << place->shift};
        *change++ = (struct undo_change){at + 1, (next & ~(MASK >> low)) | place->rank >> low};
    }
    return change;
}

static struct undo_change *plan_hash(word *state, uint64_t hash, struct undo_change *change) {
    const uint64_t listed = measure_load(state);
    if (listed >= LIST_OVER) {
        return change;
    }
    size_t place = hash >> PLACE_SHIFT;
    for (size_t looks = 0; looks < PLACES; looks++) { /* fewer, unless the file is damaged */
        const uint64_t there = measure_load(&state[LIST + place]);
        if (there == hash) {
            return change;
        }
        if (there == 0) {
            break;
        }
        place = (place + 1) % PLACES;
    }
    if (listed < LIST_MAX) {
        *change++ = (struct undo_change){&state[LIST + place], hash};
    }
    *change++ = (struct undo_change){state, listed + 1};
    return change;
}

static struct undo_change *distinct_plan(const struct measure *measure,
                                         const struct aforo_event *event,
                                         const struct measure_rows *rows,
                                         struct undo_change *change) {
    (void)measure;
    const struct aforo_value *value = event->argument[0];
    const uint64_t hash = hll_hash(value->text, value->len);
    const struct hll_place place = hll_find(hash);
    for (size_t k = 0; k < rows->n; k++) {
        word *state = measure_state(rows, k);
        change = plan_hash(state, hash ? hash : 1, change); /* 0 is a free place */
        change = plan_register(state + REGISTERS, &place, change);
    }
    return change;
}

/* ---- states ---- */

static int compare(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Appends the list. */
static size_t gather(const uint64_t *state, uint64_t *hash, size_t n) {
    for (size_t i = 0; i < PLACES; i++) {
        if (state[LIST + i] != 0) {
            hash[n++] = state[LIST + i];
        }
    }
    return n;
}

/* Merges both lists into a new one, in the order of the hashes, so that equal lists have equal
 * words. */
static void merge_lists(uint64_t *into, const uint64_t *from) {
    uint64_t hash[2 * PLACES];
    const bool over = into[0] >= LIST_OVER || from[0] >= LIST_OVER;
    const size_t n = over ? 0 : gather(from, hash, gather(into, hash, 0));
    qsort(hash, n, sizeof hash[0], compare);
    memset(into, 0, REGISTERS * sizeof *into);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && hash[i] == hash[i - 1]) {
            continue;
        }
        if (++into[0] > LIST_MAX) {
            break;
        }
        size_t place = hash[i] >> PLACE_SHIFT;
        while (into[LIST + place] != 0) {
            place = (place + 1) % PLACES;
        }
        into[LIST + place] = hash[i];
    }
    if (over || into[0] == LIST_OVER) {
        memset(into, 0, REGISTERS * sizeof *into);
        into[0] = LIST_OVER;
    }
}

static void distinct_merge(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    merge_lists(into, from);
    hll_merge(into + REGISTERS, from + REGISTERS);
}

static void distinct_emit(const struct measure *measure, const uint64_t *state,
                          const struct component_taker *taker) {
    if (state[0] > 0) {
        unsigned char bytes[HLL_BYTES];
        hll_write(state + REGISTERS, bytes);
        taker->take(taker->cls, &(struct component){.name = measure->text,
                                                    .rule = COMPONENT_HLL,
                                                    .bytes = bytes,
                                                    .len = sizeof bytes});
    }
}

static bool distinct_absorb(const struct measure *measure, uint64_t *state,
                            const struct component *component) {
    uint64_t told[REGISTERS + HLL_WORDS] = {LIST_OVER};
    if (!component_is(component, measure->text, COMPONENT_HLL) ||
        !hll_read(told + REGISTERS, component->bytes, component->len)) {
        return false;
    }
    distinct_merge(measure, state, told);
    return true;
}

static size_t distinct_puts(const struct measure *measure) {
    (void)measure;
    return 4; /* a hash, how many, a register across two words */
}

uint64_t distinct_read(const uint64_t *state) {
    return state[0] >= LIST_OVER ? hll_estimate(state + REGISTERS) : state[0];
}

const struct measure_kind measure_distinct = {.name = "distinct",
                                              .class = MEASURE_JOIN,
                                              .wants = MEASURE_WANTS_VALUE,
                                              .open = distinct_open,
                                              .plan = distinct_plan,
                                              .merge = distinct_merge,
                                              .emit = distinct_emit,
                                              .absorb = distinct_absorb,
                                              .puts = distinct_puts};
