#include "server/http/status_page.h"

#include "common/json.h"
#include "common/version.h"
#include "counters/counters.h"
#include "server/flush/flush.h"
#include "server/metrics.h"
#include "server/process/clock.h"
#include "server/refusals.h"

#include <jemalloc/jemalloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Missing where a sanitizer brings its own allocator. */
extern __typeof__(mallctl) mallctl __attribute__((weak));

/* How much room each part needs at the most, as arrays of the list's names with the widest values.
 */
struct node_room {
    char brackets[128]; /* with the names of objects */
#define NODE_METRIC(kind, object, name, sentence) char name[JSON_NUMBER_MAX(sizeof #name)];
#include "server/metrics.def"
#define REFUSAL(symbol, name, status, sentence) char symbol[JSON_NUMBER_MAX(sizeof(name))];
#include "server/refusals.def"
#undef REFUSAL
};

struct store_room {
    char brackets[256]; /* with the words, their names, and those of the state */
    char last_error[JSON_TEXT_MAX(0, STORE_WHY_MAX)];
    char holder[JSON_TEXT_MAX(0, STORE_HOLDER_MAX)];
    char copy_of[JSON_TEXT_MAX(0, COUNTERS_NODE_MAX)];
#define STORE_METRIC(kind, name, sentence) char name[JSON_NUMBER_MAX(sizeof #name)];
#include "server/metrics.def"
};

struct worker_room {
    char brackets[32];
    char connections[JSON_NUMBER_MAX(sizeof "connections")];
#define WORKER_METRIC(kind, name, sentence) char name[JSON_NUMBER_MAX(sizeof #name)];
#include "server/metrics.def"
};

struct report_room {
    char brackets[64];
    char name[JSON_TEXT_MAX(4, TABLE_NAME_MAX)];
    char digest[JSON_TEXT_MAX(6, TABLE_DIGEST_MAX)];
    char unfit[FIELDS_MAX][JSON_NUMBER_MAX(FIELD_NAME_MAX)];
#define REPORT_METRIC(kind, name, sentence) char name##_room[JSON_NUMBER_MAX(sizeof #name)];
#include "server/metrics.def"
};

#define HEALTH_BYTES (256 + JSON_TEXT_MAX(0, COUNTERS_NODE_MAX) + sizeof(struct store_room))
#define STATS_BYTES (HEALTH_BYTES + sizeof(struct node_room))

/* Adds the metrics [first, end) of a table, each in its object. */
static void add_metrics(struct json *json, const struct metric_info *table, const int64_t *value,
                        int first, int end) {
    const char *object = "";
    for (int m = first; m < end; m++) {
        if (strcmp(table[m].object, object) != 0) {
            if (*object) {
                json_object_end(json);
            }
            object = table[m].object;
            if (*object) {
                json_object(json, object);
            }
        }
        json_number(json, table[m].name, value[m]);
    }
    if (*object) {
        json_object_end(json);
    }
}

static void add_store(struct json *json, const struct server *server) {
    struct flush_status status = {0};
    if (server->flush) {
        flush_status(server->flush, &status);
    }
    const int64_t age_us =
        status.last_flush_us ? clock_steady_us() - status.last_flush_us : -US_PER_MS;
    const int64_t value[STORE_METRICS] = {[STORE_METRIC_last_flush_age_ms] = age_us / US_PER_MS,
                                          [STORE_METRIC_lag_ms] = status.lag_us / US_PER_MS,
                                          [STORE_METRIC_errors] = (int64_t)status.errors,
                                          [STORE_METRIC_passes] = (int64_t)status.passes,
                                          [STORE_METRIC_chunks_sent] = (int64_t)status.chunks_sent,
                                          [STORE_METRIC_losses] = (int64_t)status.losses,
                                          [STORE_METRIC_resends] = (int64_t)status.resends,
                                          [STORE_METRIC_too_late] = (int64_t)status.too_late};
    json_object(json, "store");
    json_boolean(json, "configured", server->flush != NULL);
    json_boolean(json, "connected", status.connected);
    json_text(json, "state", server->flush ? flush_state_name(status.state) : "none");
    add_metrics(json, store_metric_table, value, 0, STORE_METRICS);
    json_text(json, "last_error", status.last_error);
    if (*status.holder) {
        json_text(json, "lease_holder", status.holder);
    }
    if (*status.copy_of) {
        json_text(json, "copy_of", status.copy_of);
    }
    json_object_end(json);
}

