#include "server/http/metrics_page.h"

#include "common/version.h"
#include "counters/counters.h"
#include "server/http/snapshot.h"
#include "server/refusals.h"
#include "view/exposition.h"

#include <string.h>

static const struct exposition_labels no_labels = {NULL, 0};

static const enum exposition_kind kinds[] = {
    [METRIC_COUNTER] = EXPOSITION_COUNTER, [METRIC_GAUGE] = EXPOSITION_GAUGE};

/* Begins the family of a table row, unless the previous row did; false: the row is in no family. */
static bool begin_family(struct exposition *out, const struct metric_info *info) {
    if (!*info->family) {
        return false;
    }
    if (!out->family || strcmp(out->family, info->family) != 0) {
        exposition_family(out, info->family, kinds[info->kind], info->sentence);
    }
    return true;
}

/* Adds a row's sample, with the row's own label and another one (NULL: none). */
static void add_sample(struct exposition *out, const struct metric_info *info,
                       const struct exposition_label *other, int64_t value) {
    struct exposition_label label[2];
    size_t n = 0;
    if (*info->label) {
        label[n++] = (struct exposition_label){info->label, info->value};
    }
    if (other) {
        label[n++] = *other;
    }
    exposition_sample(out, (struct exposition_labels){label, n}, value, info->unit);
}

/* Adds rows [first, end) of a table. */
static void add_table(struct exposition *out, const struct metric_info *table, const int64_t *value,
                      int first, int end) {
    for (int m = first; m < end; m++) {
        if (value[m] != SNAPSHOT_UNKNOWN && begin_family(out, &table[m])) {
            add_sample(out, &table[m], NULL, value[m]);
        }
    }
}

static void add_info(struct exposition *out, const char *family, const char *help, const char *name,
                     const char *value) {
    const struct exposition_label label = {name, value};
    exposition_family(out, family, EXPOSITION_INFO, help);
    exposition_sample(out, (struct exposition_labels){&label, 1}, 1, 0);
}

static void add_refused(struct exposition *out, const struct shard_tally *tally) {
    exposition_family(out, REFUSALS_FAMILY, EXPOSITION_COUNTER, REFUSALS_SENTENCE);
    for (int i = 0; i < REFUSALS; i++) {
        const struct exposition_label label = {"reason", refusal_table[i].name};
        exposition_sample(out, (struct exposition_labels){&label, 1}, (int64_t)tally->refused[i],
                          0);
    }
}

static const struct exposition_label events = {"listener", "events"}, admin = {"listener", "admin"};

/* What was received, counted and refused comes from one reading of the shards' statistics. */
static void add_node(struct exposition *out, const struct worker *worker) {
    const struct server *server = worker->server;
    struct shard_tally tally;
    int64_t value[NODE_METRICS];
    counters_tally(server->counters, &tally);
    snapshot_read_node(worker, &tally, value);
    add_info(out, "aforo_build_info", "the version of the program", "version", version_text());
    add_info(out, "aforo_node_info", "the name under which this server reports", "node",
             counters_node_id(server->counters));
    exposition_family(out, "aforo_horizon_seconds", EXPOSITION_GAUGE,
                      "how far back an event time is accepted, and how long the store may be away");
    exposition_sample(out, no_labels, counters_horizon_us(server->counters), UNIT_US);
    add_table(out, node_metric_table, value, 0, NODE_METRIC_counted + 1);
    add_refused(out, &tally);
    add_table(out, node_metric_table, value, NODE_METRIC_counted + 1, NODE_METRIC_connections + 1);
    if (server->admin) {
        exposition_sample(out, (struct exposition_labels){&admin, 1},
                          snapshot_count_connections(server->admin), 0);
    }
    add_table(out, node_metric_table, value, NODE_METRIC_connections + 1, NODE_METRICS);
}

static void add_workers(struct exposition *out, const struct server *server) {
    int64_t value[METRICS], of_admin[METRICS];
    snapshot_read_workers(server, value);
    if (server->admin) {
        snapshot_read_worker(server->admin, of_admin);
    }
    for (int m = 0; m < METRICS; m++) {
        const struct metric_info *info = &worker_metric_table[m];
        if (begin_family(out, info)) {
            add_sample(out, info, &events, value[m]);
            if (server->admin) {
                add_sample(out, info, &admin, of_admin[m]);
            }
        }
    }
}

