/* The slot of a key: cluster_slot.c. */
#include "redis/cluster.h"

#include "tests/unit/check_main.h"

#include <string.h>

/* As CLUSTER KEYSLOT of Redis 7.0 has it. */
START_TEST(slots_of_keys) {
    static const struct {
        const char *key;
        uint16_t slot;
    } cases[] = {
        {"foo", 12182},
        {"123456789", 12739},
        {"", 0},
        {"{}foo", 9500},
        {"a{b}c", 3300},
        {"a{b}{c}", 3300},
        {"a{}{c}", 2440},
        {"{a", 10276},
        {"a}b{c", 13587},
        {"{{x}}", 11068},
        {"aforo:2:{1s:2026-11-18T11:11}", 11706},
        {"aforo:2:{10ms:2026-11-18T11:11:39}", 13851},
        {"aforo:2:{1min:2026-11-18T11}", 578},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(cluster_slot(cases[i].key, strlen(cases[i].key)) == cases[i].slot, "%s: %u",
                      cases[i].key, cluster_slot(cases[i].key, strlen(cases[i].key)));
    }
    /* len counts, not a NUL */
    ck_assert_uint_eq(cluster_slot("a{b}c-and-more", 4), cluster_slot("b", 1));
    ck_assert_uint_eq(cluster_slot("a{b}c", 3), cluster_slot("a{b", 3));
}
END_TEST

CHECK_MAIN("redis_slot", slots_of_keys)
