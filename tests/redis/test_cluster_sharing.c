/* Six real cluster nodes, all well: what is where, and that all nodes' counts add up there. */
#include "redis/link.h"
#include "redis/reader.h"
#include "redis/schema.h"
#include "tests/redis/cluster_nodes.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

START_TEST(all_masters_share_the_chunks) {
    for (int i = 0; i < MASTERS; i++) {
        ck_assert_int_gt(lab_number(&node[i], "DBSIZE"), 0);
    }
    ck_assert_uint_eq(driver.connects, 1);
    ck_assert_uint_eq(driver.failures, 0);
    for (int i = 0; i < MASTERS; i++) {
        lab_do(&node[i], "SCRIPT FLUSH");
    }
    driver_count(&driver, 0, DRIVER_CHUNKS);
    driver_settle(&driver, SETTLE_MS);
    driver_check(&driver, url);
    ck_assert_uint_eq(driver.connects, 1);
    ck_assert_uint_eq(driver.losses, 0);
}
END_TEST

START_TEST(nodes_of_other_groups_add_up) {
    struct store *store = driver_store(url, "n2", TIMEOUT_MS);
    ck_assert_msg(store->ops->connect(store, store_why), "%s", store_why);
    ck_assert_uint_ne(schema_group("n1", SCHEMA_GROUPS_MAX), schema_group("n2", SCHEMA_GROUPS_MAX));
    const struct store_chunk chunk = {
        .place = {RESOLUTION_10MS, 1700000000}, .n = 2, .slot = {0, 7}, .count = {5, 11}};
    struct store_ack ack;
    ck_assert_msg(store->ops->send(store, &chunk, 1, &ack, store_why), "%s", store_why);
    ck_assert_msg(driver.store->ops->send(driver.store, &chunk, 1, &ack, store_why), "%s",
                  store_why);
    store->ops->close(store);
    struct redis_url parsed;
    ck_assert(redis_url_parse(url, &parsed, store_why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    uint64_t counts[100];
    bool exists;
    ck_assert_msg(link_connect(link, store_why), "%s", store_why);
    ck_assert_msg(reader_read_totals(link,
                                     (struct chunk_range){RESOLUTION_10MS, chunk.place.chunk, 1},
                                     counts, store_why),
                  "%s", store_why);
    ck_assert_msg(reader_find_totals(link,
                                     (struct chunk_range){RESOLUTION_10MS, chunk.place.chunk, 1},
                                     &exists, store_why),
                  "%s", store_why);
    link_free(link);
    ck_assert_uint_eq(counts[0], 10);
    ck_assert_uint_eq(counts[7], 22);
    ck_assert(exists);
}
END_TEST

/* Leases, the number of losses and how far closing is are keys like any other: each on the master
 * that its name says. */
START_TEST(what_nodes_share_is_found_wherever_it_is) {
    struct store *store = driver_store(url, "n2", TIMEOUT_MS);
    const struct store_ops *ops = store->ops;
    char holder[STORE_HOLDER_MAX], node_id[16];
    uint64_t number = 0, seen = 0;
    ck_assert_msg(ops->connect(store, store_why), "%s", store_why);
    for (int i = 0; i < 20; i++) { /* by their slots, on all masters */
        snprintf(node_id, sizeof node_id, "n%d", i);
        ops->rename(store, node_id);
        ck_assert_int_eq(ops->lease(store, &(const struct store_claim){.owner = "me", .dead = ""},
                                    holder, store_why),
                         STORE_LEASE_TAKEN);
        ck_assert_int_eq(ops->lease(store, &(const struct store_claim){.owner = "me", .dead = ""},
                                    holder, store_why),
                         STORE_LEASE_KEPT);
        ck_assert_int_eq(ops->lease(store, &(const struct store_claim){.owner = "you", .dead = ""},
                                    holder, store_why),
                         STORE_LEASE_HELD);
        ops->release(store, "me");
        ck_assert_int_eq(ops->lease(store, &(const struct store_claim){.owner = "you", .dead = ""},
                                    holder, store_why),
                         STORE_LEASE_TAKEN);
    }
    ck_assert_msg(ops->tell_loss(store, &number, store_why), "%s", store_why);
    ck_assert_msg(driver.store->ops->sums(driver.store, &(struct store_sums){NULL, 0, NULL, &seen},
                                          store_why),
                  "%s", store_why);
    ck_assert(seen == number && number != 0);
    ck_assert(ops->connected(store));
    ops->close(store);
}
END_TEST

START_TEST(chunks_of_all_groups_are_closed) {
    struct store *store = driver_store(url, "n2", 10000);
    ck_assert_msg(store->ops->connect(store, store_why), "%s", store_why);
    const int64_t now_us = (int64_t)time(NULL) * US_PER_S,
                  hour = schema_closable_hour(now_us / US_PER_S);
    const struct store_chunk chunk = {
        .place = {RESOLUTION_10MS, hour * 3600 + 1234}, .n = 2, .slot = {0, 7}, .count = {5, 11}};
    struct store_ack ack;
    int64_t ahead_us;
    ck_assert_msg(store->ops->send(store, &chunk, 1, &ack, store_why), "%s", store_why);
    ck_assert_msg(driver.store->ops->send(driver.store, &chunk, 1, &ack, store_why), "%s",
                  store_why);
    for (int i = 0; i < MASTERS; i++) { /* the note is on one of them */
        redisReply *reply = lab_command(&node[i], "SET " SCHEMA_FINAL_KEY " %lld", (long long)hour);
        freeReplyObject(reply);
    }
    ck_assert_msg(store->ops->close_old(store, now_us, &ahead_us, store_why), "%s", store_why);
    ck_assert(store->ops->send(store, &chunk, 1, &ack, store_why) && ack.outcome == STORE_CLOSED);
    ck_assert(driver.store->ops->send(driver.store, &chunk, 1, &ack, store_why) &&
              ack.outcome == STORE_CLOSED);
    store->ops->close(store);
}
END_TEST

/* Each master is asked; a warning names it (test_store_errors). */
START_TEST(one_master_that_may_evict_is_used) {
    lab_do(&node[1], "CONFIG SET maxmemory-policy allkeys-lru");
    struct store *store = driver_store(url, "n2", TIMEOUT_MS);
    ck_assert_msg(store->ops->connect(store, store_why), "%s", store_why);
    store->ops->close(store);
    lab_do(&node[1], "CONFIG SET maxmemory-policy noeviction");
}
END_TEST

/* A small number each, the same for the same key: the flush remembers by it what each acknowledged
 * last. */
START_TEST(each_chunk_has_its_server) {
    unsigned chunks[MASTERS] = {0};
    for (unsigned i = 0; i < DRIVER_CHUNKS; i++) {
        const struct store_place *place = &driver.chunk[i].place;
        const unsigned at = driver.store->ops->server(driver.store, place);
        ck_assert_uint_lt(at, MASTERS);
        ck_assert_uint_eq(at, driver.store->ops->server(driver.store, place));
        const unsigned same = driver.store->ops->server(
            driver.store, &driver.chunk[chunk_on(master_of(&driver.chunk[i]))].place);
        ck_assert_uint_eq(at, same);
        chunks[at]++;
    }
    for (int i = 0; i < MASTERS; i++) {
        ck_assert_uint_gt(chunks[i], 0);
    }
}
END_TEST

START_TEST(one_server_is_no_cluster) {
    struct lab_server alone;
    memset(&alone, 0, sizeof alone);
    lab_start(&alone, NULL);
    char other[64];
    snprintf(other, sizeof other, "redis+cluster://127.0.0.1:%d", alone.port);
    struct store *store = driver_store(other, "n2", TIMEOUT_MS);
    ck_assert(!store->ops->connect(store, store_why));
    ck_assert_msg(strstr(store_why, "cluster support disabled"), "%s", store_why);
    store->ops->close(store);
    lab_kill(&alone);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {all_masters_share_the_chunks,
                                  nodes_of_other_groups_add_up,
                                  what_nodes_share_is_found_wherever_it_is,
                                  chunks_of_all_groups_are_closed,
                                  one_master_that_may_evict_is_used,
                                  each_chunk_has_its_server,
                                  one_server_is_no_cluster};
    return cluster_nodes_run("redis/cluster_sharing", tests, sizeof tests / sizeof *tests);
}
