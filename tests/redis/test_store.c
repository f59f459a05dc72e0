/* The store and one real Redis: what it promises when all is well, and when Redis forgets, refuses, hangs or
 * dies. */
#include "redis/reader.h"
#include "redis/schema.h"
#include "redis/script.h"
#include "tests/redis/driver.h"
#include "tests/redis/lab.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK INT64_C(1795000000) /* a second: 2026-11-18T11:06:40 */
#define TOTAL "aforo:{10ms:2026-11-18T11:06:40}"
#define NODE TOTAL ":n1"
#define TIMEOUT_MS 5000
#define SHORT_MS 300

static struct lab_server server;
static char url[128];
static char why[STORE_WHY_MAX];

static void setup(void) {
    lab_start(&server, NULL);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", server.port);
}

static void teardown(void) {
    lab_kill(&server);
}

static struct store *ready_store(const char *at, const char *node, int64_t timeout_ms) {
    struct store *store = driver_store(at, node, timeout_ms);
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
    ck_assert(store->ops->connected(store));
    return store;
}

/* One chunk with one window in slot 7. */
static struct store_chunk chunk_of(int64_t chunk, uint64_t count) {
    return (struct store_chunk){
        .resolution = RESOLUTION_10MS, .chunk = chunk, .n = 1, .slot = {7}, .count = {count}};
}

static enum store_ack send_count(struct store *store, uint64_t count) {
    const struct store_chunk chunk = chunk_of(CHUNK, count);
    enum store_ack ack = STORE_KNOWN;
    const bool ok = store->ops->send(store, &chunk, 1, &ack, why);
    ck_assert(ok == (ack != STORE_FAILED));
    return ack;
}

START_TEST(two_nodes_add_up_and_repeats_change_nothing) {
    struct store *one = ready_store(url, "n1", TIMEOUT_MS), *two = ready_store(url, "n2", TIMEOUT_MS);
    ck_assert_int_eq(send_count(one, 5), STORE_NEW);
    ck_assert_int_eq(send_count(two, 30), STORE_NEW);
    ck_assert_int_eq(send_count(one, 7), STORE_KNOWN);
    ck_assert_int_eq(send_count(one, 7), STORE_KNOWN);
    ck_assert_int_eq(send_count(one, 6), STORE_KNOWN); /* late, out of order: counts only grow */
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 37);
    ck_assert_int_eq(lab_number(&server, "HGET " NODE " 07"), 7);
    ck_assert_int_eq(lab_number(&server, "HLEN " TOTAL), 1);
    const struct store_chunk other_window = {
        .resolution = RESOLUTION_10MS, .chunk = CHUNK, .n = 1, .slot = {8}, .count = {1}};
    enum store_ack ack;
    ck_assert(one->ops->send(one, &other_window, 1, &ack, why));
    ck_assert_int_eq(ack, STORE_KNOWN); /* the chunk is known, if not this window of it */
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 08"), 1);
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

START_TEST(a_node_s_key_outlives_the_horizon_and_the_total_the_node_s_key) {
    struct store_redis_config config = {
        .url = url, .node_id = "n1", .ttl_s = {7200, 60, 60}, .horizon_s = 3600, .timeout_ms = TIMEOUT_MS};
    struct store *store = store_redis_new(&config, why);
    ck_assert(store && store->ops->connect(store, why));
    const struct store_chunk chunks[] = {
        chunk_of(CHUNK, 1),
        {.resolution = RESOLUTION_1MIN, .chunk = 498611, .n = 1, .slot = {1}, .count = {1}}};
    enum store_ack ack[2];
    ck_assert(store->ops->send(store, chunks, 2, ack, why));
    const long long node_s = lab_number(&server, "TTL " NODE), total_s = lab_number(&server, "TTL " TOTAL);
    ck_assert(node_s > 7195 && node_s <= 3600 + 1 + 3600 && total_s >= 7195 && total_s <= 7201);
    /* Configured to live for 60 s, which would take the total from under its node's key. */
    ck_assert_int_gt(lab_number(&server, "TTL aforo:{1min:2026-11-18T11}"), 3600 + 3600 + 3590);
    ck_assert_int_gt(lab_number(&server, "TTL aforo:{1min:2026-11-18T11}:n1"), 3600 + 3600 + 3590);
    store->ops->close(store);
}
END_TEST

