/* Sentinel: finds the current master and notices when it changes. Used by a link's thread. */
#ifndef AFORO_REDIS_SENTINEL_H
#define AFORO_REDIS_SENTINEL_H

#include "redis/wire.h"

struct sentinel_watch;

/* Asks one sentinel after another for the URL's master, connects to it and verifies that it is one
 * (a sentinel may not have heard of a failover yet). NULL fills `why`. *watch receives a
 * subscription to +switch-master at the sentinel that answered, or NULL when it refused one; the
 * caller frees it before config's URL. */
struct wire *sentinel_open_master(const struct wire_config *config, struct sentinel_watch **watch,
                                  char *why);

/* Whether the sentinel has announced another master than the one it named. Does not block. A
 * sentinel that went away announces nothing; a demotion then shows as a lost connection or a
 * READONLY error. NULL is allowed: false. */
bool sentinel_watch_switched(struct sentinel_watch *watch);

void sentinel_watch_free(struct sentinel_watch *watch);

#endif
