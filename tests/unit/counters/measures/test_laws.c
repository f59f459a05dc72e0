/* What holds of every measure of the list: the order of events, how they were split over workers
 * and nodes, and how their states were merged never matters; what is published is all there is.
 * (count.c, digest.c, distinct.c, edge.c, extreme.c, quantiles.c, squares.c, sum.c, top.c) */
#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS 60
#define EVENTS_MAX 120
#define PARTS 3

/* Few enough different values for a list of the most frequent to be exact. */
#define VALUES 40

static struct lab_event event[EVENTS_MAX];

static void random_event(const struct measure *measure, uint64_t *seed, struct lab_event *to) {
    const int64_t us = (int64_t)(lab_random(seed) % 1000) * 1000;
    const uint64_t value = lab_random(seed) % VALUES;
    char text[LAB_TEXT_MAX];
    switch (measure->kind->wants) {
    case MEASURE_WANTS_NUMBER: {
        const int64_t number = (int64_t)(lab_random(seed) >> (value + 20));
        lab_number(to, us, number % 3 && value % 2 ? -number : number);
        break;
    }
    case MEASURE_WANTS_ALL:
        lab_fields(to, us, lab_random(seed));
        break;
    default:
        lab_text(to, us, text, (size_t)snprintf(text, sizeof text, "value %d", (int)value));
        break;
    }
}

static void run_laws(const struct measure *measure, uint64_t *seed) {
    struct lab_state whole = lab_state_new(measure), part[PARTS], left = lab_state_new(measure),
                     right = lab_state_new(measure), back = lab_state_new(measure);
    const size_t n = lab_random(seed) % EVENTS_MAX;
    for (int i = 0; i < PARTS; i++) {
        part[i] = lab_state_new(measure);
    }
    for (size_t i = 0; i < n; i++) {
        random_event(measure, seed, &event[i]);
        if (lab_add(&whole, &event[i].event)) {
            DEMAND(lab_add(&part[lab_random(seed) % PARTS], &event[i].event),
                   "%s: fits the whole and no part", measure->text);
        }
    }

    /* (0 + 1) + 2, and 1 + (2 + 0) */
    lab_state_copy(&left, &part[0]);
    lab_merge(&left, &part[1]);
    lab_merge(&left, &part[2]);
    lab_state_copy(&back, &part[2]);
    lab_merge(&back, &part[0]);
    lab_state_copy(&right, &part[1]);
    lab_merge(&right, &back);
    DEMAND(lab_equal(&left, &right), "%s: merge depends on the order", measure->text);
    DEMAND(lab_equal(&left, &whole), "%s: parts are not the whole", measure->text);

    /* zeros, before and after */
    memset(back.words, 0, measure->words * sizeof(uint64_t));
    lab_state_copy(&right, &whole);
    lab_merge(&right, &back);
    DEMAND(lab_equal(&right, &whole), "%s: nothing, merged, changes a state", measure->text);

    /* the events in the opposite order */
    for (size_t i = n; i-- > 0;) {
        lab_add(&back, &event[i].event);
    }
    DEMAND(lab_equal(&back, &whole), "%s: the order of events changes the state", measure->text);

    lab_state_free(&whole);
    lab_state_free(&left);
    lab_state_free(&right);
    lab_state_free(&back);
    for (int i = 0; i < PARTS; i++) {
        lab_state_free(&part[i]);
    }
}

static void run_components(const struct measure *measure, uint64_t *seed) {
    struct lab_state one = lab_state_new(measure), two = lab_state_new(measure),
                     told = lab_state_new(measure);
    for (size_t i = lab_random(seed) % EVENTS_MAX; i-- > 0;) {
        random_event(measure, seed, &event[0]);
        lab_add(i % 2 ? &one : &two, &event[0].event);
    }
    struct lab_components *of_one = lab_emit(&one), *of_two = lab_emit(&two);
    for (size_t i = 0; i < of_one->n; i++) {
        DEMAND(measure->kind->absorb(measure, told.words, &of_one->component[i]),
               "%s: does not know its %s", measure->text, of_one->name[i]);
    }
    struct lab_components *of_told = lab_emit(&told);
    DEMAND(lab_components_equal(of_one, of_told), "%s: is not what it was told", measure->text);
    lab_components_free(of_told);

    /* both absorbed are both merged */
    for (size_t i = 0; i < of_two->n; i++) {
        measure->kind->absorb(measure, told.words, &of_two->component[i]);
    }
    lab_merge(&one, &two);
    lab_components_free(of_one);
    of_one = lab_emit(&one);
    of_told = lab_emit(&told);
    DEMAND(lab_components_equal(of_one, of_told), "%s: absorbs otherwise than it merges",
           measure->text);
    lab_components_free(of_one);
    lab_components_free(of_two);
    lab_components_free(of_told);
    lab_state_free(&one);
    lab_state_free(&two);
    lab_state_free(&told);
}