START_TEST(more_chunks_than_one_pipeline) {
    enum { N = 300 };
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    static struct store_chunk chunks[N];
    enum store_ack ack[N];
    for (int i = 0; i < N; i++) {
        chunks[i] = (struct store_chunk){.resolution = RESOLUTION_10MS, .chunk = CHUNK + i, .n = SLOTS_MAX};
        for (int slot = 0; slot < SLOTS_MAX; slot++) {
            chunks[i].slot[slot] = (uint8_t)slot;
            chunks[i].count[slot] = (uint64_t)(i * 1000 + slot + 1);
        }
    }
    ck_assert_msg(store->ops->send(store, chunks, N, ack, why), "%s", why);
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(ack[i], STORE_NEW);
    }
    ck_assert_int_eq(lab_number(&server, "DBSIZE"), 2 * N);
    ck_assert_int_eq(lab_number(&server, "HGET aforo:{10ms:2026-11-18T11:11:39} 99"), 299100);
    ck_assert_int_eq(lab_number(&server, "HGET aforo:{10ms:2026-11-18T11:11:39}:n1 00"), 299001);
    store->ops->close(store);
}
END_TEST

START_TEST(counts_are_exact_up_to_2_53) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_int_eq(send_count(store, 1), STORE_NEW);
    ck_assert_int_eq(send_count(store, 100000000000001), STORE_KNOWN); /* 1e14 as Lua would print it */
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 100000000000001);
    ck_assert_int_eq(send_count(store, 9007199254740991), STORE_KNOWN);
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 9007199254740991);
    ck_assert_int_eq(lab_number(&server, "HGET " NODE " 07"), 9007199254740991);
    store->ops->close(store);
}
END_TEST

START_TEST(what_was_sent_is_read_back) {
    struct driver driver;
    driver_begin(&driver, driver_store(url, "n1", TIMEOUT_MS));
    driver_count(&driver, 0, DRIVER_CHUNKS);
    driver_count(&driver, 0, DRIVER_CHUNKS);
    driver_count(&driver, 50, 3);
    driver_settle(&driver, 5000);
    driver_check(&driver, url);
    ck_assert_uint_eq(driver.connects, 1);
    ck_assert_uint_eq(driver.failures, 0);
    driver_end(&driver);
}
END_TEST

static void never(void *cls, const struct store_window *window) {
    (void)cls, (void)window;
    ck_abort_msg("a wrong number was passed on");
}

START_TEST(a_value_that_is_no_count_is_an_error_with_its_key) {
    static const char *const bad[][2] = {{"07", "x"}, {"07", "-1"}, {"07", "1.5"}, {"07", "9007199254740993"},
                                         {"7", "1"},  {"100", "1"}, {"ab", "1"},   {"07", ""}};
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lab_do(&server, "DEL " NODE);
        lab_do(&server, "HSET " NODE " %s %s", bad[i][0], bad[i][1]);
        ck_assert(!store->ops->read_back(store, RESOLUTION_10MS, CHUNK - 2, 5, never, NULL, why));
        ck_assert_msg(strstr(why, NODE), "%s", why);
        ck_assert(store->ops->connected(store));
    }
    lab_do(&server, "SET " NODE " 1");
    ck_assert(!store->ops->read_back(store, RESOLUTION_10MS, CHUNK, 1, never, NULL, why));
    ck_assert_msg(strstr(why, NODE), "%s", why);
    store->ops->close(store);
}
END_TEST

