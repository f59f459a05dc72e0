#include "tools/serve/fleet_metrics.h"

#include "common/version.h"
#include "counters/time/window.h"

static const struct exposition_labels none = {NULL, 0};

/* A number that each node has. */
struct figure {
    const char *family;
    enum exposition_kind kind;
    const char *sentence;
    int64_t (*find)(const struct node_view *node); /* below 0: unknown */
    unsigned decimals;
};

static int64_t find_up(const struct node_view *node) {
    return !node->gone;
}

static int64_t find_received(const struct node_view *node) {
    return (int64_t)node->received;
}

static int64_t find_counted(const struct node_view *node) {
    return (int64_t)node->counted;
}

static int64_t find_lag(const struct node_view *node) {
    return node->lag_ms;
}

static int64_t find_complete(const struct node_view *node) {
    return node->complete_through_us > 0 ? node->complete_through_us / US_PER_MS : -1;
}

static int64_t find_seen(const struct node_view *node) {
    return node->last_seen_us / US_PER_MS;
}

static int64_t find_start(const struct node_view *node) {
    return node->started_us > 0 ? node->started_us / US_PER_MS : -1;
}

static const struct figure figures[] = {
    {"aforo_fleet_node_up", EXPOSITION_GAUGE,
     "1 while the node is here; 0 when it has stopped, or said nothing for 5 s", find_up, 0},
    {"aforo_fleet_node_last_seen_seconds", EXPOSITION_GAUGE, "when the node last said how it is",
     find_seen, 3},
    {"aforo_fleet_node_start_seconds", EXPOSITION_GAUGE, "when this run of the node began",
     find_start, 3},
    {"aforo_fleet_node_lag_seconds", EXPOSITION_GAUGE,
     "for how long there has always been something that Redis does not have", find_lag, 3},
    {"aforo_fleet_node_complete_through_seconds", EXPOSITION_GAUGE,
     "until when everything that the node acknowledged is in Redis", find_complete, 3},
    {"aforo_fleet_events_received_total", EXPOSITION_COUNTER,
     "events that the node received: those counted and those refused", find_received, 0},
    {"aforo_fleet_events_counted_total", EXPOSITION_COUNTER, "events that the node counted",
     find_counted, 0},
};

static void write_refused(struct exposition *out, const struct node_view *node, size_t n) {
    exposition_family(out, "aforo_fleet_events_refused_total", EXPOSITION_COUNTER,
                      "events that the node refused, by reason");
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < node[i].reasons; k++) {
            const struct exposition_label label[] = {{"node", node[i].node},
                                                     {"reason", node[i].refused[k].name}};
            exposition_sample(out, (struct exposition_labels){label, 2},
                              (int64_t)node[i].refused[k].events, 0);
        }
    }
}

void fleet_metrics_write(struct exposition *out, const struct node_view *node, size_t n) {
    const struct exposition_label version = {"version", version_text()};
    exposition_family(out, "aforo_fleet_build_info", EXPOSITION_INFO,
                      "version of the aforo serve that tells this");
    exposition_sample(out, (struct exposition_labels){&version, 1}, 1, 0);
    exposition_family(out, "aforo_fleet_redis_up", EXPOSITION_GAUGE,
                      "1 while Redis can be read; else nothing is known of the nodes");
    exposition_sample(out, none, node != NULL, 0);
    for (size_t f = 0; node && f < sizeof figures / sizeof *figures; f++) {
        exposition_family(out, figures[f].family, figures[f].kind, figures[f].sentence);
        for (size_t i = 0; i < n; i++) {
            const struct exposition_label label = {"node", node[i].node};
            const int64_t value = figures[f].find(&node[i]);
            if (value >= 0) {
                exposition_sample(out, (struct exposition_labels){&label, 1}, value,
                                  figures[f].decimals);
            }
        }
    }
    if (node) {
        write_refused(out, node, n);
    }
    exposition_end(out);
}
