/* The store and one real Redis: what it promises when all is well, and when Redis forgets, refuses,
 * hangs or dies. */
#include "redis/part.h"
#include "redis/reader.h"
#include "redis/schema.h"
#include "redis/script.h"
#include "tests/redis/driver.h"
#include "tests/redis/lab.h"
#include "tests/unit/state_dir.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK INT64_C(1795000000) /* a second: 2026-11-18T11:06:40 */
#define KEY "aforo:2:{10ms:2026-11-18T11:06:40}"
#define TIMEOUT_MS 5000
#define SHORT_MS 300
#define HOUR_S 3600

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

static struct store *connected(struct store *store) {
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
    ck_assert(store->ops->connected(store));
    return store;
}

static struct store *ready_store(const char *at, const char *node, int64_t timeout_ms) {
    return connected(driver_store(at, node, timeout_ms));
}

/* The same with an owner, a time to live of 10 ms windows, and a horizon. */
static struct store *store_of(const char *node, const char *owner, int64_t ttl_s,
                              int64_t horizon_s) {
    const struct store_redis_config config = {.url = url,
                                              .node_id = node,
                                              .owner = owner,
                                              .ttl_s = {ttl_s, 60, 60},
                                              .horizon_s = horizon_s,
                                              .timeout_ms = TIMEOUT_MS};
    struct store *store = store_redis_new(&config, why);
    ck_assert_msg(store != NULL, "%s", why);
    return connected(store);
}

/* One chunk with one window in slot 7. */
static struct store_chunk chunk_of(int64_t chunk, uint64_t count) {
    return (struct store_chunk){
        .place = {RESOLUTION_10MS, chunk}, .n = 1, .slot = {7}, .count = {count}};
}

/* Sends what is there and what is to be; the outcome. */
static struct store_ack send_from(struct store *store, uint64_t there, uint64_t count) {
    struct store_chunk chunk = chunk_of(CHUNK, count);
    struct store_ack ack = {STORE_CLOSED, 99};
    chunk.there = there;
    const bool ok = store->ops->send(store, &chunk, 1, &ack, why);
    ck_assert(ok == (ack.outcome != STORE_FAILED));
    return ack;
}

static enum store_outcome send_count(struct store *store, uint64_t count) {
    return send_from(store, 0, count).outcome;
}

/* What the part had before. */
static uint64_t had(struct store *store, uint64_t count) {
    const struct store_ack ack = send_from(store, 0, count);
    ck_assert_int_eq(ack.outcome, STORE_STORED);
    return ack.had;
}

static uint64_t sum_of(struct store *store, int64_t chunk) {
    const struct store_place place = {RESOLUTION_10MS, chunk};
    uint64_t sum = 4711;
    ck_assert_msg(store->ops->sums(store, &(struct store_sums){&place, 1, &sum, NULL}, why), "%s",
                  why);
    return sum;
}

static int64_t wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

/* ---- totals and parts ---- */

START_TEST(two_nodes_add_up_and_repeats_change_nothing) {
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    ck_assert_uint_eq(had(one, 5), 0);
    ck_assert_uint_eq(had(two, 30), 0);
    ck_assert_uint_eq(had(one, 7), 5);
    ck_assert_uint_eq(had(one, 7), 7);
    ck_assert_uint_eq(had(one, 6), 7); /* late, out of order: counts only grow */
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 37);
    ck_assert_uint_eq(sum_of(one, CHUNK), 7);
    ck_assert_uint_eq(sum_of(two, CHUNK), 30);
    ck_assert_int_eq(lab_number(&server, "HLEN " KEY), 4); /* a total, two parts, until */
    const struct store_chunk other_window = {
        .place = {RESOLUTION_10MS, CHUNK}, .there = 7, .n = 1, .slot = {8}, .count = {1}};
    struct store_ack ack;
    ck_assert(one->ops->send(one, &other_window, 1, &ack, why));
    /* of the whole chunk, not of this window of it */
    ck_assert(ack.outcome == STORE_STORED && ack.had == 7);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 08"), 1);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 37);
    ck_assert_uint_eq(sum_of(one, CHUNK), 8);
    ck_assert_int_eq(lab_number(&server, "DBSIZE"), 1); /* one key a chunk */
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

/* What a part and the totals must be, kept in the plainest way. */
struct model {
    uint64_t part[2][RESOLUTIONS][SLOTS_MAX];
    unsigned node;
    unsigned parts;
};

static void compare_with_model(void *cls, const struct store_part *part) {
    struct model *model = cls;
    const enum resolution r = part->place.resolution;
    uint64_t sum = 0;
    model->parts++;
    for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
        ck_assert_uint_eq(part->count[slot], model->part[model->node][r][slot]);
        sum += model->part[model->node][r][slot];
    }
    ck_assert_uint_eq(part->sum, sum);
}

