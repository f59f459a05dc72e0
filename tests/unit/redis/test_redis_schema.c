#include "redis/schema.h"

#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

START_TEST(keys_say_as_much_of_the_time_as_a_chunk_is_wide) {
    static const struct {
        enum resolution r;
        int64_t start_s;
        const char *key;
    } cases[] = {
        {RESOLUTION_10MS, 1795000299, "aforo:2:{10ms:2026-11-18T11:11:39}"},
        {RESOLUTION_1S, 1795000260, "aforo:2:{1s:2026-11-18T11:11}"},
        {RESOLUTION_1MIN, 1794999600, "aforo:2:{1min:2026-11-18T11}"},
        {RESOLUTION_10MS, 0, "aforo:2:{10ms:1970-01-01T00:00:00}"},
        {RESOLUTION_1MIN, 1709164800, "aforo:2:{1min:2024-02-29T00}"},
        {RESOLUTION_10MS, 253402300799, "aforo:2:{10ms:9999-12-31T23:59:59}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char key[SCHEMA_KEY_MAX];
        const int64_t chunk = cases[i].start_s * US_PER_S / chunk_width_us(cases[i].r);
        ck_assert_uint_eq(schema_chunk_key(cases[i].r, chunk, 0, key), strlen(cases[i].key));
        ck_assert_str_eq(key, cases[i].key);
    }
}
END_TEST

START_TEST(a_node_has_a_lease_and_a_field) {
    char key[SCHEMA_KEY_MAX];
    ck_assert_uint_eq(schema_lease_key("n-1.a_B", key), strlen(key));
    ck_assert_str_eq(key, "aforo:2:{node:n-1.a_B}");
    ck_assert_uint_eq(schema_node_field("n-1.a_B", key), strlen(key));
    ck_assert_str_eq(key, "n:n-1.a_B");
    uint32_t slot;
    /* no node's field is ever taken for a slot */
    ck_assert(!schema_slot(RESOLUTION_10MS, "n:", 2, &slot));
}
END_TEST

START_TEST(the_longest_node_id_fits) {
    char key[SCHEMA_KEY_MAX], node[64];
    memset(node, 'n', 63);
    node[63] = '\0';
    ck_assert_uint_eq(schema_lease_key(node, key), strlen("aforo:2:{node:") + 63 + 1);
    ck_assert_str_eq(key + strlen(key) - 1, "}");
    ck_assert_uint_eq(schema_node_field(node, key), 2 + 63);
    ck_assert_str_eq(key + 2, node);
}
END_TEST

START_TEST(groups_have_keys_of_their_own) {
    char key[SCHEMA_KEY_MAX];
    schema_chunk_key(RESOLUTION_1S, 1795000260 / 60, 5, key);
    ck_assert_str_eq(key, "aforo:2:{1s:2026-11-18T11:11#5}");
}
END_TEST

/* The end of the hour it lies in, and 26 hours: the same for all resolutions, so that an hour is
 * closed as a whole. */
START_TEST(all_chunks_of_an_hour_end_together) {
    const int64_t hour_s = 1794999600; /* 2026-11-18T11:00 */
    for (int r = 0; r < RESOLUTIONS; r++) {
        const enum resolution res = (enum resolution)r;
        const int64_t first = hour_s * US_PER_S / chunk_width_us(res),
                      n = 3600 * US_PER_S / chunk_width_us(res);
        ck_assert_int_eq(schema_until_s(res, first), hour_s + 27 * 3600);
        ck_assert_int_eq(schema_until_s(res, first + n - 1), hour_s + 27 * 3600);
        ck_assert_int_eq(schema_until_s(res, first + n), hour_s + 28 * 3600);
        ck_assert_int_eq(schema_until_s(res, first - 1), hour_s + 26 * 3600);
    }
}
END_TEST

/* A chunk is closed by a clock that is past its end, so the hour is closable one second after, and
 * not at it. */
START_TEST(an_hour_is_closable_when_all_of_it_is_over) {
    const int64_t hour = 1794999600 / 3600;
    const int64_t until_s = schema_until_s(RESOLUTION_1MIN, hour);
    ck_assert_int_eq(schema_closable_hour(until_s), hour - 1);
    ck_assert_int_eq(schema_closable_hour(until_s + 1), hour);
    ck_assert_int_eq(schema_closable_hour(until_s + 3600), hour);
    ck_assert_int_eq(schema_closable_hour(until_s + 3601), hour + 1);
}
END_TEST

START_TEST(a_node_has_its_group_for_ever) {
    ck_assert_uint_eq(schema_group("n1", 1), 0);
    ck_assert_uint_eq(schema_group("n1", 8), 5); /* counts in Redis hang on it: never another one */
    ck_assert_uint_eq(schema_group("df0724b78bfe43b3", 8), 2);
    unsigned nodes[8] = {0};
    for (int i = 0; i < 800; i++) {
        char node[16];
        snprintf(node, sizeof node, "node-%d", i);
        nodes[schema_group(node, 8)]++;
    }
    for (int group = 0; group < 8; group++) {
        ck_assert_uint_ge(nodes[group], 60);
        ck_assert_uint_le(nodes[group], 140);
    }
}
END_TEST

START_TEST(fields_round_trip) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
            char field[3];
            uint32_t back = 1000;
            schema_field(slot, field);
            ck_assert_uint_eq(strlen(field), 2);
            ck_assert(schema_slot((enum resolution)r, field, 2, &back));
            ck_assert_uint_eq(back, slot);
        }
    }
}
END_TEST

START_TEST(what_is_no_field) {
    static const char *const bad[] = {"",   "0",  "000", "0a", "a0",
                                      " 1", "-1", "+1",  "1.", "\xc3\xa9"};
    uint32_t slot;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!schema_slot(RESOLUTION_10MS, bad[i], strlen(bad[i]), &slot), "%s", bad[i]);
    }
    ck_assert(schema_slot(RESOLUTION_10MS, "60", 2, &slot));
    ck_assert(!schema_slot(RESOLUTION_1S, "60", 2, &slot));
    ck_assert(!schema_slot(RESOLUTION_1MIN, "60", 2, &slot));
}
END_TEST

START_TEST(counts) {
    static const struct {
        const char *text;
        uint64_t count;
    } good[] = {{"0", 0}, {"7", 7}, {"007", 7}, {"9007199254740991", 9007199254740991}};
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "-1",
                                      "+1",
                                      "1.0",
                                      "1e3",
                                      "0x1",
                                      "9007199254740993",
                                      "abc",
                                      "99999999999999999",
                                      "18446744073709551616",
                                      "1\n"};
    uint64_t count;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert(schema_count(good[i].text, strlen(good[i].text), &count));
        ck_assert_uint_eq(count, good[i].count);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!schema_count(bad[i], strlen(bad[i]), &count), "%s", bad[i]);
    }
}
END_TEST

CHECK_MAIN("redis_schema", keys_say_as_much_of_the_time_as_a_chunk_is_wide,
           a_node_has_a_lease_and_a_field, the_longest_node_id_fits, groups_have_keys_of_their_own,
           all_chunks_of_an_hour_end_together, an_hour_is_closable_when_all_of_it_is_over,
           a_node_has_its_group_for_ever, fields_round_trip, what_is_no_field, counts)
