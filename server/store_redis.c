/* The store over Redis: one script call per changed chunk, many calls in one pipeline. */
#include "server/store_redis.h"

#include "redis/link.h"
#include "redis/reader.h"
#include "redis/schema.h"
#include "redis/script.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(STORE_WHY_MAX >= LINK_WHY_MAX, "what a link says fits");

#define READ_PIPELINE 64
#define SHA_LEN 40
#define FIXED_ARGUMENTS 7 /* EVALSHA sha 2 total-key node-key ttl ttl */
#define NUMBER_MAX 24

struct store_redis {
    struct store store;
    struct link *link;
    char node[64];
    int64_t ttl_total_s[RESOLUTIONS];
    int64_t ttl_node_s[RESOLUTIONS];
    bool allow_eviction;
    char sha[SHA_LEN + 1];
};

static struct store_redis *of(const struct store *store) {
    return (struct store_redis *)(uintptr_t)store; /* the store is its first member */
}

static bool load_script(struct store_redis *s, char *why) {
    const char *argv[] = {"SCRIPT", "LOAD", script_merge};
    redisReply *reply = link_command(s->link, 3, argv, why);
    if (!reply) {
        return false;
    }
    const bool ok = reply->type == REDIS_REPLY_STRING && reply->len == SHA_LEN;
    if (ok) {
        memcpy(s->sha, reply->str, SHA_LEN);
    } else {
        snprintf(why, STORE_WHY_MAX, "%.80s: SCRIPT LOAD: %.120s", link_address(s->link),
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "an unexpected answer");
    }
    freeReplyObject(reply);
    return ok;
}

/* A Redis that evicts could drop one of a chunk's two keys; the next repeat would then count twice. */
static bool check_eviction(struct store_redis *s, char *why) {
    if (s->allow_eviction) {
        return true;
    }
    const char *argv[] = {"INFO", "memory"};
    redisReply *reply = link_command(s->link, 2, argv, why);
    if (!reply) {
        return false;
    }
    static const char name[] = "maxmemory_policy:";
    const char *policy = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, name) : NULL;
    bool ok = false;
    if (!policy) {
        snprintf(why, STORE_WHY_MAX,
                 "%.80s: cannot see in INFO whether it may evict (%.60s); allow INFO, or take the risk with "
                 "--redis-allow-eviction",
                 link_address(s->link), reply->type == REDIS_REPLY_ERROR ? reply->str : "no maxmemory_policy");
    } else {
        policy += sizeof name - 1;
        const int len = (int)strcspn(policy, "\r\n");
        ok = len == 10 && strncmp(policy, "noeviction", 10) == 0;
        if (!ok) {
            snprintf(why, STORE_WHY_MAX,
                     "%.80s: may evict keys (maxmemory-policy %.*s), and counts could then double; set it to noeviction, or "
                     "take the risk with --redis-allow-eviction",
                     link_address(s->link), len > 30 ? 30 : len, policy);
        }
    }
    freeReplyObject(reply);
    return ok;
}

static bool store_connect(struct store *store, char why[STORE_WHY_MAX]) {
    struct store_redis *s = of(store);
    if (link_connect(s->link, why) && check_eviction(s, why) && load_script(s, why)) {
        return true;
    }
    link_close(s->link);
    return false;
}

/* Queues the script call of one chunk. */
static bool append_chunk(struct store_redis *s, const struct store_chunk *chunk, char *why) {
    const char *argv[FIXED_ARGUMENTS + 2 * SLOTS_MAX];
    size_t lens[FIXED_ARGUMENTS + 2 * SLOTS_MAX];
    char total_key[SCHEMA_KEY_MAX], node_key[SCHEMA_KEY_MAX], ttl[2][NUMBER_MAX];
    char field[SLOTS_MAX][3], value[SLOTS_MAX][NUMBER_MAX];
    const enum resolution r = chunk->resolution;
    schema_total_key(r, chunk->chunk, total_key);
    schema_node_key(r, chunk->chunk, s->node, node_key);
    snprintf(ttl[0], NUMBER_MAX, "%" PRId64, s->ttl_total_s[r]);
    snprintf(ttl[1], NUMBER_MAX, "%" PRId64, s->ttl_node_s[r]);
    const char *fixed[FIXED_ARGUMENTS] = {"EVALSHA", s->sha, "2", total_key, node_key, ttl[0], ttl[1]};
    int argc = 0;
    for (; argc < FIXED_ARGUMENTS; argc++) {
        argv[argc] = fixed[argc];
        lens[argc] = strlen(fixed[argc]);
    }
    for (uint32_t i = 0; i < chunk->n; i++) {
        schema_field(chunk->slot[i], field[i]);
        argv[argc] = field[i];
        lens[argc++] = 2;
        argv[argc] = value[i];
        lens[argc++] = (size_t)snprintf(value[i], NUMBER_MAX, "%" PRIu64, chunk->count[i]);
    }
    return link_append(s->link, argc, argv, lens, why);
}

