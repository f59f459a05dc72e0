/* A Redis that refuses, hangs, dies or answers too late. */
#include "tests/redis/driver.h"
#include "tests/redis/one_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a Redis that refuses ---- */

START_TEST(out_of_memory_fails_and_heals_on_the_same_connection) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(had(store, 1), 0);
    lab_do(&server, "CONFIG SET maxmemory 1");
    const struct store_chunk chunks[] = {chunk_of(CHUNK, 2), chunk_of(CHUNK + 1, 2),
                                         chunk_of(CHUNK + 2, 2)};
    struct store_ack ack[3];
    ck_assert(!store->ops->send(store, chunks, 3, ack, store_why));
    ck_assert_msg(strstr(store_why, "OOM"), "%s", store_why);
    ck_assert(ack[0].outcome == STORE_FAILED && ack[1].outcome == STORE_FAILED &&
              ack[2].outcome == STORE_FAILED);
    ck_assert(store->ops->connected(store));
    lab_do(&server, "CONFIG SET maxmemory 0");
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 1);
    ck_assert(store->ops->send(store, chunks, 3, ack, store_why));
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 2);
    store->ops->close(store);
}
END_TEST

START_TEST(one_refused_chunk_does_not_touch_the_others) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    const struct store_chunk chunks[] = {chunk_of(CHUNK - 1, 1), chunk_of(CHUNK, 1),
                                         chunk_of(CHUNK + 1, 1)};
    struct store_ack ack[3];
    lab_do(&server, "SET " KEY " text");
    ck_assert(!store->ops->send(store, chunks, 3, ack, store_why));
    ck_assert(ack[0].outcome == STORE_STORED && ack[1].outcome == STORE_FAILED &&
              ack[2].outcome == STORE_STORED);
    ck_assert_msg(strstr(store_why, "WRONGTYPE"), "%s", store_why);
    ck_assert(store->ops->connected(store));
    store->ops->close(store);
}
END_TEST

/* What connecting writes to the log. */
static void log_of_connecting(const char *at, char *log, size_t cap) {
    char path[LAB_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/log", server.dir);
    const int before = dup(STDERR_FILENO), file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    ck_assert(before >= 0 && file >= 0);
    dup2(file, STDERR_FILENO);
    struct store *store = driver_store(at, "n1", TIMEOUT_MS);
    const bool ok = store->ops->connect(store, store_why);
    dup2(before, STDERR_FILENO);
    close(before);
    const ssize_t n = pread(file, log, cap - 1, 0);
    log[n > 0 ? n : 0] = '\0';
    close(file);
    ck_assert_msg(ok, "%s", store_why);
    ck_assert_int_eq(send_count(store, 1), STORE_STORED);
    store->ops->close(store);
}

START_TEST(a_redis_that_may_evict_is_warned_of) {
    static const char *const policies[] = {"allkeys-lru", "volatile-ttl", "allkeys-random"};
    char log[2048], at[160];
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        lab_do(&server, "CONFIG SET maxmemory-policy %s", policies[i]);
        log_of_connecting(url, log, sizeof log);
        ck_assert_msg(strstr(log, "level=warn") && strstr(log, policies[i]) &&
                          strstr(log, "127.0.0.1:") && strstr(log, "maxmemory-policy noeviction"),
                      "%s", log);
    }
    lab_do(&server, "CONFIG SET maxmemory-policy noeviction");
    log_of_connecting(url, log, sizeof log);
    ck_assert_str_eq(log, "");
    /* who may not see it gets no warning */
    lab_do(&server, "ACL SETUSER bob on >pw ~* +@all -info");
    snprintf(at, sizeof at, "redis://bob:pw@127.0.0.1:%d", server.port);
    log_of_connecting(at, log, sizeof log);
    ck_assert_str_eq(log, "");
}
END_TEST

/* ---- a Redis that takes its time ---- */