void status_page_make_health(const struct worker *worker, struct page *page) {
    const struct server *server = worker->server;
    char text[HEALTH_BYTES];
    struct json json = json_begin(text, sizeof text);
    const bool stopping = atomic_load_explicit(&server->stopping, memory_order_relaxed);
    /* this worker's answers close their connections: so does this one */
    const bool draining = worker->draining;
    const bool lost = atomic_load_explicit(&server->state_is_lost, memory_order_relaxed);
    json_object(&json, NULL);
    json_text(&json, "status",
              stopping   ? "stopping"
              : draining ? "draining"
              : lost     ? "state file gone"
                         : "ok");
    json_text(&json, "node", counters_node_id(server->counters));
    json_text(&json, "version", version_text());
    add_store(&json, server);
    json_object_end(&json);
    json_end(&json);
    page->status = stopping || draining || lost ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
    page->type = "application/json";
    page->response = MHD_create_response_from_buffer(json.len, text, MHD_RESPMEM_MUST_COPY);
}

/* ---- /stats ---- */

static int64_t read_allocator(const char *name) {
    size_t value = 0, size = sizeof value;
    return mallctl && mallctl(name, &value, &size, NULL, 0) == 0 ? (int64_t)value : 0;
}

static int64_t in_us(struct timeval time) {
    return (int64_t)time.tv_sec * US_PER_S + time.tv_usec;
}