/* Redis keeps what a script wrote before it failed: repeated, that would count twice. */
START_TEST(a_merge_that_fails_has_changed_nothing) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    const struct store_chunk chunk = {
        .resolution = RESOLUTION_10MS, .chunk = CHUNK, .n = 3, .slot = {1, 2, 3}, .count = {10, 20, 30}};
    enum store_ack ack;
    lab_do(&server, "HSET " TOTAL " 02 x");
    for (int i = 0; i < 3; i++) {
        ck_assert(!store->ops->send(store, &chunk, 1, &ack, why));
        ck_assert_int_eq(ack, STORE_FAILED);
        ck_assert_msg(strstr(why, "field 02 of " TOTAL), "%s", why);
    }
    ck_assert_int_eq(lab_number(&server, "EXISTS " NODE), 0);
    ck_assert_int_eq(lab_number(&server, "HLEN " TOTAL), 1);
    lab_do(&server, "HDEL " TOTAL " 02");
    ck_assert(store->ops->send(store, &chunk, 1, &ack, why));
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 01"), 10);
    lab_do(&server, "DEL " TOTAL " " NODE);
    lab_do(&server, "SET " NODE " text");
    ck_assert(!store->ops->send(store, &chunk, 1, &ack, why));
    ck_assert_int_eq(lab_number(&server, "EXISTS " TOTAL), 0);
    store->ops->close(store);
}
END_TEST

START_TEST(a_forgotten_script_is_sent_again) {
    char sha[64];
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_int_eq(send_count(store, 1), STORE_NEW);
    lab_do(&server, "SCRIPT FLUSH");
    ck_assert_int_eq(send_count(store, 2), STORE_KNOWN);
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 2);
    lab_text(&server, sha, sizeof sha, "SCRIPT LOAD %s", script_merge);
    ck_assert_str_eq(sha, script_merge_sha);
    store->ops->close(store);
}
END_TEST

START_TEST(a_store_that_was_emptied_says_that_all_is_new) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_int_eq(store->ops->probe(store, RESOLUTION_10MS, CHUNK, why), STORE_NEW);
    ck_assert_int_eq(send_count(store, 4), STORE_NEW);
    ck_assert_int_eq(store->ops->probe(store, RESOLUTION_10MS, CHUNK, why), STORE_KNOWN);
    lab_do(&server, "FLUSHALL");
    ck_assert_int_eq(store->ops->probe(store, RESOLUTION_10MS, CHUNK, why), STORE_NEW);
    ck_assert_int_eq(send_count(store, 5), STORE_NEW);
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 5);
    store->ops->close(store);
}
END_TEST

START_TEST(out_of_memory_fails_and_heals_on_the_same_connection) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_int_eq(send_count(store, 1), STORE_NEW);
    lab_do(&server, "CONFIG SET maxmemory 1");
    const struct store_chunk chunks[] = {chunk_of(CHUNK, 2), chunk_of(CHUNK + 1, 2), chunk_of(CHUNK + 2, 2)};
    enum store_ack ack[3];
    ck_assert(!store->ops->send(store, chunks, 3, ack, why));
    ck_assert_msg(strstr(why, "OOM"), "%s", why);
    ck_assert(ack[0] == STORE_FAILED && ack[1] == STORE_FAILED && ack[2] == STORE_FAILED);
    ck_assert(store->ops->connected(store));
    lab_do(&server, "CONFIG SET maxmemory 0");
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 1);
    ck_assert(store->ops->send(store, chunks, 3, ack, why));
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 2);
    store->ops->close(store);
}
END_TEST

START_TEST(one_refused_chunk_does_not_touch_the_others) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    const struct store_chunk chunks[] = {chunk_of(CHUNK - 1, 1), chunk_of(CHUNK, 1), chunk_of(CHUNK + 1, 1)};
    enum store_ack ack[3];
    lab_do(&server, "SET " TOTAL " text");
    ck_assert(!store->ops->send(store, chunks, 3, ack, why));
    ck_assert(ack[0] == STORE_NEW && ack[1] == STORE_FAILED && ack[2] == STORE_NEW);
    ck_assert_msg(strstr(why, "WRONGTYPE"), "%s", why);
    ck_assert(store->ops->connected(store));
    store->ops->close(store);
}
END_TEST