START_TEST(a_redis_that_hangs_costs_one_time_out) {
    char holder[STORE_HOLDER_MAX];
    struct store *store = ready_store(url, "n1", SHORT_MS);
    ck_assert_uint_eq(had(store, 1), 0);
    lab_signal(&server, SIGSTOP);
    const int64_t before_ms = lab_now_ms();
    struct store_chunk chunks[10];
    struct store_ack ack[10];
    for (int i = 0; i < 10; i++) {
        chunks[i] = chunk_of(CHUNK + i, 2);
    }
    ck_assert(!store->ops->send(store, chunks, 10, ack, store_why));
    const int64_t took_ms = lab_now_ms() - before_ms;
    ck_assert(ack[0].outcome == STORE_FAILED && ack[9].outcome == STORE_FAILED);
    ck_assert_msg(took_ms >= SHORT_MS - 10 && took_ms < 5 * SHORT_MS, "%d ms", (int)took_ms);
    ck_assert(!store->ops->connected(store));
    ck_assert_msg(strstr(store_why, "no answer in time"), "%s", store_why);
    ck_assert(
        !store->ops->connect(store, store_why)); /* the kernel accepts, Redis does not answer */
    ck_assert_int_eq(lease(store, "me", holder), STORE_LEASE_FAILED);
    ck_assert_msg(strstr(store_why, "not connected"), "%s", store_why);
    lab_signal(&server, SIGCONT);
    ck_assert_msg(store->ops->connect(store, store_why), "%s", store_why);
    /* what it was sent while it hung counts once */
    ck_assert(store->ops->send(store, chunks, 2, ack, store_why));
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 2);
    store->ops->close(store);
}
END_TEST

/* A server that answers INFO, and then each second question with a byte every 0.3 s, for ever. */
struct drip {
    int listener, port;
    pthread_t thread;
};

static void *drip_run(void *cls) {
    const struct drip *drip = cls;
    const int fd = accept(drip->listener, NULL, NULL);
    char text[4096];
    if (fd >= 0 && recv(fd, text, sizeof text, 0) > 0 &&
        send(fd, "$-1\r\n", 5, MSG_NOSIGNAL) == 5 && recv(fd, text, sizeof text, 0) > 0) {
        static const char beginning[] = "$100\r\n";
        for (size_t i = 0; i < 100 && send(fd, i < 6 ? beginning + i : "x", 1, MSG_NOSIGNAL) == 1;
             i++) {
            lab_sleep_ms(300);
        }
    }
    close(fd);
    return NULL;
}

