/* Parts and windows as bytes, against a plain model of them that is written a second time here. */
#include "redis/part.h"

#include "tests/unit/check_main.h"

#include <string.h>

#define BYTES_MAX (12 + SLOTS_MAX * 7)
#define COUNT_LAST ((UINT64_C(1) << 53) - 1)

static void put(unsigned char *bytes, uint64_t number, size_t width) {
    for (size_t i = 0; i < width; i++, number /= 256) {
        bytes[i] = (unsigned char)(number % 256);
    }
}

/* What merge.lua writes: W, owner, sum, values. */
static size_t make_part(unsigned char *bytes, uint32_t owner, const uint64_t *count, size_t n,
                        size_t width) {
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        put(bytes + 12 + i * width, count[i], width);
        sum += count[i];
    }
    bytes[0] = (unsigned char)width;
    put(bytes + 1, owner, 4);
    put(bytes + 5, sum, 7);
    return 12 + n * width;
}

static uint64_t random_state = 42;

static uint64_t any(uint64_t below) {
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static bool read_part(const unsigned char *bytes, size_t len, enum resolution r,
                      struct part *part) {
    return part_read((const char *)bytes, len, r, part);
}

START_TEST(every_width_and_length_is_read) {
    for (int round = 0; round < 2000; round++) {
        const enum resolution r = (enum resolution)any(RESOLUTIONS);
        const size_t width = 1 + any(7), n = 1 + any(resolution_table[r].slots);
        /* a hundred of them fit the sum */
        const uint64_t most = width == 7 ? UINT64_C(1) << 49 : UINT64_C(1) << 8 * width;
        uint64_t count[SLOTS_MAX] = {0}, sum = 0;
        unsigned char bytes[BYTES_MAX];
        struct part part;
        for (size_t i = 0; i < n; i++) {
            count[i] = any(3) ? any(most) : 0;
            sum += count[i];
        }
        const uint32_t owner = (uint32_t)any(UINT64_C(1) << 32);
        const size_t len = make_part(bytes, owner, count, n, width);
        memset(&part, 0xff, sizeof part);
        ck_assert(read_part(bytes, len, r, &part));
        ck_assert_uint_eq(part.owner, owner);
        ck_assert_uint_eq(part.sum, sum);
        ck_assert_mem_eq(part.count, count, sizeof count); /* behind the last value: 0 */
    }
}
END_TEST

START_TEST(the_largest_count_is_read) {
    const uint64_t count[] = {COUNT_LAST};
    unsigned char bytes[BYTES_MAX];
    struct part part;
    ck_assert(read_part(bytes, make_part(bytes, UINT32_MAX, count, 1, 7), RESOLUTION_10MS, &part));
    ck_assert_uint_eq(part.count[0], COUNT_LAST);
    ck_assert_uint_eq(part.owner, UINT32_MAX);
}
END_TEST

/* A part that lost its end has another sum, or a length that no number of values has: every one is
 * refused. */
START_TEST(every_cut_is_refused) {
    for (size_t width = 1; width <= 7; width++) {
        uint64_t count[60];
        unsigned char bytes[BYTES_MAX];
        struct part part;
        for (size_t i = 0; i < 60; i++) {
            count[i] = i + 1;
        }
        const size_t len = make_part(bytes, 7, count, 60, width);
        ck_assert(read_part(bytes, len, RESOLUTION_1S, &part));
        for (size_t cut = 0; cut < len; cut++) {
            ck_assert_msg(!read_part(bytes, cut, RESOLUTION_1S, &part),
                          "width %zu, %zu of %zu bytes", width, cut, len);
        }
    }
}
END_TEST

START_TEST(every_odd_width_is_refused) {
    const uint64_t count[28] = {0};
    for (unsigned width = 0; width < 256; width++) {
        unsigned char bytes[BYTES_MAX];
        struct part part;
        /* 28 bytes of values: 1, 2, 4 and 7 divide them */
        const size_t len = make_part(bytes, 7, count, 28, 1);
        bytes[0] = (unsigned char)width;
        ck_assert_msg(read_part(bytes, len, RESOLUTION_10MS, &part) ==
                          (width == 1 || width == 2 || width == 4 || width == 7),
                      "%u", width);
    }
}
END_TEST

START_TEST(more_values_than_slots_are_refused) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        const uint64_t count[SLOTS_MAX + 1] = {1};
        const uint32_t slots = resolution_table[r].slots;
        unsigned char bytes[BYTES_MAX + 7];
        struct part part;
        ck_assert(
            read_part(bytes, make_part(bytes, 7, count, slots, 1), (enum resolution)r, &part));
        ck_assert(
            !read_part(bytes, make_part(bytes, 7, count, slots + 1, 1), (enum resolution)r, &part));
    }
}
END_TEST

