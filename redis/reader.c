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

/* Takes the reply about one chunk's key of one group. False fills why. */
typedef bool take(void *cls, const redisReply *reply, uint32_t i, const char *key, char *why);

/* Sends `command KEY` for chunks [first, first + n), n <= LINK_PIPELINE_MAX, and has the replies taken. */
static bool ask(struct link *link, const char *command, enum resolution r, int64_t first, uint32_t n, unsigned group,
                take *each, void *cls, char *why) {
    char later[LINK_WHY_MAX] = ""; /* the first failure is the one to tell */
    char key[SCHEMA_KEY_MAX];
    for (uint32_t i = 0; i < n; i++) {
        const size_t lens[] = {strlen(command), schema_total_key(r, first + i, group, key)};
        const char *argv[] = {command, key};
        if (!link_append(link, 2, argv, lens, 1, why)) {
            return false;
        }
    }
    bool ok = true;
    for (uint32_t i = 0; link_pending(link); i++) { /* all replies are taken, so that the link stays in step */
        redisReply *reply = link_reply(link, ok ? why : later);
        if (!reply) {
            ok = false;
            continue;
        }
        schema_total_key(r, first + i, group, key);
        ok = each(cls, reply, i, key, ok ? why : later) && ok;
        freeReplyObject(reply);
    }
    return ok;
}

/* Where the replies of a pipeline go. */
struct totals {
    enum resolution r;
    uint64_t *counts;
};

static bool add_total(void *cls, const redisReply *reply, uint32_t i, const char *key, char *why) {
    const struct totals *totals = cls;
    const uint32_t slots = resolution_table[totals->r].slots;
    uint64_t of_group[SLOTS_MAX];
    if (!reader_hash(reply, totals->r, key, of_group, why)) {
        return false;
    }
    for (uint32_t slot = 0; slot < slots; slot++) {
        totals->counts[(size_t)i * slots + slot] += of_group[slot];
    }
    return true;
}

bool reader_chunk_totals(struct link *link, enum resolution r, int64_t first, uint32_t n, uint64_t *counts,
                         char *why) {
    const uint32_t slots = resolution_table[r].slots;
    memset(counts, 0, (size_t)n * slots * sizeof *counts);
    for (uint32_t done = 0; done < n;) {
        const uint32_t here = n - done < LINK_PIPELINE_MAX ? n - done : LINK_PIPELINE_MAX;
        struct totals totals = {r, counts + (size_t)done * slots};
        for (unsigned group = 0; group < link_groups(link); group++) {
            if (!ask(link, "HGETALL", r, first + done, here, group, add_total, &totals, why)) {
                return false;
            }
        }
        done += here;
    }
    return true;
}

static bool note_existence(void *cls, const redisReply *reply, uint32_t i, const char *key, char *why) {
    bool *exists = cls;
    if (reply->type != REDIS_REPLY_INTEGER) {
        snprintf(why, LINK_WHY_MAX, "%.100s: EXISTS: %.120s", key,
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "an unexpected answer");
        return false;
    }
    exists[i] = exists[i] || reply->integer != 0;
    return true;
}

bool reader_exists(struct link *link, enum resolution r, int64_t first, uint32_t n, bool *exists, char *why) {
    memset(exists, 0, n * sizeof *exists);
    for (uint32_t done = 0; done < n;) {
        const uint32_t here = n - done < LINK_PIPELINE_MAX ? n - done : LINK_PIPELINE_MAX;
        for (unsigned group = 0; group < link_groups(link); group++) {
            if (!ask(link, "EXISTS", r, first + done, here, group, note_existence, exists + done, why)) {
                return false;
            }
        }
        done += here;
    }
    return true;
}
