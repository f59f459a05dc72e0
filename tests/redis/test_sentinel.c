/* The store behind a real Sentinel trio: a master that dies, one that is demoted while we talk to
 * it, a sentinel gone. */
#include "tests/redis/driver.h"
#include "tests/redis/lab.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENTINELS 3
#define TIMEOUT_MS 1000
#define SETTLE_MS 20000

static struct lab_server server[2], sentinel[SENTINELS];
static char url[160], why[STORE_WHY_MAX];
static struct driver driver;

/* Waits until a sentinel sees two others and the replica: only then can they agree on a failover.
 */
static void wait_for_trio(struct lab_server *at) {
    for (const int64_t end = lab_now_ms() + SETTLE_MS; lab_now_ms() < end; lab_sleep_ms(50)) {
        redisReply *others = lab_command(at, "SENTINEL SENTINELS aforo");
        redisReply *replicas = lab_command(at, "SENTINEL REPLICAS aforo");
        const bool ready = others->elements == SENTINELS - 1 && replicas->elements == 1;
        freeReplyObject(others);
        freeReplyObject(replicas);
        if (ready) {
            return;
        }
    }
    ck_abort_msg("the sentinels do not find each other");
}

static void setup(void) {
    char settings[LAB_SETTINGS_MAX];
    lab_start(&server[0], NULL);
    snprintf(settings, sizeof settings, "replicaof 127.0.0.1 %d\nrepl-diskless-sync-delay 0",
             server[0].port);
    lab_start(&server[1], settings);
    snprintf(settings, sizeof settings,
             "sentinel monitor aforo 127.0.0.1 %d 2\nsentinel down-after-milliseconds aforo 2000\n"
             "sentinel failover-timeout aforo 6000",
             server[0].port);
    for (int i = 0; i < SENTINELS; i++) {
        lab_start_sentinel(&sentinel[i], settings);
    }
    for (int i = 0; i < SENTINELS; i++) {
        wait_for_trio(&sentinel[i]);
    }
    snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d/aforo",
             sentinel[0].port, sentinel[1].port, sentinel[2].port);
    driver_begin(&driver, driver_store(url, "n1", TIMEOUT_MS));
    driver_count(&driver, 0, DRIVER_CHUNKS);
    driver_settle(&driver, SETTLE_MS);
    ck_assert_int_eq(lab_number(&server[0], "EXISTS aforo:2:{1min:2026-11-18T11}"), 1);
}

static void teardown(void) {
    driver_end(&driver);
    for (int i = 0; i < SENTINELS; i++) {
        lab_kill(&sentinel[i]);
    }
    lab_kill(&server[1]);
    lab_kill(&server[0]);
}

static bool is_master(struct lab_server *at) {
    redisReply *role = lab_command(at, "ROLE");
    const bool master = strcmp(role->element[0]->str, "master") == 0;
    freeReplyObject(role);
    return master;
}

START_TEST(the_master_dies_under_load) {
    lab_kill(&server[0]);
    for (const int64_t end = lab_now_ms() + SETTLE_MS; lab_now_ms() < end && driver.connects < 2;
         lab_sleep_ms(20)) {
        driver_count(&driver, (unsigned)lab_now_ms(), 7); /* ingest goes on */
        driver_turn(&driver);
    }
    driver_settle(&driver, SETTLE_MS);
    ck_assert(is_master(&server[1]));
    ck_assert_uint_gt(driver.failures, 0);
    driver_check(&driver, url);
}
END_TEST

/* What the old master acknowledged and never passed on is healed, since the connection says that it
 * was lost. */
