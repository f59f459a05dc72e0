/* Which nodes there are, as they say themselves: all of them in one hash, so that nobody has to
 * look for their keys. Over a connected link, by its thread. */
#ifndef AFORO_REDIS_NODES_H
#define AFORO_REDIS_NODES_H

#include "redis/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODES_MAX 4096 /* that are looked at */

/* Who is given what a node has said: seen_ms by the clock of Redis, and its words, which are
 * another's text. */
struct nodes_taker {
    void (*take)(void *cls, const char *node, size_t node_len, int64_t seen_ms, const char *words);
    void *cls;
};

/* Gives every node, in no order. False fills why (LINK_WHY_MAX). */
bool nodes_read(struct link *link, const struct nodes_taker *taker, char *why);

#endif
