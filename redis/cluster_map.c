/* A cluster's nodes, and which of them owns which slots. */
#include "redis/cluster_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* how long a node that did not answer is left alone: each attempt may cost a whole time-out */
#define REST_MS 1000

/* ---- nodes ---- */

int cluster_find_node(struct cluster *cluster, const struct redis_host *host) {
    for (int i = 0; i < cluster->nodes; i++) {
        if (cluster->node[i]->host.port == host->port &&
            strcmp(cluster->node[i]->host.name, host->name) == 0) {
            return i;
        }
    }
    struct cluster_node *node = cluster->nodes < NODES_MAX ? calloc(1, sizeof *node) : NULL;
    if (!node) {
        return NOWHERE;
    }
    node->host = *host;
    cluster->node[cluster->nodes] = node;
    return cluster->nodes++;
}

void cluster_rest_node(struct cluster_node *node) {
    node->rests_until_ms = wire_now_ms() + REST_MS;
}

void cluster_lose_node(struct cluster *cluster, struct cluster_node *node) {
    char address[REDIS_ADDRESS_MAX];
    redis_host_render(&node->host, address);
    wire_explain(node->wire, address, cluster->why);
    if (wire_timed_out(node->wire)) {
        cluster_rest_node(node);
    }
    wire_close(node->wire);
    node->wire = NULL;
    cluster->changed = true;
    cluster->stale = true;
}

bool cluster_ready_node(struct cluster *cluster, struct cluster_node *node, bool *refused) {
    *refused = false;
    if (node->wire) {
        return true;
    }
    if (wire_now_ms() < node->rests_until_ms) {
        if (!*cluster->why) {
            char address[REDIS_ADDRESS_MAX];
            redis_host_render(&node->host, address);
            snprintf(cluster->why, WIRE_WHY_MAX,
                     "%.120s: has not answered, is tried again within a second", address);
        }
        return false;
    }
    node->wire = wire_open(cluster->config, &node->host, refused, cluster->why);
    if (!node->wire) {
        cluster_rest_node(node);
        cluster->stale = true;
        return false;
    }
    /* it was not connected when the link was */
    cluster->changed = cluster->changed || cluster->connected;
    return true;
}

/* ---- the map ---- */

/* Takes one range of CLUSTER SLOTS: first, last, [host, port, ...] of the master, replicas. */
static bool take_range(struct cluster *cluster, const redisReply *range,
                       const struct redis_host *asked) {
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 ||
        range->element[0]->type != REDIS_REPLY_INTEGER ||
        range->element[1]->type != REDIS_REPLY_INTEGER ||
        range->element[2]->type != REDIS_REPLY_ARRAY || range->element[2]->elements < 2 ||
        range->element[2]->element[1]->type != REDIS_REPLY_INTEGER) {
        return false;
    }
    const redisReply *name = range->element[2]->element[0];
    const long long first = range->element[0]->integer, last = range->element[1]->integer;
    struct redis_host host = *asked; /* a node that does not know its own name means itself */
    if (name->type == REDIS_REPLY_STRING && name->len > 0 && strcmp(name->str, "?") != 0) {
        snprintf(host.name, sizeof host.name, "%s", name->str);
    }
    host.port = (int)range->element[2]->element[1]->integer;
    const int node = cluster_find_node(cluster, &host);
    if (first < 0 || last >= CLUSTER_SLOTS || node == NOWHERE) {
        return false;
    }
    for (long long slot = first; slot <= last; slot++) {
        cluster->owner[slot] = (int16_t)node;
    }
    return true;
}

static bool take_map(struct cluster *cluster, struct wire *wire, const struct redis_host *asked) {
    char address[REDIS_ADDRESS_MAX];
    redis_host_render(asked, address);
    const char *ask[] = {"CLUSTER", "SLOTS"};
    redisReply *reply =
        wire_call(&(struct wire_peer){cluster->config, wire, address}, 2, ask, cluster->why);
    if (!reply) {
        return false;
    }
    bool ok = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0;
    if (!ok) {
        snprintf(cluster->why, WIRE_WHY_MAX, "%.80s: CLUSTER SLOTS: %.150s", address,
                 wire_is_error(reply, "NOAUTH")     ? "NOAUTH: " WIRE_NOAUTH_REMEDY
                 : reply->type == REDIS_REPLY_ERROR ? reply->str
                                                    : "no node has any slot");
    }
    if (ok) {
        memset(cluster->owner, 0xff, sizeof cluster->owner); /* NOWHERE */
        for (size_t i = 0; i < reply->elements && ok; i++) {
            ok = take_range(cluster, reply->element[i], asked);
        }
        if (!ok) {
            snprintf(cluster->why, WIRE_WHY_MAX,
                     "%.80s: CLUSTER SLOTS: an answer we do not understand", address);
        }
    }
    freeReplyObject(reply);
    return ok;
}

bool cluster_take_map(struct cluster *cluster) {
    struct wire_config config = *cluster->config;
    config.check = NULL; /* a seed may be a replica: only masters are to be checked */
    for (unsigned i = 0; i < config.url->hosts; i++) {
        const struct redis_host *seed = &config.url->host[i];
        struct wire *wire = wire_open(&config, seed, NULL, cluster->why);
        const bool taken = wire && take_map(cluster, wire, seed);
        wire_close(wire);
        if (taken) {
            return true;
        }
    }
    return false;
}

void cluster_refresh_map(struct cluster *cluster) {
    cluster->stale = false;
    for (int i = 0; i < cluster->nodes; i++) {
        struct cluster_node *node = cluster->node[i];
        if (!node->wire) {
            continue;
        }
        if (take_map(cluster, node->wire, &node->host)) {
            return;
        }
        if (wire_failed(node->wire)) {
            cluster_lose_node(cluster, node);
        }
    }
    cluster->stale = !cluster_take_map(cluster);
}
