/* What a link needs of a cluster: connecting, queueing commands, and returning replies in that
 * order. */
#include "redis/cluster_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cluster_connect(struct cluster *cluster, char *why) {
    cluster_close(cluster);
    bool refused = false, any = false;
    if (cluster_take_map(cluster)) {
        const int known = cluster->nodes;
        for (int i = 0; i < known && !refused; i++) {
            any = cluster_ready_node(cluster, cluster->node[i], &refused) || any;
        }
    }
    cluster->connected = any && !refused;
    cluster->stale = false;
    if (!cluster->connected) {
        snprintf(why, WIRE_WHY_MAX, "%s", cluster->why);
        cluster_close(cluster);
    }
    return cluster->connected;
}

bool cluster_append(struct cluster *cluster, const struct redis_command *asked, char *why) {
    assert(!cluster->ran && cluster->queued < REDIS_PIPELINE_MAX);
    assert(asked->key_at > 0 && asked->key_at < asked->argc);
    struct cluster_command *command = &cluster->queue[cluster->queued];
    *command = (struct cluster_command){.ask = NOWHERE, .sent_to = NOWHERE};
    command->slot = cluster_slot(asked->argv[asked->key_at], asked->lens[asked->key_at]);
    command->len = cluster->connected ? redisFormatCommandArgv(&command->text, asked->argc,
                                                               asked->argv, asked->lens)
                                      : -1;
    if (command->len < 0) {
        snprintf(why, WIRE_WHY_MAX, "%.120s: %s", cluster->config->url->address,
                 cluster->connected ? "out of memory" : "not connected");
        cluster_close(cluster);
        return false;
    }
    cluster->queued++;
    return true;
}

redisReply *cluster_reply(struct cluster *cluster, char *why) {
    if (cluster->fetched == cluster->queued) {
        snprintf(why, WIRE_WHY_MAX, "%.120s: not connected", cluster->config->url->address);
        return NULL;
    }
    if (!cluster->ran) {
        cluster_run_queue(cluster);
    }
    struct cluster_command *command = &cluster->queue[cluster->fetched++];
    redisReply *reply = command->reply;
    redisFreeCommand(command->text);
    *command = (struct cluster_command){0};
    if (!reply) {
        snprintf(why, WIRE_WHY_MAX, "%s",
                 *cluster->why ? cluster->why : "the cluster did not answer in time");
    }
    if (cluster->fetched == cluster->queued) {
        cluster->fetched = cluster->queued = 0;
        cluster->ran = false;
    }
    return reply;
}

unsigned cluster_server(const struct cluster *cluster, const char *key, size_t len) {
    const int owner = cluster->owner[cluster_slot(key, len)];
    return owner == NOWHERE ? 0 : (unsigned)owner;
}

bool cluster_pending(const struct cluster *cluster) {
    return cluster->fetched < cluster->queued;
}

bool cluster_is_whole(const struct cluster *cluster) {
    return cluster->connected && !cluster->changed;
}

void cluster_close(struct cluster *cluster) {
    for (unsigned i = cluster->fetched; i < cluster->queued; i++) {
        redisFreeCommand(cluster->queue[i].text);
        if (cluster->queue[i].reply) {
            freeReplyObject(cluster->queue[i].reply);
        }
    }
    for (int i = 0; i < cluster->nodes; i++) {
        wire_close(cluster->node[i]->wire);
        free(cluster->node[i]);
    }
    cluster->nodes = 0;
    cluster->queued = cluster->fetched = 0;
    cluster->ran = cluster->connected = cluster->changed = cluster->stale = cluster->moved = false;
    memset(cluster->owner, 0xff, sizeof cluster->owner);
}

struct cluster *cluster_new(const struct wire_config *config) {
    struct cluster *cluster = calloc(1, sizeof *cluster);
    if (cluster) {
        cluster->config = config;
        memset(cluster->owner, 0xff, sizeof cluster->owner);
    }
    return cluster;
}

void cluster_free(struct cluster *cluster) {
    if (cluster) {
        cluster_close(cluster);
        free(cluster);
    }
}