static void check_model(struct model *model, struct store *const *store, struct link *link) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        uint64_t counts[SLOTS_MAX];
        ck_assert_msg(reader_read_totals(link, (struct chunk_range){(enum resolution)r, 400000, 1},
                                         counts, why),
                      "%s", why);
        for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
            ck_assert_uint_eq(counts[slot], model->part[0][r][slot] + model->part[1][r][slot]);
        }
        for (model->node = 0; model->node < 2; model->node++) {
            struct store *of = store[model->node];
            model->parts = 0;
            ck_assert_msg(of->ops->read_back(of,
                                             (struct chunk_range){(enum resolution)r, 399999, 3},
                                             &(struct store_taker){compare_with_model, model}, why),
                          "%s", why);
            ck_assert_uint_le(model->parts, 1);
        }
    }
}

/* Windows of any number, order and size, by two nodes, some of them older than what was sent
 * before. */
START_TEST(totals_are_the_sum_of_parts_whatever_comes) {
    static struct model model;
    uint64_t random = 7;
    struct store *store[2] = {ready_store(url, "n1", TIMEOUT_MS),
                              ready_store(url, "n2", TIMEOUT_MS)};
    struct redis_url parsed;
    ck_assert(redis_url_parse(url, &parsed, why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    ck_assert(link_connect(link, why));
    for (int round = 0; round < 1500; round++) {
        const unsigned node = next_random(&random) % 2;
        const enum resolution r = (enum resolution)(next_random(&random) % RESOLUTIONS);
        const uint32_t slots = resolution_table[r].slots,
                       bits = (uint32_t)(next_random(&random) % 46) + 1;
        struct store_chunk chunk = {.place = {r, 400000},
                                    .n = 1 + (uint32_t)(next_random(&random) % slots)};
        uint64_t before = 0;
        for (uint32_t slot = 0; slot < slots; slot++) {
            before += model.part[node][r][slot];
        }
        const uint32_t first = (uint32_t)(next_random(&random) % slots);
        for (uint32_t i = 0; i < chunk.n; i++) { /* each slot once */
            uint64_t *known = &model.part[node][r][(first + i) % slots];
            chunk.slot[i] = (uint8_t)((first + i) % slots);
            chunk.count[i] = next_random(&random) % (UINT64_C(1) << bits);
            *known = chunk.count[i] > *known ? chunk.count[i] : *known;
        }
        struct store_ack ack;
        ck_assert_msg(store[node]->ops->send(store[node], &chunk, 1, &ack, why), "%s", why);
        ck_assert(ack.outcome == STORE_STORED && ack.had == before);
        if (round % 50 == 0) {
            check_model(&model, store, link);
        }
    }
    check_model(&model, store, link);
    link_free(link);
    store[0]->ops->close(store[0]);
    store[1]->ops->close(store[1]);
}
END_TEST

START_TEST(a_part_s_values_widen_as_they_grow) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    struct store_chunk chunk = {
        .place = {RESOLUTION_10MS, CHUNK}, .n = 1, .slot = {3}, .count = {200}};
    struct store_ack ack;
    /* stays as it is, however wide its neighbour gets */
    ck_assert(store->ops->send(store, &chunk, 1, &ack, why));
    uint64_t before = 0;
    for (int width = 1; width <= 7; width++) {
        const uint64_t most =
            width == 7 ? (UINT64_C(1) << 53) - 201 : (UINT64_C(1) << 8 * width) - 1;
        ck_assert_uint_eq(had(store, most), before + 200);
        /* slots 0 to 7 */
        ck_assert_int_eq(lab_number(&server, "HSTRLEN " KEY " n:n1"), 12 + 8 * width);
        ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), (long long)most);
        ck_assert_int_eq(lab_number(&server, "HGET " KEY " 03"), 200);
        ck_assert_uint_eq(sum_of(store, CHUNK), most + 200);
        before = most;
        if (width < 7) { /* the first value that needs a byte more */
            ck_assert_uint_eq(had(store, most + 1), before + 200);
            ck_assert_int_eq(lab_number(&server, "HSTRLEN " KEY " n:n1"), 12 + 8 * (width + 1));
            before = most + 1;
        }
    }
    store->ops->close(store);
}
END_TEST

START_TEST(a_full_pipeline_of_full_chunks) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    static struct store_chunk chunks[STORE_SEND_MAX];
    struct store_ack ack[STORE_SEND_MAX];
    for (int i = 0; i < STORE_SEND_MAX; i++) {
        chunks[i] = (struct store_chunk){.place = {RESOLUTION_10MS, CHUNK + i}, .n = SLOTS_MAX};
        for (int slot = 0; slot < SLOTS_MAX; slot++) {
            chunks[i].slot[slot] = (uint8_t)slot;
            chunks[i].count[slot] = (uint64_t)(i * 1000 + slot + 1);
        }
    }
    ck_assert_msg(store->ops->send(store, chunks, STORE_SEND_MAX, ack, why), "%s", why);
    for (int i = 0; i < STORE_SEND_MAX; i++) {
        ck_assert(ack[i].outcome == STORE_STORED && ack[i].had == 0);
        ck_assert_uint_eq(sum_of(store, CHUNK + i), (uint64_t)(i * 100000 + 5050));
    }
    ck_assert_int_eq(lab_number(&server, "DBSIZE"), STORE_SEND_MAX);
    ck_assert_int_eq(lab_number(&server, "HGET aforo:2:{10ms:2026-11-18T11:07:43} 99"), 63100);
    store->ops->close(store);
}
END_TEST