static void read_process(int64_t value[NODE_METRICS]) {
    uint64_t epoch = 1;
    size_t size = sizeof epoch;
    if (mallctl) {
        /* jemalloc's figures are of the last epoch: begin a new one */
        mallctl("epoch", &epoch, &size, &epoch, size);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    value[NODE_METRIC_allocated_bytes] = read_allocator("stats.allocated");
    value[NODE_METRIC_active_bytes] = read_allocator("stats.active");
    value[NODE_METRIC_resident_bytes] = read_allocator("stats.resident");
    value[NODE_METRIC_process_peak_bytes] = usage.ru_maxrss * INT64_C(1024);
    value[NODE_METRIC_user] = in_us(usage.ru_utime);
    value[NODE_METRIC_system] = in_us(usage.ru_stime);
}

static void read_event_log(const struct eventlog *log, int64_t value[NODE_METRICS]) {
    struct eventlog_status status = {0};
    if (log) {
        eventlog_status(log, &status);
    }
    value[NODE_METRIC_records] = (int64_t)status.records;
    value[NODE_METRIC_dropped] = (int64_t)status.dropped;
    value[NODE_METRIC_waiting] = (int64_t)status.waiting;
    value[NODE_METRIC_sealed] = (int64_t)status.sealed;
    value[NODE_METRIC_removed] = (int64_t)status.removed;
    value[NODE_METRIC_removed_bytes] = (int64_t)status.removed_bytes;
}

static int64_t count_connections(const struct worker *worker) {
    return (int64_t)atomic_load_explicit(&worker->connections, memory_order_relaxed);
}

static void read_node(const struct worker *worker, const struct shard_tally *tally,
                      int64_t value[NODE_METRICS]) {
    const struct server *server = worker->server;
    const struct report_set *set = worker->report_view.set;
    value[NODE_METRIC_reports_set_aside] = set ? set->definitions->asides : 0;
    value[NODE_METRIC_uptime_ms] = (clock_steady_us() - server->started_us) / US_PER_MS;
    value[NODE_METRIC_counts_ahead_ms] = counters_ahead_us(server->counters) / US_PER_MS;
    value[NODE_METRIC_shards] = counters_shards(server->counters);
    value[NODE_METRIC_received] = (int64_t)tally->received;
    value[NODE_METRIC_counted] = (int64_t)tally->counted;
    value[NODE_METRIC_connections] = 0;
    for (unsigned i = 0; i < server->workers; i++) {
        value[NODE_METRIC_connections] += count_connections(&server->worker[i]);
    }
    read_process(value);
    read_event_log(server->event_log, value);
}

static void add_worker(struct json *json, const char *name, const struct worker *worker) {
    json_object(json, name);
    json_number(json, node_metric_table[NODE_METRIC_connections].name, count_connections(worker));
    for (int m = 0; m < METRICS; m++) {
        json_count(json, worker_metric_table[m].name,
                   metric_read(&worker->metrics, (enum metric)m));
    }
    json_object_end(json);
}

static void add_refused(struct json *json, const struct shard_tally *tally) {
    json_object(json, "refused");
    for (int i = 0; i < REFUSALS; i++) {
        json_count(json, refusal_table[i].name, tally->refused[i]);
    }
    json_object_end(json);
}

/* Of the fields that the report needs or its `when` looks at, how many events each kept out of it.
 */
static void add_unfit(struct json *json, const struct report_set *set, unsigned r) {
    const struct definitions *definitions = set->definitions;
    const uint64_t limits = report_limits(&definitions->report[r]);
    json_object(json, "unfit");
    for (unsigned f = 0; f < definitions->fields.n; f++) {
        if (limits >> f & 1) {
            json_count(json, definitions->fields.field[f].name, report_set_unfit(set, r, f));
        }
    }
    json_object_end(json);
}

static void add_report(struct json *json, const struct report_set *set, unsigned r) {
    struct table_status status;
    table_status(set->reports.table[r], &status);
    const int64_t value[REPORT_METRICS] = {[REPORT_METRIC_rows] = (int64_t)status.rows,
                                           [REPORT_METRIC_rows_room] = (int64_t)status.rows_room,
                                           [REPORT_METRIC_other] = (int64_t)status.other,
                                           [REPORT_METRIC_gone] = (int64_t)report_set_gone(set, r),
                                           [REPORT_METRIC_keys_wanted] =
                                               (int64_t)status.keys_wanted,
                                           [REPORT_METRIC_memory_bytes] = (int64_t)status.memory};
    json_object(json, NULL);
    json_text(json, "name", set->definitions->report[r].table.name);
    json_text(json, "digest", set->definitions->report[r].table.digest);
    add_metrics(json, report_metric_table, value, 0, REPORT_METRICS);
    add_unfit(json, set, r);
    json_object_end(json);
}

/* Nothing without --reports. */
static void add_reports(struct json *json, const struct report_set *set) {
    if (!set) {
        return;
    }
    json_array(json, "reports");
    for (unsigned r = 0; r < set->definitions->reports; r++) {
        add_report(json, set, r);
    }
    json_array_end(json);
}

static void add_stats(struct json *json, const struct worker *worker) {
    const struct server *server = worker->server;
    struct shard_tally tally;
    int64_t value[NODE_METRICS];
    counters_tally(server->counters, &tally);
    read_node(worker, &tally, value);
    json_object(json, NULL);
    json_text(json, "node", counters_node_id(server->counters));
    add_metrics(json, node_metric_table, value, 0, NODE_METRIC_counted + 1);
    add_refused(json, &tally);
    add_store(json, server);
    add_metrics(json, node_metric_table, value, NODE_METRIC_counted + 1, NODE_METRIC_connections);
    json_array(json, "workers");
    for (unsigned i = 0; i < server->workers; i++) {
        add_worker(json, NULL, &server->worker[i]);
    }
    json_array_end(json);
    if (server->admin) {
        add_worker(json, "admin", server->admin);
    }
    add_metrics(json, node_metric_table, value, NODE_METRIC_connections, NODE_METRICS);
    add_reports(json, worker->report_view.set);
    json_object_end(json);
    json_end(json);
}

void status_page_make_stats(const struct worker *worker, struct page *page) {
    const struct report_set *set = worker->report_view.set;
    const size_t reports = set ? set->definitions->reports : 0;
    const size_t cap = STATS_BYTES + (worker->server->workers + 1) * sizeof(struct worker_room) +
                       reports * sizeof(struct report_room);
    char *text = malloc(cap);
    page->status = MHD_HTTP_OK;
    page->type = "application/json";
    page->response = NULL;
    if (!text) {
        return;
    }
    struct json json = json_begin(text, cap);
    add_stats(&json, worker);
    page->response = MHD_create_response_from_buffer(json.len, text, MHD_RESPMEM_MUST_FREE);
    if (!page->response) {
        free(text);
    }
}
