#include "redis/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 8

struct link {
    struct redis_url url;
    struct timeval timeout;
    redisContext *context;
};

struct link *link_new(const struct redis_url *url, long timeout_ms) {
    struct link *link = calloc(1, sizeof *link);
    if (link) {
        link->url = *url;
        link->timeout = (struct timeval){.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    }
    return link;
}

void link_close(struct link *link) {
    if (link->context) {
        redisFree(link->context);
        link->context = NULL;
    }
}

void link_free(struct link *link) {
    if (link) {
        link_close(link);
        free(link);
    }
}

bool link_connected(const struct link *link) {
    return link->context != NULL;
}

const char *link_address(const struct link *link) {
    return link->url.address;
}

/* Writes why from what hiredis says, closes, and returns false. */
static bool lose(struct link *link, char *why) {
    const char *reason = link->context ? link->context->errstr : "out of memory";
    if (link->context && link->context->err == REDIS_ERR_IO && strcmp(reason, "Resource temporarily unavailable") == 0) {
        reason = "no answer in time"; /* what a read time-out looks like to hiredis */
    }
    snprintf(why, LINK_WHY_MAX, "%.120s: %.120s", link->url.address, reason);
    link_close(link);
    return false;
}

/* A command whose answer must be a status; false closes. */
static bool must(struct link *link, int argc, const char **argv, char *why) {
    redisReply *reply = link_command(link, argc, argv, why);
    if (!reply) {
        return false;
    }
    const bool ok = reply->type != REDIS_REPLY_ERROR;
    if (!ok) {
        snprintf(why, LINK_WHY_MAX, "%.100s: %s: %.120s", link->url.address, argv[0], reply->str);
        link_close(link);
    }
    freeReplyObject(reply);
    return ok;
}

bool link_connect(struct link *link, char *why) {
    const struct redis_url *url = &link->url;
    link_close(link);
    link->context = *url->path ? redisConnectUnixWithTimeout(url->path, link->timeout)
                               : redisConnectWithTimeout(url->host, url->port, link->timeout);
    if (!link->context || link->context->err || redisSetTimeout(link->context, link->timeout) != REDIS_OK) {
        return lose(link, why);
    }
    redisEnableKeepAlive(link->context);
    if (*url->password) {
        const char *auth[] = {"AUTH", *url->user ? url->user : url->password, url->password};
        if (!must(link, *url->user ? 3 : 2, auth, why)) {
            return false;
        }
    }
    if (url->db) {
        char db[16];
        snprintf(db, sizeof db, "%d", url->db);
        const char *select[] = {"SELECT", db};
        return must(link, 2, select, why);
    }
    return true;
}

bool link_append(struct link *link, int argc, const char **argv, const size_t *lens, char *why) {
    if (!link->context) {
        snprintf(why, LINK_WHY_MAX, "%.120s: not connected", link->url.address);
        return false;
    }
    return redisAppendCommandArgv(link->context, argc, argv, lens) == REDIS_OK || lose(link, why);
}

redisReply *link_reply(struct link *link, char *why) {
    void *reply = NULL;
    if (!link->context) {
        snprintf(why, LINK_WHY_MAX, "%.120s: not connected", link->url.address);
        return NULL;
    }
    if (redisGetReply(link->context, &reply) != REDIS_OK) {
        lose(link, why);
        return NULL;
    }
    return reply;
}

redisReply *link_command(struct link *link, int argc, const char **argv, char *why) {
    size_t lens[ARGUMENTS_MAX];
    for (int i = 0; i < argc; i++) {
        lens[i] = strlen(argv[i]);
    }
    return link_append(link, argc, argv, lens, why) ? link_reply(link, why) : NULL;
}
