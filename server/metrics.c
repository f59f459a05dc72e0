#include "server/metrics.h"

const char *const metric_names[METRICS] = {
#define METRIC(field, sentence) #field,
#include "server/metrics.def"
#undef METRIC
};
