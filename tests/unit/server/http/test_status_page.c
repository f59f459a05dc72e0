/* What the flush, the allocator and the kernel tell is ours here. */
#include "server/http/status_page.h"

#include "common/version.h"
#include "server/http/tally.h"
#include "server/process/clock.h"
#include "tests/unit/server/http/http_lab.h"

#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>

static struct flush_status flush_is;
static struct page page;

void flush_status(struct flush *flush, struct flush_status *out) {
    ck_assert_ptr_eq(flush, &flush_is);
    *out = flush_is;
}

const char *flush_state_name(enum flush_state state) {
    return state == FLUSH_SENDING ? "sending" : "other";
}

int mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen);
static unsigned epochs;

/* The third figure cannot be had. */
int mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp, size_t newlen) {
    const size_t figure = strcmp(name, "stats.allocated") == 0 ? 111
                          : strcmp(name, "stats.active") == 0  ? 222
                                                               : 333;
    if (strcmp(name, "epoch") == 0) {
        ck_assert_uint_eq(newlen, sizeof(uint64_t));
        ck_assert_ptr_nonnull(newp);
        epochs++;
        return 0;
    }
    ck_assert_uint_gt(epochs, 0); /* else these would be the figures of long ago */
    ck_assert_uint_eq(*oldlenp, sizeof figure);
    memcpy(oldp, &figure, sizeof figure);
    return figure == 333;
}

int getrusage(__rusage_who_t who, struct rusage *usage) {
    ck_assert_int_eq(who, RUSAGE_SELF);
    *usage = (struct rusage){.ru_utime = {1, 2}, .ru_stime = {3, 4}, .ru_maxrss = 5};
    return 0;
}

/* The page's text; valid until the next call. */
static const char *take_page(void) {
    static char *text;
    free(text);
    text = read_response(page.response);
    MHD_destroy_response(page.response);
    ck_assert_str_eq(page.type, "application/json");
    return text;
}

static const char *health(void) {
    status_page_make_health(&worker, &page);
    return take_page();
}

static const char *stats(void) {
    status_page_make_stats(&worker, &page);
    ck_assert_uint_eq(page.status, 200);
    return take_page();
}

