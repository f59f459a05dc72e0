/* The bucket of a duration: as a walk through the bounds finds it. */
#include "counters/time/durations.h"
#include "tests/unit/check_main.h"

static unsigned walk(uint64_t us) {
    unsigned i = 0;
    while (us > durations_bound_us[i]) {
        i++;
    }
    return i;
}

START_TEST(bounds_rise_at_least_twofold) {
    ck_assert_uint_eq(durations_bound_us[0], 10);
    ck_assert_uint_eq(durations_bound_us[DURATIONS_BOUNDS - 1], UINT64_C(5000000000));
    ck_assert_uint_eq(durations_bound_us[DURATIONS_BOUNDS], UINT64_MAX);
    for (int i = 1; i < DURATIONS_BOUNDS; i++) {
        ck_assert_uint_ge(durations_bound_us[i], 2 * durations_bound_us[i - 1]);
    }
}
END_TEST

START_TEST(a_bound_is_within_its_own_bucket) {
    for (int i = 0; i < DURATIONS_BOUNDS; i++) {
        for (int by = -1; by <= 1; by++) {
            const uint64_t us = durations_bound_us[i] + (uint64_t)by;
            ck_assert_uint_eq(durations_bucket(us), walk(us));
        }
    }
    for (int bit = 0; bit < 64; bit++) {
        for (int by = -1; by <= 1; by++) {
            const uint64_t us = (UINT64_C(1) << bit) + (uint64_t)by;
            ck_assert_uint_eq(durations_bucket(us), walk(us));
        }
    }
    for (uint64_t us = 0; us < 100000; us++) {
        DEMAND(durations_bucket(us) == walk(us), "%llu", (unsigned long long)us);
    }
    ck_assert_uint_eq(durations_bucket(0), 0);
    ck_assert_uint_eq(durations_bucket(UINT64_MAX), DURATIONS_BOUNDS);
}
END_TEST

START_TEST(what_is_noted_adds_up) {
    static struct durations one, two;
    struct durations_total total = {{0}, 0};
    durations_add_owner(&one, 10);
    durations_add_owner(&one, 11);
    durations_add_owner(&two, 10);
    durations_add_owner(&two, UINT64_C(6000000000));
    durations_sum(&one, &total);
    durations_sum(&two, &total);
    durations_note(&total, 25);
    ck_assert_uint_eq(total.bucket[0], 2);
    ck_assert_uint_eq(total.bucket[1], 2);
    ck_assert_uint_eq(total.bucket[DURATIONS_BOUNDS], 1);
    ck_assert_uint_eq(total.sum_us, UINT64_C(6000000056));
}
END_TEST

START_TEST(the_bound_of_99_in_100) {
    struct durations_total before = {{0}, 0}, total;
    durations_note(&before, 4000000);
    total = before;
    ck_assert_uint_eq(durations_bound_of(&total, &before, 990), 0); /* none since */
    for (int i = 0; i < 99; i++) {
        durations_note(&total, 90000);
    }
    ck_assert_uint_eq(durations_bound_of(&total, &before, 990), 100000);
    durations_note(&total, 200000);
    ck_assert_uint_eq(durations_bound_of(&total, &before, 990), 100000);
    durations_note(&total, 200000);
    ck_assert_uint_eq(durations_bound_of(&total, &before, 990), 250000);
    ck_assert_uint_eq(durations_bound_of(&total, &before, 0), 10);
    durations_note(&before, UINT64_C(6000000000));
    total = before;
    durations_note(&total, UINT64_C(6000000000));
    ck_assert_uint_eq(durations_bound_of(&total, &before, 990), UINT64_MAX);
}
END_TEST

CHECK_MAIN("durations", bounds_rise_at_least_twofold, a_bound_is_within_its_own_bucket,
           what_is_noted_adds_up, the_bound_of_99_in_100)
