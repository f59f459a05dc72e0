/* How long a chunk lives. */
#include "tests/redis/one_server.h"

#include <check.h>

static void lives(const char *key, int64_t s) {
    const long long ttl = lab_number(&server, "TTL %s", key);
    ck_assert_msg(ttl > s - 60 && ttl <= s, "%s: %lld s, not %lld", key, ttl, (long long)s);
}

START_TEST(a_chunk_outlives_the_horizon) {
    struct store *store = store_of("n1", "o", 7200, 3600);
    const struct store_chunk chunks[] = {
        chunk_of(CHUNK, 1),
        {.place = {RESOLUTION_1MIN, 498611}, .n = 1, .slot = {1}, .count = {1}}};
    struct store_ack ack[2];
    ck_assert(store->ops->send(store, chunks, 2, ack, store_why));
    lives(KEY, 3600 + 1 + 3600);
    lives("aforo:2:{1min:2026-11-18T11}", 3600 + 3600 + 3600); /* configured to live for 60 s */
    store->ops->close(store);
}
END_TEST

START_TEST(the_time_to_live_is_never_shortened) {
    struct store *shorter = store_of("n1", "o", 1000, 60), *longer = store_of("n2", "o", 90000, 60);
    ck_assert_uint_eq(had(shorter, 1), 0);
    lives(KEY, 60 + 1 + 3600);
    ck_assert_uint_eq(had(longer, 1), 0);
    lives(KEY, 90000);
    for (uint64_t i = 2; i < 5; i++) {
        ck_assert_uint_eq(had(shorter, i), i - 1);
        lives(KEY, 90000);
    }
    lab_do(&server, "PERSIST " KEY); /* somebody wants to keep it */
    ck_assert_uint_eq(had(shorter, 9), 4);
    ck_assert_uint_eq(had(longer, 9), 1);
    ck_assert_int_eq(lab_number(&server, "TTL " KEY), -1);
    lab_do(&server, "EXPIRE " KEY " 30"); /* or that it goes at once: what is sent again lives */
    ck_assert_uint_eq(had(shorter, 10), 9);
    lives(KEY, 60 + 1 + 3600);
    shorter->ops->close(shorter);
    longer->ops->close(longer);
}
END_TEST

START_TEST(until_is_the_same_for_all_and_never_lowered) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    const struct store_chunk chunks[] = {
        chunk_of(CHUNK, 1),
        {.place = {RESOLUTION_1S, CHUNK / 60}, .n = 1, .slot = {1}, .count = {1}},
        {.place = {RESOLUTION_1MIN, CHUNK / 3600}, .n = 1, .slot = {1}, .count = {1}}};
    struct store_ack ack[3];
    ck_assert(store->ops->send(store, chunks, 3, ack, store_why));
    const long long until_s = CHUNK / HOUR_S * HOUR_S + HOUR_S + 26 * HOUR_S;
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " until"), until_s);
    ck_assert_int_eq(lab_number(&server, "HGET aforo:2:{1s:2026-11-18T11:06} until"), until_s);
    ck_assert_int_eq(lab_number(&server, "HGET aforo:2:{1min:2026-11-18T11} until"), until_s);
    lab_do(&server, "HSET " KEY " until %lld", until_s + 9);
    ck_assert_uint_eq(had(store, 2), 1);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " until"), until_s + 9);
    lab_do(&server, "HSET " KEY " until %lld", until_s - 9);
    ck_assert_uint_eq(had(store, 3), 2);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " until"), until_s);
    store->ops->close(store);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_chunk_outlives_the_horizon, the_time_to_live_is_never_shortened,
                                  until_is_the_same_for_all_and_never_lowered};
    return one_server_run("redis/store_lifetime", tests, sizeof tests / sizeof *tests);
}