START_TEST(counts_are_exact_up_to_2_53) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(had(store, 1), 0);
    ck_assert_uint_eq(had(store, 100000000000001), 1); /* 1e14 as Lua would print it */
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 100000000000001);
    ck_assert_uint_eq(had(store, 9007199254740991), 100000000000001);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 9007199254740991);
    ck_assert_uint_eq(sum_of(store, CHUNK), 9007199254740991);
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
    ck_assert_uint_eq(driver.losses, 0);
    driver_end(&driver);
}
END_TEST

static void never(void *cls, const struct store_part *part) {
    (void)cls, (void)part;
    ck_abort_msg("a wrong part was passed on");
}

/* No part of a node, in any way: neither read nor merged into, and all stays as it was. */
START_TEST(a_part_that_is_garbage_is_an_error_with_its_key) {
    static const struct {
        const char *bytes;
        size_t len;
        bool merges; /* the script cannot tell */
    } bad[] = {{"", 0, false},
               {"x", 1, false},
               {"\1\0\0\0\0\0\0\0\0\0\0\0", 12, false},                  /* no value */
               {"\0\0\0\0\0\0\0\0\0\0\0\0\0", 13, false},                /* no width */
               {"\10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, false}, /* eight bytes wide */
               {"\2\0\0\0\0\1\0\0\0\0\0\0\1", 13, false},                /* half a value */
               {"\1\0\0\0\0\2\0\0\0\0\0\0\1", 13, true}}; /* a sum of something else */
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lab_do(&server, "DEL " KEY);
        lab_do(&server, "HSET " KEY " n:n1 %b until 1795100000 07 3", bad[i].bytes, bad[i].len);
        ck_assert(!store->ops->read_back(store, (struct chunk_range){RESOLUTION_10MS, CHUNK - 2, 5},
                                         &(struct store_taker){never, NULL}, why));
        ck_assert_msg(strstr(why, KEY) && strstr(why, "not a node's part"), "%s", why);
        const struct store_place place = {RESOLUTION_10MS, CHUNK};
        uint64_t sum;
        ck_assert(!store->ops->sums(store, &(struct store_sums){&place, 1, &sum, NULL}, why));
        ck_assert_msg(strstr(why, KEY), "%s", why);
        ck_assert(store->ops->connected(store));
        if (!bad[i].merges) {
            ck_assert_int_eq(send_count(store, 9), STORE_FAILED);
            ck_assert_msg(strstr(why, "n:n1 of " KEY), "%s", why);
            ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 3);
            ck_assert_int_eq(lab_number(&server, "HSTRLEN " KEY " n:n1"), (long long)bad[i].len);
        }
    }
    lab_do(&server, "SET " KEY " 1");
    ck_assert(!store->ops->read_back(store, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1},
                                     &(struct store_taker){never, NULL}, why));
    ck_assert_msg(strstr(why, KEY) && strstr(why, "WRONGTYPE"), "%s", why);
    store->ops->close(store);
}
END_TEST

/* Redis keeps what a script wrote before it failed: repeated, that would count twice. */
START_TEST(a_merge_that_fails_has_changed_nothing) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    const struct store_chunk chunk = {
        .place = {RESOLUTION_10MS, CHUNK}, .n = 3, .slot = {1, 2, 3}, .count = {10, 20, 30}};
    struct store_ack ack;
    lab_do(&server, "HSET " KEY " 02 x");
    for (int i = 0; i < 3; i++) {
        ck_assert(!store->ops->send(store, &chunk, 1, &ack, why));
        ck_assert_int_eq(ack.outcome, STORE_FAILED);
        ck_assert_msg(strstr(why, "field 02 of " KEY), "%s", why);
        ck_assert_int_eq(lab_number(&server, "HLEN " KEY), 1);
        ck_assert_int_eq(lab_number(&server, "TTL " KEY), -1);
    }
    lab_do(&server, "HDEL " KEY " 02");
    ck_assert(store->ops->send(store, &chunk, 1, &ack, why));
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 01"), 10);
    ck_assert_uint_eq(sum_of(store, CHUNK), 60);
    store->ops->close(store);
}
END_TEST

START_TEST(a_forgotten_script_is_sent_again) {
    char sha[64], holder[STORE_HOLDER_MAX];
    const struct script *const all[] = {&script_merge, &script_close, &script_final, &script_lease,
                                        &script_lost};
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    uint64_t number = 0;
    for (uint64_t i = 1; i < 4; i++) {
        ck_assert_uint_eq(had(store, i), i - 1);
        ck_assert_int_eq(store->ops->lease(store,
                                           &(const struct store_claim){.owner = "me", .dead = ""},
                                           holder, why),
                         i == 1 ? STORE_LEASE_TAKEN : STORE_LEASE_KEPT);
        ck_assert_msg(store->ops->tell_loss(store, &number, why), "%s", why);
        lab_do(&server, "SCRIPT FLUSH");
    }
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 3);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        lab_text(&server, sha, sizeof sha, "SCRIPT LOAD %s", all[i]->text);
        ck_assert_str_eq(sha, all[i]->sha);
    }
    store->ops->close(store);
}
END_TEST

