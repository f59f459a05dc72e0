/* The store and six real cluster nodes: failovers, a slot that moves under load, a node gone for
 * good. */
#include "redis/cluster.h"
#include "redis/link.h"
#include "redis/reader.h"
#include "redis/schema.h"
#include "tests/redis/driver.h"
#include "tests/redis/lab.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NODES 6
#define MASTERS 3
#define SLOTS_EACH (CLUSTER_SLOTS / MASTERS)
#define TIMEOUT_MS 1000
#define SETTLE_MS 20000
#define ID_MAX 64

static struct lab_server node[NODES];
static char id[NODES][ID_MAX];
static char url[160], why[STORE_WHY_MAX];
static struct driver driver;

/* True when this node's CLUSTER INFO and CLUSTER NODES say that all is as it should be. */
static bool sees_all(struct lab_server *at) {
    redisReply *info = lab_command(at, "CLUSTER INFO");
    redisReply *nodes = lab_command(at, "CLUSTER NODES");
    int masters = 0, replicas = 0;
    for (const char *line = nodes->str; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char flags[64] = "";
        sscanf(line, "%*s %*s %63s", flags);
        masters += strstr(flags, "master") && !strstr(flags, "fail");
        replicas += strstr(flags, "slave") && !strstr(flags, "fail");
    }
    const bool ready =
        strstr(info->str, "cluster_state:ok") && masters == MASTERS && replicas == NODES - MASTERS;
    freeReplyObject(info);
    freeReplyObject(nodes);
    return ready;
}

static bool is_linked_replica(struct lab_server *at) {
    redisReply *info = lab_command(at, "INFO replication");
    const bool linked =
        strstr(info->str, "role:slave") && strstr(info->str, "master_link_status:up");
    freeReplyObject(info);
    return linked;
}

static void wait_until(bool (*ready)(struct lab_server *at), struct lab_server *at,
                       const char *what) {
    for (const int64_t end = lab_now_ms() + SETTLE_MS; lab_now_ms() < end; lab_sleep_ms(30)) {
        if (ready(at)) {
            return;
        }
    }
    ck_abort_msg("the node on port %d waits in vain: %s", at->port, what);
}

