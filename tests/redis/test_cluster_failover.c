/* Six real cluster nodes of which some hang, lag, or are gone. */
#include "tests/redis/cluster_nodes.h"

#include <check.h>
#include <signal.h>
#include <string.h>

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
    ck_assert_msg(took_ms < 20 * TIMEOUT_MS, "%d ms", (int)took_ms);
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
    ck_assert(!driver.store->ops->sums(driver.store, &(struct store_sums){places, 2, sums, NULL},
                                       store_why));
    lab_signal(&node[1], SIGCONT);
    ck_assert_msg(strstr(store_why, "no answer in time"), "%s", store_why);
    ck_assert_uint_eq(sums[0], STORE_SUM_UNKNOWN);
    ck_assert_uint_eq(sums[1], 1);
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
    ck_assert(!driver.store->ops->sums(
        driver.store, &(struct store_sums){&chunk->place, 1, &sum, NULL}, store_why));
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

int main(void) {
    const TTest *const tests[] = {
        a_failover_by_hand_is_followed, a_master_that_hangs_costs_the_others_little,
        a_master_that_hangs_hides_no_other, a_replica_that_lags_behind_is_promoted,
        a_master_is_gone_for_good};
    return cluster_nodes_run("redis/cluster_failover", tests, sizeof tests / sizeof *tests);
}