/* The sum before is the acknowledgement: less than what was acknowledged is a loss. */
START_TEST(a_store_that_was_emptied_or_set_back_says_so) {
    char dump[4096];
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(sum_of(store, CHUNK), 0);
    ck_assert_uint_eq(had(store, 4), 0);
    redisReply *copy = lab_command(&server, "DUMP " KEY);
    ck_assert_uint_lt(copy->len, sizeof dump);
    ck_assert_uint_eq(had(store, 6), 4);
    lab_do(&server, "FLUSHALL");
    ck_assert_uint_eq(sum_of(store, CHUNK), 0);
    ck_assert_uint_eq(had(store, 7), 0);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 7);
    lab_do(&server, "RESTORE " KEY " 0 %b REPLACE", copy->str, (size_t)copy->len);
    freeReplyObject(copy);
    ck_assert_uint_eq(sum_of(store, CHUNK), 4);
    ck_assert_uint_eq(had(store, 8), 4);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 8);
    store->ops->close(store);
}
END_TEST

/* ---- how long a chunk lives ---- */

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
    ck_assert(store->ops->send(store, chunks, 2, ack, why));
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
    ck_assert(store->ops->send(store, chunks, 3, ack, why));
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

/* ---- one node, one name ---- */

/* A server that lost the lease and does not know yet must not add to what its copy wrote, nor the
 * other way round. */
START_TEST(another_owner_is_kept_out_unless_all_is_as_it_thinks) {
    struct store *one = store_of("n1", "machine:1", 7200, 3600),
                 *two = store_of("n1", "machine:2", 7200, 3600);
    ck_assert_uint_eq(had(one, 10), 0);
    ck_assert_int_eq(send_from(two, 0, 12).outcome, STORE_FOREIGN); /* it knows of nothing here */
    ck_assert_int_eq(send_from(two, 9, 12).outcome, STORE_FOREIGN);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 10);
    ck_assert_uint_eq(sum_of(one, CHUNK), 10);
    const struct store_ack adopted = send_from(two, 10, 12); /* it has read it back */
    ck_assert(adopted.outcome == STORE_STORED && adopted.had == 10);
    /* now the first one is the other */
    ck_assert_int_eq(send_from(one, 10, 13).outcome, STORE_FOREIGN);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 12);
    ck_assert_uint_eq(had(two, 13), 12); /* its own: whatever it thinks, its values only grow */
    const struct store_ack as_it_is = send_from(one, 13, 13); /* adopted with nothing new, too */
    ck_assert(as_it_is.outcome == STORE_STORED && as_it_is.had == 13);
    ck_assert_int_eq(send_from(two, 12, 20).outcome, STORE_FOREIGN);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 13);
    lab_do(&server, "FLUSHALL"); /* nothing here is nobody's */
    ck_assert_uint_eq(had(two, 20), 0);
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

static void keep_part(void *cls, const struct store_part *part) {
    *(struct store_part *)cls = *part;
}

static struct store_part part_of_chunk(struct store *store) {
    struct store_part part = {0};
    ck_assert_msg(store->ops->read_back(store, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1},
                                        &(struct store_taker){keep_part, &part}, why),
                  "%s", why);
    return part;
}

