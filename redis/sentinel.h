/* Sentinel: which server is the master now, and notice of another one. By a link's thread. */
#ifndef AFORO_REDIS_SENTINEL_H
#define AFORO_REDIS_SENTINEL_H

#include "redis/wire.h"

struct sentinel_watch;

/* Asks one sentinel after the other for the URL's master, connects to it and makes sure that it is
 * one (a sentinel may not have heard of a failover yet). NULL fills why. *watch gets a subscription
 * to +switch-master at the sentinel that answered, or NULL when it gave none; the caller frees it,
 * before config's URL goes. */
struct wire *sentinel_open_master(const struct wire_config *config, struct sentinel_watch **watch,
                                  char *why);

/* Whether the sentinel has told of another master than the one that it led us to. Does not block. A
 * sentinel that went away tells nothing more: a demotion then shows by a lost connection or a
 * READONLY. NULL is allowed: false. */
bool sentinel_watch_switched(struct sentinel_watch *watch);

void sentinel_watch_free(struct sentinel_watch *watch);

#endif
