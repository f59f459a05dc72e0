#include "server/metrics.h"

const struct metric_info node_metric_table[NODE_METRICS] = {
#define NODE_METRIC(kind, object, name, family, label, value, unit, sentence)                      \
    {#name, METRIC_##kind, object, family, label, value, UNIT_##unit, sentence},
#include "server/metrics.def"
};

const struct metric_info store_metric_table[STORE_METRICS] = {
#define STORE_METRIC(kind, name, family, label, value, unit, sentence)                             \
    {#name, METRIC_##kind, "", family, label, value, UNIT_##unit, sentence},
#include "server/metrics.def"
};

const struct metric_info worker_metric_table[METRICS] = {
#define WORKER_METRIC(kind, name, family, label, value, unit, sentence)                            \
    {#name, METRIC_##kind, "", family, label, value, UNIT_##unit, sentence},
#include "server/metrics.def"
};

const struct metric_info report_metric_table[REPORT_METRICS] = {
#define REPORT_METRIC(kind, name, family, label, value, unit, sentence)                            \
    {#name, METRIC_##kind, "", family, label, value, UNIT_##unit, sentence},
#include "server/metrics.def"
};

const struct metric_info state_metric_table[STATE_METRICS] = {
#define STATE_METRIC(name, family, sentence)                                                       \
    {#name, METRIC_GAUGE, "", family, "", "", UNIT_ONE, sentence},
#include "server/metrics.def"
};

const struct metric_info process_metric_table[PROCESS_METRICS] = {
#define PROCESS_METRIC(kind, name, family, unit, sentence)                                         \
    {#name, METRIC_##kind, "", family, "", "", UNIT_##unit, sentence},
#include "server/metrics.def"
};

const struct histogram_info histogram_table[HISTOGRAMS] = {
#define HISTOGRAM(name, family, first_us, last_us, sentence) {family, first_us, last_us, sentence},
#include "server/metrics.def"
};
