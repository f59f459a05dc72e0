#include "server/metrics.h"

const struct metric_info node_metric_table[NODE_METRICS] = {
#define NODE_METRIC(kind, object, name, sentence) {#name, METRIC_##kind, object, sentence},
#include "server/metrics.def"
};

const struct metric_info store_metric_table[STORE_METRICS] = {
#define STORE_METRIC(kind, name, sentence) {#name, METRIC_##kind, "", sentence},
#include "server/metrics.def"
};

const struct metric_info worker_metric_table[METRICS] = {
#define WORKER_METRIC(kind, name, sentence) {#name, METRIC_##kind, "", sentence},
#include "server/metrics.def"
};

const struct metric_info report_metric_table[REPORT_METRICS] = {
#define REPORT_METRIC(kind, name, sentence) {#name, METRIC_##kind, "", sentence},
#include "server/metrics.def"
};
