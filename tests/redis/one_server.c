#include "tests/redis/one_server.h"

#include "tests/redis/driver.h"

#include "tests/unit/check_main.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEST_S 60

struct lab_server server;
char url[128];
char store_why[STORE_WHY_MAX];

static void setup(void) {
    lab_start(&server, NULL);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", server.port);
}

static void teardown(void) {
    lab_kill(&server);
}

int one_server_run(const char *name, const TTest *const *tests, size_t n) {
    const struct check_fixture each = {TEST_S, setup, teardown};
    return lab_run(check_suite(name, &each, tests, n));
}

static struct store *connected(struct store *store) {
    ck_assert_msg(store->ops->connect(store, store_why), "%s", store_why);
    ck_assert(store->ops->connected(store));
    return store;
}

struct store *ready_store(const char *at, const char *node, int64_t timeout_ms) {
    return connected(driver_store(at, node, timeout_ms));
}

struct store *store_of(const char *node, const char *owner, int64_t ttl_s, int64_t horizon_s) {
    const struct store_redis_config config = {.url = url,
                                              .node_id = node,
                                              .owner = owner,
                                              .ttl_s = {ttl_s, 60, 60},
                                              .horizon_s = horizon_s,
                                              .timeout_ms = TIMEOUT_MS};
    struct store *store = store_redis_new(&config, store_why);
    ck_assert_msg(store != NULL, "%s", store_why);
    return connected(store);
}

void must_not_connect(const char *at, const char *reason) {
    struct store *store = driver_store(at, "n1", TIMEOUT_MS);
    ck_assert(!store->ops->connect(store, store_why));
    ck_assert_msg(strstr(store_why, reason), "%s", store_why);
    ck_assert_msg(!strstr(store_why, "s3cret"), "%s", store_why);
    store->ops->close(store);
}

struct store_chunk chunk_of(int64_t chunk, uint64_t count) {
    return (struct store_chunk){
        .place = {RESOLUTION_10MS, chunk}, .n = 1, .slot = {7}, .count = {count}};
}

struct store_ack send_from(struct store *store, uint64_t there, uint64_t count) {
    struct store_chunk chunk = chunk_of(CHUNK, count);
    struct store_ack ack = {STORE_CLOSED, 99, 99};
    chunk.there = there;
    const bool ok = store->ops->send(store, &chunk, 1, &ack, store_why);
    ck_assert(ok == (ack.outcome != STORE_FAILED));
    return ack;
}

enum store_outcome send_count(struct store *store, uint64_t count) {
    return send_from(store, 0, count).outcome;
}

uint64_t had(struct store *store, uint64_t count) {
    const struct store_ack ack = send_from(store, 0, count);
    ck_assert_int_eq(ack.outcome, STORE_STORED);
    return ack.had;
}

uint64_t sum_of(struct store *store, int64_t chunk) {
    const struct store_place place = {RESOLUTION_10MS, chunk};
    uint64_t sum = 4711;
    ck_assert_msg(store->ops->sums(store, &(struct store_sums){&place, 1, &sum, NULL}, store_why),
                  "%s", store_why);
    return sum;
}

enum store_lease lease(struct store *store, const char *owner, char holder[STORE_HOLDER_MAX]) {
    *store_why = *holder = '\0';
    return store->ops->lease(store, &(const struct store_claim){.owner = owner, .dead = ""}, holder,
                             store_why);
}

int64_t wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}
