/* The flush over three real masters without replicas, one of which goes for good: what the two
 * others keep must arrive, and go on arriving, however much there is that cannot. And when all of
 * them hang, ending must not take a time-out for each chunk. */
#include "server/flush/flush.h"

#include "redis/cluster.h"
#include "redis/schema.h"
#include "server/flush/store_redis.h"
#include "server/process/clock.h"
#include "tests/redis/lab.h"
#include "tests/unit/state_dir.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MASTERS 3
#define DEAD 1
#define SLOTS_EACH (CLUSTER_SLOTS / MASTERS)
#define TIMEOUT_MS 300
#define SETTLE_MS 20000
/* of events before now: some 800 chunks of each master, more than a pass sends */
#define SECONDS 2400

static struct lab_server node[MASTERS];
static char url[64];
static struct counters *counters;
static struct flush *flush;
static int64_t begin_us;

static void wait_for_cluster(struct lab_server *at) {
    char info[4096] = "";
    for (const int64_t end = lab_now_ms() + SETTLE_MS; lab_now_ms() < end; lab_sleep_ms(30)) {
        lab_text(at, info, sizeof info, "CLUSTER INFO");
        if (strstr(info, "cluster_slots_assigned:16384") && strstr(info, "cluster_state:ok")) {
            return;
        }
    }
    ck_abort_msg("the node on port %d: %s", at->port, info);
}

static void cluster_start(void) {
    for (int i = 0; i < MASTERS; i++) {
        lab_start(
            &node[i],
            "cluster-enabled yes\ncluster-node-timeout 1000\ncluster-require-full-coverage no");
        lab_do(&node[i], "CLUSTER ADDSLOTSRANGE %d %d", i * SLOTS_EACH,
               i == MASTERS - 1 ? CLUSTER_SLOTS - 1 : (i + 1) * SLOTS_EACH - 1);
        lab_do(&node[i], "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
    }
    for (int i = 1; i < MASTERS; i++) {
        lab_do(&node[0], "CLUSTER MEET 127.0.0.1 %d %d", node[i].port, node[i].bus_port);
    }
    for (int i = 0; i < MASTERS; i++) {
        wait_for_cluster(&node[i]);
    }
    snprintf(url, sizeof url, "redis+cluster://127.0.0.1:%d", node[0].port);
}

/* One event in the first window of each of n seconds from `from` on. */
static void count_seconds(int64_t from_us, int n) {
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, clock_wall_us());
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(shard_add_owner(shard, from_us + i * US_PER_S), SHARD_COUNTED);
    }
}

static void setup(void) {
    cluster_start();
    state_dir_make();
    const struct counters_config config = {.dir = state_dir,
                                           .node_id = "n1",
                                           .workers = 1,
                                           .horizon_us = 3600 * US_PER_S,
                                           .future_us = 10 * US_PER_S};
    counters = open_or_fail(&config);
    char why[COUNTERS_WHY_MAX] = "", owner[COUNTERS_OWNER_MAX];
    counters_owner(counters, owner);
    const struct store_redis_config store = {.url = url,
                                             .node_id = "n1",
                                             .owner = owner,
                                             .ttl_s = {7200, 604800, 34560000},
                                             .horizon_s = 3600,
                                             .timeout_ms = TIMEOUT_MS};
    struct store *redis = store_redis_new(&store, why);
    ck_assert_msg(redis != NULL, "%s", why);
    flush = flush_start(
        &(struct flush_config){.counters = counters, .store = redis, .interval_us = 20 * US_PER_MS},
        why);
    ck_assert_msg(flush != NULL, "%s", why);
    begin_us = clock_wall_us() / US_PER_S * US_PER_S - SECONDS * US_PER_S;
}

static void teardown(void) {
    counters_close(counters);
    state_dir_remove();
    for (int i = 0; i < MASTERS; i++) {
        lab_kill(&node[i]);
    }
}

