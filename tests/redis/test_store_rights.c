/* Where a URL leads and what it lets in: passwords, the least rights of a user, databases, a
 * unix socket. */
#include "redis/reader.h"
#include "redis/rows_audit.h"
#include "redis/rows_reader.h"
#include "redis/schema.h"
#include "tests/redis/driver.h"
#include "tests/redis/one_server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void never(void *cls, const struct store_part *part) {
    (void)cls, (void)part;
    ck_abort_msg("a wrong part was passed on");
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

static void no_row(void *cls, const struct rows_place *place, const struct rows_row *row) {
    (void)cls, (void)place, (void)row;
}

static void no_sum(void *cls, const struct rows_place *place, uint64_t sum) {
    (void)cls, (void)place, (void)sum;
}

static bool any_row(void *cls, const struct rows_place *place, const struct rows_row *row) {
    no_row(cls, place, row);
    return true;
}

static bool note_listed(void *cls, const char *report, const char *definition, size_t len) {
    (void)report, (void)definition, (void)len;
    *(bool *)cls = true;
    return true;
}

static bool do_reports(const char *at, struct link *link);

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
    ck_assert(redis_url_parse(at, &parsed, store_why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    struct store_chunk over = {
        .place = {RESOLUTION_1MIN, CLOSABLE}, .n = 1, .slot = {1}, .count = {1}};
    bool ok = store->ops->connect(store, store_why) &&
              store->ops->lease(store, &(const struct store_claim){.owner = "me", .dead = ""},
                                holder, store_why) == STORE_LEASE_TAKEN &&
              store->ops->read_back(store, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1},
                                    &(struct store_taker){never, &part}, store_why) &&
              store->ops->send(store, &chunk, 1, &ack, store_why) &&
              store->ops->send(store, &over, 1, &ack, store_why);
    if (ok) { /* sent again by one who wants it to live longer, as after a change of the options */
        lab_do(&server, "EXPIRE " KEY " 100");
    }
    ok = ok && store->ops->send(store, &grown, 1, &ack, store_why) &&
         store->ops->sums(store, &(struct store_sums){&grown.place, 1, &sum, NULL}, store_why) &&
         store->ops->sums(store, &(struct store_sums){NULL, 0, NULL, &number}, store_why) &&
         store->ops->tell_loss(store, &number, store_why) &&
         store->ops->close_old(store, wall_us(), &ahead_us, store_why);
    store->ops->release(store, "me");
    ok = ok && lab_number(&server, "STRLEN aforo:2:{node:n1}") == sizeof "released" - 1 &&
         link_connect(link, store_why) &&
         reader_read_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1}, counts,
                            store_why) &&
         counts[7] == 6 &&
         reader_find_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1}, &exists,
                            store_why) &&
         exists && do_reports(at, link);
    link_free(link);
    store->ops->close(store);
    return ok;
}

/* The same of reports. */
static bool do_reports(const char *at, struct link *link) {
    static const unsigned char top[] = "\1\0\1a", other_top[] = "\1\0\1b";
    static const unsigned char hll[] = "HYLL\1\0\0\0\0\0\0\0\0\0\0\200\177\377"; /* of nothing */
    struct rows_component component[] = {{"count", ROWS_ADD, 1, NULL, 0},
                                         {"distinct(c)", ROWS_HLL, 0, hll, sizeof hll - 1},
                                         {"top(c)", ROWS_BLOB, 0, top, sizeof top - 1}};
    struct rows_row row = {"", 0, 1, 3, component};
    const struct rows_place place = {"r.0", "1h", HOUR_S * US_PER_S, CLOSABLE};
    struct store *store = driver_store(at, "n1", TIMEOUT_MS);
    struct store_ack ack;
    int64_t ahead_us;
    uint64_t sum = 0;
    bool listed = false, exists;
    const struct store_report report = {"r.0", "r", 1, "1h 3600000000 5184000\n"};
    bool ok =
        store->ops->connect(store, store_why) && store->ops->tell_report(store, &report, store_why);
    for (int i = 0; i < 2 && ok; i++) { /* the second time there is a key that is appended to */
        const struct rows_row other = {i ? "b" : "a", 1, 1, 2, component};
        ok = store->ops->send_rows(store, &(struct store_rows){place, 0, HOUR_S * 2000, 1, &row},
                                   &ack, store_why) &&
             store->ops->send_rows(store, &(struct store_rows){place, 0, HOUR_S * 2000, 1, &other},
                                   &ack, store_why);
        row.count++; /* another value has taken the counter of the first */
        component[2].bytes = other_top;
    }
    ok = ok && store->ops->rows_sum(store, &place, &sum, store_why) && sum == 4 &&
         store->ops->read_back_rows(store, &(struct store_rows_range){place, 1},
                                    &(struct store_rows_taker){no_row, no_sum, NULL}, store_why);
    lab_do(&server, "SET " ROWS_FINAL_KEY " %lld", (long long)CLOSABLE);
    ok = ok && store->ops->close_old(store, wall_us(), &ahead_us, store_why) &&
         rows_reader_list(link, &(struct rows_report_taker){note_listed, &listed}, store_why) &&
         listed &&
         rows_reader_read_window(link, &place, &(struct rows_taker){any_row, NULL}, store_why) &&
         rows_reader_find(link, &place, 1, &exists, store_why) && exists;
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

static void no_finding(void *cls, const char *sentence) {
    (void)cls;
    ck_abort_msg("%s", sentence);
}

/* Enough, and each of them needed. */
START_TEST(the_least_rights_of_a_user) {
    static const char *const least[] = {"eval",   "evalsha", "hmget",   "hset",  "ttl",  "expire",
                                        "pttl",   "pexpire", "del",     "get",   "set",  "time",
                                        "exists", "hget",    "hgetall", "hscan", "hdel", "pfmerge",
                                        "zcard",  "zincrby", "zrem"};
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
                      missing < n ? least[missing] : "nothing", store_why);
    }
    /* the console alone */
    lab_do(&server, "ACL SETUSER bob reset on >hob ~aforo:* +@connection +hmget +exists");
    struct redis_url parsed;
    uint64_t counts[SLOTS_MAX];
    bool exists;
    ck_assert(redis_url_parse(at, &parsed, store_why));
    struct link *link = link_new(&parsed, TIMEOUT_MS);
    ck_assert_msg(link_connect(link, store_why) &&
                      reader_read_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1},
                                         counts, store_why) &&
                      reader_find_totals(link, (struct chunk_range){RESOLUTION_10MS, CHUNK, 1},
                                         &exists, store_why),
                  "%s", store_why);
    /* aforo check, of a window with a score board */
    const struct rows_place over = {"r.0", "1h", HOUR_S * US_PER_S, CLOSABLE};
    ck_assert(!rows_audit_window(link, &over, no_finding, NULL, store_why));
    lab_do(&server, "ACL SETUSER bob +hscan");
    ck_assert(!rows_audit_window(link, &over, no_finding, NULL, store_why));
    ck_assert_ptr_nonnull(strstr(store_why, "zrange"));
    lab_do(&server, "ACL SETUSER bob +zrange");
    ck_assert_msg(rows_audit_window(link, &over, no_finding, NULL, store_why), "%s", store_why);
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

int main(void) {
    const TTest *const tests[] = {passwords_from_the_url_a_user_the_environment_and_a_file,
                                  the_least_rights_of_a_user,
                                  a_database_by_its_number_and_a_unix_socket};
    return one_server_run("redis/store_rights", tests, sizeof tests / sizeof *tests);
}
