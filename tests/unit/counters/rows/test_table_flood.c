/* Keys that a sender has chosen to fall together under a hash that is known: as each table hashes
 * with a seed of its own, they are found in as few steps as any others. */
#include "tests/unit/counters/rows/rows_fixture.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define KEYS 100000
#define KEY_LEN 8
#define TOGETHER 0x1ff /* the bits in which their known hashes agree */

static char (*chosen)[KEY_LEN + 1];

/* 10^5 texts whose hashes without a seed, which everybody can compute, agree in their lowest bits,
 * which name the bucket. */
static void choose_keys(void) {
    static const char digits[] = "0123456789abcdef";
    chosen = calloc(KEYS, sizeof *chosen);
    ck_assert_ptr_nonnull(chosen);
    uint64_t tried = 0;
    for (size_t n = 0; n < KEYS; tried++) {
        for (size_t i = 0; i < KEY_LEN; i++) {
            chosen[n][i] = digits[tried >> 4 * i & 0xf];
        }
        n += (XXH3_64bits(chosen[n], KEY_LEN) & TOGETHER) == 0;
    }
}

/* Rows that are looked at until each of n keys has been found once. */
static uint64_t count_steps(const struct table *table, size_t n) {
    const struct table_section *section = table_section(table, 1, 0);
    const int64_t window = table_window(table->config.width_us[0], T0);
    uint64_t steps = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t hash = table_hash(table, chosen[i], KEY_LEN);
        uint64_t number = atomic_load(&section->heads[section_bucket(section, hash, window)]);
        bool found = false;
        while (!found) {
            DEMAND(number >= atomic_load(&section->page->tail), "%s has no row", chosen[i]);
            struct row *row = section_row(section, number);
            const word *key = row_key(row, atomic_load(&row->lengths));
            found = memcmp((const void *)key, chosen[i], KEY_LEN) == 0;
            number = atomic_load(&row->bucket_next);
            steps++;
        }
    }
    return steps;
}

/* Steps a key of n of them, in a table that hashes with that seed; NULL: with its own. */
static double flood(size_t n, const uint64_t *seed) {
    struct table_config config = lab_config(seed ? "known" : "secret");
    config.widths = 1;
    config.memory = 32 << 20;
    config.keys_max = KEYS;
    struct lab lab = lab_open(1, &config);
    if (seed) {
        lab.table->header.seed = *seed;
    }
    set_now(&lab, T0);
    for (size_t i = 0; i < n; i++) {
        DEMAND(count_event(&lab, T0, chosen[i], 1), "%s has no window", chosen[i]);
    }
    ck_assert_uint_eq(lab_read(lab.table, 0, T0, &(const struct seen){0}).rows, n);
    const uint64_t steps = count_steps(lab.table, n);
    lab_close(&lab);
    return (double)steps / (double)n;
}

START_TEST(chosen_keys_are_found_in_as_few_steps_as_any) {
    const uint64_t known = 0;
    choose_keys();
    ck_assert_double_lt(flood(KEYS, NULL), 2);
    ck_assert_double_gt(flood(KEYS / 5, &known), 20); /* they were well chosen */
    free(chosen);
}
END_TEST

/* Two tables do not hash alike, so what is learned of one says nothing of another. */
START_TEST(each_table_has_a_seed_of_its_own) {
    const struct table_config one = lab_config("one"), two = lab_config("two");
    struct lab lab = lab_open(1, &one);
    const struct table *other = table_or_fail(lab.tables, &two);
    ck_assert_uint_ne(lab.table->header.seed, other->header.seed);
    ck_assert_uint_ne(table_hash(lab.table, "a", 1), table_hash(other, "a", 1));
    ck_assert_uint_ne(table_hash(lab.table, "a", 1), XXH3_64bits("a", 1));
    lab_close(&lab);
}
END_TEST

CHECK_MAIN_WITH(in_state_dir, "rows/table_flood", chosen_keys_are_found_in_as_few_steps_as_any,
                each_table_has_a_seed_of_its_own)