static int owner_of(const char *key, size_t len) {
    const int owner = cluster_slot(key, len) / SLOTS_EACH;
    return owner < MASTERS ? owner : MASTERS - 1;
}

/* How many of the seconds from `from` on, of those kept by masters that live, are not in Redis yet;
 * *kept is how many those are. */
static int missing(int64_t from_us, int n, bool dead_too, int *kept) {
    int absent = 0;
    *kept = 0;
    for (int i = 0; i < n; i++) {
        char key[SCHEMA_KEY_MAX];
        const size_t len = schema_chunk_key(RESOLUTION_10MS, from_us / US_PER_S + i,
                                            schema_group("n1", SCHEMA_GROUPS_MAX), key);
        const int owner = owner_of(key, len);
        if (owner != DEAD || dead_too) {
            ++*kept;
            absent += lab_number(&node[owner], "HGET %s 00", key) != 1;
        }
    }
    return absent;
}

static void wait_for_all(int64_t from_us, int n, bool dead_too) {
    int kept, absent = n;
    for (const int64_t end = lab_now_ms() + SETTLE_MS; absent && lab_now_ms() < end;
         lab_sleep_ms(50)) {
        absent = missing(from_us, n, dead_too, &kept);
    }
    ck_assert_msg(absent == 0, "%d of %d chunks did not arrive", absent, kept);
    ck_assert_int_gt(kept, dead_too ? n - 1 : n / 2);
}

static void wait_until_connected(void) {
    struct flush_status status = {0};
    for (const int64_t end = lab_now_ms() + SETTLE_MS; !status.connected && lab_now_ms() < end;
         lab_sleep_ms(10)) {
        flush_status(flush, &status);
    }
    ck_assert(status.connected);
}

/* 800 chunks of a master that is away are ahead of 1600 that can be sent, in passes of 512 and
 * batches of 32. */
START_TEST(a_master_gone_for_good_starves_nobody) {
    struct flush_status status;
    wait_until_connected();
    lab_kill(&node[DEAD]);
    lab_sleep_ms(1500); /* until the others know, too */
    count_seconds(begin_us, SECONDS - 60);
    wait_for_all(begin_us, SECONDS - 60, false);
    /* and what comes later is as quick as ever */
    count_seconds(begin_us + (SECONDS - 60) * US_PER_S, 60);
    const int64_t before_ms = lab_now_ms();
    wait_for_all(begin_us + (SECONDS - 60) * US_PER_S, 60, false);
    ck_assert_int_lt(lab_now_ms() - before_ms, 10000);
    flush_status(flush, &status);
    ck_assert(status.connected);
    ck_assert_uint_gt(status.errors, 0);
    ck_assert_int_gt(status.lag_us, 0);
    lab_restart(&node[DEAD]); /* "for good" ends: all of it arrives */
    wait_for_cluster(&node[DEAD]);
    wait_for_all(begin_us, SECONDS, true);
    ck_assert(flush_stop(flush, clock_steady_us() + 5 * US_PER_S));
}
END_TEST

START_TEST(when_all_hang_the_end_is_not_put_off) {
    wait_until_connected();
    for (int i = 0; i < MASTERS; i++) {
        lab_signal(&node[i], SIGSTOP);
    }
    count_seconds(begin_us, SECONDS);
    lab_sleep_ms(100);
    const int64_t before_ms = lab_now_ms();
    ck_assert(!flush_stop(flush, clock_steady_us() + TIMEOUT_MS * US_PER_MS));
    const int64_t took_ms = lab_now_ms() - before_ms;
    ck_assert_msg(took_ms < 10000, "%d ms", (int)took_ms);
    for (int i = 0; i < MASTERS; i++) {
        lab_signal(&node[i], SIGCONT);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("redis/flush");
    TCase *tcase = tcase_create("flush");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_master_gone_for_good_starves_nobody);
    tcase_add_test(tcase, when_all_hang_the_end_is_not_put_off);
    suite_add_tcase(suite, tcase);
    return lab_run(suite);
}