/* The first three are masters of a third of the slots each, node i + 3 is the replica of node i. */
static void setup(void) {
    for (int i = 0; i < NODES; i++) {
        lab_start(&node[i],
                  "cluster-enabled yes\ncluster-node-timeout 1000\nrepl-diskless-sync-delay 0\n"
                  "cluster-replica-validity-factor 0");
        lab_text(&node[i], id[i], ID_MAX, "CLUSTER MYID");
    }
    for (int i = 0; i < MASTERS; i++) {
        const int last = i == MASTERS - 1 ? CLUSTER_SLOTS - 1 : (i + 1) * SLOTS_EACH - 1;
        lab_do(&node[i], "CLUSTER ADDSLOTSRANGE %d %d", i * SLOTS_EACH, last);
        lab_do(&node[i], "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
    }
    for (int i = 1; i < NODES; i++) {
        lab_do(&node[0], "CLUSTER MEET 127.0.0.1 %d %d", node[i].port, node[i].bus_port);
    }
    for (int i = MASTERS; i < NODES; i++) {
        const int64_t end = lab_now_ms() + SETTLE_MS;
        redisReply *reply = lab_command(&node[i], "CLUSTER REPLICATE %s", id[i - MASTERS]);
        while (reply->type == REDIS_REPLY_ERROR &&
               lab_now_ms() < end) { /* it has not heard of its master yet */
            freeReplyObject(reply);
            lab_sleep_ms(50);
            reply = lab_command(&node[i], "CLUSTER REPLICATE %s", id[i - MASTERS]);
        }
        ck_assert_int_ne(reply->type, REDIS_REPLY_ERROR);
        freeReplyObject(reply);
    }
    for (int i = 0; i < NODES; i++) {
        wait_until(sees_all, &node[i], "three masters and three replicas");
    }
    for (int i = MASTERS; i < NODES; i++) {
        wait_until(is_linked_replica, &node[i], "linked to its master");
    }
    snprintf(url, sizeof url, "redis+cluster://127.0.0.1:%d,127.0.0.1:%d", node[0].port,
             node[4].port);
    driver_begin(&driver, driver_store(url, "n1", TIMEOUT_MS));
    driver_count(&driver, 0, DRIVER_CHUNKS);
    driver_settle(&driver, SETTLE_MS);
}

static void teardown(void) {
    driver_end(&driver);
    for (int i = 0; i < NODES; i++) {
        lab_kill(&node[i]);
    }
}

static uint16_t slot_of(const struct store_chunk *chunk) {
    char key[SCHEMA_KEY_MAX];
    const size_t len = schema_chunk_key(chunk->place.resolution, chunk->place.chunk,
                                        schema_group("n1", SCHEMA_GROUPS_MAX), key);
    return cluster_slot(key, len);
}

/* At the start. */
static int master_of(const struct store_chunk *chunk) {
    const int owner = slot_of(chunk) / SLOTS_EACH;
    return owner < MASTERS ? owner : MASTERS - 1;
}

/* A chunk whose slot is that master's at the start. */
static unsigned chunk_on(int master) {
    for (unsigned i = 0; i < DRIVER_CHUNKS; i++) {
        if (master_of(&driver.chunk[i]) == master) {
            return i;
        }
    }
    ck_abort_msg("no chunk on master %d", master);
    return 0;
}

/* Counts and sends for a while. */
static void load_for(int64_t ms) {
    for (const int64_t end = lab_now_ms() + ms; lab_now_ms() < end; lab_sleep_ms(5)) {
        driver_count(&driver, (unsigned)lab_now_ms(), 25);
        driver_turn(&driver);
    }
}

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
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
    ck_assert_uint_ne(schema_group("n1", SCHEMA_GROUPS_MAX), schema_group("n2", SCHEMA_GROUPS_MAX));
    const struct store_chunk chunk = {
        .place = {RESOLUTION_10MS, 1700000000}, .n = 2, .slot = {0, 7}, .count = {5, 11}};
    struct store_ack ack;
    ck_assert_msg(store->ops->send(store, &chunk, 1, &ack, why), "%s", why);
    ck_assert_msg(driver.store->ops->send(driver.store, &chunk, 1, &ack, why), "%s", why);
    store->ops->close(store);
    struct redis_url parsed;
    ck_assert(redis_url_parse(url, &parsed, why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    uint64_t counts[100];
    bool exists;
    ck_assert_msg(link_connect(link, why), "%s", why);
    ck_assert_msg(reader_read_totals(link,
                                     (struct chunk_range){RESOLUTION_10MS, chunk.place.chunk, 1},
                                     counts, why),
                  "%s", why);
    ck_assert_msg(reader_find_totals(link,
                                     (struct chunk_range){RESOLUTION_10MS, chunk.place.chunk, 1},
                                     &exists, why),
                  "%s", why);
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
    ck_assert_msg(ops->connect(store, why), "%s", why);
    for (int i = 0; i < 20; i++) { /* by their slots, on all masters */
        snprintf(node_id, sizeof node_id, "n%d", i);
        ops->rename(store, node_id);
        ck_assert_int_eq(
            ops->lease(store, &(const struct store_claim){.owner = "me", .dead = ""}, holder, why),
            STORE_LEASE_TAKEN);
        ck_assert_int_eq(
            ops->lease(store, &(const struct store_claim){.owner = "me", .dead = ""}, holder, why),
            STORE_LEASE_KEPT);
        ck_assert_int_eq(
            ops->lease(store, &(const struct store_claim){.owner = "you", .dead = ""}, holder, why),
            STORE_LEASE_HELD);
        ops->release(store, "me");
        ck_assert_int_eq(
            ops->lease(store, &(const struct store_claim){.owner = "you", .dead = ""}, holder, why),
            STORE_LEASE_TAKEN);
    }
    ck_assert_msg(ops->tell_loss(store, &number, why), "%s", why);
    ck_assert_msg(
        driver.store->ops->sums(driver.store, &(struct store_sums){NULL, 0, NULL, &seen}, why),
        "%s", why);
    ck_assert(seen == number && number != 0);
    ck_assert(ops->connected(store));
    ops->close(store);
}
END_TEST

START_TEST(chunks_of_all_groups_are_closed) {
    struct store *store = driver_store(url, "n2", 10000);
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
    const int64_t now_us = (int64_t)time(NULL) * US_PER_S,
                  hour = schema_closable_hour(now_us / US_PER_S);
    const struct store_chunk chunk = {
        .place = {RESOLUTION_10MS, hour * 3600 + 1234}, .n = 2, .slot = {0, 7}, .count = {5, 11}};
    struct store_ack ack;
    int64_t ahead_us;
    ck_assert_msg(store->ops->send(store, &chunk, 1, &ack, why), "%s", why);
    ck_assert_msg(driver.store->ops->send(driver.store, &chunk, 1, &ack, why), "%s", why);
    for (int i = 0; i < MASTERS; i++) { /* the note is on one of them */
        redisReply *reply = lab_command(&node[i], "SET " SCHEMA_FINAL_KEY " %lld", (long long)hour);
        freeReplyObject(reply);
    }
    ck_assert_msg(store->ops->close_old(store, now_us, &ahead_us, why), "%s", why);
    ck_assert(store->ops->send(store, &chunk, 1, &ack, why) && ack.outcome == STORE_CLOSED);
    ck_assert(driver.store->ops->send(driver.store, &chunk, 1, &ack, why) &&
              ack.outcome == STORE_CLOSED);
    store->ops->close(store);
}
END_TEST

/* Each master is asked; a warning names it (test_store_errors). */
START_TEST(one_master_that_may_evict_is_used) {
    lab_do(&node[1], "CONFIG SET maxmemory-policy allkeys-lru");
    struct store *store = driver_store(url, "n2", TIMEOUT_MS);
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
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
    ck_assert(!store->ops->connect(store, why));
    ck_assert_msg(strstr(why, "cluster support disabled"), "%s", why);
    store->ops->close(store);
    lab_kill(&alone);
}
END_TEST

/* The dead node never comes back; its replica takes over. */
START_TEST(a_master_is_gone_for_good) {
    lab_kill(&node[1]);
    load_for(500);
    ck_assert_uint_gt(driver.failures, 0);
    ck_assert_uint_gt(strlen(driver.why), 0);
    for (const int64_t end = lab_now_ms() + SETTLE_MS; lab_now_ms() < end && driver.connects < 3;
         lab_sleep_ms(1)) {
        load_for(50);
    }
    driver_settle(&driver, SETTLE_MS);
    driver_check(&driver, url);
    lab_kill(&node[0]); /* and a seed of the URL with it */
    load_for(500);
    driver_settle(&driver, SETTLE_MS);
    driver_check(&driver, url);
}
END_TEST

/* What a master acknowledged and its replica never heard of is sent again. */
START_TEST(a_replica_that_lags_behind_is_promoted) {
    lab_signal(&node[MASTERS + 2], SIGSTOP);
    driver_count(&driver, 0, DRIVER_CHUNKS);
    driver_settle(&driver, SETTLE_MS);
    lab_kill(&node[2]);
    lab_signal(&node[MASTERS + 2], SIGCONT);
    const struct store_chunk *chunk = &driver.chunk[chunk_on(2)];
    /* Nothing to send, so nothing would be noticed: the flush looks. */
    uint64_t sum;
    ck_assert(!driver.store->ops->sums(driver.store,
                                       &(struct store_sums){&chunk->place, 1, &sum, NULL}, why));
    ck_assert(!driver.store->ops->connected(driver.store));
    driver_settle(&driver, SETTLE_MS);
    const int64_t end = lab_now_ms() + SETTLE_MS;
    while (driver.connects < 3 &&
           lab_now_ms() < end) { /* until the replica is there, and all was sent to it */
        lab_sleep_ms(50);
        driver_count(&driver, chunk_on(2), 1);
        driver_turn(&driver);
    }
    driver_settle(&driver, SETTLE_MS);
    driver_check(&driver, url);
}
END_TEST

START_TEST(a_failover_by_hand_is_followed) {
    lab_do(&node[MASTERS], "CLUSTER FAILOVER");
    for (const int64_t end = lab_now_ms() + SETTLE_MS; lab_now_ms() < end && driver.connects < 2;
         lab_sleep_ms(1)) {
        load_for(20);
    }
    ck_assert_uint_eq(driver.connects, 2); /* another master: all was sent again */
    driver_settle(&driver, SETTLE_MS);
    driver_check(&driver, url);
    ck_assert_uint_eq(driver.connects, 2);
}
END_TEST

START_TEST(a_master_that_hangs_costs_the_others_little) {
    lab_signal(&node[1], SIGSTOP);
    const unsigned here = chunk_on(0);
    driver_count(&driver, 0, DRIVER_CHUNKS);
    const int64_t before_ms = lab_now_ms();
    driver_turn(&driver);
    const int64_t took_ms = lab_now_ms() - before_ms;
    ck_assert_msg(took_ms < 4 * TIMEOUT_MS, "%d ms", (int)took_ms);
    ck_assert(driver.acked[here]);
    ck_assert(!driver.acked[chunk_on(1)]);
    ck_assert(!driver.store->ops->connected(driver.store));
    lab_signal(&node[1], SIGCONT);
    driver_settle(&driver, SETTLE_MS);
    driver_check(&driver, url);
}
END_TEST

/* The flush looks once a second whether the store has what it acknowledged: what others have is to
 * be seen all the same. */
START_TEST(a_master_that_hangs_hides_no_other) {
    const struct store_place places[] = {driver.chunk[chunk_on(1)].place,
                                         driver.chunk[chunk_on(0)].place};
    uint64_t sums[2];
    lab_signal(&node[1], SIGSTOP);
    ck_assert(
        !driver.store->ops->sums(driver.store, &(struct store_sums){places, 2, sums, NULL}, why));
    lab_signal(&node[1], SIGCONT);
    ck_assert_msg(strstr(why, "no answer in time"), "%s", why);
    ck_assert_uint_eq(sums[0], STORE_SUM_UNKNOWN);
    ck_assert_uint_eq(sums[1], 1);
}
END_TEST

/* ---- resharding ---- */

/* Moves up to `limit` keys of a slot between two masters. */
static void move_keys(int from, int to, unsigned slot, int limit) {
    redisReply *keys = lab_command(&node[from], "CLUSTER GETKEYSINSLOT %u %d", slot, limit);
    for (size_t i = 0; i < keys->elements; i++) {
        lab_do(&node[from], "MIGRATE 127.0.0.1 %d %s 0 5000", node[to].port, keys->element[i]->str);
    }
    freeReplyObject(keys);
}

static void open_slot(int from, int to, unsigned slot) {
    lab_do(&node[to], "CLUSTER SETSLOT %u IMPORTING %s", slot, id[from]);
    lab_do(&node[from], "CLUSTER SETSLOT %u MIGRATING %s", slot, id[to]);
}

static void close_slot(int to, unsigned slot) {
    for (int i = 0; i < MASTERS; i++) {
        lab_do(&node[(to + i) % MASTERS], "CLUSTER SETSLOT %u NODE %s", slot, id[to]);
    }
}

START_TEST(a_slot_moves_under_load) {
    const unsigned at = chunk_on(0);
    const struct store_chunk *chunk = &driver.chunk[at];
    const unsigned slot = slot_of(chunk);
    open_slot(0, 1, slot);
    load_for(50);
    driver_count(&driver, at, 1); /* not moved yet: taken where it is */
    driver_turn(&driver);
    ck_assert_msg(driver.acked[at], "%s", driver.why);
    move_keys(0, 1, slot, 100); /* there now: asked for by ASK, total and parts in one */
    driver_count(&driver, at, 1);
    driver_turn(&driver);
    ck_assert_msg(driver.acked[at], "%s", driver.why);
    driver_settle(&driver, SETTLE_MS);
    ck_assert_int_eq(lab_number(&node[0], "CLUSTER COUNTKEYSINSLOT %u", slot), 0);
    driver_check(&driver, url); /* by ASK too */
    load_for(50);
    close_slot(1, slot);
    load_for(100);
    driver_settle(&driver, SETTLE_MS);
    driver_check(&driver, url);
    ck_assert_int_eq(lab_number(&node[1], "CLUSTER COUNTKEYSINSLOT %u", slot), 1);
    /* both masters were ours before: nothing can be missing */
    ck_assert_uint_eq(driver.connects, 1);
}
END_TEST

START_TEST(every_slot_of_ours_moves_under_load) {
    for (unsigned i = 0; i < DRIVER_CHUNKS; i++) {
        const unsigned slot = slot_of(&driver.chunk[i]);
        if (slot >= SLOTS_EACH) {
            continue;
        }
        open_slot(0, 2, slot);
        driver_count(&driver, i, 1);
        driver_turn(&driver);
        move_keys(0, 2, slot, 100);
        driver_count(&driver, 0, 3);
        driver_turn(&driver);
        driver_count(&driver, i, 1);
        driver_turn(&driver);
        close_slot(2, slot);
        if (i > 12) { /* some more would only take longer */
            break;
        }
    }
    driver_settle(&driver, SETTLE_MS);
    driver_check(&driver, url);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("redis/cluster");
    TCase *tcase = tcase_create("cluster");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, all_masters_share_the_chunks);
    tcase_add_test(tcase, nodes_of_other_groups_add_up);
    tcase_add_test(tcase, what_nodes_share_is_found_wherever_it_is);
    tcase_add_test(tcase, chunks_of_all_groups_are_closed);
    tcase_add_test(tcase, one_master_that_may_evict_is_used);
    tcase_add_test(tcase, each_chunk_has_its_server);
    tcase_add_test(tcase, one_server_is_no_cluster);
    tcase_add_test(tcase, a_slot_moves_under_load);
    tcase_add_test(tcase, every_slot_of_ours_moves_under_load);
    tcase_add_test(tcase, a_failover_by_hand_is_followed);
    tcase_add_test(tcase, a_master_that_hangs_costs_the_others_little);
    tcase_add_test(tcase, a_master_that_hangs_hides_no_other);
    tcase_add_test(tcase, a_replica_that_lags_behind_is_promoted);
    tcase_add_test(tcase, a_master_is_gone_for_good);
    suite_add_tcase(suite, tcase);
    return lab_run(suite);
}
