/* A Redis Cluster as one link: knows which master has a key, holds a connection to each master, and
 * follows changes of both. Used by a link's thread.
 *
 * Commands are copied and queued, sent together when the first reply is asked for, and answered in
 * queue order. A command that is redirected (MOVED, ASK) or told to retry (TRYAGAIN, CLUSTERDOWN),
 * or whose connection broke, is sent again a few times after updating the map. So it may arrive
 * twice, which all our commands tolerate. */
#ifndef AFORO_REDIS_CLUSTER_H
#define AFORO_REDIS_CLUSTER_H

#include "redis/command.h"
#include "redis/wire.h"

#define CLUSTER_SLOTS 16384

struct cluster;

/* The slot of a key: CRC16 (XMODEM) of what is between its first { and the next }, or of the whole
 * key when there is no such pair or nothing in it. Pure. */
uint16_t cluster_slot(const char *key, size_t len);

/* `config` must outlive the cluster. NULL when memory runs out. Free it with cluster_free. */
struct cluster *cluster_new(const struct wire_config *config);
void cluster_free(struct cluster *cluster);

/* Gets the map from the first of the URL's nodes that answers, and connects to all reachable
 * masters, at least one. Fails when the check refuses a master. False fills `why`. */
bool cluster_connect(struct cluster *cluster, char *why);
void cluster_close(struct cluster *cluster);

/* Whether the link is connected and nothing was lost since then. False also when a connection was
 * lost, or when a master came up that was none at connect: what the lost one acknowledged last may
 * be missing. Commands still work then. */
bool cluster_is_whole(const struct cluster *cluster);

/* See link_server. */
unsigned cluster_server(const struct cluster *cluster, const char *key, size_t len);

/* See link_append, link_reply and link_pending. */
bool cluster_append(struct cluster *cluster, const struct redis_command *command, char *why);
redisReply *cluster_reply(struct cluster *cluster, char *why);
bool cluster_pending(const struct cluster *cluster);

#endif
