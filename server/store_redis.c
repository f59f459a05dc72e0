/* The store over Redis: one script call per changed chunk, many calls in one pipeline. */
#include "server/store_redis.h"

#include "redis/link.h"
#include "redis/reader.h"
#include "redis/schema.h"
#include "redis/script.h"
#include "redis/wire.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(misc-redundant-expression): they are the same, that is what it says */
_Static_assert(STORE_WHY_MAX == LINK_WHY_MAX && STORE_WHY_MAX == REDIS_URL_WHY_MAX,
               "a sentence goes up as it is");

#define PIPELINE 64       /* commands under way at once: a few hundred kB */
#define FIXED_ARGUMENTS 7 /* EVALSHA sha 2 total-key node-key ttl ttl */
#define KEY_AT 3
#define NUMBER_MAX 24

struct store_redis {
    struct store store;
    struct link *link;
    char node[64];
    int64_t ttl_total_s[RESOLUTIONS];
    int64_t ttl_node_s[RESOLUTIONS];
};

static struct store_redis *of(const struct store *store) {
    return (struct store_redis *)(uintptr_t)store; /* the store is its first member */
}

/* A Redis that evicts could drop one of a chunk's two keys; the next repeat would then count twice. Asked of
 * every server the link connects to, also of one that a failover brings in later. */
static bool check_eviction(void *cls, redisContext *server, const char *address, char *why) {
    (void)cls;
    const char *argv[] = {"INFO", "memory"};
    redisReply *reply = wire_call(server, address, 2, argv, why);
    if (!reply) {
        return false;
    }
    static const char name[] = "maxmemory_policy:";
    const char *policy = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, name) : NULL;
    bool ok = false;
    if (!policy) {
        snprintf(why, STORE_WHY_MAX,
                 "%.60s: cannot see in INFO whether it may evict keys (%.60s); allow this user INFO, or take "
                 "the risk with "
                 "--redis-allow-eviction",
                 address, reply->type == REDIS_REPLY_ERROR ? reply->str : "no maxmemory_policy");
    } else {
        policy += sizeof name - 1;
        const int len = (int)strcspn(policy, "\r\n");
        ok = len == 10 && strncmp(policy, "noeviction", 10) == 0;
        if (!ok) {
            snprintf(why, STORE_WHY_MAX,
                     "%.60s: may evict keys (maxmemory-policy %.*s), and counts could then double; set it to "
                     "noeviction, "
                     "or take the risk with --redis-allow-eviction",
                     address, len > 30 ? 30 : len, policy);
        }
    }
    freeReplyObject(reply);
    return ok;
}

static bool store_connect(struct store *store, char why[STORE_WHY_MAX]) {
    return link_connect(of(store)->link, why);
}

/* Queues the script call of one chunk: by its SHA1, or with its text, which teaches the server the SHA1. */
static bool append_chunk(struct store_redis *s, const struct store_chunk *chunk, bool by_sha, char *why) {
    const char *argv[FIXED_ARGUMENTS + 2 * SLOTS_MAX];
    size_t lens[FIXED_ARGUMENTS + 2 * SLOTS_MAX];
    char total_key[SCHEMA_KEY_MAX], node_key[SCHEMA_KEY_MAX], ttl[2][NUMBER_MAX];
    char field[SLOTS_MAX][3], value[SLOTS_MAX][NUMBER_MAX];
    const enum resolution r = chunk->resolution;
    schema_total_key(r, chunk->chunk, total_key);
    schema_node_key(r, chunk->chunk, s->node, node_key);
    snprintf(ttl[0], NUMBER_MAX, "%" PRId64, s->ttl_total_s[r]);
    snprintf(ttl[1], NUMBER_MAX, "%" PRId64, s->ttl_node_s[r]);
    const char *fixed[FIXED_ARGUMENTS] = {by_sha ? "EVALSHA" : "EVAL",
                                          by_sha ? script_merge_sha : script_merge,
                                          "2",
                                          total_key,
                                          node_key,
                                          ttl[0],
                                          ttl[1]};
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
    return link_append(s->link, argc, argv, lens, KEY_AT, why);
}

