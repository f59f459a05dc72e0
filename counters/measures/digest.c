/* digest: a number by which two sources can tell whether they counted the same events. It is the
 * sum, modulo 2^32 each, of the two halves of XXH3 (64 bits, no seed) of each event as text:
 *
 *   TIME { US NAME US VALUE }    the time in microseconds, in decimal; the declared fields that the
 *                                event has, by name, and their values: text as received, a number
 *                                as in keys (7.50 for decimal2); US is 0x1f, and one that is
 *                                in a value is doubled, so that no value looks like a field
 *
 * One word: the upper half's sum in the upper half. It wraps, so of two values from one node the
 * newer is the one in the row with the larger count. */
#define XXH_INLINE_ALL /* for its state on the stack */
#include "counters/measures/kinds.h"

#include <stdio.h>
#include <xxhash.h>

#define SEPARATOR 0x1f
#define HALF UINT64_C(0xffffffff)
#define TIME_MAX 24
#define SHORT_MAX 2048 /* bytes of text hashed at once */
#define STATE_ALIGNMENT 64

static const char *digest_open(struct measure *measure) {
    measure->words = 1;
    return NULL;
}

/* Receives the event's text in pieces. */
struct piece_taker {
    void (*take)(void *cls, const char *bytes, size_t len);
    void *cls;
};

/* Names have no separator: one that is followed by another byte than itself ends the value. */
static void give_value(const struct aforo_value *value, const struct piece_taker *taker) {
    static const char separator = SEPARATOR;
    const char *from = value->text, *const end = from + value->len, *at;
    while (from < end && (at = memchr(from, SEPARATOR, (size_t)(end - from)))) {
        taker->take(taker->cls, from, (size_t)(at - from) + 1);
        taker->take(taker->cls, &separator, 1);
        from = at + 1;
    }
    taker->take(taker->cls, from, (size_t)(end - from));
}

static void give_pieces(const struct measure *measure, const struct aforo_event *event,
                        const struct piece_taker *taker) {
    static const char separator = SEPARATOR;
    char digits[TIME_MAX];
    size_t n = sizeof digits;
    uint64_t us = (uint64_t)event->us;
    do {
        digits[--n] = (char)('0' + us % 10);
        us /= 10;
    } while (us > 0);
    taker->take(taker->cls, digits + n, sizeof digits - n);
    for (uint32_t i = 0; i < event->arguments; i++) {
        const struct aforo_value *value = event->argument[i];
        if (value->kind != AFORO_ABSENT) {
            const char *name = measure->argument_name[i];
            taker->take(taker->cls, &separator, 1);
            taker->take(taker->cls, name, strlen(name));
            taker->take(taker->cls, &separator, 1);
            give_value(value, taker);
        }
    }
}

/* A short text, as nearly all are. */
struct gathered {
    size_t len; /* in all; if beyond SHORT_MAX, some is missing */
    char bytes[SHORT_MAX];
};

static void gather(void *cls, const char *bytes, size_t len) {
    struct gathered *gathered = cls;
    if (gathered->len + len <= SHORT_MAX) {
        memcpy(gathered->bytes + gathered->len, bytes, len);
    }
    gathered->len += len;
}

static void stream(void *cls, const char *bytes, size_t len) {
    XXH3_64bits_update(cls, bytes, len);
}

static uint64_t hash_long(const struct measure *measure, const struct aforo_event *event) {
    /* Aligned by hand: AddressSanitizer's stacks do not always respect a type's alignment. */
    unsigned char room[sizeof(XXH3_state_t) + STATE_ALIGNMENT];
    XXH3_state_t *state = (void *)(room + STATE_ALIGNMENT - (uintptr_t)room % STATE_ALIGNMENT);
    XXH3_64bits_reset(state);
    give_pieces(measure, event, &(const struct piece_taker){stream, state});
    return XXH3_64bits_digest(state);
}

static uint64_t hash_event(const struct measure *measure, const struct aforo_event *event) {
    struct gathered gathered;
    gathered.len = 0;
    give_pieces(measure, event, &(const struct piece_taker){gather, &gathered});
    return gathered.len <= SHORT_MAX ? XXH3_64bits(gathered.bytes, gathered.len)
                                     : hash_long(measure, event);
}

static uint64_t add_halves(uint64_t a, uint64_t b) {
    return ((a & ~HALF) + (b & ~HALF)) | ((a + b) & HALF);
}

static struct undo_change *digest_plan(const struct measure *measure,
                                       const struct aforo_event *event,
                                       const struct measure_rows *rows,
                                       struct undo_change *change) {
    const uint64_t hash = hash_event(measure, event);
    for (size_t k = 0; k < rows->n; k++) {
        word *sum = measure_state(rows, k);
        *change++ = (struct undo_change){sum, add_halves(measure_load(sum), hash)};
    }
    return change;
}

static void digest_merge(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    into[0] = add_halves(into[0], from[0]);
}

static void name_half(const struct measure *measure, bool upper, char name[MEASURE_COMPONENT_MAX]) {
    snprintf(name, MEASURE_COMPONENT_MAX, "%s:%s", measure->text, upper ? "high" : "low");
}

static void digest_emit(const struct measure *measure, const uint64_t *state,
                        const struct component_taker *taker) {
    char name[MEASURE_COMPONENT_MAX];
    name_half(measure, true, name);
    component_give(taker, name, COMPONENT_WRAP, (int64_t)(state[0] >> 32));
    name_half(measure, false, name);
    component_give(taker, name, COMPONENT_WRAP, (int64_t)(state[0] & HALF));
}

static bool digest_absorb(const struct measure *measure, uint64_t *state,
                          const struct component *component) {
    char name[MEASURE_COMPONENT_MAX];
    name_half(measure, true, name);
    const bool upper = component_is(component, name, COMPONENT_WRAP);
    name_half(measure, false, name);
    if ((!upper && !component_is(component, name, COMPONENT_WRAP)) || component->value < 0 ||
        component->value > (int64_t)HALF) {
        return false;
    }
    state[0] = add_halves(state[0], (uint64_t)component->value << (upper ? 32 : 0));
    return true;
}

static size_t digest_puts(const struct measure *measure) {
    (void)measure;
    return 1;
}

const struct measure_kind measure_digest = {.name = "digest",
                                            .class = MEASURE_SUM,
                                            .wants = MEASURE_WANTS_ALL,
                                            .open = digest_open,
                                            .plan = digest_plan,
                                            .merge = digest_merge,
                                            .emit = digest_emit,
                                            .absorb = digest_absorb,
                                            .puts = digest_puts};
