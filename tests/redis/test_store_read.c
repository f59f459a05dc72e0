/* Reading: what a node reads back of its own, and what a reader sees of all nodes' totals. */
#include "redis/reader.h"
#include "tests/redis/driver.h"
#include "tests/redis/one_server.h"

#include <check.h>
#include <string.h>

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
                                         &(struct store_taker){never, NULL}, store_why));
        ck_assert_msg(strstr(store_why, KEY) && strstr(store_why, "not a node's part"), "%s",
                      store_why);
        const struct store_place place = {RESOLUTION_10MS, CHUNK};
        uint64_t sum;
        ck_assert(!store->ops->sums(store, &(struct store_sums){&place, 1, &sum, NULL}, store_why));
        ck_assert_msg(strstr(store_why, KEY), "%s", store_why);
        ck_assert(store->ops->connected(store));
        if (!bad[i].merges) {
            ck_assert_int_eq(send_count(store, 9), STORE_FAILED);
            ck_assert_msg(strstr(store_why, "n:n1 of " KEY), "%s", store_why);
            ck_assert_int_eq(lab_number(&server, "HGET " KEY " 07"), 3);
            ck_assert_int_eq(lab_number(&server, "HSTRLEN " KEY " n:n1"), (long long)bad[i].len);
        }
    }
    lab_do(&server, "SET " KEY " 1");
    ck_assert(!store->ops->read_back(store, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1},
                                     &(struct store_taker){never, NULL}, store_why));
    ck_assert_msg(strstr(store_why, KEY) && strstr(store_why, "WRONGTYPE"), "%s", store_why);
    store->ops->close(store);
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
    ck_assert(store->ops->send(store, chunks, 2, ack, store_why));
    store->ops->close(store);
    ck_assert(redis_url_parse(url, &parsed, store_why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    /* not connected */
    ck_assert(!reader_read_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, N}, counts,
                                  store_why));
    ck_assert(link_connect(link, store_why));
    memset(counts, 0xff, sizeof counts);
    ck_assert(reader_read_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, N}, counts,
                                 store_why));
    ck_assert(reader_find_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, N}, exists,
                                 store_why));
    for (int i = 0; i < N * 100; i++) {
        ck_assert_uint_eq(counts[i], i == 7 ? 3 : i == 599 * 100 + 7 ? 4 : 0);
    }
    for (int i = 0; i < N; i++) {
        ck_assert(exists[i] == (i == 0 || i == 599));
    }
    lab_do(&server, "HSET " KEY " 08 many");
    ck_assert(!reader_read_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK - 1, 3}, counts,
                                  store_why));
    ck_assert_msg(strstr(store_why, KEY), "%s", store_why);
    ck_assert(reader_find_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1}, exists,
                                 store_why)); /* still in step */
    link_free(link);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {what_was_sent_is_read_back,
                                  a_part_that_is_garbage_is_an_error_with_its_key,
                                  a_reader_sees_totals_and_which_chunks_there_are};
    return one_server_run("redis/store_read", tests, sizeof tests / sizeof *tests);
}
