/* What the parts of a cluster's link share: its nodes, the map and the queue. By the link's thread.
 */
#ifndef AFORO_REDIS_CLUSTER_INTERNAL_H
#define AFORO_REDIS_CLUSTER_INTERNAL_H

#include "redis/cluster.h"

#define NODES_MAX 1000 /* what Redis recommends as a cluster's most */
#define NOWHERE (-1)

struct cluster_node {
    struct redis_host host;
    struct wire *wire;      /* NULL: not connected */
    int64_t rests_until_ms; /* not to be tried before */
};

struct cluster_command {
    char *text;    /* as it goes over the wire; NULL once its reply was fetched */
    long long len; /* hiredis 0.14 says it as int, 1.x as long long */
    uint16_t slot;
    int ask;           /* node that an ASK sent us to, for the next round only; else NOWHERE */
    int sent_to;       /* node whose reply is awaited in this round; else NOWHERE */
    bool asking;       /* an ASKING went out before it */
    bool done;         /* reply is the last word */
    redisReply *reply; /* so far: an error that asked us to come again */
};

struct cluster {
    const struct wire_config *config;
    int nodes;
    struct cluster_node *node[NODES_MAX];
    int16_t owner[CLUSTER_SLOTS]; /* node, or NOWHERE */
    bool connected;
    bool changed; /* see cluster_is_whole */
    bool stale;   /* the map is to be asked for before anything else is sent */
    bool moved;   /* a MOVED put one slot right; the others can wait for the next queue */
    bool ran;     /* the queue has gone out */
    unsigned queued, fetched;
    struct cluster_command queue[REDIS_PIPELINE_MAX];
    char why[WIRE_WHY_MAX]; /* of what failed last in this run */
};

/* ---- cluster_map.c ---- */

/* The number of the node at that address, made when new; NOWHERE when there are too many or no
 * memory. */
int cluster_find_node(struct cluster *cluster, const struct redis_host *host);

/* Connects when it is not. False fills cluster->why; *refused as wire_open has it. */
bool cluster_ready_node(struct cluster *cluster, struct cluster_node *node, bool *refused);

/* Closes a connection that failed; why is in cluster->why. Replies that were awaited of it will not
 * come. */
void cluster_lose_node(struct cluster *cluster, struct cluster_node *node);

/* Lets a node alone for a while, since it did not answer. */
void cluster_rest_node(struct cluster_node *node);

/* Asks the nodes of the URL for the map, one after the other. False fills cluster->why. */
bool cluster_take_map(struct cluster *cluster);

/* Asks a node that is connected for the map, or the URL's. No reply may be awaited. */
void cluster_refresh_map(struct cluster *cluster);

/* ---- cluster_round.c ---- */

/* Sends all of the queue, again where a reply asks for that, until each command has its reply, or
 * time or rounds are used up. */
void cluster_run_queue(struct cluster *cluster);

#endif
