/* Rows of reports in a cluster of six real nodes: all keys of a window on one master, windows and
 * groups on all of them, and readers that find everything. */
#include "redis/rows_audit.h"
#include "redis/rows_reader.h"
#include "redis/schema.h"
#include "tests/redis/cluster_nodes.h"

#include <check.h>
#include <string.h>

#define WINDOWS 30
#define MINUTE INT64_C(29916666) /* 2026-11-18T11:06 */

static const struct rows_place first = {"seen.0123456789abcdef", "1min", 60 * US_PER_S, MINUTE};

/* A HyperLogLog in which one register is 1: about one value. */
static size_t make_hll(unsigned which, unsigned char *bytes) {
    const unsigned zeros_after = 16383 - which;
    const size_t head = 16;
    memcpy(bytes, "HYLL\1\0\0\0\0\0\0\0\0\0\0\200", head); /* sparse; its number is not known */
    unsigned char *at = bytes + head;
    if (which) {
        *at++ = (unsigned char)(0x40 | (which - 1) >> 8); /* XZERO */
        *at++ = (unsigned char)(which - 1);
    }
    *at++ = 0x80; /* VAL: 1, once */
    if (zeros_after) {
        *at++ = (unsigned char)(0x40 | (zeros_after - 1) >> 8);
        *at++ = (unsigned char)(zeros_after - 1);
    }
    return (size_t)(at - bytes);
}

static void send_windows(struct store *store, unsigned which, int64_t count) {
    unsigned char bytes[32];
    const struct rows_component component[] = {
        {"count", ROWS_ADD, count, NULL, 0},
        {"distinct(client)", ROWS_HLL, 0, bytes, make_hll(which, bytes)},
        {"top(client)", ROWS_BLOB, 0, (const unsigned char *)"\5\0\1a", 4}};
    const struct rows_row row[] = {{"/a", 2, (uint64_t)count, 3, component},
                                   {"/b", 2, (uint64_t)count, 3, component}};
    struct rows_place place = first;
    for (; place.window < MINUTE + WINDOWS; place.window++) {
        struct store_ack ack;
        ck_assert_msg(store->ops->send_rows(store, &(struct store_rows){place, 0, 86400, 2, row},
                                            &ack, store_why),
                      "%s", store_why);
        ck_assert_int_eq(ack.outcome, STORE_STORED);
    }
}

struct seen {
    unsigned rows, hlls, wanted;
    int64_t count;
};

static bool note_row(void *cls, const struct rows_place *place, const struct rows_row *row) {
    struct seen *seen = cls;
    ck_assert(place->window >= MINUTE && row->key_len == 2 && row->n == 3);
    seen->rows++;
    seen->count += row->component[0].value;
    seen->hlls += row->component[1].rule == ROWS_HLL && row->component[1].len > 16;
    return true;
}

static void note_finding(void *cls, const char *sentence) {
    (void)cls;
    ck_abort_msg("%s", sentence);
}

static bool note_report(void *cls, const char *report, const char *definition, size_t len) {
    ck_assert(strcmp(report, first.report) == 0 && len == 1 && *definition == 'd');
    ++*(unsigned *)cls;
    return true;
}

