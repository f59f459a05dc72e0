/* The node's name. Private to the library. */
#ifndef AFORO_COUNTERS_STATE_NAME_H
#define AFORO_COUNTERS_STATE_NAME_H

#include "counters/state/state_file.h"

/* Chooses the name for a new file: the configuration's, or a random one. False fills `why`. */
bool state_choose_name(const struct counters_config *config, char node[COUNTERS_NODE_MAX],
                       char *why);

/* Whether `node` is the node `asked`, or a copy of it that took a name of its own. Pure. */
bool state_names_node(const char *node, const char *asked);

/* Publishes the header's name to readers, in place 0 to COUNTERS_NAMES_MAX - 1. */
void state_publish_name(struct counters *counters, int place);

/* Whether there is a place for another name. Call it before writing anything for one. False fills
 * `why`. */
bool state_may_rename(const struct counters *counters, char *why);

/* Renames the node for good. By the owner of the read-back shard. False fills `why` and keeps the
 * old name. */
bool state_rename(struct counters *counters, const char *node, char *why);

#endif