static struct store *store_allowing(const char *at, bool allow) {
    const struct store_redis_config config = {.url = at,
                                              .node_id = "n1",
                                              .ttl_s = {60, 60, 60},
                                              .horizon_s = 60,
                                              .timeout_ms = TIMEOUT_MS,
                                              .allow_eviction = allow};
    struct store *store = store_redis_new(&config, why);
    ck_assert_msg(store != NULL, "%s", why);
    return store;
}

static void refused_unless_allowed(const char *at, const char *reason) {
    struct store *store = store_allowing(at, false);
    why[0] = '\0';
    ck_assert(!store->ops->connect(store, why));
    ck_assert(!store->ops->connected(store));
    ck_assert_msg(strstr(why, reason) && strstr(why, "--redis-allow-eviction") && strstr(why, "127.0.0.1:"),
                  "%s", why);
    store->ops->close(store);
    store = store_allowing(at, true);
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
    ck_assert_int_ne(send_count(store, 1), STORE_FAILED);
    store->ops->close(store);
}

START_TEST(a_redis_that_may_evict_is_refused) {
    lab_do(&server, "CONFIG SET maxmemory-policy allkeys-lru");
    refused_unless_allowed(url, "allkeys-lru");
    lab_do(&server, "CONFIG SET maxmemory-policy volatile-ttl");
    refused_unless_allowed(url, "volatile-ttl");
    lab_do(&server, "CONFIG SET maxmemory-policy noeviction");
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    store->ops->close(store);
}
END_TEST

START_TEST(a_user_who_may_not_see_the_policy_is_refused) {
    char at[160];
    lab_do(&server, "ACL SETUSER bob on >pw ~* +@all -info");
    snprintf(at, sizeof at, "redis://bob:pw@127.0.0.1:%d", server.port);
    refused_unless_allowed(at, "INFO");
}
END_TEST

START_TEST(a_redis_that_hangs_costs_one_time_out) {
    struct store *store = ready_store(url, "n1", SHORT_MS);
    ck_assert_int_eq(send_count(store, 1), STORE_NEW);
    lab_signal(&server, SIGSTOP);
    const int64_t before_ms = lab_now_ms();
    const struct store_chunk chunks[] = {chunk_of(CHUNK, 2), chunk_of(CHUNK + 1, 2)};
    enum store_ack ack[2];
    ck_assert(!store->ops->send(store, chunks, 2, ack, why));
    const int64_t took_ms = lab_now_ms() - before_ms;
    ck_assert(ack[0] == STORE_FAILED && ack[1] == STORE_FAILED);
    ck_assert_msg(took_ms >= SHORT_MS - 10 && took_ms < 5 * SHORT_MS, "%d ms", (int)took_ms);
    ck_assert(!store->ops->connected(store));
    ck_assert_msg(strstr(why, "no answer in time"), "%s", why);
    ck_assert(!store->ops->connect(store, why)); /* the kernel accepts, Redis does not answer */
    ck_assert_int_eq(store->ops->probe(store, RESOLUTION_10MS, CHUNK, why), STORE_FAILED);
    lab_signal(&server, SIGCONT);
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
    ck_assert(store->ops->send(store, chunks, 2, ack, why)); /* what it was sent while it hung counts once */
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 2);
    store->ops->close(store);
}
END_TEST

START_TEST(a_redis_that_dies_and_comes_back_empty) {
    char address[32];
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_int_eq(send_count(store, 3), STORE_NEW);
    lab_kill(&server);
    ck_assert_int_eq(send_count(store, 4), STORE_FAILED);
    ck_assert(!store->ops->connected(store));
    ck_assert(!store->ops->connect(store, why));
    snprintf(address, sizeof address, "127.0.0.1:%d", server.port);
    ck_assert_msg(strstr(why, address) && strstr(why, "refused"), "%s", why);
    ck_assert_int_eq(send_count(store, 4), STORE_FAILED);
    lab_restart(&server);
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
    ck_assert_int_eq(send_count(store, 4), STORE_NEW);
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 4);
    store->ops->close(store);
}
END_TEST

