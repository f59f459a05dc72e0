/* A worker's own statistics: one writer, any reader. The list is metrics.def. */
#ifndef AFORO_SERVER_METRICS_H
#define AFORO_SERVER_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

enum metric {
#define METRIC(field, sentence) METRIC_##field,
#include "server/metrics.def"
#undef METRIC
    METRICS
};

struct metrics {
    _Alignas(64) _Atomic uint64_t value[METRICS];
};

extern const char *const metric_names[METRICS];

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
