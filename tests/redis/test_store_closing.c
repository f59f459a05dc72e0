/* Chunks whose time is over are closed: by both clocks, once, and only when they are the store's
 * own. */
#include "redis/reader.h"
#include "redis/schema.h"
#include "redis/script.h"
#include "tests/redis/one_server.h"

#include <check.h>
#include <string.h>

static void close_old(struct store *store, int64_t now_us, int64_t *ahead_us) {
    ck_assert_msg(store->ops->close_old(store, now_us, ahead_us, store_why), "%s", store_why);
}

/* A window in the first chunk of an hour, in all resolutions. */
static void send_hour(struct store *store, int64_t hour, uint64_t count,
                      enum store_outcome expected) {
    struct store_ack ack[RESOLUTIONS];
    struct store_chunk chunks[RESOLUTIONS];
    for (int r = 0; r < RESOLUTIONS; r++) {
        const int64_t chunk = hour * (HOUR_S * US_PER_S / chunk_width_us((enum resolution)r));
        chunks[r] = (struct store_chunk){
            .place = {(enum resolution)r, chunk}, .n = 2, .slot = {7, 59}, .count = {count, 1}};
    }
    ck_assert_msg(store->ops->send(store, chunks, RESOLUTIONS, ack, store_why), "%s", store_why);
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_int_eq(ack[r].outcome, expected);
    }
}

static void must_be_closed(int64_t hour, bool closed, long long total) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        char key[SCHEMA_KEY_MAX];
        schema_chunk_key((enum resolution)r,
                         hour * (HOUR_S * US_PER_S / chunk_width_us((enum resolution)r)), 0, key);
        ck_assert_int_eq(lab_number(&server, "HEXISTS %s final", key), closed);
        ck_assert_int_eq(lab_number(&server, "HEXISTS %s n:n1", key), !closed);
        ck_assert_int_eq(lab_number(&server, "HEXISTS %s n:n2", key), !closed);
        ck_assert_int_eq(lab_number(&server, "HGET %s 07", key), total);
        ck_assert_int_eq(lab_number(&server, "HGET %s 59", key), 2);
        ck_assert_int_eq(lab_number(&server, "HGET %s until", key), (hour + 27) * HOUR_S);
        ck_assert_int_gt(lab_number(&server, "TTL %s", key), HOUR_S);
        if (closed) { /* as compact as Redis has it: it may live for a year */
            char encoding[32];
            lab_text(&server, encoding, sizeof encoding, "OBJECT ENCODING %s", key);
            ck_assert_msg(!strcmp(encoding, "listpack") || !strcmp(encoding, "ziplist"), "%s",
                          encoding);
        }
    }
}

