#include "redis/sentinel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 64 /* read at once */

struct sentinel_watch {
    struct wire *wire;      /* NULL: the connection was lost */
    const char *name;       /* of the master; owned by the URL */
    struct redis_host host; /* the server we took for it */
};

/* ---- noticing another master ---- */

/* Takes the connection over: it is freed with the watch, or now if it cannot be subscribed. */
static struct sentinel_watch *watch_new(const struct wire_peer *sentinel,
                                        const struct redis_host *master) {
    char ignored[WIRE_WHY_MAX];
    const char *subscribe[] = {"SUBSCRIBE", "+switch-master"};
    redisReply *reply = wire_call(sentinel, 2, subscribe, ignored);
    const bool subscribed = reply && reply->type == REDIS_REPLY_ARRAY;
    struct sentinel_watch *watch = subscribed ? calloc(1, sizeof *watch) : NULL;
    if (reply) {
        freeReplyObject(reply);
    }
    if (!watch) {
        wire_close(sentinel->wire);
        return NULL;
    }
    watch->wire = sentinel->wire;
    watch->name = sentinel->config->url->master;
    watch->host = *master;
    return watch;
}

void sentinel_watch_free(struct sentinel_watch *watch) {
    if (watch) {
        wire_close(watch->wire);
        free(watch);
    }
}

/* Recognizes message, +switch-master, "NAME OLD-HOST OLD-PORT NEW-HOST NEW-PORT". A sentinel
 * announces a failover even after it has led us to the new master. */
static bool names_another(const struct sentinel_watch *watch, const redisReply *reply) {
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        reply->element[2]->type != REDIS_REPLY_STRING) {
        return false;
    }
    const char *text = reply->element[2]->str;
    const size_t len = strlen(watch->name);
    char ours[REDIS_URL_PART_MAX + 16];
    const int ours_len = snprintf(ours, sizeof ours, " %s %d", watch->host.name, watch->host.port);
    const size_t text_len = strlen(text);
    return strncmp(text, watch->name, len) == 0 && text[len] == ' ' &&
           (text_len < (size_t)ours_len || strcmp(text + text_len - (size_t)ours_len, ours) != 0);
}

bool sentinel_watch_switched(struct sentinel_watch *watch) {
    if (!watch || !watch->wire) {
        return false;
    }
    bool switched = false, lost = !wire_look(watch->wire);
    for (int i = 0; i < MESSAGES_MAX && !lost; i++) {
        redisReply *reply;
        lost = !wire_next(watch->wire, &reply);
        if (lost || !reply) {
            break;
        }
        switched = switched || names_another(watch, reply);
        freeReplyObject(reply);
    }
    if (lost) {
        wire_close(watch->wire);
        watch->wire = NULL;
    }
    return switched;
}

/* ---- finding the master ---- */

static redisReply *ask_master(const struct wire_peer *sentinel, char *why) {
    const struct redis_url *url = sentinel->config->url;
    const char *ask[] = {"SENTINEL", "get-master-addr-by-name", url->master};
    redisReply *reply = wire_call(sentinel, 3, ask, why);
    /* the sentinel requires the same password */
    if (reply && wire_is_error(reply, "NOAUTH") && *url->password) {
        freeReplyObject(reply);
        reply = wire_login(sentinel, why) ? wire_call(sentinel, 3, ask, why) : NULL;
    }
    return reply;
}

static bool take_master(const redisReply *reply, const char *address, const char *name,
                        struct redis_host *master, char *why) {
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_STRING &&
        reply->element[1]->type == REDIS_REPLY_STRING) {
        master->port = atoi(reply->element[1]->str);
        snprintf(master->name, sizeof master->name, "%s", reply->element[0]->str);
        return true;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(why, WIRE_WHY_MAX, "sentinel %.80s: %.140s", address, reply->str);
    } else {
        snprintf(why, WIRE_WHY_MAX, "sentinel %.80s: knows no master called %.80s", address, name);
    }
    return false;
}

/* Whether it is a master, as far as it tells. One that must not tell (an ACL) is trusted: a replica
 * would refuse to write. */
static bool is_master(const struct wire_config *config, struct wire *wire,
                      const struct redis_host *host, char *why) {
    char address[REDIS_ADDRESS_MAX];
    redis_host_render(host, address);
    const char *role[] = {"ROLE"};
    redisReply *reply = wire_call(&(struct wire_peer){config, wire, address}, 1, role, why);
    if (!reply) {
        return false;
    }
    const bool replica = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                         reply->element[0]->type == REDIS_REPLY_STRING &&
                         strcmp(reply->element[0]->str, "master") != 0;
    if (replica) {
        snprintf(why, WIRE_WHY_MAX,
                 "%.120s: Sentinel names it, but it is a replica: a failover is under way",
                 address);
    }
    freeReplyObject(reply);
    return !replica;
}

struct wire *sentinel_open_master(const struct wire_config *config, struct sentinel_watch **watch,
                                  char *why) {
    *watch = NULL;
    for (unsigned i = 0; i < config->url->hosts; i++) {
        char address[REDIS_ADDRESS_MAX];
        redis_host_render(&config->url->host[i], address);
        struct wire *wire = wire_open_bare(config, &config->url->host[i], why);
        if (!wire) {
            continue;
        }
        const struct wire_peer sentinel = {config, wire, address};
        struct redis_host host;
        redisReply *reply = ask_master(&sentinel, why);
        const bool named = reply && take_master(reply, address, config->url->master, &host, why);
        if (reply) {
            freeReplyObject(reply);
        }
        struct wire *master = named ? wire_open(config, &host, NULL, why) : NULL;
        if (master && is_master(config, master, &host, why)) {
            *watch = watch_new(&sentinel, &host);
            return master;
        }
        wire_close(master);
        wire_close(wire);
    }
    return NULL;
}