/* ---- reports ---- */

static void add_unfit(struct exposition *out, const struct report_set *set) {
    const struct definitions *definitions = set->definitions;
    exposition_family(out, "aforo_report_unfit_events_total", EXPOSITION_COUNTER,
                      "events that a field kept out of a report, missing or not of its type");
    for (unsigned r = 0; r < definitions->reports; r++) {
        const uint64_t limits = report_limits(&definitions->report[r]);
        for (unsigned f = 0; f < definitions->fields.n; f++) {
            const struct exposition_label label[] = {{"report", definitions->report[r].table.name},
                                                     {"field", definitions->fields.field[f].name}};
            if (limits >> f & 1) {
                exposition_sample(out, (struct exposition_labels){label, 2},
                                  (int64_t)report_set_unfit(set, r, f), 0);
            }
        }
    }
}

/* Adds nothing without --reports. */
static void add_reports(struct exposition *out, const struct report_set *set) {
    int64_t value[REPORTS_MAX][REPORT_METRICS];
    const unsigned reports = set ? set->definitions->reports : 0;
    for (unsigned r = 0; r < reports; r++) {
        snapshot_read_report(set, r, value[r]);
    }
    for (int m = 0; m < REPORT_METRICS && reports > 0; m++) {
        const struct metric_info *info = &report_metric_table[m];
        for (unsigned r = 0; r < reports && begin_family(out, info); r++) {
            const struct exposition_label label = {"report",
                                                   set->definitions->report[r].table.name};
            add_sample(out, info, &label, value[r][m]);
        }
    }
    if (reports > 0) {
        add_unfit(out, set);
    }
}

/* ---- histograms ---- */

static void add_histogram(struct exposition *out, enum histogram histogram,
                          const struct durations_total *durations) {
    const struct histogram_info *info = &histogram_table[histogram];
    exposition_family(out, info->family, EXPOSITION_HISTOGRAM, info->sentence);
    exposition_durations(out, no_labels, durations, info->first_us, info->last_us);
}

static void add_histograms(struct exposition *out, const struct server *server,
                           const struct flush_status *status) {
    struct durations_total lag = {{0}, 0}, request = {{0}, 0};
    for (unsigned i = 0; i < server->workers; i++) {
        durations_sum(&server->worker[i].metrics.event_lag, &lag);
        durations_sum(&server->worker[i].metrics.request, &request);
    }
    add_histogram(out, HISTOGRAM_event_lag, &lag);
    add_histogram(out, HISTOGRAM_request, &request);
    if (server->flush) {
        add_histogram(out, HISTOGRAM_flush, &status->took);
        add_histogram(out, HISTOGRAM_visible, &status->visible);
    }
}

/* ---- the page ---- */

static void add_store(struct exposition *out, const struct worker *worker) {
    const struct server *server = worker->server;
    struct flush_status status;
    int64_t value[STORE_METRICS], state[STATE_METRICS];
    snapshot_read_store(server, &status, value);
    if (value[STORE_METRIC_last_flush_age_ms] < 0) {
        value[STORE_METRIC_last_flush_age_ms] = SNAPSHOT_UNKNOWN;
    }
    snapshot_read_state(worker, &status, state);
    add_table(out, store_metric_table, value, 0, STORE_METRICS);
    add_table(out, state_metric_table, state, 0, STATE_METRICS);
    add_histograms(out, server, &status);
}

static void add_process(struct exposition *out, const struct server *server) {
    int64_t value[PROCESS_METRICS];
    snapshot_read_process(server, value);
    add_table(out, process_metric_table, value, 0, PROCESS_METRICS);
}

void metrics_page_make(const struct worker *worker, struct MHD_Connection *connection,
                       struct page *page) {
    struct exposition out = {.format = exposition_choose(MHD_lookup_connection_value(
                                 connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT))};
    page->status = MHD_HTTP_OK;
    page->type = exposition_type(out.format);
    page->response = NULL;
    add_node(&out, worker);
    add_workers(&out, worker->server);
    add_reports(&out, worker->report_view.set);
    add_store(&out, worker);
    add_process(&out, worker->server);
    exposition_end(&out);
    if (!out.text.failed) {
        page->response =
            MHD_create_response_from_buffer(out.text.len, out.text.bytes, MHD_RESPMEM_MUST_COPY);
    }
    text_free(&out.text);
}
