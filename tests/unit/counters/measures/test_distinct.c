/* distinct: exact while values are few, near from then on, whatever was merged and told; the
 * registers at the edges of words (hyperloglog.c). Against a real Redis: tests/redis. */
#include "counters/measures/hyperloglog.h"
#include "tests/unit/check_main.h"
#include "tests/unit/counters/measures/measure_lab.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX 32

static struct measure measure;
static struct lab_state state;
static struct lab_event event;

static void set_up(void) {
    lab_open(&measure, "distinct(x)");
    state = lab_state_new(&measure);
}

static void tear_down(void) {
    lab_state_free(&state);
    lab_close(&measure);
}

static void add(struct lab_state *to, size_t i) {
    char text[32];
    lab_text(&event, 0, text, (size_t)snprintf(text, sizeof text, "value %zu", i));
    ck_assert(lab_add(to, &event.event));
}

static size_t shown(const struct lab_state *of) {
    struct figure_value value;
    lab_figure("distinct(x)", of, 1, 3, &value); /* decimals are those of the field's numbers */
    ck_assert_int_eq(value.type, FIGURE_NUMBER);
    return (size_t)atoll(value.text);
}

START_TEST(few_are_exact) {
    for (size_t i = 0; i < LIST_MAX; i++) {
        add(&state, i);
        for (size_t again = 0; again <= i; again++) {
            add(&state, again);
        }
        ck_assert_uint_eq(state.words[0], i + 1);
        ck_assert_uint_eq(shown(&state), i + 1);
    }
    add(&state, LIST_MAX);
    ck_assert_uint_eq(state.words[0], LIST_MAX + 1);
    add(&state, LIST_MAX + 1);
    ck_assert_uint_eq(state.words[0], LIST_MAX + 1);
}
END_TEST

START_TEST(merged_lists_are_exact_as_well) {
    for (size_t n = 0; n <= 2 * LIST_MAX; n++) {
        struct lab_state both = lab_state_new(&measure), other = lab_state_new(&measure);
        for (size_t i = 0; i < n; i++) {
            add(i % 3 ? &both : &other, i);
            add(i % 3 ? &both : &other, 0);
        }
        lab_merge(&both, &other);
        if (n <= LIST_MAX) {
            ck_assert_uint_eq(both.words[0], n);
            ck_assert_uint_eq(shown(&both), n);
            for (size_t i = 0; i < n; i++) { /* found where they were put */
                add(&both, i);
                ck_assert_uint_eq(both.words[0], n);
            }
        } else {
            ck_assert_uint_eq(both.words[0], LIST_MAX + 1);
            for (size_t i = 1; i < measure.words - HLL_WORDS; i++) {
                ck_assert_uint_eq(both.words[i], 0);
            }
        }
        lab_state_free(&both);
        lab_state_free(&other);
    }
}
END_TEST

START_TEST(many_are_near) {
    size_t next = 0;
    for (size_t n = LIST_MAX + 1; n < 400000; n = n * 5 / 2) {
        for (; next < n; next++) {
            char text[32];
            lab_text(&event, 0, text, (size_t)snprintf(text, sizeof text, "value %zu", next));
            lab_add_unchecked(&state, &event.event);
        }
        ck_assert_double_le(fabs((double)shown(&state) - (double)n), (double)n * 0.0081 * 3.5 + 1);
    }
}
END_TEST

START_TEST(the_hash_is_murmur) {
    static const struct {
        const char *text;
        uint64_t hash;
    } rows[] = {
        {"", UINT64_C(0xd8dfea6585bc9732)},
        {"a", UINT64_C(0x53d2470a9b43b1a7)},
        {"1234567", UINT64_C(0x85563db163632857)},
        {"12345678", UINT64_C(0x95ebb86389132953)},
        {"123456789", UINT64_C(0x217532cb09f2a44d)},
        {"abcdefghijklmnopqrstuvw", UINT64_C(0x0df848187b12db1f)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_uint_eq(hll_hash(rows[i].text, strlen(rows[i].text)), rows[i].hash);
    }
}
END_TEST

START_TEST(every_register_stands_alone) {
    uint64_t registers[HLL_WORDS], one[HLL_WORDS];
    memset(registers, 0, sizeof registers);
    for (uint64_t i = 0; i < HLL_REGISTERS; i++) {
        const struct hll_place low = hll_find(i | UINT64_C(1) << 14);
        ck_assert_uint_eq(low.rank, 1);
        ck_assert_uint_eq(low.word * 64 + low.shift, i * HLL_REGISTER_BITS);
        ck_assert_uint_eq(hll_find(i).rank, 51);
        memset(one, 0, sizeof one);
        one[low.word] |= UINT64_C(21) << low.shift;
        if (hll_straddles(low.shift)) {
            one[low.word + 1] |= UINT64_C(21) >> (64 - low.shift);
        }
        hll_merge(registers, one);
    }
    for (size_t i = 0; i < HLL_WORDS; i += 3) { /* 21 is 010101 */
        ck_assert_uint_eq(registers[i], UINT64_C(0x5555555555555555));
    }
    memset(one, 0xff, sizeof one);
    hll_merge(registers, one);
    ck_assert_mem_eq(registers, one, sizeof one);
}
END_TEST

START_TEST(strings_that_are_none) {
    unsigned char bytes[HLL_BYTES + 1];
    uint64_t registers[HLL_WORDS] = {0};
    hll_write(registers, bytes);
    ck_assert_mem_eq(bytes, "HYLL\0\0\0\0\0\0\0\0\0\0\0\x80", 16);
    ck_assert(hll_read(registers, bytes, HLL_BYTES));
    ck_assert(!hll_read(registers, bytes, HLL_BYTES - 1));
    ck_assert(!hll_read(registers, bytes, HLL_BYTES + 1));
    for (size_t i = 0; i < 8; i++) {
        bytes[i] ^= 1;
        ck_assert(!hll_read(registers, bytes, HLL_BYTES));
        bytes[i] ^= 1;
    }
    bytes[9] = 7; /* a count that Redis remembered */
    bytes[15] = 0;
    ck_assert(hll_read(registers, bytes, HLL_BYTES));
    ck_assert_uint_eq(hll_estimate(registers), 0);
}
END_TEST

static const struct check_fixture with_distinct = {
    .timeout_s = 60, .set_up = set_up, .tear_down = tear_down};
CHECK_MAIN_WITH(with_distinct, "measures: distinct", few_are_exact, merged_lists_are_exact_as_well,
                many_are_near, the_hash_is_murmur, every_register_stands_alone,
                strings_that_are_none)
