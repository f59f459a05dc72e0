#include "counters/time/window.h"

#include "tests/unit/check_main.h"

START_TEST(names_round_trip) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        enum resolution found;
        ck_assert(resolution_by_name(resolution_table[r].name, &found));
        ck_assert_int_eq(found, r);
    }
    enum resolution ignored;
    ck_assert(!resolution_by_name("10MS", &ignored));
    ck_assert(!resolution_by_name("", &ignored));
}
END_TEST

START_TEST(a_chunk_is_one_window_of_the_next_resolution) {
    ck_assert_int_eq(chunk_width_us(RESOLUTION_10MS), resolution_table[RESOLUTION_1S].width_us);
    ck_assert_int_eq(chunk_width_us(RESOLUTION_1S), resolution_table[RESOLUTION_1MIN].width_us);
}
END_TEST

START_TEST(edges_belong_to_the_later_window) {
    const int64_t t = INT64_C(1464433871120000); /* 2016-05-28 11:11:11.120 */
    const int64_t w = window_at(RESOLUTION_10MS, t);
    ck_assert_int_eq(window_start_us(RESOLUTION_10MS, w), t);
    ck_assert_int_eq(window_at(RESOLUTION_10MS, t - 1), w - 1);
    ck_assert_int_eq(window_at(RESOLUTION_10MS, t + 9999), w);
    ck_assert_uint_eq(window_slot(RESOLUTION_10MS, w), 12);
    ck_assert_int_eq(window_chunk(RESOLUTION_10MS, w), t / US_PER_S);
    ck_assert_int_eq(chunk_start_us(RESOLUTION_10MS, t / US_PER_S), t / US_PER_S * US_PER_S);
}
END_TEST

CHECK_MAIN("window", names_round_trip, a_chunk_is_one_window_of_the_next_resolution,
           edges_belong_to_the_later_window)
