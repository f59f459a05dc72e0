/* Windows of reports whose time is over are closed, whoever wrote them: totals stay, parts go. */
#include "redis/rows_reader.h"
#include "tests/redis/one_server.h"

#include <check.h>
#include <string.h>

#define REPORT "billing.0123456789abcdef"
#define ROWS 1500
#define LONG_S (60 * 86400)

static const struct store_report told = {REPORT, "name: billing\n", 14,
                                         "1h 3600000000 5184000\n1min 60000000 86400\n"};

/* The hour that is to be closed next, as a window. */
static struct rows_place hour_at(int64_t hour) {
    return (struct rows_place){REPORT, "1h", HOUR_S * US_PER_S, hour};
}

static struct rows_place minute_at(int64_t minute) {
    return (struct rows_place){REPORT, "1min", 60 * US_PER_S, minute};
}

static enum store_outcome send_rows(struct store *store, const struct rows_place *place,
                                    int64_t count, size_t n) {
    static struct rows_row row[ROWS];
    static char key[ROWS][16];
    const struct rows_component component = {"count", ROWS_ADD, count, NULL, 0};
    struct store_ack ack = {STORE_FAILED, 0, 0};
    for (size_t i = 0; i < n; i++) {
        /* keys that look like what goes must stay */
        const int len = snprintf(key[i], sizeof key[i], i % 2 ? "n:%zu" : "k%zu", i);
        row[i] = (struct rows_row){key[i], (size_t)len, (uint64_t)count, 1, &component};
    }
    ck_assert_msg(store->ops->send_rows(store, &(struct store_rows){*place, 0, LONG_S, n, row},
                                        &ack, store_why),
                  "%s", store_why);
    return ack.outcome;
}

static bool add_count(void *cls, const struct rows_place *place, const struct rows_row *row) {
    int64_t *sum = cls;
    (void)place;
    ck_assert_uint_eq(row->n, 1);
    *sum += row->component[0].value;
    return true;
}

static int64_t total_of(const struct rows_place *place) {
    struct redis_url parsed;
    int64_t sum = 0;
    ck_assert(redis_url_parse(url, &parsed, store_why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    ck_assert(link_connect(link, store_why));
    ck_assert_msg(
        rows_reader_read_window(link, place, &(struct rows_taker){add_count, &sum}, store_why),
        "%s", store_why);
    link_free(link);
    return sum;
}

static void close_old(struct store *store) {
    int64_t ahead_us;
    ck_assert_msg(store->ops->close_old(store, wall_us(), &ahead_us, store_why), "%s", store_why);
}

static long long parts_in(const char *key) {
    redisReply *reply = lab_command(&server, "HKEYS %s", key);
    long long parts = 0;
    for (size_t i = 0; i < reply->elements; i++) {
        const char *field = reply->element[i]->str;
        parts += strncmp(field, "n:", 2) == 0 && (strchr(field, '\x1e') || !strchr(field, '\x1f'));
    }
    freeReplyObject(reply);
    return parts;
}

START_TEST(windows_that_are_over_are_closed_once) {
    struct store *one = ready_store(url, "n1", TIMEOUT_MS),
                 *two = ready_store(url, "n2", TIMEOUT_MS);
    const struct rows_place over = hour_at(CLOSABLE), open = hour_at(CLOSABLE + 2),
                            brief = minute_at(CLOSABLE * 60 + 7);
    char key[ROWS_KEY_MAX];
    rows_window_key(&over, 0, key);
    lab_do(&server, "SET " ROWS_FINAL_KEY " %lld", (long long)CLOSABLE);
    ck_assert(one->ops->tell_report(one, &told, store_why));
    ck_assert_int_eq(send_rows(one, &over, 2, ROWS), STORE_STORED);
    ck_assert_int_eq(send_rows(two, &over, 3, ROWS), STORE_STORED);
    ck_assert_int_eq(send_rows(one, &open, 4, 3), STORE_STORED);
    ck_assert_int_eq(send_rows(one, &brief, 5, 3), STORE_STORED);
    ck_assert_int_eq(parts_in(key), 2 * ROWS + 2);
    ck_assert_int_ge(lab_number(&server, "HGET %s keys", key), 2); /* the list is in pieces */
    for (int i = 0; i < 20 && lab_number(&server, "GET " ROWS_FINAL_KEY) <= CLOSABLE; i++) {
        close_old(two);
    }
    ck_assert_int_eq(lab_number(&server, "GET " ROWS_FINAL_KEY), CLOSABLE + 1);
    ck_assert_int_eq(lab_number(&server, "HGET %s final", key), 2);
    ck_assert_int_eq(parts_in(key), 0);
    ck_assert_int_eq(total_of(&over), 5 * ROWS);
    ck_assert_int_gt(lab_number(&server, "TTL %s", key), LONG_S - 60);
    ck_assert_int_eq(send_rows(one, &over, 9, ROWS), STORE_CLOSED);
    ck_assert_int_eq(total_of(&over), 5 * ROWS);
    ck_assert_int_eq(send_rows(one, &open, 9, 3), STORE_STORED);
    ck_assert_int_eq(total_of(&open), 27);
    rows_window_key(&brief, 0, key); /* it is gone before anything else is: it need not be closed */
    ck_assert_int_eq(lab_number(&server, "HEXISTS %s final", key), 0);
    one->ops->close(one);
    two->ops->close(two);
}
END_TEST

START_TEST(without_reports_nothing_is_noted) {
    struct store *store = ready_store(url, "n1", TIMEOUT_MS);
    close_old(store);
    ck_assert_int_eq(lab_number(&server, "EXISTS " ROWS_FINAL_KEY), 0);
    store->ops->close(store);
}
END_TEST

START_TEST(widths_are_read_line_by_line) {
    const char *at = "1h 3600000000 5184000\n10ms 10000 7200\n";
    struct rows_width_line line;
    ck_assert(rows_width_read(&at, &line));
    ck_assert_str_eq(line.name, "1h");
    ck_assert_int_eq(line.width_us, HOUR_S * US_PER_S);
    ck_assert_int_eq(line.keep_s, LONG_S);
    ck_assert(rows_width_read(&at, &line));
    ck_assert_str_eq(line.name, "10ms");
    ck_assert(!rows_width_read(&at, &line));
    at = "1h 0 7\n";
    ck_assert(!rows_width_read(&at, &line));
    at = "1h much 7\n";
    ck_assert(!rows_width_read(&at, &line));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {windows_that_are_over_are_closed_once,
                                  without_reports_nothing_is_noted, widths_are_read_line_by_line};
    return one_server_run("redis/rows_closing", tests, sizeof tests / sizeof *tests);
}
