/* ewma(HALF_LIFE): events a second as they are now, those of a half-life ago weighing a half of the
 * newest ones, by event time. `show: [ewma(60s)]`; HALF_LIFE is 1s to 3600s.
 *
 * Such a rate is usually kept as one double that decays at each event. That depends on the order of
 * events, and two of them cannot be merged exactly. So the state counts, and only `print` weighs:
 *
 *   state | newest slot + 1 | events of the newest slot, of the one before it, ... 64 of them |
 *
 * A slot is an eighth of a half-life. What is older than 64 slots weighs less than 1 / 256 and is
 * left out, whichever of the two comes first.
 *
 * cc -shared -fPIC -o ewma.so ewma.c -lm */
#include "aforo/measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 64
#define SLOTS_A_HALF_LIFE 8
#define HALF_LIFE_MAX_S 3600
#define US_PER_S 1000000

struct config {
    int64_t half_life_us, slot_us;
};

struct state {
    int64_t after; /* the newest slot + 1; 0: nothing yet */
    uint64_t count[SLOTS];
};

static const char *open_ewma(const char *arguments, void **config) {
    char *end;
    const long half_life_s = strtol(arguments, &end, 10);
    if (half_life_s < 1 || half_life_s > HALF_LIFE_MAX_S || strcmp(end, "s") != 0) {
        return "needs a half-life of 1s to 3600s, as in ewma(60s)";
    }
    struct config *made = malloc(sizeof *made);
    if (!made) {
        return "out of memory";
    }
    made->half_life_us = half_life_s * US_PER_S;
    made->slot_us = made->half_life_us / SLOTS_A_HALF_LIFE;
    *config = made;
    return NULL;
}

static size_t state_bytes(const void *config) {
    (void)config;
    return sizeof(struct state);
}

/* Makes room for a newer slot: the others grow older by as many. */
static void advance(struct state *state, int64_t after) {
    const int64_t by = after - state->after;
    const size_t kept = by < SLOTS ? (size_t)(SLOTS - by) : 0;
    memmove(state->count + SLOTS - kept, state->count, kept * sizeof state->count[0]);
    memset(state->count, 0, (SLOTS - kept) * sizeof state->count[0]);
    state->after = after;
}

static void add_events(struct state *state, int64_t after, uint64_t count) {
    if (after > state->after) {
        advance(state, after);
    }
    if (state->after - after < SLOTS) {
        state->count[state->after - after] += count;
    }
}

static void add(const void *config, void *state, const struct aforo_event *event) {
    const struct config *its = config;
    add_events(state, event->us / its->slot_us + 1, 1);
}

static void merge(const void *config, void *into, const void *from) {
    (void)config;
    const struct state *other = from;
    for (size_t i = 0; i < SLOTS && other->after > 0; i++) {
        add_events(into, other->after - (int64_t)i, other->count[i]);
    }
}

static size_t print(const void *config, const void *state, char *text, size_t size) {
    const struct config *its = config;
    const struct state *of = state;
    double weighed = 0;
    for (int i = 0; i < SLOTS; i++) {
        weighed += (double)of->count[i] * exp2(-(double)i / SLOTS_A_HALF_LIFE);
    }
    const double mean_life_s = (double)its->half_life_us / US_PER_S / log(2);
    return (size_t)snprintf(text, size, "%.3f", weighed / mean_life_s);
}

const struct aforo_measure aforo_measure = {.abi = AFORO_MEASURE_ABI,
                                            .struct_bytes = sizeof(struct aforo_measure),
                                            .name = "ewma",
                                            .open = open_ewma,
                                            .state_bytes = state_bytes,
                                            .add = add,
                                            .merge = merge,
                                            .print = print,
                                            .close = free};
