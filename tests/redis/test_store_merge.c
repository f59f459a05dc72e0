/* What a merge makes of counts: totals are the sum of parts, whatever is sent, repeated or
 * refused. */
#include "redis/reader.h"
#include "redis/script.h"
#include "tests/redis/one_server.h"
#include "tests/unit/state_dir.h"

#include <check.h>
#include <string.h>

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
    ck_assert(one->ops->send(one, &other_window, 1, &ack, store_why));
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
                                         counts, store_why),
                      "%s", store_why);
        for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
            ck_assert_uint_eq(counts[slot], model->part[0][r][slot] + model->part[1][r][slot]);
        }
        for (model->node = 0; model->node < 2; model->node++) {
            struct store *of = store[model->node];
            model->parts = 0;
            ck_assert_msg(
                of->ops->read_back(of, (struct chunk_range){(enum resolution)r, 399999, 3},
                                   &(struct store_taker){compare_with_model, model}, store_why),
                "%s", store_why);
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
    ck_assert(redis_url_parse(url, &parsed, store_why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    ck_assert(link_connect(link, store_why));
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
        ck_assert_msg(store[node]->ops->send(store[node], &chunk, 1, &ack, store_why), "%s",
                      store_why);
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
    ck_assert(store->ops->send(store, &chunk, 1, &ack, store_why));
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
    ck_assert_msg(store->ops->send(store, chunks, STORE_SEND_MAX, ack, store_why), "%s", store_why);
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

/* Redis keeps what a script wrote before it failed: repeated, that would count twice. */
START_TEST(a_merge_that_fails_has_changed_nothing) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    const struct store_chunk chunk = {
        .place = {RESOLUTION_10MS, CHUNK}, .n = 3, .slot = {1, 2, 3}, .count = {10, 20, 30}};
    struct store_ack ack;
    lab_do(&server, "HSET " KEY " 02 x");
    for (int i = 0; i < 3; i++) {
        ck_assert(!store->ops->send(store, &chunk, 1, &ack, store_why));
        ck_assert_int_eq(ack.outcome, STORE_FAILED);
        ck_assert_msg(strstr(store_why, "field 02 of " KEY), "%s", store_why);
        ck_assert_int_eq(lab_number(&server, "HLEN " KEY), 1);
        ck_assert_int_eq(lab_number(&server, "TTL " KEY), -1);
    }
    lab_do(&server, "HDEL " KEY " 02");
    ck_assert(store->ops->send(store, &chunk, 1, &ack, store_why));
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
                                           holder, store_why),
                         i == 1 ? STORE_LEASE_TAKEN : STORE_LEASE_KEPT);
        ck_assert_msg(store->ops->tell_loss(store, &number, store_why), "%s", store_why);
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

int main(void) {
    const TTest *const tests[] = {two_nodes_add_up_and_repeats_change_nothing,
                                  totals_are_the_sum_of_parts_whatever_comes,
                                  a_part_s_values_widen_as_they_grow,
                                  a_full_pipeline_of_full_chunks,
                                  counts_are_exact_up_to_2_53,
                                  a_merge_that_fails_has_changed_nothing,
                                  a_forgotten_script_is_sent_again};
    return one_server_run("redis/store_merge", tests, sizeof tests / sizeof *tests);
}
