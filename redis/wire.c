/* What a connection needs before it is usable, and single commands. */
#include "redis/wire_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define ARGUMENTS_MAX 8

bool wire_is_error(const redisReply *reply, const char *word) {
    const size_t len = strlen(word);
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, word, len) == 0 &&
           (reply->str[len] == ' ' || reply->str[len] == '\0');
}

redisReply *wire_call(const struct wire_peer *peer, int argc, const char **argv, char *why) {
    size_t lens[ARGUMENTS_MAX];
    assert(argc <= ARGUMENTS_MAX);
    for (int i = 0; i < argc; i++) {
        lens[i] = strlen(argv[i]);
    }
    redisReply *reply =
        wire_append(peer->wire, argc, argv, lens) ? wire_reply(peer->config, peer->wire) : NULL;
    if (!reply) {
        wire_explain(peer->wire, peer->address, why);
    }
    return reply;
}

/* Sends a command that must succeed. *refused: the reply was an error. */
static bool call_and_demand(const struct wire_peer *peer, int argc, const char **argv,
                            bool *refused, char *why) {
    redisReply *reply = wire_call(peer, argc, argv, why);
    if (!reply) {
        return false;
    }
    *refused = reply->type == REDIS_REPLY_ERROR;
    if (*refused) {
        snprintf(why, WIRE_WHY_MAX, "%.80s: %.10s: %.150s", peer->address, argv[0], reply->str);
    }
    freeReplyObject(reply);
    return !*refused;
}

static bool log_in(const struct wire_peer *peer, bool *refused, char *why) {
    const struct redis_url *url = peer->config->url;
    if (!*url->password) {
        return true;
    }
    const char *auth[] = {"AUTH", *url->user ? url->user : url->password, url->password};
    return call_and_demand(peer, *url->user ? 3 : 2, auth, refused, why);
}

bool wire_login(const struct wire_peer *peer, char *why) {
    bool refused;
    return log_in(peer, &refused, why);
}

static bool select_database(const struct wire_peer *peer, bool *refused, char *why) {
    char db[16];
    if (!peer->config->url->db) {
        return true;
    }
    snprintf(db, sizeof db, "%d", peer->config->url->db);
    const char *select[] = {"SELECT", db};
    return call_and_demand(peer, 2, select, refused, why);
}

static bool check_peer(const struct wire_peer *peer, bool *refused, char *why) {
    if (!peer->config->check || peer->config->check(peer, why)) {
        return true;
    }
    *refused = !wire_failed(peer->wire);
    return false;
}

struct wire *wire_open_bare(const struct wire_config *config, const struct redis_host *host,
                            char *why) {
    char address[REDIS_ADDRESS_MAX];
    redis_host_render(host, address);
    return wire_connect(config, host, address, why);
}

struct wire *wire_open(const struct wire_config *config, const struct redis_host *host,
                       bool *refused, char *why) {
    char address[sizeof config->url->address];
    bool no = false;
    if (host) {
        redis_host_render(host, address);
    } else {
        snprintf(address, sizeof address, "%s", config->url->path);
    }
    struct wire *wire = wire_connect(config, host, address, why);
    const struct wire_peer peer = {config, wire, address};
    if (wire && (!log_in(&peer, &no, why) || !select_database(&peer, &no, why) ||
                 !check_peer(&peer, &no, why))) {
        wire_close(wire);
        wire = NULL;
    }
    if (refused) {
        *refused = no;
    }
    return wire;
}
