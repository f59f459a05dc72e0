#include "server/http/status_page.h"

#include "common/json.h"
#include "common/version.h"
#include "counters/counters.h"
#include "server/flush/flush.h"
#include "server/http/snapshot.h"
#include "server/metrics.h"
#include "server/refusals.h"

#include <stdlib.h>
#include <string.h>

/* The most room that each part needs, as arrays with the list's names and the widest values. */
struct node_room {
    char brackets[128]; /* with the names of objects */
#define NODE_METRIC(kind, object, name, family, label, value, unit, sentence)                      \
    char name[JSON_NUMBER_MAX(sizeof #name)];
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
#define STORE_METRIC(kind, name, family, label, value, unit, sentence)                             \
    char name[JSON_NUMBER_MAX(sizeof #name)];
#include "server/metrics.def"
};

struct worker_room {
    char brackets[32];
    char connections[JSON_NUMBER_MAX(sizeof "connections")];
#define WORKER_METRIC(kind, name, family, label, value, unit, sentence)                            \
    char name[JSON_NUMBER_MAX(sizeof #name)];
#include "server/metrics.def"
};

struct report_room {
    char brackets[64];
    char name[JSON_TEXT_MAX(4, TABLE_NAME_MAX)];
    char digest[JSON_TEXT_MAX(6, TABLE_DIGEST_MAX)];
    char unfit[FIELDS_MAX][JSON_NUMBER_MAX(FIELD_NAME_MAX)];
#define REPORT_METRIC(kind, name, family, label, value, unit, sentence)                            \
    char name##_room[JSON_NUMBER_MAX(sizeof #name)];
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
    struct flush_status status;
    int64_t value[STORE_METRICS];
    snapshot_read_store(server, &status, value);
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
    /* while draining, this worker's answers, including this one, close their connections */
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

static void add_worker(struct json *json, const char *name, const struct worker *worker) {
    json_object(json, name);
    json_number(json, node_metric_table[NODE_METRIC_connections].name,
                snapshot_count_connections(worker));
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

/* Adds, for each field that the report needs or that its `when` tests, how many events it kept
 * out. */
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
    int64_t value[REPORT_METRICS];
    snapshot_read_report(set, r, value);
    json_object(json, NULL);
    json_text(json, "name", set->definitions->report[r].table.name);
    json_text(json, "digest", set->definitions->report[r].table.digest);
    add_metrics(json, report_metric_table, value, 0, REPORT_METRICS);
    add_unfit(json, set, r);
    json_object_end(json);
}

/* Adds nothing without --reports. */
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
    snapshot_read_node(worker, &tally, value);
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
