/* Rows for the tests of reports at Redis: one window, rows of a few components, one server. */
#ifndef AFORO_TESTS_REDIS_ROWS_LAB_H
#define AFORO_TESTS_REDIS_ROWS_LAB_H

#include "redis/rows_audit.h"
#include "redis/rows_reader.h"
#include "tests/redis/one_server.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define REPORT "billing.0123456789abcdef"
#define MINUTE INT64_C(29916666) /* 2026-11-18T11:06 */
#define WINDOW "aforo:2:r:{" REPORT ":1min:2026-11-18T11:06}"
#define US "\x1f"
#define RS "\x1e"
#define KEEP_S 86400

static const struct rows_place place = {REPORT, "1min", 60 * US_PER_S, MINUTE};

/* One row with count, sum, min and max, each made from a number. */
struct plain_row {
    char key[32];
    struct rows_component component[4];
    struct rows_row row;
};

static inline void make_row(struct plain_row *row, const char *key, int64_t count, int64_t least,
                            int64_t most) {
    snprintf(row->key, sizeof row->key, "%s", key);
    row->component[0] = (struct rows_component){"count", ROWS_ADD, count, NULL, 0};
    row->component[1] = (struct rows_component){"sum(seconds)", ROWS_ADD, 10 * count, NULL, 0};
    row->component[2] = (struct rows_component){"min(ms)", ROWS_MIN, least, NULL, 0};
    row->component[3] = (struct rows_component){"max(ms)", ROWS_MAX, most, NULL, 0};
    row->row = (struct rows_row){row->key, strlen(row->key), (uint64_t)count, 4, row->component};
}

static inline struct store_ack send_at(struct store *store, uint64_t there,
                                       const struct rows_row *row, size_t n) {
    struct store_ack ack = {STORE_CLOSED, 99, 99};
    const bool ok = store->ops->send_rows(
        store,
        &(struct store_rows){.place = place, .there = there, .keep_s = KEEP_S, .n = n, .row = row},
        &ack, store_why);
    ck_assert_msg(ok == (ack.outcome != STORE_FAILED), "%s", store_why);
    return ack;
}

/* The same of one row, which must be stored; what the part had before. */
static inline uint64_t had_row(struct store *store, const struct rows_row *row) {
    const struct store_ack ack = send_at(store, 0, row, 1);
    ck_assert_msg(ack.outcome == STORE_STORED, "%s", store_why);
    return ack.had;
}

static inline long long total(const char *key, const char *component) {
    char field[128];
    const int n = snprintf(field, sizeof field, "%s" US "%s", key, component);
    return lab_number(&server, "HGET " WINDOW " %b", field, (size_t)n);
}

static inline struct link *connect_link(void) {
    struct redis_url parsed;
    ck_assert(redis_url_parse(url, &parsed, store_why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    ck_assert_msg(link_connect(link, store_why), "%s", store_why);
    return link;
}

/* A HyperLogLog that Redis has made of some numbers. */
static inline size_t make_hll(int from, int to, unsigned char *bytes, size_t cap) {
    for (int i = from; i < to; i++) {
        lab_do(&server, "PFADD made %d", i);
    }
    redisReply *reply = lab_command(&server, "GET made");
    ck_assert(reply->type == REDIS_REPLY_STRING && reply->len <= cap);
    const size_t len = reply->len;
    memcpy(bytes, reply->str, len);
    freeReplyObject(reply);
    lab_do(&server, "DEL made");
    return len;
}

static inline void tell_finding(void *cls, const char *sentence) {
    snprintf(cls, AUDIT_SENTENCE_MAX, "%s", sentence);
}

/* What is wrong with the window; "" when nothing is. */
static inline void audit(char finding[AUDIT_SENTENCE_MAX]) {
    struct link *link = connect_link();
    *finding = '\0';
    ck_assert_msg(rows_audit_window(link, &place, tell_finding, finding, store_why), "%s",
                  store_why);
    link_free(link);
}

static inline void must_be_sound(void) {
    char finding[AUDIT_SENTENCE_MAX];
    audit(finding);
    ck_assert_str_eq(finding, "");
}

#endif