START_TEST(a_lost_reply_counts_once) {
    int port;
    char through[64];
    struct lab_proxy *proxy = lab_proxy_start(server.port, &port);
    snprintf(through, sizeof through, "redis://127.0.0.1:%d", port);
    struct store *store = ready_store(through, "n1", SHORT_MS);
    ck_assert_int_eq(send_count(store, 2), STORE_NEW);
    lab_proxy_lose_replies(proxy, true);
    ck_assert_int_eq(send_count(store, 10), STORE_FAILED);
    ck_assert(!store->ops->connected(store));
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 10); /* it was counted, and we do not know */
    lab_proxy_lose_replies(proxy, false);
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
    ck_assert_int_eq(send_count(store, 10), STORE_KNOWN);
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 10);
    store->ops->close(store);
    lab_proxy_stop(proxy);
}
END_TEST

START_TEST(a_master_that_was_demoted_is_left) {
    struct lab_server other;
    memset(&other, 0, sizeof other);
    lab_start(&other, NULL);
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_int_eq(send_count(store, 1), STORE_NEW);
    lab_do(&server, "REPLICAOF 127.0.0.1 %d", other.port);
    ck_assert_int_eq(send_count(store, 2), STORE_FAILED);
    ck_assert_msg(strstr(why, "READONLY") || strstr(why, "LOADING"), "%s", why);
    ck_assert(!store->ops->connected(store));
    store->ops->close(store);
    lab_kill(&other);
}
END_TEST

static void must_not_connect(const char *at, const char *reason) {
    struct store *store = driver_store(at, "n1", TIMEOUT_MS);
    ck_assert(!store->ops->connect(store, why));
    ck_assert_msg(strstr(why, reason), "%s", why);
    ck_assert_msg(!strstr(why, "s3cret"), "%s", why);
    store->ops->close(store);
}

START_TEST(passwords_from_the_url_a_user_the_environment_and_a_file) {
    char at[160], path[LAB_PATH_MAX + 16];
    lab_do(&server, "CONFIG SET requirepass s3cret:p@ss");
    must_not_connect(url, "NOAUTH");
    snprintf(at, sizeof at, "redis://:wrong-s3cret@127.0.0.1:%d", server.port);
    must_not_connect(at, "WRONGPASS");
    snprintf(at, sizeof at, "redis://:s3cret%%3Ap%%40ss@127.0.0.1:%d", server.port);
    struct store *store = ready_store(at, "n1", TIMEOUT_MS);
    ck_assert(!strstr(store->ops->address(store), "s3cret"));
    store->ops->close(store);
    ck_assert_int_eq(setenv("AFORO_REDIS_PASSWORD", "s3cret:p@ss", 1), 0);
    store = ready_store(url, "n1", TIMEOUT_MS);
    store->ops->close(store);
    unsetenv("AFORO_REDIS_PASSWORD");
    snprintf(path, sizeof path, "%s/password", server.dir);
    FILE *file = fopen(path, "w");
    fputs("s3cret:p@ss\n", file);
    fclose(file);
    setenv("AFORO_REDIS_PASSWORD_FILE", path, 1);
    store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_int_eq(send_count(store, 1), STORE_NEW);
    store->ops->close(store);
    unsetenv("AFORO_REDIS_PASSWORD_FILE");
    /* The least a user needs. */
    lab_do(&server,
           "ACL SETUSER bob on >hob ~aforo:* +@connection +info +eval +evalsha +hmget +hset +expire +exists "
           "+hgetall");
    snprintf(at, sizeof at, "redis://bob:hob@127.0.0.1:%d", server.port);
    store = ready_store(at, "n2", TIMEOUT_MS);
    ck_assert_int_eq(send_count(store, 1), STORE_NEW);
    store->ops->close(store);
}
END_TEST

