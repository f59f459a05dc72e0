#include "redis/link.h"

#include "redis/cluster.h"
#include "redis/schema.h"
#include "redis/sentinel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct link {
    struct redis_url url;
    struct wire_config config;
    struct cluster *cluster; /* NULL unless the URL names a cluster; then the rest is unused */
    struct wire *wire;       /* NULL: not connected */
    struct sentinel_watch *watch;
    unsigned pending;
};

struct link *link_new(const struct redis_url *url, long timeout_ms) {
    struct link *link = calloc(1, sizeof *link);
    if (!link) {
        return NULL;
    }
    link->url = *url;
    link->config.url = &link->url;
    link->config.timeout_ms = timeout_ms;
    link->config.end_ms = WIRE_NO_END;
    if (url->kind == REDIS_URL_CLUSTER && !(link->cluster = cluster_new(&link->config))) {
        free(link);
        return NULL;
    }
    return link;
}

void link_set_check(struct link *link, wire_check *check, void *cls) {
    link->config.check = check;
    link->config.check_cls = cls;
}

void link_set_until(struct link *link, const _Atomic int64_t *until_ms) {
    link->config.until_ms = until_ms;
}

void link_set_end(struct link *link, int64_t end_ms) {
    link->config.end_ms = end_ms;
}

void link_close(struct link *link) {
    if (link->cluster) {
        cluster_close(link->cluster);
    }
    wire_close(link->wire);
    link->wire = NULL;
    sentinel_watch_free(link->watch);
    link->watch = NULL;
    link->pending = 0;
}

void link_free(struct link *link) {
    if (link) {
        link_close(link);
        cluster_free(link->cluster);
        free(link);
    }
}

bool link_connected(const struct link *link) {
    return link->cluster ? cluster_is_whole(link->cluster) : link->wire != NULL;
}

bool link_pending(const struct link *link) {
    return link->cluster ? cluster_pending(link->cluster) : link->pending > 0;
}

bool link_takes_more(const struct link *link) {
    return link->cluster == NULL;
}

unsigned link_server(const struct link *link, const char *key, size_t len) {
    return link->cluster ? cluster_server(link->cluster, key, len) : 0;
}

unsigned link_groups(const struct link *link) {
    return link->url.kind == REDIS_URL_CLUSTER ? SCHEMA_GROUPS_MAX : 1;
}

const char *link_address(const struct link *link) {
    return link->url.address;
}

bool link_connect(struct link *link, char *why) {
    link_close(link);
    switch (link->url.kind) {
    case REDIS_URL_CLUSTER:
        return cluster_connect(link->cluster, why);
    case REDIS_URL_SENTINEL:
        link->wire = sentinel_open_master(&link->config, &link->watch, why);
        break;
    case REDIS_URL_SERVER:
        link->wire =
            wire_open(&link->config, link->url.hosts ? &link->url.host[0] : NULL, NULL, why);
        break;
    }
    return link->wire != NULL;
}

/* Fills `why` with hiredis' reason, closes the connection, and returns false. */
static bool drop_connection(struct link *link, char *why) {
    wire_explain(link->wire, link->url.address, why);
    link_close(link);
    return false;
}

bool link_append(struct link *link, const struct redis_command *command, char *why) {
    assert(link->pending < LINK_PIPELINE_MAX);
    if (link->cluster) {
        return cluster_append(link->cluster, command, why);
    }
    if (!link->wire) {
        snprintf(why, LINK_WHY_MAX, "%.120s: not connected", link->url.address);
        return false;
    }
    if (link->pending == 0 && sentinel_watch_switched(link->watch)) {
        snprintf(why, LINK_WHY_MAX, "%.120s: another server is the master now", link->url.address);
        link_close(link);
        return false;
    }
    if (!wire_append(link->wire, command->argc, command->argv, command->lens)) {
        return drop_connection(link, why);
    }
    link->pending++;
    return true;
}

redisReply *link_reply(struct link *link, char *why) {
    if (link->cluster) {
        return cluster_reply(link->cluster, why);
    }
    if (!link->wire) {
        snprintf(why, LINK_WHY_MAX, "%.120s: not connected", link->url.address);
        return NULL;
    }
    assert(link->pending > 0);
    redisReply *reply = wire_reply(&link->config, link->wire);
    if (!reply) {
        drop_connection(link, why);
        return NULL;
    }
    link->pending--;
    return reply;
}
