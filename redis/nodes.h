/* Lists the nodes by what they report about themselves: all in one hash, so that nobody has to
 * search for their keys. Over a connected link, in its thread. */
#ifndef AFORO_REDIS_NODES_H
#define AFORO_REDIS_NODES_H

#include "redis/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODES_MAX 4096 /* most nodes that are read */

/* Receives a node's report: seen_ms by Redis' clock, and its words, which are untrusted text. */
struct nodes_taker {
    void (*take)(void *cls, const char *node, size_t node_len, int64_t seen_ms, const char *words);
    void *cls;
};

/* Passes every node to `taker`, in no particular order. False fills `why` (LINK_WHY_MAX). */
bool nodes_read(struct link *link, const struct nodes_taker *taker, char *why);

#endif