START_TEST(a_database_by_its_number_and_a_unix_socket) {
    char at[LAB_PATH_MAX + 32];
    snprintf(at, sizeof at, "%s/3", url);
    struct store *store = ready_store(at, "n1", TIMEOUT_MS);
    ck_assert_int_eq(send_count(store, 8), STORE_NEW);
    store->ops->close(store);
    ck_assert_int_eq(lab_number(&server, "EXISTS " TOTAL), 0);
    lab_do(&server, "SELECT 3");
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 8);
    snprintf(at, sizeof at, "unix://%s/socket?db=3", server.dir);
    store = ready_store(at, "n1", TIMEOUT_MS);
    ck_assert_int_eq(send_count(store, 9), STORE_KNOWN);
    ck_assert_int_eq(lab_number(&server, "HGET " TOTAL " 07"), 9);
    store->ops->close(store);
    snprintf(at, sizeof at, "%s/99", url);
    must_not_connect(at, "out of range");
}
END_TEST

START_TEST(a_reader_sees_totals_and_which_chunks_there_are) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    const struct store_chunk chunks[] = {chunk_of(CHUNK, 3), chunk_of(CHUNK + 599, 4)};
    enum store_ack ack[2];
    enum { N = 600 };
    static uint64_t counts[N * 100];
    bool exists[N];
    struct redis_url parsed;
    ck_assert(store->ops->send(store, chunks, 2, ack, why));
    store->ops->close(store);
    ck_assert(redis_url_parse(url, &parsed, why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    ck_assert(!reader_chunk_totals(link, RESOLUTION_10MS, CHUNK, N, counts, why)); /* not connected */
    ck_assert(link_connect(link, why));
    memset(counts, 0xff, sizeof counts);
    ck_assert(reader_chunk_totals(link, RESOLUTION_10MS, CHUNK, N, counts, why));
    ck_assert(reader_exists(link, RESOLUTION_10MS, CHUNK, N, exists, why));
    for (int i = 0; i < N * 100; i++) {
        ck_assert_uint_eq(counts[i], i == 7 ? 3 : i == 599 * 100 + 7 ? 4 : 0);
    }
    for (int i = 0; i < N; i++) {
        ck_assert(exists[i] == (i == 0 || i == 599));
    }
    lab_do(&server, "HSET " TOTAL " 08 many");
    ck_assert(!reader_chunk_totals(link, RESOLUTION_10MS, CHUNK - 1, 3, counts, why));
    ck_assert_msg(strstr(why, TOTAL), "%s", why);
    ck_assert(reader_exists(link, RESOLUTION_10MS, CHUNK, 1, exists, why)); /* still in step */
    link_free(link);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("redis/store");
    TCase *tcase = tcase_create("store");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, two_nodes_add_up_and_repeats_change_nothing);
    tcase_add_test(tcase, a_node_s_key_outlives_the_horizon_and_the_total_the_node_s_key);
    tcase_add_test(tcase, more_chunks_than_one_pipeline);
    tcase_add_test(tcase, counts_are_exact_up_to_2_53);
    tcase_add_test(tcase, what_was_sent_is_read_back);
    tcase_add_test(tcase, a_value_that_is_no_count_is_an_error_with_its_key);
    tcase_add_test(tcase, a_merge_that_fails_has_changed_nothing);
    tcase_add_test(tcase, a_forgotten_script_is_sent_again);
    tcase_add_test(tcase, a_store_that_was_emptied_says_that_all_is_new);
    tcase_add_test(tcase, out_of_memory_fails_and_heals_on_the_same_connection);
    tcase_add_test(tcase, one_refused_chunk_does_not_touch_the_others);
    tcase_add_test(tcase, a_redis_that_may_evict_is_refused);
    tcase_add_test(tcase, a_user_who_may_not_see_the_policy_is_refused);
    tcase_add_test(tcase, a_redis_that_hangs_costs_one_time_out);
    tcase_add_test(tcase, a_redis_that_dies_and_comes_back_empty);
    tcase_add_test(tcase, a_lost_reply_counts_once);
    tcase_add_test(tcase, a_master_that_was_demoted_is_left);
    tcase_add_test(tcase, passwords_from_the_url_a_user_the_environment_and_a_file);
    tcase_add_test(tcase, a_database_by_its_number_and_a_unix_socket);
    tcase_add_test(tcase, a_reader_sees_totals_and_which_chunks_there_are);
    suite_add_tcase(suite, tcase);
    return lab_run(suite);
}
