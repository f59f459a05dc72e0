/* What rows.lua makes of nodes' rows: totals are the sum of parts, whatever is sent, repeated or
 * refused. */
#include "redis/script.h"
#include "tests/redis/rows_lab.h"
#include "tests/unit/state_dir.h"

#include <stdlib.h>

START_TEST(two_nodes_add_up_and_repeats_change_nothing) {
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    struct plain_row row;
    make_row(&row, "AA1" US "7", 5, -3, 40);
    ck_assert_uint_eq(had_row(one, &row.row), 0);
    make_row(&row, "AA1" US "7", 30, 2, 50);
    ck_assert_uint_eq(had_row(two, &row.row), 0);
    make_row(&row, "AA1" US "7", 7, -3, 40);
    ck_assert_uint_eq(had_row(one, &row.row), 5);
    ck_assert_uint_eq(had_row(one, &row.row), 7);
    make_row(&row, "AA1" US "7", 6, -3, 40); /* late, out of order: sums only grow */
    ck_assert_uint_eq(had_row(one, &row.row), 7);
    ck_assert_int_eq(total("AA1" US "7", "count"), 37);
    ck_assert_int_eq(total("AA1" US "7", "sum(seconds)"), 370);
    ck_assert_int_eq(total("AA1" US "7", "min(ms)"), -3);
    ck_assert_int_eq(total("AA1" US "7", "max(ms)"), 50);
    make_row(&row, "AA2" US "7", 1, 9, 9);
    ck_assert_uint_eq(had_row(one, &row.row), 7);
    uint64_t sum = 0;
    ck_assert(one->ops->rows_sum(one, &place, &sum, store_why) && sum == 8);
    ck_assert(two->ops->rows_sum(two, &place, &sum, store_why) && sum == 30);
    ck_assert_int_eq(lab_number(&server, "DBSIZE"), 1); /* one key a window */
    ck_assert_int_eq(lab_number(&server, "HGET " WINDOW " until"),
                     rows_until_s(place.width_us, place.window));
    ck_assert_int_gt(lab_number(&server, "TTL " WINDOW), KEEP_S - 60);
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

START_TEST(what_wraps_is_replaced_by_the_newer_one) {
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    struct rows_component component = {"digest:0", ROWS_WRAP, 0xfffffff0, NULL, 0};
    struct rows_row row = {"", 0, 5, 1, &component};
    had_row(one, &row);
    component.value = 0x20;
    row.count = 1;
    had_row(two, &row);
    ck_assert_int_eq(total("", "digest:0"), 0x10);
    component.value = 3; /* has wrapped, with more events */
    row.count = 6;
    had_row(one, &row);
    ck_assert_int_eq(total("", "digest:0"), 0x23);
    component.value = 0x70000000;
    for (row.count = 5; row.count < 7; row.count++) { /* older, and no newer */
        had_row(one, &row);
        ck_assert_int_eq(total("", "digest:0"), 0x23);
    }
    must_be_sound();
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

START_TEST(hyperloglogs_join_in_keys_of_their_own) {
    static unsigned char bytes[2][12400];
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    struct rows_component component[] = {{"count", ROWS_ADD, 5, NULL, 0},
                                         {"distinct(client)", ROWS_HLL, 0, bytes[0], 0}};
    const struct rows_row row = {"/pay", 4, 5, 2, component};
    component[1].len = make_hll(0, 100, bytes[0], sizeof bytes[0]);
    had_row(one, &row);
    component[1].len = make_hll(50, 150, bytes[1], sizeof bytes[1]);
    component[1].bytes = bytes[1];
    had_row(two, &row);
    had_row(two, &row);
    const long long about = lab_number(&server, "PFCOUNT %b", WINDOW ":distinct(client)" US "/pay",
                                       sizeof WINDOW ":distinct(client)" US "/pay" - 1);
    ck_assert_int_ge(about, 147);
    ck_assert_int_le(about, 153);
    ck_assert_int_eq(lab_number(&server, "DBSIZE"), 2); /* what it was joined through is gone */
    ck_assert_int_gt(lab_number(&server, "TTL %b", WINDOW ":distinct(client)" US "/pay",
                                sizeof WINDOW ":distinct(client)" US "/pay" - 1),
                     KEEP_S - 60);
    lab_do(&server, "DEL %b", WINDOW ":distinct(client)" US "/pay",
           sizeof WINDOW ":distinct(client)" US "/pay" - 1);
    ck_assert_uint_eq(had_row(two, &row), 0); /* it was there, and is gone: a loss */
    ck_assert_uint_eq(had_row(two, &row), 5);
    component[1].bytes = (const unsigned char *)"no such thing";
    component[1].len = 13;
    component[0].value = 99;
    ck_assert_int_eq(send_at(one, 0, &row, 1).outcome, STORE_FAILED);
    ck_assert_int_eq(total("/pay", "count"), 10); /* nothing was written */
    ck_assert_int_eq(lab_number(&server, "DBSIZE"), 2);
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

/* ---- many rows, any order ---- */

#define KEYS 700

/* What parts and totals must be, kept in the plainest way. */
struct model {
    int64_t count[2][KEYS], least[2][KEYS];
    unsigned seen;
    int node; /* whose part is compared; -1: the totals */
};

static void compare_row(struct model *model, const struct rows_row *row) {
    const int i = atoi(row->key + 1);
    const int64_t *one = &model->count[0][i], *two = &model->count[1][i];
    ck_assert(row->key_len < 10 && row->key[0] == 'k' && i < KEYS);
    model->seen++;
    for (size_t c = 0; c < row->n; c++) {
        const struct rows_component *component = &row->component[c];
        if (strcmp(component->name, "count") == 0) {
            ck_assert_int_eq(component->value, model->node < 0    ? *one + *two
                                               : model->node == 0 ? *one
                                                                  : *two);
        } else if (component->rule == ROWS_MIN) {
            ck_assert_int_eq(component->value, model->least[0][i] < model->least[1][i]
                                                   ? model->least[0][i]
                                                   : model->least[1][i]);
        }
    }
}

static bool compare_total(void *cls, const struct rows_place *at, const struct rows_row *row) {
    (void)at;
    compare_row(cls, row);
    return true;
}

static void compare_part(void *cls, const struct rows_place *at, const struct rows_row *row) {
    (void)at;
    compare_row(cls, row);
}

static void compare_sum(void *cls, const struct rows_place *at, uint64_t sum) {
    const struct model *model = cls;
    uint64_t expected = 0;
    for (int i = 0; i < KEYS; i++) {
        expected += (uint64_t)model->count[model->node][i];
    }
    (void)at;
    ck_assert_uint_eq(sum, expected);
}

static void check_model(struct model *model, struct store *const *store) {
    struct link *link = connect_link();
    unsigned keys[3] = {0, 0, 0};
    for (int i = 0; i < KEYS; i++) {
        keys[0] += model->count[0][i] != 0;
        keys[1] += model->count[1][i] != 0;
        keys[2] += model->count[0][i] || model->count[1][i];
    }
    model->node = -1;
    model->seen = 0;
    ck_assert_msg(rows_reader_read_window(link, &place, &(struct rows_taker){compare_total, model},
                                          store_why),
                  "%s", store_why);
    ck_assert_uint_eq(model->seen, keys[2]);
    for (model->node = 0; model->node < 2; model->node++) {
        model->seen = 0;
        ck_assert_msg(store[model->node]->ops->read_back_rows(
                          store[model->node], &(struct store_rows_range){place, 1},
                          &(struct store_rows_taker){compare_part, compare_sum, model}, store_why),
                      "%s", store_why);
        ck_assert_uint_eq(model->seen, keys[model->node]);
    }
    link_free(link);
}

/* Some rows of a node, of its present values or of older ones. */
static void send_some(struct model *model, struct store *store, int node, uint64_t *random) {
    static struct plain_row row[KEYS];
    static struct rows_row rows[KEYS];
    const size_t n = 1 + next_random(random) % (next_random(random) % 8 ? 9 : KEYS - 1);
    const unsigned from = (unsigned)(next_random(random) % KEYS);
    for (size_t i = 0; i < n; i++) {
        const unsigned key = (unsigned)(from + i) % KEYS;
        int64_t *count = &model->count[node][key], *least = &model->least[node][key];
        char name[16];
        snprintf(name, sizeof name, "k%u", key);
        if (next_random(random) % 4 == 0 && *count > 1) {
            make_row(&row[i], name, *count - 1, *least + 1, 0); /* late */
        } else {
            *count += 1 + (int64_t)(next_random(random) % 300);
            *least -= (int64_t)(next_random(random) % 3);
            make_row(&row[i], name, *count, *least, 0);
        }
        rows[i] = row[i].row;
    }
    ck_assert_int_eq(send_at(store, 0, rows, n).outcome, STORE_STORED);
}

START_TEST(totals_are_the_sum_of_parts_whatever_comes) {
    static struct model model;
    uint64_t random = 7;
    struct store *store[2] = {ready_store(url, "n1", TIMEOUT_MS),
                              ready_store(url, "n2", TIMEOUT_MS)};
    for (int round = 0; round < 300; round++) {
        const int node = (int)(next_random(&random) % 2);
        send_some(&model, store[node], node, &random);
        if (round % 50 == 20) {
            lab_do(&server, "SCRIPT FLUSH");
        }
        if (round % 50 == 49) {
            must_be_sound();
            check_model(&model, store);
        }
    }
    store[0]->ops->close(store[0]);
    store[1]->ops->close(store[1]);
}
END_TEST

/* ---- refused ---- */

START_TEST(another_owners_part_is_left_alone_unless_it_is_known) {
    struct store *one = store_of("n1", "owner-a", 60, 60),
                 *other = store_of("n1", "owner-b", 60, 60);
    struct plain_row row;
    make_row(&row, "AA1", 5, 1, 1);
    ck_assert_uint_eq(had_row(one, &row.row), 0);
    make_row(&row, "AA1", 9, 0, 1);
    ck_assert_int_eq(send_at(other, 4, &row.row, 1).outcome, STORE_FOREIGN);
    ck_assert_int_eq(total("AA1", "count"), 5);
    ck_assert_int_eq(total("AA1", "min(ms)"), 1);
    const struct store_ack ack = send_at(other, 5, &row.row, 1);
    ck_assert(ack.outcome == STORE_STORED && ack.had == 5 && ack.has == 9);
    ck_assert_int_eq(total("AA1", "count"), 9);
    make_row(&row, "AA1", 10, 0, 1);
    ck_assert_int_eq(send_at(one, 5, &row.row, 1).outcome, STORE_FOREIGN);
    one->ops->close(one);
    other->ops->close(other);
}
END_TEST

START_TEST(a_lost_reply_and_a_lost_redis_are_noticed) {
    int port;
    struct lab_proxy *proxy = lab_proxy_start(server.port, &port);
    char at[64];
    snprintf(at, sizeof at, "redis://127.0.0.1:%d", port);
    struct store *store = ready_store(at, "n1", SHORT_MS);
    struct plain_row row;
    make_row(&row, "AA1", 5, 1, 1);
    lab_proxy_lose_replies(proxy, true);
    ck_assert_int_eq(send_at(store, 0, &row.row, 1).outcome, STORE_FAILED);
    lab_proxy_lose_replies(proxy, false);
    ck_assert(store->ops->connect(store, store_why));
    ck_assert_uint_le(had_row(store, &row.row), 5);
    ck_assert_uint_eq(had_row(store, &row.row), 5);
    ck_assert_int_eq(total("AA1", "count"), 5);
    lab_do(&server, "FLUSHALL");
    make_row(&row, "AA1", 6, 1, 1);
    ck_assert_uint_eq(had_row(store, &row.row), 0); /* less than it acknowledged */
    ck_assert_int_eq(total("AA1", "count"), 6);
    store->ops->close(store);
    lab_proxy_stop(proxy);
}
END_TEST

START_TEST(a_value_that_is_damaged_fails_before_anything_is_written) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    struct plain_row row[2];
    make_row(&row[0], "AA1", 5, 1, 1);
    make_row(&row[1], "AA2", 6, 1, 1);
    const struct rows_row rows[] = {row[0].row, row[1].row};
    had_row(store, &row[1].row);
    lab_do(&server, "HSET " WINDOW " %b much", "AA2" US "sum(seconds)",
           sizeof "AA2" US "sum(seconds)" - 1);
    ck_assert_int_eq(send_at(store, 0, rows, 2).outcome, STORE_FAILED);
    ck_assert_msg(strstr(store_why, "holds no number"), "%s", store_why);
    ck_assert_int_eq(
        lab_number(&server, "HEXISTS " WINDOW " %b", "AA1" US "count", sizeof "AA1" US "count" - 1),
        0);
    lab_do(&server, "HSET " WINDOW " %b 60 %b xx", "AA2" US "sum(seconds)",
           sizeof "AA2" US "sum(seconds)" - 1, "n:n1" RS "AA2", sizeof "n:n1" RS "AA2" - 1);
    ck_assert_int_eq(send_at(store, 0, rows, 2).outcome, STORE_FAILED);
    ck_assert_msg(strstr(store_why, "holds no values"), "%s", store_why);
    lab_do(&server, "HSET " WINDOW " n:n1 x");
    ck_assert_int_eq(send_at(store, 0, rows, 2).outcome, STORE_FAILED);
    ck_assert_msg(strstr(store_why, "holds no sum of a part"), "%s", store_why);
    lab_do(&server, "DEL " WINDOW);
    lab_do(&server, "SET " WINDOW " x");
    ck_assert_int_eq(send_at(store, 0, rows, 2).outcome, STORE_FAILED);
    ck_assert_msg(strstr(store_why, "WRONGTYPE"), "%s", store_why);
    store->ops->close(store);
}
END_TEST

START_TEST(a_component_has_one_rule) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    struct rows_component component = {"count", ROWS_ADD, 5, NULL, 0};
    const struct rows_row row = {"", 0, 5, 1, &component};
    had_row(store, &row);
    component.rule = ROWS_MAX;
    ck_assert_int_eq(send_at(store, 5, &row, 1).outcome, STORE_FAILED);
    ck_assert_msg(strstr(store_why, "by another rule"), "%s", store_why);
    must_be_sound();
    store->ops->close(store);
}
END_TEST

/* A sum beyond 2^31 and up to 2^53 is written as digits. */
START_TEST(sums_are_exact_up_to_2_53) {
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    static const int64_t values[] = {1,
                                     255,
                                     256,
                                     65535,
                                     65536,
                                     INT64_C(2147483647),
                                     INT64_C(2147483648),
                                     INT64_C(1000000000000),
                                     (INT64_C(1) << 52) - 1};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct rows_component component = {"sum(x)", ROWS_ADD, values[i], NULL, 0};
        const struct rows_row row = {"", 0, i + 1, 1, &component};
        had_row(one, &row);
        had_row(two, &row);
        ck_assert_int_eq(total("", "sum(x)"), 2 * values[i]);
    }
    must_be_sound();
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

/* Nor is a step on the way to the new total beyond it, from where on a number of Lua has gaps. */
START_TEST(a_sum_that_grows_is_exact_up_to_2_53) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    for (int64_t i = 0; i < 8; i++) {
        const int64_t value = (INT64_C(1) << 53) - 16 + 2 * i + i % 2;
        const struct rows_component component = {"sum(x)", ROWS_ADD, value, NULL, 0};
        const struct rows_row row = {"", 0, (uint64_t)i + 1, 1, &component};
        had_row(store, &row);
        ck_assert_int_eq(total("", "sum(x)"), value);
    }
    must_be_sound();
    store->ops->close(store);
}
END_TEST