static void check_all(void) {
    struct redis_url parsed;
    struct seen seen = {0};
    bool there[WINDOWS + 1];
    unsigned reports = 0;
    ck_assert(redis_url_parse(url, &parsed, store_why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    ck_assert_msg(link_connect(link, store_why), "%s", store_why);
    for (struct rows_place place = first; place.window <= first.window + WINDOWS; place.window++) {
        ck_assert_msg(
            rows_reader_read_window(link, &place, &(struct rows_taker){note_row, &seen}, store_why),
            "%s", store_why);
    }
    ck_assert_uint_eq(seen.rows, 2 * 2 * WINDOWS); /* two keys from two groups */
    ck_assert_int_eq(seen.count, 2 * (5 + 11) * WINDOWS);
    ck_assert_uint_eq(seen.hlls, seen.rows);
    ck_assert(rows_reader_find(link, &first, WINDOWS + 1, there, store_why));
    for (int i = 0; i < WINDOWS + 1; i++) {
        const struct rows_place place = {first.report, first.width, first.width_us, MINUTE + i};
        ck_assert(there[i] == (i < WINDOWS));
        ck_assert_msg(rows_audit_window(link, &place, note_finding, NULL, store_why), "%s",
                      store_why);
    }
    ck_assert_msg(
        rows_reader_list(link, &(struct rows_report_taker){note_report, &reports}, store_why), "%s",
        store_why);
    ck_assert_uint_eq(reports, 1);
    link_free(link);
}

START_TEST(windows_of_all_groups_are_found_wherever_they_are) {
    struct store *one = driver_store(url, "n1", TIMEOUT_MS),
                 *two = driver_store(url, "n2", TIMEOUT_MS);
    const struct store_report report = {first.report, "d", 1, "1min 60000000 86400\n"};
    long long windows = 0;
    ck_assert_uint_ne(schema_group("n1", SCHEMA_GROUPS_MAX), schema_group("n2", SCHEMA_GROUPS_MAX));
    ck_assert_msg(one->ops->connect(one, store_why), "%s", store_why);
    ck_assert_msg(two->ops->connect(two, store_why), "%s", store_why);
    ck_assert_msg(one->ops->tell_report(one, &report, store_why), "%s", store_why);
    send_windows(one, 7, 5);
    send_windows(two, 16383, 11);
    check_all();
    for (int i = 0; i < MASTERS; i++) {
        redisReply *reply = lab_command(&node[i], "KEYS %s", "aforo:2:r:*");
        ck_assert_uint_gt(reply->elements, 0); /* each has some */
        windows += (long long)reply->elements;
        freeReplyObject(reply);
        lab_do(&node[i], "SCRIPT FLUSH");
    }
    ck_assert_int_eq(windows, 5 * 2 * WINDOWS); /* a hash, two HyperLogLogs and two boards */
    send_windows(one, 7, 5);                    /* and again, which changes nothing */
    send_windows(two, 0, 11);
    check_all();
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

/* More than a queue of the cluster's asks for at once. */
#define MANY 9000
#define MANY_AT_ONCE 300

static bool add_count(void *cls, const struct rows_place *place, const struct rows_row *row) {
    struct seen *seen = cls;
    ck_assert(place->window == MINUTE && row->key_len == 4 && row->n == 1);
    seen->count += row->component[0].value;
    return ++seen->rows < seen->wanted;
}

static void send_many(struct store *store) {
    static char key[MANY_AT_ONCE][8];
    static struct rows_component component[MANY_AT_ONCE];
    static struct rows_row row[MANY_AT_ONCE];
    for (int from = 0; from < MANY; from += MANY_AT_ONCE) {
        struct store_ack ack;
        for (int i = 0; i < MANY_AT_ONCE; i++) {
            snprintf(key[i], sizeof key[i], "%04d", from + i);
            component[i] = (struct rows_component){"count", ROWS_ADD, from + i, NULL, 0};
            row[i] = (struct rows_row){key[i], 4, 1, 1, &component[i]};
        }
        ck_assert_msg(
            store->ops->send_rows(store, &(struct store_rows){first, 0, 86400, MANY_AT_ONCE, row},
                                  &ack, store_why),
            "%s", store_why);
    }
}

START_TEST(a_window_of_many_rows_is_read_queue_by_queue) {
    struct store *store = driver_store(url, "n1", TIMEOUT_MS);
    struct redis_url parsed;
    ck_assert_msg(store->ops->connect(store, store_why), "%s", store_why);
    send_many(store);
    ck_assert(redis_url_parse(url, &parsed, store_why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    ck_assert_msg(link_connect(link, store_why), "%s", store_why);
    struct seen seen = {.wanted = 700};
    ck_assert(
        !rows_reader_read_window(link, &first, &(struct rows_taker){add_count, &seen}, store_why));
    ck_assert_str_eq(store_why, "");
    ck_assert_uint_eq(seen.rows, 700);
    seen = (struct seen){.wanted = MANY + 1};
    ck_assert_msg(
        rows_reader_read_window(link, &first, &(struct rows_taker){add_count, &seen}, store_why),
        "%s", store_why);
    ck_assert_uint_eq(seen.rows, MANY);
    ck_assert_int_eq(seen.count, (int64_t)MANY * (MANY - 1) / 2);
    link_free(link);
    store->ops->close(store);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {windows_of_all_groups_are_found_wherever_they_are,
                                  a_window_of_many_rows_is_read_queue_by_queue};
    return cluster_nodes_run("redis/cluster_rows", tests, sizeof tests / sizeof *tests);
}
