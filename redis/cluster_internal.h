/* What the parts of a cluster's link share: nodes, map and queue. Used by the link's thread. */
#ifndef AFORO_REDIS_CLUSTER_INTERNAL_H
#define AFORO_REDIS_CLUSTER_INTERNAL_H

#include "redis/cluster.h"

#define NODES_MAX 1000 /* the most nodes Redis recommends */
#define NOWHERE (-1)

struct cluster_node {
    struct redis_host host;
    struct wire *wire;      /* NULL: not connected */
    int64_t rests_until_ms; /* not contacted before then */
};

struct cluster_command {
    char *text;    /* in wire format; NULL once its reply was fetched */
    long long len; /* hiredis 0.14 returns it as int, 1.x as long long */
    uint16_t slot;
    int ask;           /* node that an ASK named, for the next round only; else NOWHERE */
    int sent_to;       /* node whose reply is awaited this round; else NOWHERE */
    bool asking;       /* an ASKING was sent before it */
    bool done;         /* reply is final */
    redisReply *reply; /* until then: the error that asked for a retry */
};

struct cluster {
    const struct wire_config *config;
    int nodes;
    struct cluster_node *node[NODES_MAX];
    int16_t owner[CLUSTER_SLOTS]; /* node, or NOWHERE */
    bool connected;
    bool changed; /* see cluster_is_whole */
    bool stale;   /* get the map before sending anything else */
    bool moved;   /* a MOVED corrected one slot; the others can wait for the next queue */
    bool ran;     /* the queue was sent */
    unsigned queued, fetched;
    struct cluster_command queue[REDIS_PIPELINE_MAX];
    char why[WIRE_WHY_MAX]; /* the last failure in this run */
};

/* ---- cluster_map.c ---- */

/* The index of the node at that address, added when new; NOWHERE when there are too many nodes or
 * no memory. */
int cluster_find_node(struct cluster *cluster, const struct redis_host *host);

/* Connects to a node unless it is connected. False fills cluster->why; *refused as in wire_open. */
bool cluster_ready_node(struct cluster *cluster, struct cluster_node *node, bool *refused);

/* Closes a failed connection; the reason is in cluster->why. Replies awaited on it will not
 * come. */
void cluster_lose_node(struct cluster *cluster, struct cluster_node *node);

/* Leaves a node alone for a while because it did not answer. */
void cluster_rest_node(struct cluster_node *node);

/* Gets the map from the first of the URL's nodes that answers. False fills cluster->why. */
bool cluster_take_map(struct cluster *cluster);

/* Gets the map from a connected node, or else from the URL's. No reply may be pending. */
void cluster_refresh_map(struct cluster *cluster);

/* ---- cluster_round.c ---- */

/* Sends the whole queue, and again what a reply asks to retry, until each command has its reply or
 * the time or the rounds are used up. */
void cluster_run_queue(struct cluster *cluster);

#endif
