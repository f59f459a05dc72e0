/* Every number that aforod reports, from their one list, metrics.def; and a worker's own numbers,
 * which it alone writes and any thread reads. */
#ifndef AFORO_SERVER_METRICS_H
#define AFORO_SERVER_METRICS_H

#include "counters/time/durations.h"

#include <stdatomic.h>
#include <stdint.h>

enum node_metric {
#define NODE_METRIC(kind, object, name, family, label, value, unit, sentence) NODE_METRIC_##name,
#include "server/metrics.def"
    NODE_METRICS
};

enum store_metric {
#define STORE_METRIC(kind, name, family, label, value, unit, sentence) STORE_METRIC_##name,
#include "server/metrics.def"
    STORE_METRICS
};

/* Numbers of a worker. */
enum metric {
#define WORKER_METRIC(kind, name, family, label, value, unit, sentence) METRIC_##name,
#include "server/metrics.def"
    METRICS
};

/* Numbers of a report in force. */
enum report_metric {
#define REPORT_METRIC(kind, name, family, label, value, unit, sentence) REPORT_METRIC_##name,
#include "server/metrics.def"
    REPORT_METRICS
};

/* Numbers that only /metrics has. */
enum state_metric {
#define STATE_METRIC(name, family, sentence) STATE_METRIC_##name,
#include "server/metrics.def"
    STATE_METRICS
};

enum process_metric {
#define PROCESS_METRIC(kind, name, family, unit, sentence) PROCESS_METRIC_##name,
#include "server/metrics.def"
    PROCESS_METRICS
};

enum histogram {
#define HISTOGRAM(name, family, first_us, last_us, sentence) HISTOGRAM_##name,
#include "server/metrics.def"
    HISTOGRAMS
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

/* The unit of a number; its value is how many decimals it has when shown in seconds. */
enum metric_unit { UNIT_ONE = 0, UNIT_MS = 3, UNIT_US = 6 };

struct metric_info {
    const char *name;
    enum metric_kind kind;
    const char *object; /* the object of /stats that contains it; "": none */
    const char *family; /* its family in /metrics; "": it is not there */
    const char *label;  /* label that distinguishes it within its family; "": it is alone */
    const char *value;  /* value of the label */
    enum metric_unit unit;
    const char *sentence;
};

struct histogram_info {
    const char *family;
    uint64_t first_us, last_us; /* bounds of its buckets, see counters/time/durations.h */
    const char *sentence;
};

extern const struct metric_info node_metric_table[NODE_METRICS];
extern const struct metric_info store_metric_table[STORE_METRICS];
extern const struct metric_info worker_metric_table[METRICS];
extern const struct metric_info report_metric_table[REPORT_METRICS];
extern const struct metric_info state_metric_table[STATE_METRICS];
extern const struct metric_info process_metric_table[PROCESS_METRICS];
extern const struct histogram_info histogram_table[HISTOGRAMS];

struct metrics {
    _Alignas(64) _Atomic uint64_t value[METRICS];
    struct durations event_lag; /* for the same events as lag_us_sum */
    struct durations request;
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
