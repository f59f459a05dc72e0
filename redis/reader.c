#include "redis/reader.h"

#include "redis/schema.h"

#include <stdio.h>
#include <string.h>

bool reader_hash(const redisReply *reply, enum resolution r, const char *key, uint64_t *counts, char *why) {
    memset(counts, 0, resolution_table[r].slots * sizeof *counts);
    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(why, LINK_WHY_MAX, "%.100s: %.120s", key, reply->str);
        return false;
    }
    bool ok = reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0;
    for (size_t i = 0; ok && i < reply->elements; i += 2) {
        const redisReply *field = reply->element[i], *value = reply->element[i + 1];
        uint32_t slot = 0;
        uint64_t count = 0;
        ok = field->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING &&
             schema_slot(r, field->str, (size_t)field->len, &slot) &&
             schema_count(value->str, (size_t)value->len, &count);
        if (ok) {
            counts[slot] = count;
        }
    }
    if (!ok) {
        snprintf(why, LINK_WHY_MAX,
                 "%.100s: holds something that is not a count; is another program using this key?", key);
    }
    return ok;
}

/* Sends `command KEY` for chunks [first, first + n), n <= LINK_PIPELINE_MAX. */
static bool ask(struct link *link, const char *command, enum resolution r, int64_t first, uint32_t n,
                char *why) {
    for (uint32_t i = 0; i < n; i++) {
        char key[SCHEMA_KEY_MAX];
        const size_t lens[] = {strlen(command), schema_total_key(r, first + i, key)};
        const char *argv[] = {command, key};
        if (!link_append(link, 2, argv, lens, 1, why)) {
            return false;
        }
    }
    return true;
}

bool reader_chunk_totals(struct link *link, enum resolution r, int64_t first, uint32_t n, uint64_t *counts,
                         char *why) {
    char later[LINK_WHY_MAX]; /* the first failure is the one to tell */
    bool ok = true;
    for (uint32_t done = 0; done < n && ok;) {
        const uint32_t here = n - done < LINK_PIPELINE_MAX ? n - done : LINK_PIPELINE_MAX;
        if (!ask(link, "HGETALL", r, first + done, here, why)) {
            return false;
        }
        for (; link_pending(link); done++) { /* all replies are taken, so that the link stays in step */
            redisReply *reply = link_reply(link, ok ? why : later);
            if (!reply) {
                ok = false;
                continue;
            }
            char key[SCHEMA_KEY_MAX];
            schema_total_key(r, first + done, key);
            ok = reader_hash(reply, r, key, counts + (size_t)done * resolution_table[r].slots,
                             ok ? why : later) &&
                 ok;
            freeReplyObject(reply);
        }
    }
    return ok;
}

bool reader_exists(struct link *link, enum resolution r, int64_t first, uint32_t n, bool *exists, char *why) {
    char later[LINK_WHY_MAX];
    bool ok = true;
    for (uint32_t done = 0; done < n && ok;) {
        const uint32_t here = n - done < LINK_PIPELINE_MAX ? n - done : LINK_PIPELINE_MAX;
        if (!ask(link, "EXISTS", r, first + done, here, why)) {
            return false;
        }
        for (; link_pending(link); done++) {
            redisReply *reply = link_reply(link, ok ? why : later);
            if (!reply) {
                ok = false;
                continue;
            }
            exists[done] = reply->type == REDIS_REPLY_INTEGER && reply->integer != 0;
            if (ok && reply->type != REDIS_REPLY_INTEGER) {
                snprintf(why, LINK_WHY_MAX, "%.100s: EXISTS: %.120s", link_address(link),
                         reply->type == REDIS_REPLY_ERROR ? reply->str : "an unexpected answer");
                ok = false;
            }
            freeReplyObject(reply);
        }
    }
    return ok;
}