/* Any one bit of a value or of the sum that is another one shows; the owner is what it is. */
START_TEST(a_flipped_bit_of_sum_or_value_is_refused) {
    const uint64_t count[] = {0, 300, 5, 70000};
    unsigned char bytes[BYTES_MAX];
    struct part part;
    const size_t len = make_part(bytes, 7, count, 4, 3);
    for (size_t bit = 8 * 5; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        ck_assert_msg(!read_part(bytes, len, RESOLUTION_10MS, &part), "bit %zu", bit);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    ck_assert(read_part(bytes, len, RESOLUTION_10MS, &part));
}
END_TEST

/* ---- windows ---- */

START_TEST(windows_say_what_they_were_made_of) {
    for (int round = 0; round < 2000; round++) {
        const uint32_t n = 1 + (uint32_t)any(SLOTS_MAX);
        uint64_t count[SLOTS_MAX], largest = 0;
        uint8_t slot[SLOTS_MAX];
        char buf[PART_WINDOWS_MAX];
        for (uint32_t i = 0; i < n; i++) {
            slot[i] = (uint8_t)any(SLOTS_MAX);
            count[i] = any(COUNT_LAST >> any(53)) + any(2);
            largest = count[i] > largest ? count[i] : largest;
        }
        size_t width = 1;
        for (uint64_t rest = largest / 256; rest; rest /= 256) {
            width++;
        }
        const size_t len = part_windows(slot, count, n, buf);
        ck_assert_uint_eq(len, 1 + n * (1 + width));
        ck_assert_uint_le(len, PART_WINDOWS_MAX);
        ck_assert_uint_eq((unsigned char)buf[0], width); /* no wider than the largest needs */
        for (uint32_t i = 0; i < n; i++) {
            unsigned char expected[8] = {slot[i]};
            put(expected + 1, count[i], width);
            ck_assert_mem_eq(buf + 1 + i * (1 + width), expected, 1 + width);
        }
    }
}
END_TEST

START_TEST(the_most_and_the_largest_windows_fit) {
    uint64_t count[SLOTS_MAX];
    uint8_t slot[SLOTS_MAX];
    char buf[PART_WINDOWS_MAX];
    for (uint32_t i = 0; i < SLOTS_MAX; i++) {
        slot[i] = (uint8_t)i;
        count[i] = COUNT_LAST;
    }
    ck_assert_uint_eq(part_windows(slot, count, SLOTS_MAX, buf), PART_WINDOWS_MAX);
}
END_TEST

START_TEST(owners_have_numbers_for_ever) {
    ck_assert_uint_eq(part_owner(""), 2166136261U); /* FNV-1a's own test values */
    ck_assert_uint_eq(part_owner("a"), 0xe40c292cU);
    ck_assert_uint_eq(part_owner("foobar"), 0xbf9cf968U);
}
END_TEST

CHECK_MAIN("redis_part", every_width_and_length_is_read, the_largest_count_is_read,
           every_cut_is_refused, every_odd_width_is_refused, more_values_than_slots_are_refused,
           a_flipped_bit_of_sum_or_value_is_refused, windows_say_what_they_were_made_of,
           the_most_and_the_largest_windows_fit, owners_have_numbers_for_ever)
