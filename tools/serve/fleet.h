/* What all nodes have left in Redis, read once for many viewers: what was read is kept for 100 ms,
 * and of windows that are final for good, in a table whose size does not grow.
 *
 * One thread asks (the worker that answers viewers), and waits for Redis no longer than one
 * time-out: once Redis does not answer, a thread of the fleet's own tries until it does, and who
 * asks meanwhile is told at once why there is nothing. */
#ifndef AFORO_TOOLS_SERVE_FLEET_H
#define AFORO_TOOLS_SERVE_FLEET_H

#include "counters/query.h"
#include "tools/console/report_source.h"
#include "view/nodes.h"

#define FLEET_WHY_MAX SOURCE_WHY_MAX

struct fleet_config {
    const char *redis; /* URL, a valid one; outlives the fleet */
    struct redis_tls_options redis_tls;
    int64_t timeout_us;
    int64_t horizon_us;
};

struct fleet;

/* Redis need not answer yet. NULL, and one line on stderr said why, when out of memory or threads.
 */
struct fleet *fleet_start(const struct fleet_config *config);
/* After the last call of the others. */
void fleet_stop(struct fleet *fleet);

/* Each of these by one thread: false, with a sentence in `why` (FLEET_WHY_MAX), when Redis does not
 * answer. */

int64_t fleet_horizon_us(const struct fleet *fleet);

/* Whether it did when it was last asked. */
bool fleet_is_here(struct fleet *fleet, char *why);

/* A reader of the windows of a resolution at time now_us, for as long as the fleet is; after it
 * failed, fleet_is_here or fleet_why says why. */
struct query_reader fleet_reader(struct fleet *fleet, enum resolution r, int64_t now_us);
void fleet_why(struct fleet *fleet, char *why);

/* As report_ops: `text` is added to. */
enum report_outcome fleet_report(struct fleet *fleet, const struct report_words *words,
                                 struct text *text, char *why);
enum report_outcome fleet_report_list(struct fleet *fleet, enum rows_format format,
                                      struct text *text, char *why);

/* The nodes that have said something within a day, by their names; *node is the fleet's, until the
 * next call. One is gone that has said so, or has said nothing for 5 s while Redis was there to be
 * asked. */
bool fleet_nodes(struct fleet *fleet, int64_t now_us, const struct node_view **node, size_t *n,
                 char *why);

#endif
