/* What the numbers of metrics.def are now: for /stats, /healthz and /metrics alike, which differ in
 * how they write them. By the thread of the worker that is asked. */
#ifndef AFORO_SERVER_HTTP_SNAPSHOT_H
#define AFORO_SERVER_HTTP_SNAPSHOT_H

#include "server/http/context.h"
#include "server/metrics.h"

#include <stdint.h>

#define SNAPSHOT_UNKNOWN INT64_MIN /* of a number of the process that cannot be told here */

/* All of the flush at one moment; zeros in *status without --redis. */
void snapshot_read_store(const struct server *server, struct flush_status *status,
                         int64_t value[STORE_METRICS]);

/* `tally` is what was received and counted: read once, so that it fits what was refused. */
void snapshot_read_node(const struct worker *worker, const struct shard_tally *tally,
                        int64_t value[NODE_METRICS]);

/* The sum over the workers that count. */
void snapshot_read_workers(const struct server *server, int64_t value[METRICS]);
void snapshot_read_worker(const struct worker *worker, int64_t value[METRICS]);
int64_t snapshot_count_connections(const struct worker *worker);

void snapshot_read_report(const struct report_set *set, unsigned r, int64_t value[REPORT_METRICS]);
void snapshot_read_state(const struct worker *worker, const struct flush_status *status,
                         int64_t value[STATE_METRICS]);
void snapshot_read_process(const struct server *server, int64_t value[PROCESS_METRICS]);

#endif
