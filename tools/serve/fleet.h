/* The fleet: what all nodes have left in Redis, read once for many viewers. What was read is kept
 * for 100 ms, and final windows for good, in a table of fixed size.
 *
 * One thread asks (the worker that answers viewers). It waits for Redis for one time-out at most:
 * when Redis does not answer, a thread of the fleet, the healer, tries until it does; meanwhile
 * every question fails at once, with the reason. */
#ifndef AFORO_TOOLS_SERVE_FLEET_H
#define AFORO_TOOLS_SERVE_FLEET_H

#include "counters/query.h"
#include "tools/console/report_source.h"
#include "view/nodes.h"

#define FLEET_WHY_MAX SOURCE_WHY_MAX

struct fleet_config {
    const char *redis; /* a valid URL; outlives the fleet */
    struct redis_tls_options redis_tls;
    int64_t timeout_us;
    int64_t horizon_us;
};

struct fleet;

/* Starts a fleet; Redis need not answer yet. NULL when out of memory or threads; one line on stderr
 * has said why. fleet_stop frees it. */
struct fleet *fleet_start(const struct fleet_config *config);
/* Stops and frees the fleet. After the last call of the other functions. */
void fleet_stop(struct fleet *fleet);

/* All of these by one thread. On failure: false, with a sentence in `why` (FLEET_WHY_MAX bytes),
 * when Redis does not answer. */

/* The horizon that the configuration says. */
int64_t fleet_horizon_us(const struct fleet *fleet);

/* Whether Redis answered when it was last asked. */
bool fleet_is_here(struct fleet *fleet, char *why);

/* A reader of the windows of a resolution at time now_us (wall clock), valid as long as the fleet.
 * After it has failed, fleet_is_here or fleet_why says why. */
struct query_reader fleet_reader(struct fleet *fleet, enum resolution r, int64_t now_us);
void fleet_why(struct fleet *fleet, char *why);

/* As in report_ops, but the answer is added to `text`. */
enum report_outcome fleet_report(struct fleet *fleet, const struct report_words *words,
                                 struct text *text, char *why);
enum report_outcome fleet_report_list(struct fleet *fleet, enum rows_format format,
                                      struct text *text, char *why);

/* The nodes that have described themselves within a day, sorted by name; *node belongs to the fleet
 * and is valid until the next call. A node is gone if it has said so, or has been silent for 5 s
 * while Redis could be asked. */
bool fleet_nodes(struct fleet *fleet, int64_t now_us, const struct node_view **node, size_t *n,
                 char *why);

#endif