/* Whoever wrote them, and whether that one lives or not. */
START_TEST(chunks_whose_time_is_over_are_closed) {
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    const int64_t hour = CLOSABLE - 1;
    int64_t ahead_us = INT64_MAX;
    for (int64_t of = hour; of < hour + 2; of++) {
        send_hour(one, of, 5, STORE_STORED);
        send_hour(two, of, 30, STORE_STORED);
    }
    send_hour(one, hour + 27, 5, STORE_STORED); /* of a moment ago */
    send_hour(two, hour + 27, 30, STORE_STORED);
    lab_do(&server, "SET " SCHEMA_FINAL_KEY " %lld", (long long)hour);
    two->ops->close(two);
    close_old(one, wall_us(), &ahead_us);
    ck_assert(ahead_us > -60 * US_PER_S && ahead_us < 60 * US_PER_S);
    must_be_closed(hour, true, 35);
    must_be_closed(hour + 1, false, 35); /* an hour at a time */
    ck_assert_int_eq(lab_number(&server, "GET " SCHEMA_FINAL_KEY), hour + 1);
    send_hour(one, hour, 6, STORE_CLOSED);
    send_hour(one, hour + 1, 6, STORE_STORED);
    must_be_closed(hour, true, 35);
    for (int i = 0; i < 3; i++) {
        close_old(one, wall_us(), &ahead_us);
    }
    must_be_closed(hour, true, 35);
    must_be_closed(hour + 1, true, 36);
    must_be_closed(hour + 27, false, 35);
    ck_assert_int_ge(lab_number(&server, "GET " SCHEMA_FINAL_KEY), hour + 2);
    ck_assert_int_le(lab_number(&server, "GET " SCHEMA_FINAL_KEY), CLOSABLE + 1);
    struct redis_url parsed;
    uint64_t counts[SLOTS_MAX];
    ck_assert(redis_url_parse(url, &parsed, store_why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    ck_assert(link_connect(link, store_why));
    /* as ever */
    ck_assert_msg(
        reader_read_totals(link, (struct chunk_range){RESOLUTION_1MIN, hour, 1}, counts, store_why),
        "%s", store_why);
    ck_assert(counts[7] == 35 && counts[59] == 2);
    link_free(link);
    one->ops->close(one);
}
END_TEST

START_TEST(nobody_noted_yet_how_far_closing_is) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    int64_t ahead_us;
    close_old(store, wall_us(), &ahead_us);
    const long long noted = lab_number(&server, "GET " SCHEMA_FINAL_KEY);
    ck_assert_int_lt(noted, CLOSABLE); /* a day of them */
    ck_assert_int_gt(noted, CLOSABLE - 30);
    store->ops->close(store);
}
END_TEST

START_TEST(a_clock_that_is_off_closes_nothing) {
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    const int64_t hour = CLOSABLE;
    send_hour(one, hour, 5, STORE_STORED);
    send_hour(two, hour, 30, STORE_STORED);
    lab_do(&server, "SET " SCHEMA_FINAL_KEY " %lld", (long long)hour);
    for (int sign = -1; sign < 2; sign += 2) {
        int64_t ahead_us = 0;
        close_old(one, wall_us() + sign * 2 * HOUR_S * US_PER_S, &ahead_us);
        ck_assert(sign * ahead_us > (2 * HOUR_S - 60) * US_PER_S &&
                  sign * ahead_us < (2 * HOUR_S + 60) * US_PER_S);
        must_be_closed(hour, false, 35);
    }
    ck_assert_int_eq(lab_number(&server, "GET " SCHEMA_FINAL_KEY), hour);
    lab_do(&server, "SET " SCHEMA_FINAL_KEY " soon");
    int64_t ahead_us;
    ck_assert(!one->ops->close_old(one, wall_us(), &ahead_us, store_why));
    ck_assert_msg(strstr(store_why, SCHEMA_FINAL_KEY) && strstr(store_why, "no hour"), "%s",
                  store_why);
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

/* Both clocks must agree that it is over, by the script itself. */
START_TEST(a_chunk_is_closed_by_both_clocks) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(had(store, 5), 0);
    const long long now_s = wall_us() / US_PER_S;
    const struct {
        long long until, caller;
        long long closed;
    } cases[] = {{now_s + 100, now_s + 200, 0},
                 {now_s - 100, now_s - 200, 0},
                 {now_s - 100, now_s - 100, 0},
                 {now_s - 100, now_s - 99, 1},
                 {now_s + 100, now_s + 200, 1} /* it is already */};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lab_do(&server, "HSET " KEY " until %lld", cases[i].until);
        ck_assert_int_eq(
            lab_number(&server, "EVAL %s 1 " KEY " %lld", script_close.text, cases[i].caller),
            cases[i].closed);
        ck_assert_int_eq(lab_number(&server, "HEXISTS " KEY " final"), cases[i].closed);
        ck_assert_int_eq(lab_number(&server, "HEXISTS " KEY " n:n1"), !cases[i].closed);
    }
    ck_assert_int_eq(lab_number(&server, "HLEN " KEY), 3); /* 07, until, final */
    ck_assert_int_eq(
        lab_number(&server, "EVAL %s 1 aforo:2:{nothing} %lld", script_close.text, now_s), 1);
    ck_assert_int_eq(lab_number(&server, "EXISTS aforo:2:{nothing}"), 0);
    store->ops->close(store);
}
END_TEST

START_TEST(a_key_of_another_program_is_named_and_not_closed) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    char key[SCHEMA_KEY_MAX];
    int64_t ahead_us;
    const int64_t hour = CLOSABLE;
    schema_chunk_key(RESOLUTION_10MS, hour * HOUR_S + 1234, 0, key);
    lab_do(&server, "SET %s text", key);
    lab_do(&server, "SET " SCHEMA_FINAL_KEY " %lld", (long long)hour);
    ck_assert(!store->ops->close_old(store, wall_us(), &ahead_us, store_why));
    ck_assert_msg(strstr(store_why, key) && strstr(store_why, "WRONGTYPE"), "%s, not %s", store_why,
                  key);
    ck_assert(store->ops->connected(store));
    ck_assert_int_eq(lab_number(&server, "GET " SCHEMA_FINAL_KEY), hour);
    store->ops->close(store);
}
END_TEST

/* Closing makes the hash anew: whatever may refuse that must do so while the old one is there. */
START_TEST(a_closing_that_is_refused_has_changed_nothing) {
    static const char *const missing[] = {"-hset", "-pexpire", "-del", "-pttl", "-time"};
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        lab_do(&server, "DEL " KEY);
        ck_assert_uint_eq(had(store, 5), 0);
        lab_do(&server, "HSET " KEY " until 1000");
        lab_do(&server, "ACL SETUSER bob reset on >hob ~* +@all %s", missing[i]);
        lab_do(&server, "AUTH bob hob");
        redisReply *reply = lab_command(&server, "EVAL %s 1 " KEY " 1800000000", script_close.text);
        ck_assert_int_eq(reply->type, REDIS_REPLY_ERROR);
        freeReplyObject(reply);
        lab_do(&server, "AUTH default x"); /* nopass: anything will do */
        ck_assert_msg(lab_number(&server, "HLEN " KEY) == 3, "%s", missing[i]);
        ck_assert_uint_eq(sum_of(store, CHUNK), 5);
        ck_assert_int_gt(lab_number(&server, "TTL " KEY), HOUR_S);
    }
    store->ops->close(store);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {chunks_whose_time_is_over_are_closed,
                                  nobody_noted_yet_how_far_closing_is,
                                  a_clock_that_is_off_closes_nothing,
                                  a_chunk_is_closed_by_both_clocks,
                                  a_key_of_another_program_is_named_and_not_closed,
                                  a_closing_that_is_refused_has_changed_nothing};
    return one_server_run("redis/store_closing", tests, sizeof tests / sizeof *tests);
}
