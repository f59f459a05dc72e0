/* /metrics: the same numbers as /stats, each family once, and received = counted + refused. */
#include "server/http/metrics_page.h"

#include "server/http/tally.h"
#include "tests/unit/server/http/http_lab.h"

#include <string.h>

static struct page page;
static struct flush_status flush_is;

/* No flush of its own: this is what it would say. */
void flush_status(struct flush *flush, struct flush_status *out) {
    ck_assert_ptr_eq(flush, &flush_is);
    *out = flush_is;
}

const char *flush_state_name(enum flush_state state) {
    return state == FLUSH_SENDING ? "sending" : "other";
}

static const char *metrics(void) {
    static char *text;
    free(text);
    metrics_page_make(&worker, client.connection.mhd, &page);
    ck_assert_uint_eq(page.status, 200);
    text = read_response(page.response);
    MHD_destroy_response(page.response);
    return text;
}

/* The value of a sample, as it is written. */
static const char *value_of(const char *text, const char *sample) {
    static char line[512];
    char wanted[256];
    snprintf(wanted, sizeof wanted, "\n%s ", sample);
    const char *found = strstr(text, wanted);
    ck_assert_msg(found != NULL, "no %s in\n%s", sample, text);
    const char *value = found + strlen(wanted);
    snprintf(line, sizeof line, "%.*s", (int)strcspn(value, "\n"), value);
    ck_assert_msg(strstr(value, wanted) == NULL, "%s twice", sample);
    return line;
}

static void is(const char *sample, const char *value) {
    ck_assert_str_eq(value_of(metrics(), sample), value);
}

START_TEST(events_and_refusals) {
    for (int refusal = 0; refusal < REFUSALS; refusal++) {
        for (int n = 0; n <= refusal; n++) {
            tally_add_refusal(&worker, (enum refusal)refusal);
        }
    }
    shard_add_owner(worker.shard, T0);
    shard_tally_counted_owner(worker.shard);
    tally_add_lag(&worker, NOW_US - 3 * US_PER_S);
    is("aforo_events_received_total", "29");
    is("aforo_events_counted_total", "1");
    is("aforo_events_refused_total{reason=\"malformed\"}", "1");
    is("aforo_events_refused_total{reason=\"too_late\"}", "2");
    is("aforo_event_lag_seconds_bucket{le=\"2.5\"}", "0");
    is("aforo_event_lag_seconds_bucket{le=\"5.0\"}", "1");
    is("aforo_event_lag_seconds_sum", "3");
}
END_TEST

START_TEST(workers_are_summed_and_the_admin_apart) {
    static struct worker workers[2], admin;
    server.workers = 2;
    server.worker = workers;
    workers[0].connections = 3;
    workers[1].connections = 4;
    admin.connections = 9;
    metric_add_owner(&workers[0].metrics, METRIC_responses_2xx, 5);
    metric_add_owner(&workers[1].metrics, METRIC_responses_2xx, 6);
    metric_add_owner(&admin.metrics, METRIC_responses_2xx, 7);
    is("aforo_http_responses_total{class=\"2xx\",listener=\"events\"}", "11");
    is("aforo_connections{listener=\"events\"}", "7");
    ck_assert_ptr_null(strstr(metrics(), "\"admin\""));
    server.admin = &admin;
    is("aforo_http_responses_total{class=\"2xx\",listener=\"admin\"}", "7");
    is("aforo_connections{listener=\"admin\"}", "9");
    server.admin = NULL;
}
END_TEST

START_TEST(the_store) {
    ck_assert_ptr_null(strstr(metrics(), "aforo_visible_seconds"));
    ck_assert_ptr_null(strstr(metrics(), "aforo_store_last_flush_age_seconds"));
    is("aforo_store_configured", "0");
    flush_is = (struct flush_status){
        .connected = true, .may_evict = true, .lag_us = 1999999, .errors = 4, .holder = "x"};
    durations_note(&flush_is.visible, 50 * US_PER_MS);
    server.flush = (struct flush *)(void *)&flush_is;
    is("aforo_store_configured", "1");
    is("aforo_store_connected", "1");
    is("aforo_store_may_evict", "1");
    is("aforo_store_lease_elsewhere", "1");
    is("aforo_store_node_copy", "0");
    is("aforo_store_lag_seconds", "1.999");
    is("aforo_store_errors_total", "4");
    is("aforo_visible_seconds_count", "1");
    is("aforo_visible_seconds_sum", "0.05");
}
END_TEST

/* What is only a row of the list comes out, in one piece. */
START_TEST(each_family_is_there_once) {
    server.flush = (struct flush *)(void *)&flush_is;
    flush_is.last_flush_us = 1;
    char *text = strdup(metrics());
    ck_assert_str_eq(page.type, "text/plain; version=0.0.4; charset=utf-8");
    const struct {
        const struct metric_info *table;
        int n;
    } tables[] = {{node_metric_table, NODE_METRICS},
                  {store_metric_table, STORE_METRICS},
                  {worker_metric_table, METRICS},
                  {state_metric_table, STATE_METRICS},
                  {process_metric_table, PROCESS_METRICS}};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        for (int m = 0; m < tables[t].n; m++) {
            char wanted[256];
            const char *family = tables[t].table[m].family;
            if (!*family) {
                continue;
            }
            snprintf(wanted, sizeof wanted, "# TYPE %s %s\n%s", family,
                     tables[t].table[m].kind == METRIC_COUNTER ? "counter" : "gauge", family);
            const char *found = strstr(text, wanted);
            ck_assert_msg(found != NULL, "%s", wanted);
            ck_assert_msg(strstr(found + 1, wanted) == NULL, "%s twice", family);
        }
    }
    free(text);
}
END_TEST

START_TEST(openmetrics_when_asked_for) {
    set_field(MHD_HEADER_KIND, "Accept", "application/openmetrics-text; version=1.0.0");
    const char *text = metrics();
    ck_assert_str_eq(page.type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    ck_assert_str_eq(text + strlen(text) - 6, "# EOF\n");
    ck_assert_ptr_nonnull(strstr(text, "\n# TYPE aforo_events_received counter\n"));
    is("aforo_events_received_total", "0");
}
END_TEST

START_TEST(out_of_memory_nothing_is_kept) {
    lab_out_of_memory = true;
    metrics_page_make(&worker, client.connection.mhd, &page);
    ck_assert_ptr_null(page.response);
}
END_TEST

HTTP_LAB_MAIN("metrics_page", events_and_refusals, workers_are_summed_and_the_admin_apart,
              the_store, each_family_is_there_once, openmetrics_when_asked_for,
              out_of_memory_nothing_is_kept)