/* Whether `text` begins with what printf makes; where that ends. */
__attribute__((format(printf, 2, 3))) static const char *pass(const char *text, const char *format,
                                                              ...) {
    char expected[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(expected, sizeof expected, format, args);
    va_end(args);
    ck_assert_msg(strncmp(text, expected, strlen(expected)) == 0, "%s\nat: %s", expected, text);
    return text + strlen(expected);
}

static void health_is(const char *status, unsigned code) {
    pass(health(), "{\"status\":\"%s\",\"node\":\"%s\",\"version\":\"%s\",\"store\":{", status,
         counters_node_id(server.counters), version_text());
    ck_assert_uint_eq(page.status, code);
}

START_TEST(how_well_the_server_is) {
    health_is("ok", 200);
    server.draining = true; /* this worker does not know it yet */
    health_is("ok", 200);
    server.state_is_lost = true;
    health_is("state file gone", 503);
    worker.draining = true;
    health_is("draining", 503);
    server.stopping = true;
    health_is("stopping", 503);
}
END_TEST

START_TEST(without_a_store) {
    const char *text = strstr(health(), "\"store\"");
    ck_assert_str_eq(text, "\"store\":{\"configured\":false,\"connected\":false,\"state\":\"none\","
                           "\"last_flush_age_ms\":-1,\"lag_ms\":0,\"errors\":0,\"passes\":0,"
                           "\"chunks_sent\":0,\"losses\":0,\"resends\":0,\"too_late\":0,"
                           "\"last_error\":\"\"}}\n");
}
END_TEST

START_TEST(how_the_store_is) {
    flush_is = (struct flush_status){.connected = true,
                                     .state = FLUSH_SENDING,
                                     .lag_us = 1999,
                                     .passes = 2,
                                     .chunks_sent = 3,
                                     .errors = 4,
                                     .losses = 5,
                                     .resends = 6,
                                     .too_late = 7,
                                     .last_error = "a \"b\"",
                                     .holder = "another"};
    server.flush = (struct flush *)(void *)&flush_is;
    const char *text = strstr(health(), "\"store\"");
    ck_assert_str_eq(text,
                     "\"store\":{\"configured\":true,\"connected\":true,\"state\":\"sending\","
                     "\"last_flush_age_ms\":-1,\"lag_ms\":1,\"errors\":4,\"passes\":2,"
                     "\"chunks_sent\":3,\"losses\":5,\"resends\":6,\"too_late\":7,"
                     "\"last_error\":\"a \\\"b\\\"\",\"lease_holder\":\"another\"}}\n");
    *flush_is.holder = '\0';
    strcpy(flush_is.copy_of, "before");
    ck_assert_ptr_nonnull(
        strstr(health(), "\"last_error\":\"a \\\"b\\\"\",\"copy_of\":\"before\"}}\n"));
    flush_is.last_flush_us = 1; /* when the machine started */
    const int64_t before_ms = clock_steady_us() / US_PER_MS;
    const long long age_ms = atoll(strstr(health(), "_age_ms\":") + 9);
    ck_assert_int_ge(age_ms, before_ms - 1);
    ck_assert_int_le(age_ms, clock_steady_us() / US_PER_MS);
}
END_TEST

START_TEST(each_number_of_the_statistics) {
    static struct worker workers[2], admin;
    server.workers = 2;
    server.worker = workers;
    server.started_us = clock_steady_us() - 5000 * US_PER_S;
    workers[0].connections = 3;
    workers[1].connections = 4;
    admin.connections = 9;
    for (int m = 0; m < METRICS; m++) {
        metric_add_owner(&workers[0].metrics, (enum metric)m, 100 + (uint64_t)m);
        metric_add_owner(&workers[1].metrics, (enum metric)m, 200 + (uint64_t)m);
        metric_add_owner(&admin.metrics, (enum metric)m, UINT64_MAX - (uint64_t)m);
    }
    for (int refusal = 0; refusal < REFUSALS; refusal++) {
        for (int n = 0; n <= refusal; n++) {
            tally_add_refusal(&worker, (enum refusal)refusal);
        }
    }
    shard_add_owner(worker.shard, T0);
    shard_tally_counted_owner(worker.shard);
    for (int with_admin = 0; with_admin < 2; with_admin++) {
        server.admin = with_admin ? &admin : NULL;
        const char *text = stats();
        text = pass(text, "{\"node\":\"%s\",\"uptime_ms\":", counters_node_id(server.counters));
        ck_assert_int_ge(atoll(text), 5000000);
        text = strchr(text, ',');
        text = pass(text,
                    ",\"clock\":{\"counts_ahead_ms\":0,\"shards\":%u},\"received\":29,"
                    "\"counted\":1,\"refused\":{\"malformed\":1,\"too_late\":2,"
                    "\"too_far_ahead\":3,\"unauthorised\":4,\"too_large\":5,\"throttled\":6,\"not_"
                    "kept\":7},"
                    "\"store\":{\"configured\":false,",
                    counters_shards(server.counters));
        text = strchr(text, '}') + 1;
        text = pass(text, ",\"memory\":{\"allocated_bytes\":111,\"active_bytes\":222,"
                          "\"resident_bytes\":0,\"process_peak_bytes\":5120},"
                          "\"cpu_us\":{\"user\":1000002,\"system\":3000004},"
                          "\"event_log\":{\"records\":0,\"dropped\":0,\"waiting\":0,"
                          "\"sealed\":0,\"removed\":0,\"removed_bytes\":0}");
        ck_assert_uint_eq(epochs, 1U + (unsigned)with_admin); /* one a page */
        text = pass(text, ",\"workers\":[");
        for (unsigned w = 0; w < 2; w++) {
            text = pass(text, "%s{\"connections\":%u", w ? "," : "", 3 + w);
            for (unsigned m = 0; m < METRICS; m++) {
                text = pass(text, ",\"%s\":%u", worker_metric_table[m].name, 100 * (w + 1) + m);
            }
            text = pass(text, "}");
        }
        text = pass(text, "]");
        if (with_admin) {
            text = pass(text, ",\"admin\":{\"connections\":9");
            for (unsigned m = 0; m < METRICS; m++) {
                text = pass(text, ",\"%s\":%llu", worker_metric_table[m].name,
                            (unsigned long long)(UINT64_MAX - m));
            }
            text = pass(text, "}");
        }
        text =
            pass(text, ",\"connections\":7,\"reports_set_aside\":0}\n"); /* without the admin's */
        ck_assert_str_eq(text, "");
    }
    server.admin = NULL;
}
END_TEST

/* A text that ends as it must was not cut off. */
START_TEST(there_is_room_for_the_widest_values) {
    static struct worker workers[COUNTERS_WORKERS_MAX];
    char why[COUNTERS_WHY_MAX], node[COUNTERS_NODE_MAX];
    struct counters *counters = server.counters;
    memset(node, 'n', sizeof node - 1);
    node[sizeof node - 1] = '\0';
    state_dir_make(); /* another one than the worker's */
    struct counters_config config = tiny_config(1);
    config.node_id = node;
    server.counters = counters_open(&config, NULL, why);
    ck_assert_msg(server.counters != NULL, "%s", why);
    const struct shard_tally most = {
        UINT64_MAX / 2,
        UINT64_MAX / 2,
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    shard_tally_owner(counters_worker_shard(server.counters, 0), &most);
    memset(&flush_is, 0xff, sizeof flush_is);
    flush_is.connected = true;
    flush_is.state = FLUSH_SENDING;
    flush_is.lag_us = flush_is.last_flush_us = INT64_MIN / 2;
    memset(flush_is.last_error, 1, sizeof flush_is.last_error - 1);
    memset(flush_is.holder, 1, sizeof flush_is.holder - 1);
    memset(flush_is.copy_of, 1, sizeof flush_is.copy_of - 1);
    flush_is.last_error[sizeof flush_is.last_error - 1] = '\0';
    flush_is.holder[sizeof flush_is.holder - 1] = '\0';
    flush_is.copy_of[sizeof flush_is.copy_of - 1] = '\0';
    server.flush = (struct flush *)(void *)&flush_is;
    server.started_us = INT64_MIN / 2;
    server.worker = workers;
    server.workers = COUNTERS_WORKERS_MAX;
    for (unsigned w = 0; w < server.workers; w++) {
        workers[w].connections = INT64_MAX / COUNTERS_WORKERS_MAX;
        for (int m = 0; m < METRICS; m++) {
            metric_add_owner(&workers[w].metrics, (enum metric)m, UINT64_MAX);
        }
    }
    server.admin = &workers[0];
    server.state_is_lost = true;
    const char *text = health();
    ck_assert_str_eq(text + strlen(text) - 4, "\"}}\n");
    text = stats();
    ck_assert_ptr_nonnull(
        strstr(text, ",\"connections\":9223372036854775552,\"reports_set_aside\":0}\n"));
    counters_close(server.counters);
    state_dir_remove();
    server.counters = counters;
}
END_TEST

START_TEST(out_of_memory_nothing_is_kept) {
    lab_out_of_memory = true;
    status_page_make_stats(&worker, &page);
    ck_assert_ptr_null(page.response);
    status_page_make_health(&worker, &page);
    ck_assert_ptr_null(page.response);
}
END_TEST

HTTP_LAB_MAIN("status_page", how_well_the_server_is, without_a_store, how_the_store_is,
              each_number_of_the_statistics, there_is_room_for_the_widest_values,
              out_of_memory_nothing_is_kept)