static void open_kind(const struct measure_kind *kind, struct measure *measure) {
    char text[MEASURE_TEXT_MAX];
    const bool field = kind->wants == MEASURE_WANTS_NUMBER || kind->wants == MEASURE_WANTS_VALUE;
    snprintf(text, sizeof text, "%s%s", kind->name, field ? "(x)" : "");
    lab_open(measure, text);
}

START_TEST(laws_hold) {
    struct measure measure;
    uint64_t seed = 1;
    for (size_t i = 0; measure_at(i); i++) {
        open_kind(measure_at(i), &measure);
        for (int round = 0; round < ROUNDS; round++) {
            run_laws(&measure, &seed);
        }
        lab_close(&measure);
    }
}
END_TEST

START_TEST(components_are_all_there_is) {
    struct measure measure;
    uint64_t seed = 2;
    for (size_t i = 0; measure_at(i); i++) {
        open_kind(measure_at(i), &measure);
        for (int round = 0; round < ROUNDS; round++) {
            run_components(&measure, &seed);
        }
        lab_close(&measure);
    }
}
END_TEST

START_TEST(components_of_others_change_nothing) {
    static const unsigned char bytes[] = {'H', 'Y', 'L', 'L', 9, 9, 9};
    struct measure measure;
    for (size_t i = 0; measure_at(i); i++) {
        open_kind(measure_at(i), &measure);
        struct lab_state state = lab_state_new(&measure), empty = lab_state_new(&measure);
        for (int rule = COMPONENT_ADD; rule <= COMPONENT_BLOB; rule++) {
            const struct component strange[] = {
                {"another", (enum component_rule)rule, 1, bytes, sizeof bytes},
                {"another(x)-", (enum component_rule)rule, 1, bytes, sizeof bytes},
                {measure.text, COMPONENT_BLOB, 1, bytes, sizeof bytes},
                {measure.text, COMPONENT_HLL, 1, bytes, sizeof bytes}};
            for (size_t s = 0; s < sizeof strange / sizeof strange[0]; s++) {
                DEMAND(!measure.kind->absorb(&measure, state.words, &strange[s]), "%s takes %s",
                       measure.text, strange[s].name);
            }
        }
        ck_assert_mem_eq(state.words, empty.words, measure.words * sizeof(uint64_t));
        lab_state_free(&state);
        lab_state_free(&empty);
        lab_close(&measure);
    }
}
END_TEST

START_TEST(words_of_undo_are_told_exactly) {
    struct measure measure;
    uint64_t seed = 3;
    for (size_t i = 0; measure_at(i); i++) {
        open_kind(measure_at(i), &measure);
        struct lab_state state = lab_state_new(&measure);
        size_t most = 0;
        if (strcmp(measure.kind->name, "quantiles") == 0) { /* its cells are about to carry */
            memset(state.words, 0xff, measure.words * sizeof(uint64_t) * 3 / 4);
        }
        for (int n = 0; n < 20000 && most < measure.kind->puts(&measure); n++) {
            random_event(&measure, &seed, &event[0]);
            if (n == 0 || n >= 5000) { /* a long one first, later many different values, as long as
                                          they may be */
                char text[LAB_TEXT_MAX];
                snprintf(text, sizeof text, "%0*d", 20 + (n + 49) % 50, n);
                if (measure.kind->wants == MEASURE_WANTS_VALUE) {
                    lab_text(&event[0], n, text, strlen(text));
                }
            }
            if (lab_add(&state, &event[0].event)) { /* which demands no more than puts */
                most = state.puts > most ? state.puts : most;
            }
        }
        DEMAND(most == measure.kind->puts(&measure), "%s says %zu, notes %zu", measure.text,
               measure.kind->puts(&measure), most);
        lab_state_free(&state);
        lab_close(&measure);
    }
}
END_TEST

CHECK_MAIN("measures: laws", laws_hold, components_are_all_there_is,
           components_of_others_change_nothing, words_of_undo_are_told_exactly)
