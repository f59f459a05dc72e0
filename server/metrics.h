/* Every number that aforod tells, from their one list, metrics.def; and how a worker keeps its own:
 * one writer, any reader. */
#ifndef AFORO_SERVER_METRICS_H
#define AFORO_SERVER_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

enum node_metric {
#define NODE_METRIC(kind, object, name, sentence) NODE_METRIC_##name,
#include "server/metrics.def"
    NODE_METRICS
};

enum store_metric {
#define STORE_METRIC(kind, name, sentence) STORE_METRIC_##name,
#include "server/metrics.def"
    STORE_METRICS
};

/* Of a worker. */
enum metric {
#define WORKER_METRIC(kind, name, sentence) METRIC_##name,
#include "server/metrics.def"
    METRICS
};

/* Of a report in force. */
enum report_metric {
#define REPORT_METRIC(kind, name, sentence) REPORT_METRIC_##name,
#include "server/metrics.def"
    REPORT_METRICS
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

struct metric_info {
    const char *name;
    enum metric_kind kind;
    const char *object; /* of /stats that it is in; "": in none */
    const char *sentence;
};

extern const struct metric_info node_metric_table[NODE_METRICS];
extern const struct metric_info store_metric_table[STORE_METRICS];
extern const struct metric_info worker_metric_table[METRICS];
extern const struct metric_info report_metric_table[REPORT_METRICS];

struct metrics {
    _Alignas(64) _Atomic uint64_t value[METRICS];
};

/* By the worker that owns them. */
static inline void metric_add_owner(struct metrics *metrics, enum metric metric, uint64_t by) {
    _Atomic uint64_t *value = &metrics->value[metric];
    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

static inline void metric_max_owner(struct metrics *metrics, enum metric metric, uint64_t seen) {
    _Atomic uint64_t *value = &metrics->value[metric];
    if (seen > atomic_load_explicit(value, memory_order_relaxed)) {
        atomic_store_explicit(value, seen, memory_order_relaxed);
    }
}

/* By any thread. */
static inline uint64_t metric_read(const struct metrics *metrics, enum metric metric) {
    return atomic_load_explicit((_Atomic uint64_t *)&metrics->value[metric], memory_order_relaxed);
}

#endif