/* Whoever was replaced learns how much of its own came with the part. */
START_TEST(what_an_owner_left_is_kept_beside_the_part) {
    struct store *one = store_of("n1", "machine:1", 7200, 3600),
                 *two = store_of("n1", "machine:2", 7200, 3600);
    ck_assert_uint_eq(had(one, 10), 0);
    struct store_part part = part_of_chunk(one);
    ck_assert(part.ours_known && part.ours_only && part.ours[7] == 10);
    part = part_of_chunk(two);
    ck_assert(!part.ours_known && part.count[7] == 10);
    ck_assert_int_eq(send_from(two, 10, 12).outcome, STORE_STORED);
    ck_assert_uint_eq(had(two, 15), 12);
    part = part_of_chunk(one);
    ck_assert(part.ours_known && !part.ours_only && part.ours[7] == 10 && part.count[7] == 15);
    ck_assert_int_eq(send_from(one, 15, 16).outcome, STORE_STORED);
    ck_assert_int_eq(send_from(two, 16, 18).outcome, STORE_STORED);
    part = part_of_chunk(one);
    ck_assert(part.ours_known && part.ours[7] == 16); /* the last time that it was replaced */
    part = part_of_chunk(two);
    ck_assert(part.ours_only && part.ours[7] == 18);
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

static enum store_lease lease(struct store *store, const char *owner,
                              char holder[STORE_HOLDER_MAX]) {
    *why = *holder = '\0';
    return store->ops->lease(store, &(const struct store_claim){.owner = owner, .dead = ""}, holder,
                             why);
}

/* The same by somebody who has seen another one hold it. */
static enum store_lease wait_for_lease(struct store *store, const char *owner,
                                       char holder[STORE_HOLDER_MAX]) {
    const struct store_claim claim = {.owner = owner, .waiting = true, .dead = ""};
    *why = *holder = '\0';
    return store->ops->lease(store, &claim, holder, why);
}

START_TEST(a_lease_is_taken_kept_held_and_given_back) {
    char holder[STORE_HOLDER_MAX], later[STORE_HOLDER_MAX];
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_int_eq(lease(one, "boot:1:2", holder), STORE_LEASE_TAKEN);
    ck_assert_int_eq(lease(one, "boot:1:2", holder), STORE_LEASE_KEPT);
    const long long ms = lab_number(&server, "PTTL aforo:2:{node:n1}");
    ck_assert(ms > STORE_LEASE_MS / 2 && ms <= STORE_LEASE_MS);
    ck_assert_int_eq(lease(two, "boot:1:3", holder), STORE_LEASE_HELD);
    ck_assert_ptr_nonnull(strstr(holder, "boot:1:2"));
    ck_assert_int_eq(lease(two, "boot:1:3", later), STORE_LEASE_HELD);
    ck_assert_str_eq(holder, later); /* not renewed in between: it may be dead */
    ck_assert_int_eq(lease(one, "boot:1:2", later), STORE_LEASE_KEPT);
    ck_assert_int_eq(lease(two, "boot:1:3", later), STORE_LEASE_HELD);
    ck_assert_str_ne(holder, later);    /* it lives */
    two->ops->release(two, "boot:1:3"); /* not its own: nothing happens */
    ck_assert_int_eq(lease(one, "boot:1:2", holder), STORE_LEASE_KEPT);
    one->ops->release(one, "boot:1:2");
    ck_assert_int_eq(wait_for_lease(two, "boot:1:3", holder), STORE_LEASE_TAKEN);
    lab_do(&server, "PEXPIRE aforo:2:{node:n1} 1");
    lab_sleep_ms(20);
    /* gone without a word: not for who waits, and for its owner as if nothing was */
    ck_assert_int_eq(wait_for_lease(one, "boot:1:2", holder), STORE_LEASE_HELD);
    ck_assert_str_eq(holder, "");
    ck_assert_int_eq(lease(one, "boot:1:2", holder), STORE_LEASE_TAKEN);
    one->ops->rename(one, "n1.copy"); /* another name, another lease */
    ck_assert_int_eq(lease(one, "boot:1:2", holder), STORE_LEASE_TAKEN);
    ck_assert_int_eq(lab_number(&server, "EXISTS aforo:2:{node:n1} aforo:2:{node:n1.copy}"), 2);
    lab_do(&server, "DEL aforo:2:{node:n1.copy}");
    lab_do(&server, "RPUSH aforo:2:{node:n1.copy} x");
    ck_assert_int_eq(lease(one, "boot:1:2", holder), STORE_LEASE_FAILED);
    ck_assert_msg(strstr(why, "aforo:2:{node:n1.copy}") && strstr(why, "WRONGTYPE"), "%s", why);
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

START_TEST(after_a_rename_parts_are_the_new_name_s) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(had(store, 5), 0);
    store->ops->rename(store, "n1.0123abcd");
    ck_assert_uint_eq(sum_of(store, CHUNK), 0);
    ck_assert_uint_eq(had(store, 2), 0);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 7);
    ck_assert_int_eq(lab_number(&server, "HEXISTS " KEY " n:n1.0123abcd"), 1);
    store->ops->close(store);
}
END_TEST

static bool lost(struct store *store, bool tell, uint64_t *number) {
    return tell ? store->ops->tell_loss(store, number, why)
                : store->ops->sums(store, &(struct store_sums){NULL, 0, NULL, number}, why);
}

