/* /metrics of a fleet: what its nodes say of themselves, for Prometheus or OpenMetrics. The
 * families have names of their own, so that they are not added to those that each aforod tells
 * itself. */
#ifndef AFORO_TOOLS_SERVE_FLEET_METRICS_H
#define AFORO_TOOLS_SERVE_FLEET_METRICS_H

#include "view/exposition.h"
#include "view/nodes.h"

/* Writes the whole text; node NULL: Redis does not answer, and nothing is known of them. */
void fleet_metrics_write(struct exposition *out, const struct node_view *node, size_t n);

#endif