/* Nodes name components in the order of their own rows. */
START_TEST(components_come_in_any_order) {
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    const struct rows_component there[] = {{"count", ROWS_ADD, 5, NULL, 0},
                                           {"sum(a)", ROWS_ADD, 50, NULL, 0}},
                                back[] = {{"sum(b)", ROWS_ADD, 7, NULL, 0},
                                          {"sum(a)", ROWS_ADD, 30, NULL, 0},
                                          {"count", ROWS_ADD, 3, NULL, 0}};
    const struct rows_row row = {"k", 1, 5, 2, there}, other = {"k", 1, 3, 3, back};
    had_row(one, &row);
    had_row(two, &other);
    ck_assert_int_eq(total("k", "count"), 8);
    ck_assert_int_eq(total("k", "sum(a)"), 80);
    must_be_sound();
    ck_assert_uint_eq(had_row(one, &other), 5); /* late, and yet something of it is new */
    ck_assert_int_eq(total("k", "sum(b)"), 14);
    ck_assert_int_eq(total("k", "count"), 8);
    must_be_sound();
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

#define BUCKETS 3000

/* A row is never parted, however many components it has. */
START_TEST(a_row_of_thousands_of_components) {
    static struct rows_component component[BUCKETS];
    static char name[BUCKETS][24];
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    for (int round = 1; round < 3; round++) {
        for (int i = 0; i < BUCKETS; i++) {
            snprintf(name[i], sizeof name[i], "quantiles(ms):%d", i);
            component[i] = (struct rows_component){name[i], ROWS_ADD, round * (i + 1), NULL, 0};
        }
        const struct rows_row row = {"k", 1, (uint64_t)round, BUCKETS, component};
        had_row(one, &row);
        had_row(two, &row);
        ck_assert_int_eq(total("k", "quantiles(ms):2999"), 2 * round * BUCKETS);
        ck_assert_int_eq(total("k", "quantiles(ms):0"), 2 * round);
        must_be_sound();
    }
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

START_TEST(a_time_to_live_only_grows) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    struct plain_row row;
    make_row(&row, "AA1", 5, 1, 1);
    had_row(store, &row.row);
    lab_do(&server, "EXPIRE " WINDOW " 100");
    make_row(&row, "AA1", 6, 1, 1);
    had_row(store, &row.row);
    ck_assert_int_gt(lab_number(&server, "TTL " WINDOW), KEEP_S - 60);
    lab_do(&server, "EXPIRE " WINDOW " %d", 2 * KEEP_S);
    make_row(&row, "AA1", 7, 1, 1);
    had_row(store, &row.row);
    ck_assert_int_gt(lab_number(&server, "TTL " WINDOW), 2 * KEEP_S - 60);
    store->ops->close(store);
}
END_TEST

START_TEST(the_script_is_known_by_its_sha1) {
    char sha[64];
    lab_text(&server, sha, sizeof sha, "SCRIPT LOAD %s", script_rows.text);
    ck_assert_str_eq(sha, script_rows.sha);
    lab_text(&server, sha, sizeof sha, "SCRIPT LOAD %s", script_rows_close.text);
    ck_assert_str_eq(sha, script_rows_close.sha);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {two_nodes_add_up_and_repeats_change_nothing,
                                  what_wraps_is_replaced_by_the_newer_one,
                                  hyperloglogs_join_in_keys_of_their_own,
                                  totals_are_the_sum_of_parts_whatever_comes,
                                  another_owners_part_is_left_alone_unless_it_is_known,
                                  a_lost_reply_and_a_lost_redis_are_noticed,
                                  a_value_that_is_damaged_fails_before_anything_is_written,
                                  a_component_has_one_rule,
                                  sums_are_exact_up_to_2_53,
                                  a_sum_that_grows_is_exact_up_to_2_53,
                                  components_come_in_any_order,
                                  a_row_of_thousands_of_components,
                                  a_time_to_live_only_grows,
                                  the_script_is_known_by_its_sha1};
    return one_server_run("redis/rows_merge", tests, sizeof tests / sizeof *tests);
}
