/* top: exact while the values have room; beyond that every count is above the true one by no more
 * than its error says, no error above events / counters, and nothing that came more often is
 * missing: however the events were spread, and however states were merged and told.
 * (top.c, top_entry.c) */
#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

#include <stdio.h>
#include <string.h>

#define VALUES 3000
#define COUNTERS 100
#define PARTS 4

static struct measure measure;
static struct lab_state state;
static struct lab_event event;
static uint64_t came[VALUES];

static void begin(unsigned parameter) {
    ck_assert(measure_name(&measure, "top(x)"));
    measure.parameter = parameter;
    ck_assert_ptr_null(measure.kind->open(&measure));
    state = lab_state_new(&measure);
    memset(came, 0, sizeof came);
}

static void set_up(void) {
    begin(10);
}

static void tear_down(void) {
    lab_state_free(&state);
    lab_close(&measure);
}

static size_t name_value(size_t i, char text[LAB_TEXT_MAX]) {
    return (size_t)snprintf(text, LAB_TEXT_MAX, "%0*zu", 4 + (int)(i % 45), i);
}

static void add(struct lab_state *to, size_t i) {
    char text[LAB_TEXT_MAX];
    lab_text(&event, 0, text, name_value(i, text));
    ck_assert(lab_add(to, &event.event));
    came[i]++;
}

/* Rare ones more often than frequent ones, the frequent ones first: like Zipf. */
static size_t random_value(uint64_t *seed) {
    const size_t below = 1 + (size_t)(lab_random(seed) % VALUES);
    return (size_t)(lab_random(seed) % below);
}

static void demand_bounds(const struct lab_state *of, size_t n) {
    struct figure_value value;
    uint64_t events = 0, lowest = UINT64_MAX;
    static bool listed[VALUES];
    memset(listed, 0, sizeof listed);
    for (size_t i = 0; i < VALUES; i++) {
        events += came[i];
    }
    char figure[32];
    snprintf(figure, sizeof figure, "top%zu(x)", n);
    lab_figure(figure, of, events, 0, &value);
    ck_assert_int_eq(value.type, FIGURE_LIST);
    for (size_t i = 0; i < value.items; i++) {
        char text[LAB_TEXT_MAX] = "";
        const struct figure_item *item = &value.item[i];
        const size_t meant = (size_t)atoll(memcpy(text, item->bytes, item->len));
        DEMAND(item->len == name_value(meant, text) && memcmp(text, item->bytes, item->len) == 0,
               "a value that never came");
        DEMAND(item->count >= came[meant] && item->count - item->error <= came[meant],
               "%zu came %llu times, not %llu +- %llu", meant, (unsigned long long)came[meant],
               (unsigned long long)item->count, (unsigned long long)item->error);
        DEMAND(item->error <= events / COUNTERS, "an error of %llu",
               (unsigned long long)item->error);
        DEMAND(item->count <= lowest, "not the most frequent first");
        DEMAND(!listed[meant], "%zu is there twice", meant);
        lowest = item->count;
        listed[meant] = true;
    }
    for (size_t i = 0; i < VALUES && value.items == n; i++) {
        DEMAND(listed[i] || came[i] <= lowest, "%zu is missing", i);
    }
}

START_TEST(few_are_exact) {
    for (size_t i = 0; i < COUNTERS; i++) {
        for (size_t times = 0; times <= i; times++) {
            add(&state, i);
        }
    }
    struct figure_value value;
    lab_figure("top10(x)", &state, 1, 0, &value);
    ck_assert_uint_eq(value.items, 10);
    for (size_t i = 0; i < 10; i++) {
        char text[LAB_TEXT_MAX];
        ck_assert_uint_eq(value.item[i].len, name_value(COUNTERS - 1 - i, text));
        ck_assert_mem_eq(value.item[i].bytes, text, value.item[i].len);
        ck_assert_uint_eq(value.item[i].count, COUNTERS - i);
        ck_assert_uint_eq(value.item[i].error, 0);
    }
}
END_TEST

