/* The present values of the numbers in metrics.def, for /stats, /healthz and /metrics, which differ
 * only in how they write them. By the thread of the worker that is asked. */
#ifndef AFORO_SERVER_HTTP_SNAPSHOT_H
#define AFORO_SERVER_HTTP_SNAPSHOT_H

#include "server/http/context.h"
#include "server/metrics.h"

#include <stdint.h>

/* value of a number of the process that is not available on this system */
#define SNAPSHOT_UNKNOWN INT64_MIN

/* Reads the flush's numbers at one moment; without --redis, *status is all zeros. */
void snapshot_read_store(const struct server *server, struct flush_status *status,
                         int64_t value[STORE_METRICS]);

/* `tally` is what was received, counted and refused; the caller reads it once, so that the numbers
 * agree. */
void snapshot_read_node(const struct worker *worker, const struct shard_tally *tally,
                        int64_t value[NODE_METRICS]);

/* The sum over the workers that count. */
void snapshot_read_workers(const struct server *server, int64_t value[METRICS]);
void snapshot_read_worker(const struct worker *worker, int64_t value[METRICS]);
int64_t snapshot_count_connections(const struct worker *worker);

/* r: number of a report of the set. *status: as snapshot_read_store has filled it. */
void snapshot_read_report(const struct report_set *set, unsigned r, int64_t value[REPORT_METRICS]);
void snapshot_read_state(const struct worker *worker, const struct flush_status *status,
                         int64_t value[STATE_METRICS]);
void snapshot_read_process(const struct server *server, int64_t value[PROCESS_METRICS]);

#endif
