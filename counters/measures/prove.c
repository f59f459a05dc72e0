#include "counters/measures/prove.h"

#include "counters/measures/own.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS 3
#define GUARD_WORDS 8 /* after each state, to detect writes beyond it */
#define GUARD UINT64_C(0xa5a5a5a5a5a5a5a5)
#define PRINTED_MAX 256
#define DIGITS_MAX 24

/* ---- events ---- */

struct example_event {
    int64_t us, number[PROVE_ARGUMENTS_MAX];
    unsigned part; /* which part it belongs to, where parts matter */
};

struct example {
    size_t n;
    struct example_event event[PROVE_EVENTS_MAX];
};

static uint64_t draw(uint64_t *seed) { /* splitmix64 */
    uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Few values or many, close together or far apart, some negative. */
static void draw_example(uint64_t *seed, struct example *example) {
    const uint64_t span_us = UINT64_C(1) << draw(seed) % 37; /* up to a day */
    const unsigned bits = (unsigned)(draw(seed) % 40);
    example->n = draw(seed) % (PROVE_EVENTS_MAX + 1);
    for (size_t i = 0; i < example->n; i++) {
        struct example_event *event = &example->event[i];
        event->us = INT64_C(1464433860000000) + (int64_t)(draw(seed) % span_us);
        event->part = (unsigned)(draw(seed) % PARTS);
        for (size_t k = 0; k < PROVE_ARGUMENTS_MAX; k++) {
            event->number[k] = (int64_t)(draw(seed) & ((UINT64_C(1) << bits) - 1));
            event->number[k] = draw(seed) % 8 == 0 ? -event->number[k] : event->number[k];
        }
    }
}

/* ---- states ---- */

struct trial {
    const struct measure *measure;
    struct undo_record *record;
    bool overrun; /* something wrote beyond a state */
    char printed[2][PRINTED_MAX];
};

static uint64_t *state_new(const struct trial *trial) {
    const size_t words = trial->measure->words;
    uint64_t *state = calloc(words + GUARD_WORDS, sizeof *state);
    if (!state) {
        abort();
    }
    for (size_t i = 0; i < GUARD_WORDS; i++) {
        state[words + i] = GUARD;
    }
    return state;
}

static void check_guard(struct trial *trial, const uint64_t *state) {
    for (size_t i = 0; i < GUARD_WORDS; i++) {
        trial->overrun = trial->overrun || state[trial->measure->words + i] != GUARD;
    }
}

static void add(struct trial *trial, uint64_t *state, const struct example_event *event) {
    const struct measure *measure = trial->measure;
    char text[PROVE_ARGUMENTS_MAX][DIGITS_MAX];
    struct aforo_value value[PROVE_ARGUMENTS_MAX];
    const struct aforo_value *argument[PROVE_ARGUMENTS_MAX];
    for (unsigned i = 0; i < measure->arguments; i++) {
        const int len = snprintf(text[i], sizeof text[i], "%lld", (long long)event->number[i]);
        value[i] = (struct aforo_value){text[i], (uint32_t)len, AFORO_NUMBER, event->number[i]};
        argument[i] = &value[i];
    }
    const struct aforo_event seen = {event->us, measure->arguments, argument};
    struct undo undo = {.record = trial->record};
    const struct undo_file file = {.base = (word *)state};
    const struct measure_target target = {&undo, &file, (word *)state};
    undo_begin_owner(&undo);
    measure_add(measure, &target, &seen);
    check_guard(trial, state);
}

static void merge(struct trial *trial, uint64_t *into, const uint64_t *from) {
    trial->measure->kind->merge(trial->measure, into, from);
    check_guard(trial, into);
}

static void copy(const struct trial *trial, uint64_t *to, const uint64_t *from) {
    memcpy(to, from, trial->measure->words * sizeof *to);
}

static bool same_words(const struct trial *trial, const uint64_t *a, const uint64_t *b) {
    return memcmp(a, b, trial->measure->words * sizeof *a) == 0;
}

static bool is_empty(const struct trial *trial, const uint64_t *state) {
    uint64_t any = 0;
    for (size_t i = 0; i < trial->measure->words; i++) {
        any |= state[i];
    }
    return any == 0;
}

/* Merges a state into an empty one, which sorts whatever has no fixed order. */
static uint64_t *put_in_order(struct trial *trial, const uint64_t *state) {
    uint64_t *ordered = state_new(trial);
    merge(trial, ordered, state);
    if (is_empty(trial, ordered)) { /* such a merge sorts nothing */
        copy(trial, ordered, state);
    }
    return ordered;
}

/* Whether two states are equal: word for word, or as shown; a built-in measure's after sorting. */
static bool are_same(struct trial *trial, const uint64_t *a, const uint64_t *b) {
    if (same_words(trial, a, b)) {
        return true;
    }
    if (trial->measure->kind->wants == MEASURE_WANTS_OWN) {
        own_print(trial->measure, a, trial->printed[0], PRINTED_MAX);
        own_print(trial->measure, b, trial->printed[1], PRINTED_MAX);
        return strcmp(trial->printed[0], trial->printed[1]) == 0;
    }
    uint64_t *ordered_a = put_in_order(trial, a), *ordered_b = put_in_order(trial, b);
    const bool same = same_words(trial, ordered_a, ordered_b);
    free(ordered_a);
    free(ordered_b);
    return same;
}

/* ---- laws: each makes two states that must be the same ---- */

/* States of an example's parts, of the whole example, and two for the law; the last is empty. */
enum { A, B, C, WHOLE, ONE, OTHER, EMPTY, STATES };

static void neutral_into(struct trial *trial, uint64_t *const s[STATES], const struct example *of) {
    (void)of;
    copy(trial, s[ONE], s[WHOLE]);
    merge(trial, s[ONE], s[EMPTY]);
    copy(trial, s[OTHER], s[WHOLE]);
}

static void neutral_from(struct trial *trial, uint64_t *const s[STATES], const struct example *of) {
    (void)of;
    merge(trial, s[ONE], s[WHOLE]);
    copy(trial, s[OTHER], s[WHOLE]);
}

static void commute(struct trial *trial, uint64_t *const s[STATES], const struct example *of) {
    (void)of;
    copy(trial, s[ONE], s[A]);
    merge(trial, s[ONE], s[B]);
    copy(trial, s[OTHER], s[B]);
    merge(trial, s[OTHER], s[A]);
}

static void associate(struct trial *trial, uint64_t *const s[STATES], const struct example *of) {
    (void)of;
    copy(trial, s[ONE], s[A]);
    merge(trial, s[ONE], s[B]);
    merge(trial, s[ONE], s[C]);
    merge(trial, s[B], s[C]);
    copy(trial, s[OTHER], s[A]);
    merge(trial, s[OTHER], s[B]);
}

static void split(struct trial *trial, uint64_t *const s[STATES], const struct example *of) {
    (void)of;
    for (int part = A; part <= C; part++) {
        merge(trial, s[ONE], s[part]);
    }
    copy(trial, s[OTHER], s[WHOLE]);
}

static void reverse(struct trial *trial, uint64_t *const s[STATES], const struct example *of) {
    copy(trial, s[ONE], s[WHOLE]);
    for (size_t i = of->n; i-- > 0;) {
        add(trial, s[OTHER], &of->event[i]);
    }
}

static const struct law {
    const char *broken, *one, *other; /* what the two are called */
    void (*make)(struct trial *trial, uint64_t *const s[STATES], const struct example *of);
    bool parts; /* the example's parts matter */
} laws[] = {
    {"a state changes when an empty one is merged into it", "merged", "before", neutral_into,
     false},
    {"an empty state into which one is merged is not the same as that one", "merged", "before",
     neutral_from, false},
    {"merge does not commute", "A with B", "B with A", commute, true},
    {"merge does not associate", "(A with B) with C", "A with (B with C)", associate, true},
    {"the order of events shows", "in this order", "in the opposite order", reverse, false},
    {"parts that are merged are not the whole", "A with B with C", "all events in one state", split,
     true},
};

/* Whether a law holds for an example; if not, and the measure is loaded, keeps what both states
 * print. */
static bool holds(struct trial *trial, const struct law *law, const struct example *example) {
    uint64_t *s[STATES];
    for (int i = 0; i < STATES; i++) {
        s[i] = state_new(trial);
    }
    for (size_t i = 0; i < example->n; i++) {
        add(trial, s[A + (int)example->event[i].part], &example->event[i]);
        add(trial, s[WHOLE], &example->event[i]);
    }
    law->make(trial, s, example);
    const bool same = are_same(trial, s[ONE], s[OTHER]);
    for (int i = 0; i < STATES; i++) {
        free(s[i]);
    }
    return same;
}

/* ---- the smallest example ---- */

static void remove_event(struct example *example, size_t i) {
    memmove(&example->event[i], &example->event[i + 1],
            (--example->n - i) * sizeof example->event[0]);
}

/* Adopts a simpler example if it still breaks the law. */
static bool take_simpler(struct trial *trial, const struct law *law, struct example *example,
                         const struct example *simpler) {
    if (holds(trial, law, simpler)) {
        return false;
    }
    *example = *simpler;
    return true;
}

/* Moves one number towards 0 as far as the law stays broken: all the way, or by successive
 * halves. */
static bool simplify_number(struct trial *trial, const struct law *law, struct example *example,
                            int64_t *number) {
    struct example simpler = *example;
    int64_t *simpler_number =
        (int64_t *)(void *)((char *)&simpler + ((char *)number - (char *)example));
    for (int64_t less = *number; less != 0; less /= 2) {
        *simpler_number = *number - less;
        if (take_simpler(trial, law, example, &simpler)) {
            return true;
        }
    }
    return false;
}

static bool simplify(struct trial *trial, const struct law *law, struct example *example) {
    for (size_t i = 0; i < example->n; i++) {
        struct example fewer = *example;
        remove_event(&fewer, i);
        if (take_simpler(trial, law, example, &fewer)) {
            return true;
        }
    }
    for (size_t i = 0; i < example->n; i++) {
        if (simplify_number(trial, law, example, &example->event[i].us)) {
            return true;
        }
        for (unsigned k = 0; k < PROVE_ARGUMENTS_MAX; k++) {
            if (simplify_number(trial, law, example, &example->event[i].number[k])) {
                return true;
            }
        }
    }
    return false;
}

/* ---- what is told ---- */

struct sentence {
    char *text;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void say(struct sentence *to, const char *format,
                                                      ...) {
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(to->text + to->used, PROVE_WHY_MAX - to->used, format, arguments);
    va_end(arguments);
    to->used += n > 0 ? (size_t)n : 0;
    to->used = to->used < PROVE_WHY_MAX ? to->used : PROVE_WHY_MAX - 1;
}

static void say_events(struct sentence *to, const struct measure *measure,
                       const struct example *example, unsigned part) {
    const char *between = "";
    for (size_t i = 0; i < example->n; i++) {
        if (part < PARTS && example->event[i].part != part) {
            continue;
        }
        say(to, "%stime=%lld us", between, (long long)example->event[i].us);
        for (unsigned k = 0; k < measure->arguments; k++) {
            say(to, " %s=%lld", measure->argument_name ? measure->argument_name[k] : "value",
                (long long)example->event[i].number[k]);
        }
        between = ", ";
    }
    say(to, "%s", *between ? "" : "no events");
}

static void tell(struct trial *trial, const struct law *law, const struct example *example,
                 char why[PROVE_WHY_MAX]) {
    struct sentence to = {.text = why};
    say(&to, "%s: %s", trial->measure->text, law->broken);
    if (trial->measure->kind->wants == MEASURE_WANTS_OWN) {
        say(&to, ": %s it prints `%s`, %s `%s`", law->one, trial->printed[0], law->other,
            trial->printed[1]);
    }
    for (unsigned part = 0; law->parts && part < PARTS; part++) {
        say(&to, "; %c: ", 'A' + (int)part);
        say_events(&to, trial->measure, example, part);
    }
    if (!law->parts) {
        say(&to, "; events: ");
        say_events(&to, trial->measure, example, PARTS);
    }
}

/* Tests one law. */
static bool prove_law(struct trial *trial, const struct law *law, const struct prove_trials *trials,
                      char why[PROVE_WHY_MAX]) {
    uint64_t seed = trials->seed;
    for (unsigned round = 0; round < trials->rounds; round++) {
        struct example example;
        memset(&example, 0, sizeof example);
        draw_example(&seed, &example);
        if (!holds(trial, law, &example)) {
            while (simplify(trial, law, &example)) {
            }
            holds(trial, law, &example); /* once more, for what it prints */
            tell(trial, law, &example, why);
            return false;
        }
        if (trial->overrun) {
            snprintf(why, PROVE_WHY_MAX, "%s: merge writes beyond its state of %zu bytes",
                     trial->measure->text, trial->measure->words * sizeof(uint64_t));
            return false;
        }
    }
    return true;
}

bool measure_prove(const struct measure *measure, const struct prove_trials *trials,
                   char why[PROVE_WHY_MAX]) {
    struct trial trial = {.measure = measure, .record = malloc(UNDO_BYTES)};
    bool proved = trial.record && measure->arguments <= PROVE_ARGUMENTS_MAX;
    if (!proved) {
        snprintf(why, PROVE_WHY_MAX, "%s: %s", measure->text,
                 trial.record ? "has more fields than random events" : "out of memory");
    }
    for (size_t i = 0; proved && i < sizeof laws / sizeof laws[0]; i++) {
        proved = prove_law(&trial, &laws[i], trials, why);
    }
    free(trial.record);
    return proved;
}