START_TEST(an_answer_that_drips_has_one_time_out) {
    enum { WAIT_MS = 1000 };
    struct drip drip = {.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    ck_assert(bind(drip.listener, (struct sockaddr *)&address, len) == 0 &&
              listen(drip.listener, 1) == 0 &&
              getsockname(drip.listener, (struct sockaddr *)&address, &len) == 0);
    ck_assert_int_eq(pthread_create(&drip.thread, NULL, drip_run, &drip), 0);
    char at[64];
    snprintf(at, sizeof at, "redis://127.0.0.1:%d", ntohs(address.sin_port));
    struct store *store = ready_store(at, "n1", WAIT_MS);
    const int64_t before_ms = lab_now_ms();
    ck_assert_int_eq(send_count(store, 1), STORE_FAILED);
    const int64_t took_ms = lab_now_ms() - before_ms;
    ck_assert_msg(strstr(store_why, "no answer in time"), "%s", store_why);
    /* of 30 s */
    ck_assert_msg(took_ms >= WAIT_MS - 10 && took_ms < 5 * WAIT_MS, "%d ms", (int)took_ms);
    ck_assert(!store->ops->connected(store));
    store->ops->close(store);
    pthread_join(drip.thread, NULL);
    close(drip.listener);
}
END_TEST

struct ender {
    struct store *store;
    int64_t at_ms;
};

static void *end_soon(void *cls) {
    struct ender *ender = cls;
    lab_sleep_ms(150);
    ender->at_ms = lab_now_ms();
    ender->store->ops->end_by(ender->store, ender->at_ms * US_PER_MS);
    return NULL;
}

/* How long after it was told to end a wait did end. */
static int64_t ends_after_ms(struct store *store) {
    struct ender ender = {.store = store};
    pthread_t thread;
    store->ops->end_by(store, INT64_MAX);
    lab_signal(&server, SIGCONT);
    ck_assert_msg(store->ops->connected(store) || store->ops->connect(store, store_why), "%s",
                  store_why);
    lab_signal(&server, SIGSTOP);
    ck_assert_int_eq(pthread_create(&thread, NULL, end_soon, &ender), 0);
    ck_assert_int_eq(send_count(store, 2), STORE_FAILED);
    const int64_t now_ms = lab_now_ms();
    pthread_join(thread, NULL);
    ck_assert_int_ge(now_ms, ender.at_ms); /* not before */
    return now_ms - ender.at_ms;
}

START_TEST(another_thread_ends_a_wait) {
    struct store *store = ready_store(url, "n1", 20000);
    int64_t best_ms = INT64_MAX;
    /* the machine may be late, the program not each time */
    for (int i = 0; i < 10 && best_ms > 200; i++) {
        const int64_t ms = ends_after_ms(store);
        best_ms = ms < best_ms ? ms : best_ms;
    }
    ck_assert_msg(best_ms <= 200, "%d ms", (int)best_ms);
    ck_assert(!store->ops->connect(store, store_why)); /* and nothing else is waited for */
    lab_signal(&server, SIGCONT);
    store->ops->end_by(store, INT64_MAX);
    ck_assert_msg(store->ops->connect(store, store_why), "%s", store_why);
    ck_assert_int_eq(send_count(store, 2), STORE_STORED);
    store->ops->close(store);
}
END_TEST

/* ---- a Redis that is gone ---- */

START_TEST(a_redis_that_dies_and_comes_back_empty) {
    char address[32];
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(had(store, 3), 0);
    lab_kill(&server);
    ck_assert_int_eq(send_count(store, 4), STORE_FAILED);
    ck_assert(!store->ops->connected(store));
    ck_assert(!store->ops->connect(store, store_why));
    snprintf(address, sizeof address, "127.0.0.1:%d", server.port);
    ck_assert_msg(strstr(store_why, address) && strstr(store_why, "refused"), "%s", store_why);
    ck_assert_int_eq(send_count(store, 4), STORE_FAILED);
    lab_restart(&server);
    ck_assert_msg(store->ops->connect(store, store_why), "%s", store_why);
    ck_assert_uint_eq(had(store, 4), 0);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 4);
    store->ops->close(store);
}
END_TEST

START_TEST(a_lost_reply_counts_once) {
    int port;
    char through[64];
    struct lab_proxy *proxy = lab_proxy_start(server.port, &port);
    snprintf(through, sizeof through, "redis://127.0.0.1:%d", port);
    struct store *store = ready_store(through, "n1", SHORT_MS);
    ck_assert_uint_eq(had(store, 2), 0);
    lab_proxy_lose_replies(proxy, true);
    ck_assert_int_eq(send_count(store, 10), STORE_FAILED);
    ck_assert(!store->ops->connected(store));
    /* it was counted, and we do not know */
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 10);
    lab_proxy_lose_replies(proxy, false);
    ck_assert_msg(store->ops->connect(store, store_why), "%s", store_why);
    ck_assert_uint_eq(had(store, 10), 10);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 10);
    store->ops->close(store);
    lab_proxy_stop(proxy);
}
END_TEST

START_TEST(a_master_that_was_demoted_is_left) {
    struct lab_server other;
    memset(&other, 0, sizeof other);
    lab_start(&other, NULL);
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(had(store, 1), 0);
    lab_do(&server, "REPLICAOF 127.0.0.1 %d", other.port);
    ck_assert_int_eq(send_count(store, 2), STORE_FAILED);
    ck_assert_msg(strstr(store_why, "READONLY") || strstr(store_why, "LOADING"), "%s", store_why);
    ck_assert(!store->ops->connected(store));
    store->ops->close(store);
    lab_kill(&other);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {out_of_memory_fails_and_heals_on_the_same_connection,
                                  one_refused_chunk_does_not_touch_the_others,
                                  a_redis_that_may_evict_is_warned_of,
                                  a_redis_that_hangs_costs_one_time_out,
                                  an_answer_that_drips_has_one_time_out,
                                  another_thread_ends_a_wait,
                                  a_redis_that_dies_and_comes_back_empty,
                                  a_lost_reply_counts_once,
                                  a_master_that_was_demoted_is_left};
    return one_server_run("redis/store_errors", tests, sizeof tests / sizeof *tests);
}