START_TEST(a_replica_that_lags_behind_is_promoted) {
    lab_signal(&server[1], SIGSTOP); /* it hears of nothing any more, */
    driver_count(&driver, 0, DRIVER_CHUNKS);
    driver_settle(&driver, SETTLE_MS);
    lab_kill(&server[0]);
    lab_signal(&server[1], SIGCONT);   /* except of its promotion */
    driver_settle(&driver, SETTLE_MS); /* connected still: nothing to send, nothing to notice */
    uint64_t sum;
    /* but the flush looks */
    ck_assert(!driver.store->ops->sums(
        driver.store, &(struct store_sums){&driver.chunk[2].place, 1, &sum, NULL}, why));
    driver_settle(&driver, SETTLE_MS);
    driver_check(&driver, url);
}
END_TEST

/* Told by +switch-master: the old master lives on, and would take our writes until it is demoted.
 */
START_TEST(a_failover_by_hand_is_noticed) {
    lab_do(&sentinel[1], "SENTINEL FAILOVER aforo");
    for (const int64_t end = lab_now_ms() + SETTLE_MS; lab_now_ms() < end && driver.connects < 2;
         lab_sleep_ms(10)) {
        driver_count(&driver, (unsigned)lab_now_ms(), 7);
        driver_turn(&driver);
    }
    ck_assert_uint_ge(driver.connects, 2);
    ck_assert_msg(strstr(driver.why, "another server is the master now"), "%s", driver.why);
    driver_settle(&driver, SETTLE_MS);
    driver_check(&driver, url);
    ck_assert(is_master(&server[1]));
}
END_TEST

START_TEST(the_first_sentinel_is_gone) {
    lab_kill(&sentinel[0]);
    driver_count(&driver, 0, 5);
    driver_settle(&driver, SETTLE_MS); /* who is connected does not need it */
    ck_assert_uint_eq(driver.connects, 1);
    struct store *store = driver_store(url, "n2", TIMEOUT_MS);
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
    store->ops->close(store);
    lab_kill(&sentinel[1]);
    lab_kill(&sentinel[2]);
    store = driver_store(url, "n2", TIMEOUT_MS);
    ck_assert(!store->ops->connect(store, why));
    ck_assert_msg(strstr(why, "refused"), "%s", why);
    store->ops->close(store);
}
END_TEST

START_TEST(a_name_that_no_sentinel_knows) {
    char other[sizeof url];
    snprintf(other, sizeof other, "redis+sentinel://127.0.0.1:%d/other", sentinel[0].port);
    struct store *store = driver_store(other, "n2", TIMEOUT_MS);
    ck_assert(!store->ops->connect(store, why));
    ck_assert_msg(strstr(why, "no master called other"), "%s", why);
    store->ops->close(store);
    snprintf(other, sizeof other, "redis+sentinel://127.0.0.1:%d/aforo", server[0].port);
    store = driver_store(other, "n2", TIMEOUT_MS);
    ck_assert(!store->ops->connect(store, why)); /* not a sentinel */
    ck_assert_msg(strstr(why, "unknown command"), "%s", why);
    store->ops->close(store);
}
END_TEST

START_TEST(a_sentinel_that_hangs_is_passed_over) {
    lab_signal(&sentinel[0], SIGSTOP);
    struct store *store = driver_store(url, "n2", 1000);
    const int64_t before_ms = lab_now_ms();
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
    /* one time-out of a second, and a machine that others load, too */
    ck_assert_int_lt(lab_now_ms() - before_ms, 10000);
    store->ops->close(store);
    lab_signal(&sentinel[0], SIGCONT);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("redis/sentinel");
    TCase *tcase = tcase_create("sentinel");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 90);
    tcase_add_test(tcase, a_name_that_no_sentinel_knows);
    tcase_add_test(tcase, the_first_sentinel_is_gone);
    tcase_add_test(tcase, a_sentinel_that_hangs_is_passed_over);
    tcase_add_test(tcase, a_failover_by_hand_is_noticed);
    tcase_add_test(tcase, the_master_dies_under_load);
    tcase_add_test(tcase, a_replica_that_lags_behind_is_promoted);
    suite_add_tcase(suite, tcase);
    return lab_run(suite);
}