START_TEST(bounds_hold) {
    uint64_t seed = 11;
    for (int i = 0; i < 30000; i++) {
        add(&state, random_value(&seed));
        if (i % 500 == 0) {
            demand_bounds(&state, 100);
        }
    }
    demand_bounds(&state, 100);
    for (int i = 0; i < 30000; i++) { /* always another one: a counter is taken each time */
        add(&state, (size_t)i % VALUES);
        if (i % 500 == 0) {
            demand_bounds(&state, 100);
        }
    }
    demand_bounds(&state, 10);
}
END_TEST

START_TEST(bounds_hold_of_what_is_merged) {
    uint64_t seed = 12;
    for (int round = 0; round < CHECK_TURNS(20); round++) {
        struct lab_state part[PARTS];
        memset(came, 0, sizeof came);
        memset(state.words, 0, measure.words * sizeof(uint64_t));
        for (int i = 0; i < PARTS; i++) {
            part[i] = lab_state_new(&measure);
        }
        for (int i = 0; i < 4000; i++) {
            /* parts differ in what comes to them */
            const size_t value = random_value(&seed);
            add(&part[(value + (lab_random(&seed) % 10 < (unsigned)round % 10)) % PARTS], value);
        }
        for (int i = 0; i < PARTS; i++) {
            lab_merge(&state, &part[i]);
            lab_state_free(&part[i]);
        }
        demand_bounds(&state, 100);

        struct lab_components *components = lab_emit(&state);
        ck_assert_uint_eq(components->n, 1);
        ck_assert_int_eq(components->component[0].rule, COMPONENT_BLOB);
        memset(state.words, 0, measure.words * sizeof(uint64_t));
        ck_assert(measure.kind->absorb(&measure, state.words, &components->component[0]));
        lab_components_free(components);
        demand_bounds(&state, 100);
        add(&state, 7); /* and it goes on from there */
        add(&state, VALUES - 1);
        demand_bounds(&state, 100);
    }
}
END_TEST

START_TEST(either_order_of_two_is_the_same) {
    uint64_t seed = 13;
    struct lab_state other = lab_state_new(&measure), both = lab_state_new(&measure);
    for (int i = 0; i < 3000; i++) {
        add(i % 2 ? &state : &other, random_value(&seed));
    }
    lab_state_copy(&both, &state);
    lab_merge(&both, &other);
    lab_merge(&other, &state);
    ck_assert(lab_equal(&both, &other));
    lab_state_free(&other);
    lab_state_free(&both);
}
END_TEST

static void add_text(const char *text, size_t len) {
    lab_text(&event, 0, text, len);
    ck_assert(lab_add(&state, &event.event));
}

START_TEST(long_values_are_cut) {
    char text[LAB_TEXT_MAX];
    memset(text, 'x', sizeof text);
    add_text(text, 48);
    add_text(text, 49);
    add_text(text, 50);
    add_text(text, 50);
    add_text("", 0);
    add_text("\0", 1);
    struct figure_value value;
    lab_figure("top9(x)", &state, 6, 0, &value);
    ck_assert_uint_eq(value.items, 5);
    ck_assert_uint_eq(value.item[0].count, 2);
    ck_assert_uint_eq(value.item[0].len, 48);
    ck_assert_mem_eq(value.item[0].bytes, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx~", 32);
    ck_assert_uint_eq(value.item[1].len, 0); /* by bytes, where counts are equal */
    ck_assert_uint_eq(value.item[2].len, 1);
    ck_assert_mem_eq(value.item[3].bytes, text, 48);
}
END_TEST

START_TEST(room_is_by_n) {
    static const struct {
        unsigned n;
        size_t counters;
    } rows[] = {{0, 100}, {1, 64}, {6, 64}, {7, 70}, {50, 500}, {100, 512}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tear_down();
        begin(rows[i].n);
        for (size_t value = 0; value < rows[i].counters; value++) {
            add(&state, value);
        }
        add(&state, 0);
        struct figure_value value;
        lab_figure("top1(x)", &state, 1, 0, &value);
        ck_assert_uint_eq(value.item[0].count, 2);
        ck_assert_uint_eq(value.item[0].error, 0);
        add(&state, VALUES - 1);
        lab_figure("top2(x)", &state, 1, 0, &value);
        ck_assert_uint_eq(value.item[1].error, 1);
    }
}
END_TEST

START_TEST(blobs_that_are_none) {
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {{"\1", 1},
                {"\1\0", 2},
                {"\1\0\1", 3},
                {"\1\0\2a", 4},
                {"\1\1\1a", 4},        /* an error as large as its count */
                {"\0\0\1a", 4},        /* never came */
                {"\1\0\1a\1\0\1a", 8}, /* twice */
                {"\1\0\1a\1", 5},
                {"\x80\x80\x80\x80\x80\x80\x80\x80\1\0\1a", 12},
                {"\1\0\x31"
                 "0123456789012345678901234567890123456789012345678",
                 52}};
    struct component component = {.name = "top(x)", .rule = COMPONENT_BLOB};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        component.bytes = (const unsigned char *)rows[i].bytes;
        component.len = rows[i].len;
        ck_assert_msg(!measure.kind->absorb(&measure, state.words, &component), "row %zu", i);
        ck_assert_uint_eq(state.words[0], 0);
    }
    component.bytes = (const unsigned char *)"\2\1\1a\x81\1\0\0";
    component.len = 8;
    ck_assert(measure.kind->absorb(&measure, state.words, &component));
    struct figure_value value;
    lab_figure("top2(x)", &state, 1, 0, &value);
    ck_assert_uint_eq(value.items, 2);
    ck_assert_uint_eq(value.item[0].count, 129);
    ck_assert_uint_eq(value.item[1].error, 1);
}
END_TEST

