#include "redis/nodes.h"

#include "counters/time/civil.h"
#include "counters/time/window.h"
#include "redis/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Passes on a field and its value. Malformed ones are skipped: they would only be shown to
 * people. */
static void take_node(const struct nodes_taker *taker, const redisReply *name,
                      const redisReply *said) {
    char *words;
    if (name->type != REDIS_REPLY_STRING || said->type != REDIS_REPLY_STRING) {
        return;
    }
    const long long seen_ms = strtoll(said->str, &words, 10);
    const bool is_time = seen_ms > 0 && seen_ms < CIVIL_END_US / US_PER_MS;
    if (words > said->str && *words == ' ' && is_time) {
        taker->take(taker->cls, name->str, (size_t)name->len, seen_ms, words + 1);
    }
}

bool nodes_read(struct link *link, const struct nodes_taker *taker, char *why) {
    const char *argv[] = {"HGETALL", SCHEMA_NODES_KEY};
    const size_t lens[] = {7, sizeof SCHEMA_NODES_KEY - 1};
    if (!link_append(link, &(struct redis_command){2, argv, lens, 1}, why)) {
        return false;
    }
    redisReply *reply = link_reply(link, why);
    if (!reply) {
        return false;
    }
    const bool ok = reply->type == REDIS_REPLY_ARRAY;
    if (!ok) {
        snprintf(why, LINK_WHY_MAX, "%.80s: " SCHEMA_NODES_KEY ": %.110s", link_address(link),
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that is no hash");
    }
    for (size_t i = 0; ok && i + 1 < reply->elements && i / 2 < NODES_MAX; i += 2) {
        take_node(taker, reply->element[i], reply->element[i + 1]);
    }
    freeReplyObject(reply);
    return ok;
}