/* STORE_FAILED fills why. */
static enum store_ack ack_of(const struct store_redis *s, const redisReply *reply, char *why) {
    if (reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer ? STORE_KNOWN : STORE_NEW;
    }
    snprintf(why, STORE_WHY_MAX, "%.80s: %.160s", link_address(s->link),
             reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that is no number");
    return STORE_FAILED;
}

/* One pipeline: chunks[which[0..n)]. Every reply is taken, whatever it says, so that the connection stays
 * usable. False when a chunk failed; why is that of the first. Those whose server does not know the script go
 * to unknown[]. */
static bool send_pipeline(struct store_redis *s, const struct store_chunk *chunks, const size_t *which,
                          size_t n, bool by_sha, enum store_ack *ack, size_t *unknown, size_t *unknowns,
                          char *why) {
    char later[STORE_WHY_MAX] = "";
    bool ok = true, demoted = false;
    *unknowns = 0;
    for (size_t i = 0; i < n; i++) {
        if (!append_chunk(s, &chunks[which[i]], by_sha, why)) {
            return false;
        }
    }
    for (size_t i = 0; link_pending(s->link); i++) {
        assert(i < n); /* each command has one reply */
        redisReply *reply = link_reply(s->link, ok ? why : later);
        if (!reply) {
            ok = false;
            continue;
        }
        if (by_sha && wire_is_error(reply, "NOSCRIPT")) {
            unknown[(*unknowns)++] = which[i];
        } else {
            ack[which[i]] = ack_of(s, reply, ok ? why : later);
            ok = ok && ack[which[i]] != STORE_FAILED;
            demoted = demoted || wire_is_error(reply, "READONLY");
        }
        freeReplyObject(reply);
    }
    if (demoted) { /* a replica now: when it is a master again, it may have lost what it had acknowledged */
        link_close(s->link);
    }
    return ok;
}

static bool store_send(struct store *store, const struct store_chunk *chunks, size_t n, enum store_ack *ack,
                       char why[STORE_WHY_MAX]) {
    struct store_redis *s = of(store);
    char later[STORE_WHY_MAX];
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        ack[i] = STORE_FAILED;
    }
    for (size_t done = 0; done < n;) {
        size_t which[PIPELINE], unknown[PIPELINE], here = 0, unknowns, none;
        for (; here < PIPELINE && done < n; here++, done++) {
            which[here] = done;
        }
        ok = send_pipeline(s, chunks, which, here, true, ack, unknown, &unknowns, ok ? why : later) && ok;
        if (unknowns &&
            !send_pipeline(s, chunks, unknown, unknowns, false, ack, which, &none, ok ? why : later)) {
            ok = false;
        }
    }
    return ok;
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
    char later[STORE_WHY_MAX];
    bool ok = true;
    for (int64_t done = 0; done < n && ok;) {
        char key[PIPELINE][SCHEMA_KEY_MAX];
        const int64_t here = n - done < PIPELINE ? n - done : PIPELINE;
        for (int64_t i = 0; i < here; i++) {
            const size_t lens[] = {7, schema_node_key(r, first + done + i, s->node, key[i])};
            const char *argv[] = {"HGETALL", key[i]};
            if (!link_append(s->link, 2, argv, lens, 1, why)) {
                return false;
            }
        }
        for (int64_t i = 0; link_pending(s->link); i++) {
            redisReply *reply = link_reply(s->link, ok ? why : later);
            ok = reply && ok && take_hash(reply, r, first + done + i, key[i], each, cls, why);
            if (reply) {
                freeReplyObject(reply);
            }
        }
        done += here;
    }
    return ok;
}

static enum store_ack store_probe(struct store *store, enum resolution r, int64_t chunk,
                                  char why[STORE_WHY_MAX]) {
    struct store_redis *s = of(store);
    char key[SCHEMA_KEY_MAX];
    schema_node_key(r, chunk, s->node, key);
    const char *argv[] = {"EXISTS", key};
    redisReply *reply = link_command(s->link, 2, argv, 1, why);
    if (!reply) {
        return STORE_FAILED;
    }
    const enum store_ack ack = ack_of(s, reply, why);
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
    if (!config->allow_eviction) {
        link_set_check(link, check_eviction, NULL);
    }
    snprintf(s->node, sizeof s->node, "%s", config->node_id);
    for (int r = 0; r < RESOLUTIONS; r++) {
        /* A node's key outlives every resend that could still name one of its windows, and the total outlives
         * the node's key: were the key gone and the total there, a resend would count twice. */
        s->ttl_node_s[r] = config->horizon_s + chunk_width_us((enum resolution)r) / US_PER_S + 3600;
        s->ttl_total_s[r] = config->ttl_s[r] > s->ttl_node_s[r] ? config->ttl_s[r] : s->ttl_node_s[r];
    }
    return &s->store;
}