static enum store_ack ack_of(const struct store_redis *s, const redisReply *reply, bool *no_script, char *why) {
    if (reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer ? STORE_KNOWN : STORE_NEW;
    }
    *no_script = reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0;
    snprintf(why, STORE_WHY_MAX, "%.80s: %.160s", link_address(s->link),
             reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that is no number");
    return STORE_FAILED;
}

/* One pipeline. False when a chunk failed; *no_script when the script was missing. Every reply is taken, so that an error
 * leaves the connection usable. */
static bool send_once(struct store_redis *s, const struct store_chunk *chunks, size_t n, enum store_ack *ack,
                      bool *no_script, char *why) {
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        if (!append_chunk(s, &chunks[i], why)) {
            return false;
        }
    }
    for (size_t i = 0; i < n; i++) {
        redisReply *reply = link_reply(s->link, why);
        if (!reply) {
            return false;
        }
        ack[i] = ack_of(s, reply, no_script, why);
        ok = ok && ack[i] != STORE_FAILED;
        /* A master that was demoted, or a cluster that moved: whom we talk to is not who keeps the counts. */
        const bool demoted = reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "READONLY", 8) == 0;
        freeReplyObject(reply);
        if (demoted) {
            link_close(s->link);
            return false;
        }
    }
    return ok;
}

static bool store_send(struct store *store, const struct store_chunk *chunks, size_t n, enum store_ack *ack,
                       char why[STORE_WHY_MAX]) {
    struct store_redis *s = of(store);
    bool no_script = false;
    for (size_t i = 0; i < n; i++) {
        ack[i] = STORE_FAILED;
    }
    if (send_once(s, chunks, n, ack, &no_script, why)) {
        return true;
    }
    /* Sending again what had been stored changes nothing. */
    return no_script && load_script(s, why) && send_once(s, chunks, n, ack, &no_script, why);
}

/* Windows of one reply, to `each`. */
static bool take_hash(const redisReply *reply, enum resolution r, int64_t chunk, const char *key,
                      void (*each)(void *cls, const struct store_window *window), void *cls, char *why) {
    uint64_t count[SLOTS_MAX];
    if (!reader_hash(reply, r, key, count, why)) {
        return false;
    }
    for (uint32_t slot = 0; slot < resolution_table[r].slots; slot++) {
        if (count[slot]) {
            each(cls, &(struct store_window){r, chunk_first_window(r, chunk) + slot, count[slot]});
        }
    }
    return true;
}

static bool store_read_back(struct store *store, enum resolution r, int64_t first, int64_t n,
                            void (*each)(void *cls, const struct store_window *window), void *cls,
                            char why[STORE_WHY_MAX]) {
    struct store_redis *s = of(store);
    bool ok = true;
    for (int64_t done = 0; done < n && ok;) {
        const int64_t here = n - done < READ_PIPELINE ? n - done : READ_PIPELINE;
        char key[READ_PIPELINE][SCHEMA_KEY_MAX];
        for (int64_t i = 0; i < here; i++) {
            const size_t lens[] = {7, schema_node_key(r, first + done + i, s->node, key[i])};
            const char *argv[] = {"HGETALL", key[i]};
            if (!link_append(s->link, 2, argv, lens, why)) {
                return false;
            }
        }
        for (int64_t i = 0; i < here; i++) {
            redisReply *reply = link_reply(s->link, why);
            if (!reply) {
                return false;
            }
            ok = ok && take_hash(reply, r, first + done + i, key[i], each, cls, why);
            freeReplyObject(reply);
        }
        done += here;
    }
    return ok;
}

static enum store_ack store_probe(struct store *store, enum resolution r, int64_t chunk, char why[STORE_WHY_MAX]) {
    struct store_redis *s = of(store);
    char key[SCHEMA_KEY_MAX];
    schema_node_key(r, chunk, s->node, key);
    const char *argv[] = {"EXISTS", key};
    redisReply *reply = link_command(s->link, 2, argv, why);
    if (!reply) {
        return STORE_FAILED;
    }
    bool ignored;
    const enum store_ack ack = ack_of(s, reply, &ignored, why);
    freeReplyObject(reply);
    return ack;
}

static bool store_connected(const struct store *store) {
    return link_connected(of(store)->link);
}

static const char *store_address(const struct store *store) {
    return link_address(of(store)->link);
}

static void store_close(struct store *store) {
    link_free(of(store)->link);
    free(store);
}

static const struct store_ops ops = {.connect = store_connect,
                                     .send = store_send,
                                     .read_back = store_read_back,
                                     .probe = store_probe,
                                     .connected = store_connected,
                                     .address = store_address,
                                     .close = store_close};

struct store *store_redis_new(const struct store_redis_config *config, char why[STORE_WHY_MAX]) {
    struct redis_url url;
    if (!redis_url_parse(config->url, &url, why)) {
        return NULL;
    }
    struct store_redis *s = calloc(1, sizeof *s);
    struct link *link = s ? link_new(&url, config->timeout_ms) : NULL;
    if (!link) {
        free(s);
        snprintf(why, STORE_WHY_MAX, "out of memory");
        return NULL;
    }
    s->store.ops = &ops;
    s->link = link;
    s->allow_eviction = config->allow_eviction;
    snprintf(s->node, sizeof s->node, "%s", config->node_id);
    for (int r = 0; r < RESOLUTIONS; r++) {
        /* A node's key outlives every resend that could still name one of its windows, and the total outlives the node's
         * key: were the key gone and the total there, a resend would count twice. */
        s->ttl_node_s[r] = config->horizon_s + chunk_width_us((enum resolution)r) / US_PER_S + 3600;
        s->ttl_total_s[r] = config->ttl_s[r] > s->ttl_node_s[r] ? config->ttl_s[r] : s->ttl_node_s[r];
    }
    return &s->store;
}