/* A store can hold anything: what is taken is a state as good as any. */
START_TEST(blobs_that_were_changed) {
    uint64_t seed = 15;
    for (int i = 0; i < 2000; i++) {
        add(&state, random_value(&seed));
    }
    struct lab_components *components = lab_emit(&state);
    const struct component *whole = &components->component[0];
    unsigned char *bytes = malloc(whole->len);
    unsigned taken = 0;
    for (int round = 0; round < CHECK_TURNS(3000); round++) {
        struct component changed = *whole;
        struct lab_state told = lab_state_new(&measure);
        memcpy(bytes, whole->bytes, whole->len);
        for (uint64_t i = lab_random(&seed) % 4; i-- > 0;) {
            bytes[lab_random(&seed) % whole->len] = (unsigned char)lab_random(&seed);
        }
        changed.bytes = bytes;
        changed.len -= lab_random(&seed) % 2 ? lab_random(&seed) % whole->len : 0;
        if (measure.kind->absorb(&measure, told.words, &changed)) {
            struct figure_value value;
            taken++;
            lab_figure("top100(x)", &told, 1, 0, &value);
            for (size_t i = 0; i < value.items; i++) {
                DEMAND(value.item[i].error < value.item[i].count && value.item[i].len <= 48,
                       "an item that cannot be");
            }
        } else {
            ck_assert_uint_eq(told.words[0], 0);
        }
        lab_state_free(&told);
    }
    ck_assert_uint_gt(taken, 0);
    ck_assert_uint_lt(taken, CHECK_TURNS(3000));
    free(bytes);
    lab_components_free(components);
}
END_TEST

/* After a loss of power: nothing to rely on, and yet no harm done. */
START_TEST(damaged_states_do_no_harm) {
    uint64_t seed = 14;
    struct lab_state other = lab_state_new(&measure);
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < measure.words; i++) {
            state.words[i] = lab_random(&seed) >> lab_random(&seed) % 64;
        }
        for (size_t i = 0; i < 50; i++) {
            add(&state, random_value(&seed));
        }
        lab_merge(&other, &state);
        struct figure_value value;
        lab_figure("top100(x)", &other, 1, 0, &value);
        lab_components_free(lab_emit(&state));
    }
    lab_state_free(&other);
}
END_TEST

static const struct check_fixture with_top = {
    .timeout_s = 60, .set_up = set_up, .tear_down = tear_down};
CHECK_MAIN_WITH(with_top, "measures: top", few_are_exact, bounds_hold,
                bounds_hold_of_what_is_merged, either_order_of_two_is_the_same, long_values_are_cut,
                room_is_by_n, blobs_that_are_none, blobs_that_were_changed,
                damaged_states_do_no_harm)