/* Told once, however many notice it. */
START_TEST(a_loss_is_told_by_who_finds_it_first) {
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    uint64_t ones = 9, twos = 9;
    ck_assert(lost(one, false, &ones) && lost(two, false, &twos));
    ck_assert(ones == 0 && twos == 0);
    ck_assert(lost(one, true, &ones));
    ck_assert_uint_ne(ones, 0);
    const uint64_t first = ones;
    ck_assert(lost(two, true, &twos)); /* has not heard of it: it is the same loss */
    ck_assert_uint_eq(twos, first);
    ck_assert(lost(two, true, &twos)); /* knows of that one: it is another */
    ck_assert_uint_ne(twos, first);
    ck_assert(lost(one, false, &ones));
    ck_assert_uint_eq(ones, twos);
    ck_assert_int_eq(lab_number(&server, "TTL " SCHEMA_LOST_KEY), -1);
    /* gone with everything else, and told of: never a number that a quiet node knows already */
    for (int i = 0; i < 3; i++) {
        lab_do(&server, "FLUSHALL");
        ones = 0;
        ck_assert(lost(one, true, &ones));
        ck_assert(ones != twos && ones != first);
        ck_assert(lost(two, false, &twos));
        ck_assert_uint_eq(ones, twos);
    }
    lab_do(&server, "SET " SCHEMA_LOST_KEY " 9007199254740000"); /* a clock that was ahead */
    ck_assert(lost(one, false, &ones) && lost(one, true, &ones));
    ck_assert_uint_eq(ones, 9007199254740001);
    twos = ones;
    lab_do(&server, "SET " SCHEMA_LOST_KEY " many");
    ck_assert(!lost(one, false, &ones));
    ck_assert_msg(strstr(why, SCHEMA_LOST_KEY) && strstr(why, "no number"), "%s", why);
    ck_assert_uint_eq(ones, twos); /* as it was */
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

/* ---- closing ---- */

/* the last hour that is over for good */
#define CLOSABLE (schema_closable_hour(wall_us() / US_PER_S))

static void close_old(struct store *store, int64_t now_us, int64_t *ahead_us) {
    ck_assert_msg(store->ops->close_old(store, now_us, ahead_us, why), "%s", why);
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
    ck_assert_msg(store->ops->send(store, chunks, RESOLUTIONS, ack, why), "%s", why);
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
    ck_assert(redis_url_parse(url, &parsed, why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    ck_assert(link_connect(link, why));
    /* as ever */
    ck_assert_msg(
        reader_read_totals(link, (struct chunk_range){RESOLUTION_1MIN, hour, 1}, counts, why), "%s",
        why);
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
    ck_assert(!one->ops->close_old(one, wall_us(), &ahead_us, why));
    ck_assert_msg(strstr(why, SCHEMA_FINAL_KEY) && strstr(why, "no hour"), "%s", why);
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
    ck_assert(!store->ops->close_old(store, wall_us(), &ahead_us, why));
    ck_assert_msg(strstr(why, key) && strstr(why, "WRONGTYPE"), "%s, not %s", why, key);
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

/* ---- a Redis that refuses ---- */

START_TEST(out_of_memory_fails_and_heals_on_the_same_connection) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(had(store, 1), 0);
    lab_do(&server, "CONFIG SET maxmemory 1");
    const struct store_chunk chunks[] = {chunk_of(CHUNK, 2), chunk_of(CHUNK + 1, 2),
                                         chunk_of(CHUNK + 2, 2)};
    struct store_ack ack[3];
    ck_assert(!store->ops->send(store, chunks, 3, ack, why));
    ck_assert_msg(strstr(why, "OOM"), "%s", why);
    ck_assert(ack[0].outcome == STORE_FAILED && ack[1].outcome == STORE_FAILED &&
              ack[2].outcome == STORE_FAILED);
    ck_assert(store->ops->connected(store));
    lab_do(&server, "CONFIG SET maxmemory 0");
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 1);
    ck_assert(store->ops->send(store, chunks, 3, ack, why));
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
    ck_assert(!store->ops->send(store, chunks, 3, ack, why));
    ck_assert(ack[0].outcome == STORE_STORED && ack[1].outcome == STORE_FAILED &&
              ack[2].outcome == STORE_STORED);
    ck_assert_msg(strstr(why, "WRONGTYPE"), "%s", why);
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
    const bool ok = store->ops->connect(store, why);
    dup2(before, STDERR_FILENO);
    close(before);
    const ssize_t n = pread(file, log, cap - 1, 0);
    log[n > 0 ? n : 0] = '\0';
    close(file);
    ck_assert_msg(ok, "%s", why);
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
    const struct store_chunk chunks[] = {chunk_of(CHUNK, 2), chunk_of(CHUNK + 1, 2)};
    struct store_ack ack[2];
    ck_assert(!store->ops->send(store, chunks, 2, ack, why));
    const int64_t took_ms = lab_now_ms() - before_ms;
    ck_assert(ack[0].outcome == STORE_FAILED && ack[1].outcome == STORE_FAILED);
    ck_assert_msg(took_ms >= SHORT_MS - 10 && took_ms < 5 * SHORT_MS, "%d ms", (int)took_ms);
    ck_assert(!store->ops->connected(store));
    ck_assert_msg(strstr(why, "no answer in time"), "%s", why);
    ck_assert(!store->ops->connect(store, why)); /* the kernel accepts, Redis does not answer */
    ck_assert_int_eq(lease(store, "me", holder), STORE_LEASE_FAILED);
    ck_assert_msg(strstr(why, "not connected"), "%s", why);
    lab_signal(&server, SIGCONT);
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
    /* what it was sent while it hung counts once */
    ck_assert(store->ops->send(store, chunks, 2, ack, why));
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
    ck_assert_msg(strstr(why, "no answer in time"), "%s", why);
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
    ck_assert_msg(store->ops->connected(store) || store->ops->connect(store, why), "%s", why);
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
    ck_assert(!store->ops->connect(store, why)); /* and nothing else is waited for */
    lab_signal(&server, SIGCONT);
    store->ops->end_by(store, INT64_MAX);
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
    ck_assert_int_eq(send_count(store, 2), STORE_STORED);
    store->ops->close(store);
}
END_TEST

START_TEST(a_redis_that_dies_and_comes_back_empty) {
    char address[32];
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(had(store, 3), 0);
    lab_kill(&server);
    ck_assert_int_eq(send_count(store, 4), STORE_FAILED);
    ck_assert(!store->ops->connected(store));
    ck_assert(!store->ops->connect(store, why));
    snprintf(address, sizeof address, "127.0.0.1:%d", server.port);
    ck_assert_msg(strstr(why, address) && strstr(why, "refused"), "%s", why);
    ck_assert_int_eq(send_count(store, 4), STORE_FAILED);
    lab_restart(&server);
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
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
    ck_assert_msg(store->ops->connect(store, why), "%s", why);
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
    must_not_connect(url, "AFORO_REDIS_PASSWORD_FILE"); /* the sentence says what to set */
    must_not_connect(url, "redis://:PASSWORD@HOST");
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
    ck_assert_uint_eq(had(store, 1), 0);
    store->ops->close(store);
    unsetenv("AFORO_REDIS_PASSWORD_FILE");
}
END_TEST

/* All that the server and the console do. False: something was refused. */
static bool do_everything(const char *at) {
    struct store *store = driver_store(at, "n1", TIMEOUT_MS);
    char holder[STORE_HOLDER_MAX];
    struct store_part part;
    struct store_ack ack;
    const struct store_chunk chunk = chunk_of(CHUNK, 5), grown = chunk_of(CHUNK, 6);
    struct redis_url parsed;
    uint64_t number = 0, sum, counts[SLOTS_MAX];
    int64_t ahead_us;
    bool exists;
    lab_do(&server, "FLUSHALL");
    lab_do(&server, "SET " SCHEMA_FINAL_KEY " %lld", (long long)CLOSABLE);
    lab_do(&server, "HSET aforo:2:{1min:2026-11-18T11} until 1 07 1");
    ck_assert(redis_url_parse(at, &parsed, why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    struct store_chunk over = {
        .place = {RESOLUTION_1MIN, CLOSABLE}, .n = 1, .slot = {1}, .count = {1}};
    bool ok = store->ops->connect(store, why) &&
              store->ops->lease(store, &(const struct store_claim){.owner = "me", .dead = ""},
                                holder, why) == STORE_LEASE_TAKEN &&
              store->ops->read_back(store, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1},
                                    &(struct store_taker){never, &part}, why) &&
              store->ops->send(store, &chunk, 1, &ack, why) &&
              store->ops->send(store, &over, 1, &ack, why);
    if (ok) { /* sent again by one who wants it to live longer, as after a change of the options */
        lab_do(&server, "EXPIRE " KEY " 100");
    }
    ok = ok && store->ops->send(store, &grown, 1, &ack, why) &&
         store->ops->sums(store, &(struct store_sums){&grown.place, 1, &sum, NULL}, why) &&
         store->ops->sums(store, &(struct store_sums){NULL, 0, NULL, &number}, why) &&
         store->ops->tell_loss(store, &number, why) &&
         store->ops->close_old(store, wall_us(), &ahead_us, why);
    store->ops->release(store, "me");
    ok = ok && lab_number(&server, "STRLEN aforo:2:{node:n1}") == sizeof "released" - 1 &&
         link_connect(link, why) &&
         reader_read_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1}, counts, why) &&
         counts[7] == 6 &&
         reader_find_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1}, &exists, why) &&
         exists;
    link_free(link);
    store->ops->close(store);
    return ok;
}

