/* A Redis Cluster as one link: which master has a key, a connection to each, and what to do when
 * that changes. By a link's thread.
 *
 * Commands are queued with a copy, go out together when the first reply is asked for, and come back
 * in the order of the queue. A command that is redirected (MOVED, ASK), told to come again
 * (TRYAGAIN, CLUSTERDOWN) or whose connection broke is sent again a few times, after a look at the
 * map: so it may arrive twice, which all our commands bear. */
#ifndef AFORO_REDIS_CLUSTER_H
#define AFORO_REDIS_CLUSTER_H

#include "redis/command.h"
#include "redis/wire.h"

#define CLUSTER_SLOTS 16384

struct cluster;

/* The slot of a key: CRC16 (XMODEM) of what stands between its first { and the next }, or of all of
 * it when there is no such pair or nothing in it. Pure. */
uint16_t cluster_slot(const char *key, size_t len);

/* config must outlive the cluster. NULL when out of memory. */
struct cluster *cluster_new(const struct wire_config *config);
void cluster_free(struct cluster *cluster);

/* Learns the map from the first of the URL's nodes that answers, and connects to all masters that
 * can be reached, at least one. A master that the check refuses is a failure. */
bool cluster_connect(struct cluster *cluster, char *why);
void cluster_close(struct cluster *cluster);

/* Whether the link is connected and nothing was lost since. False also when a
 * connection was lost, or a master has come up that was none at connect: what the lost one
 * acknowledged last may be missing. Commands still work then. */
bool cluster_is_whole(const struct cluster *cluster);

/* As link_server. */
unsigned cluster_server(const struct cluster *cluster, const char *key, size_t len);

/* As link_append, link_reply and link_pending. */
bool cluster_append(struct cluster *cluster, const struct redis_command *command, char *why);
redisReply *cluster_reply(struct cluster *cluster, char *why);
bool cluster_pending(const struct cluster *cluster);

#endif
