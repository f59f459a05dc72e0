/* The node's name. Private to the library. */
#ifndef AFORO_COUNTERS_STATE_NAME_H
#define AFORO_COUNTERS_STATE_NAME_H

#include "counters/state/state_file.h"

/* The name for a new file: the configuration's, or a random one. False fills why. */
bool state_choose_name(const struct counters_config *config, char node[COUNTERS_NODE_MAX],
                       char *why);

/* Is `node` the node that was asked for, or a copy of it that took a name of its own? Pure. */
bool state_names_node(const char *node, const char *asked);

/* From now on readers get this place's name (0 to COUNTERS_NAMES_MAX - 1), which is that of the
 * header. */
void state_publish_name(struct counters *counters, int place);

/* Has it room for another name? To be asked before anything is written for one. False fills why. */
bool state_may_rename(const struct counters *counters, char *why);

/* Gives the node another name, for good. By the owner of the read-back shard. False fills why: the
 * name is the old one. */
bool state_rename(struct counters *counters, const char *node, char *why);

#endif