/* The rights as docs/redis.md names them, in that order. */
static void must_be_documented(const char *const *least, size_t n) {
    static char page[1 << 16];
    char rights[512] = "+eval +evalsha \\\n        ", *end = rights + strlen(rights);
    for (size_t i = 2; i < n; i++) {
        end += snprintf(end, sizeof rights - (size_t)(end - rights), "%s+%s", i == 2 ? "" : " ",
                        least[i]);
    }
    FILE *file = fopen(AFORO_DOCS "/redis.md", "r");
    ck_assert_ptr_nonnull(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    ck_assert_msg(strstr(page, rights), "not in docs/redis.md: %s", rights);
}

/* Enough, and each of them needed. */
START_TEST(the_least_rights_of_a_user) {
    static const char *const least[] = {"eval",   "evalsha", "hmget",   "hset", "ttl",
                                        "expire", "pttl",    "pexpire", "del",  "get",
                                        "set",    "time",    "exists"};
    const size_t n = sizeof least / sizeof least[0];
    char at[160], rules[512];
    snprintf(at, sizeof at, "redis://bob:hob@127.0.0.1:%d", server.port);
    must_be_documented(least, n);
    for (size_t missing = 0; missing <= n; missing++) {
        lab_do(&server, "ACL SETUSER bob reset on >hob ~aforo:* +@connection +info");
        for (size_t i = 0; i < n; i++) {
            if (i != missing) {
                snprintf(rules, sizeof rules, "ACL SETUSER bob +%s", least[i]);
                lab_do(&server, rules);
            }
        }
        lab_do(&server, "SCRIPT FLUSH");
        ck_assert_msg(do_everything(at) == (missing == n), "without %s: %s",
                      missing < n ? least[missing] : "nothing", why);
    }
    /* the console alone */
    lab_do(&server, "ACL SETUSER bob reset on >hob ~aforo:* +@connection +hmget +exists");
    struct redis_url parsed;
    uint64_t counts[SLOTS_MAX];
    bool exists;
    ck_assert(redis_url_parse(at, &parsed, why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    ck_assert_msg(
        link_connect(link, why) &&
            reader_read_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1}, counts,
                               why) &&
            reader_find_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1}, &exists, why),
        "%s", why);
    link_free(link);
}
END_TEST

