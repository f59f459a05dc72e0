/* GET /metrics of a fleet: what its nodes say of themselves, for Prometheus or OpenMetrics. The
 * families have names of their own, so that nobody adds them to those that each aforod reports
 * itself. */
#ifndef AFORO_TOOLS_SERVE_FLEET_METRICS_H
#define AFORO_TOOLS_SERVE_FLEET_METRICS_H

#include "view/exposition.h"
#include "view/nodes.h"

/* Writes the whole text; node NULL: Redis does not answer, so nothing is known of the nodes. */
void fleet_metrics_write(struct exposition *out, const struct node_view *node, size_t n);

#endif
