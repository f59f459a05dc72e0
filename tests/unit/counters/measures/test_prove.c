/* The laws: every built-in measure keeps them, so does the example of the decaying rate; measures
 * that break one are found, with the smallest events that show it. */
#include "counters/measures/prove.h"

#include "counters/measures/own.h"
#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

#include <stdio.h>

#define ROUNDS 3000

static const struct prove_trials trials = {.seed = 1, .rounds = ROUNDS};
static char why[PROVE_WHY_MAX];

START_TEST(built_in_measures_keep_them) {
    for (size_t i = 0; measure_at(i); i++) {
        static const char *const names[] = {"a", "b", "c"};
        const enum measure_wants wants = measure_at(i)->wants;
        struct measure measure;
        char text[MEASURE_TEXT_MAX];
        snprintf(text, sizeof text, "%s%s", measure_at(i)->name,
                 wants == MEASURE_WANTS_NUMBER || wants == MEASURE_WANTS_VALUE ? "(x)" : "");
        lab_open(&measure, text);
        measure.argument_name = names;
        const struct prove_trials fewer = {
            .seed = i, .rounds = measure.words > 100 ? CHECK_TURNS(100) : CHECK_TURNS(ROUNDS)};
        ck_assert_msg(measure_prove(&measure, &fewer, why), "%s", why);
        lab_close(&measure);
    }
}
END_TEST

static void open_own(struct measure *measure, const char *path, const char *text) {
    static const char *const names[] = {"seconds"};
    char own_why[OWN_WHY_MAX];
    ck_assert_msg(own_load(path, own_why), "%s", own_why);
    ck_assert(measure_name(measure, text));
    measure->arguments = 1;
    measure->argument_name = names;
    ck_assert_ptr_null(measure->kind->open(measure));
}

START_TEST(the_useful_example_keeps_them) {
    struct measure measure;
    open_own(&measure, MEASURES "/ewma.so", "ewma(60s)");
    ck_assert_msg(measure_prove(&measure, &trials, why), "%s", why);
    lab_close(&measure);
}
END_TEST

START_TEST(the_broken_example_does_not) {
    struct measure measure;
    open_own(&measure, MEASURES "/broken.so", "broken(seconds)");
    ck_assert(!measure_prove(&measure, &trials, why));
    ck_assert_str_eq(why, "broken(seconds): merge does not associate: (A with B) with C it prints "
                          "`0.500`, A with (B with C) `0.250`; A: time=0 us seconds=0; B: time=0 "
                          "us seconds=0; C: time=0 us seconds=1");
    lab_close(&measure);
}
END_TEST

/* ---- measures that break one law each, made of count's parts ---- */

static uint64_t number_of(const struct aforo_event *event) {
    return (uint64_t)event->argument[0]->number;
}

static const char *open_one(struct measure *measure) {
    measure->words = 1;
    return NULL;
}

static void add_sum(const struct measure *measure, const struct measure_target *target,
                    const struct aforo_event *event) {
    (void)measure;
    measure_put(target, 0, measure_word(target, 0) + number_of(event));
}

static void add_last(const struct measure *measure, const struct measure_target *target,
                     const struct aforo_event *event) {
    (void)measure;
    measure_put(target, 0, number_of(event));
}

static void merge_first(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    into[0] = into[0] ? into[0] : from[0];
}

static void merge_sum(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    into[0] += from[0];
}

static void merge_and_one(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    into[0] += from[0] + 1;
}

static void merge_into_some(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    into[0] += into[0] ? from[0] : 0;
}

/* Commutes, as the sum does; what is odd is lost at each merge. */
static void merge_halves(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    into[0] = into[0] && from[0] ? (into[0] + from[0]) / 2 : into[0] + from[0];
}

static void merge_xor(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    into[0] ^= from[0];
}

static void merge_beyond(const struct measure *measure, uint64_t *into, const uint64_t *from) {
    (void)measure;
    into[0] += from[0];
    into[1] = 1;
}

typedef void adder(const struct measure *, const struct measure_target *,
                   const struct aforo_event *);
typedef void merger(const struct measure *, uint64_t *, const uint64_t *);

static void demand(adder *add, merger *merge, const char *sentence) {
    const struct measure_kind kind = {
        .name = "wrong", .open = open_one, .add = add, .merge = merge};
    static const char *const names[] = {"x"};
    struct measure measure = {
        .kind = &kind, .text = "wrong(x)", .arguments = 1, .argument_name = names, .words = 1};
    ck_assert(!measure_prove(&measure, &trials, why));
    ck_assert_str_eq(why, sentence);
}

START_TEST(each_law_is_tried) {
    demand(add_sum, merge_and_one,
           "wrong(x): a state changes when an empty one is merged into it; events: no events");
    demand(add_sum, merge_into_some,
           "wrong(x): an empty state into which one is merged is not the same as that one; events: "
           "time=0 us x=1");
    demand(add_sum, merge_first,
           "wrong(x): merge does not commute; A: time=0 us x=-1; B: time=0 us x=1; C: no events");
    demand(
        add_sum, merge_halves,
        "wrong(x): merge does not associate; A: time=0 us x=1; B: time=0 us x=1; C: time=0 us x=3");
    demand(add_last, merge_sum,
           "wrong(x): the order of events shows; events: time=0 us x=0, time=0 us x=1");
    demand(add_sum, merge_xor,
           "wrong(x): parts that are merged are not the whole; A: time=0 us x=1; B: no events; C: "
           "time=0 us x=1");
    demand(add_sum, merge_beyond, "wrong(x): merge writes beyond its state of 8 bytes");
}
END_TEST

CHECK_MAIN("measures: laws tried", built_in_measures_keep_them, the_useful_example_keeps_them,
           the_broken_example_does_not, each_law_is_tried)