START_TEST(a_database_by_its_number_and_a_unix_socket) {
    char at[LAB_PATH_MAX + 32];
    snprintf(at, sizeof at, "%s/3", url);
    struct store *store = ready_store(at, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(had(store, 8), 0);
    store->ops->close(store);
    ck_assert_int_eq(lab_number(&server, "EXISTS " KEY), 0);
    lab_do(&server, "SELECT 3");
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 8);
    snprintf(at, sizeof at, "unix://%s/socket?db=3", server.dir);
    store = ready_store(at, "n1", TIMEOUT_MS);
    ck_assert_uint_eq(had(store, 9), 8);
    ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 9);
    store->ops->close(store);
    snprintf(at, sizeof at, "%s/99", url);
    must_not_connect(at, "out of range");
}
END_TEST

START_TEST(a_reader_sees_totals_and_which_chunks_there_are) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    const struct store_chunk chunks[] = {chunk_of(CHUNK, 3), chunk_of(CHUNK + 599, 4)};
    struct store_ack ack[2];
    enum { N = 600 };
    static uint64_t counts[N * 100];
    bool exists[N];
    struct redis_url parsed;
    ck_assert(store->ops->send(store, chunks, 2, ack, why));
    store->ops->close(store);
    ck_assert(redis_url_parse(url, &parsed, why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    /* not connected */
    ck_assert(
        !reader_read_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, N}, counts, why));
    ck_assert(link_connect(link, why));
    memset(counts, 0xff, sizeof counts);
    ck_assert(
        reader_read_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, N}, counts, why));
    ck_assert(
        reader_find_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, N}, exists, why));
    for (int i = 0; i < N * 100; i++) {
        ck_assert_uint_eq(counts[i], i == 7 ? 3 : i == 599 * 100 + 7 ? 4 : 0);
    }
    for (int i = 0; i < N; i++) {
        ck_assert(exists[i] == (i == 0 || i == 599));
    }
    lab_do(&server, "HSET " KEY " 08 many");
    ck_assert(!reader_read_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK - 1, 3}, counts,
                                  why));
    ck_assert_msg(strstr(why, KEY), "%s", why);
    ck_assert(reader_find_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1}, exists,
                                 why)); /* still in step */
    link_free(link);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("redis/store");
    TCase *tcase = tcase_create("store");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, two_nodes_add_up_and_repeats_change_nothing);
    tcase_add_test(tcase, totals_are_the_sum_of_parts_whatever_comes);
    tcase_add_test(tcase, a_part_s_values_widen_as_they_grow);
    tcase_add_test(tcase, a_full_pipeline_of_full_chunks);
    tcase_add_test(tcase, counts_are_exact_up_to_2_53);
    tcase_add_test(tcase, what_was_sent_is_read_back);
    tcase_add_test(tcase, a_part_that_is_garbage_is_an_error_with_its_key);
    tcase_add_test(tcase, a_merge_that_fails_has_changed_nothing);
    tcase_add_test(tcase, a_forgotten_script_is_sent_again);
    tcase_add_test(tcase, a_store_that_was_emptied_or_set_back_says_so);
    tcase_add_test(tcase, a_chunk_outlives_the_horizon);
    tcase_add_test(tcase, the_time_to_live_is_never_shortened);
    tcase_add_test(tcase, until_is_the_same_for_all_and_never_lowered);
    tcase_add_test(tcase, another_owner_is_kept_out_unless_all_is_as_it_thinks);
    tcase_add_test(tcase, what_an_owner_left_is_kept_beside_the_part);
    tcase_add_test(tcase, a_lease_is_taken_kept_held_and_given_back);
    tcase_add_test(tcase, after_a_rename_parts_are_the_new_name_s);
    tcase_add_test(tcase, a_loss_is_told_by_who_finds_it_first);
    tcase_add_test(tcase, chunks_whose_time_is_over_are_closed);
    tcase_add_test(tcase, nobody_noted_yet_how_far_closing_is);
    tcase_add_test(tcase, a_clock_that_is_off_closes_nothing);
    tcase_add_test(tcase, a_chunk_is_closed_by_both_clocks);
    tcase_add_test(tcase, a_key_of_another_program_is_named_and_not_closed);
    tcase_add_test(tcase, a_closing_that_is_refused_has_changed_nothing);
    tcase_add_test(tcase, out_of_memory_fails_and_heals_on_the_same_connection);
    tcase_add_test(tcase, one_refused_chunk_does_not_touch_the_others);
    tcase_add_test(tcase, a_redis_that_may_evict_is_warned_of);
    tcase_add_test(tcase, a_redis_that_hangs_costs_one_time_out);
    tcase_add_test(tcase, an_answer_that_drips_has_one_time_out);
    tcase_add_test(tcase, another_thread_ends_a_wait);
    tcase_add_test(tcase, a_redis_that_dies_and_comes_back_empty);
    tcase_add_test(tcase, a_lost_reply_counts_once);
    tcase_add_test(tcase, a_master_that_was_demoted_is_left);
    tcase_add_test(tcase, passwords_from_the_url_a_user_the_environment_and_a_file);
    tcase_add_test(tcase, the_least_rights_of_a_user);
    tcase_add_test(tcase, a_database_by_its_number_and_a_unix_socket);
    tcase_add_test(tcase, a_reader_sees_totals_and_which_chunks_there_are);
    suite_add_tcase(suite, tcase);
    return lab_run(suite);
}
