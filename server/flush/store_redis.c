/* The store over Redis: one script call per changed chunk, many calls in one pipeline. */
#include "server/flush/store_redis.h"

#include "redis/part.h"
#include "redis/wire.h"
#include "server/flush/store_redis_internal.h"
#include "server/process/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTNEXTLINE(misc-redundant-expression): the two are equal, which is what it asserts */
_Static_assert(STORE_WHY_MAX == LINK_WHY_MAX && STORE_WHY_MAX == REDIS_URL_WHY_MAX,
               "a sentence goes up as it is");

#define PIPELINE_TIMEOUTS 2 /* how many time-outs of one reply a pipeline may take */

struct store_redis *store_redis_of(const struct store *store) {
    return (struct store_redis *)(uintptr_t)store; /* the store is its first member */
}

/* ---- connecting ---- */

/* A Redis that evicts can lose what it was sent, like one that restarts empty. The loss is noticed
 * and repaired by sending again, but what is evicted past the horizon is gone, so this deserves a
 * warning. Every server that the link connects to is asked. */
static bool check_server(const struct wire_peer *server, char *why) {
    const char *argv[] = {"INFO", "memory"};
    redisReply *reply = wire_call(server, 2, argv, why);
    if (!reply) {
        return false;
    }
    bool ok = true;
    static const char name[] = "maxmemory_policy:";
    const char *policy = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, name) : NULL;
    const int len = policy ? (int)strcspn(policy + sizeof name - 1, "\r\n") : 0;
    if (wire_is_error(reply, "NOAUTH")) {
        snprintf(why, STORE_WHY_MAX, "%.60s: NOAUTH: " WIRE_NOAUTH_REMEDY, server->address);
        ok = false;
    } else if (policy && (len != 10 || strncmp(policy + sizeof name - 1, "noeviction", 10) != 0)) {
        ((struct store_redis *)server->config->check_cls)->store.may_evict = true;
        log_line(LOG_WARN,
                 "this Redis may evict keys: what it evicts is sent again while it is within the "
                 "horizon, and lost after; maxmemory-policy noeviction prevents it",
                 "store=%s policy=%.*s", server->address, len > 30 ? 30 : len,
                 policy + sizeof name - 1);
    }
    freeReplyObject(reply);
    return ok;
}

static bool store_connect(struct store *store, char why[STORE_WHY_MAX]) {
    store->may_evict = false; /* unless a server says otherwise */
    return link_connect(store_redis_of(store)->link, why);
}

/* ---- sending ---- */

void call_add(struct call *call, const char *word, size_t len) {
    assert(call->n < CALL_ARGUMENTS_MAX);
    call->argv[call->n] = word;
    call->lens[call->n++] = len;
}

void call_add_text(struct call *call, const char *word) {
    call_add(call, word, strlen(word));
}

bool call_append(struct store_redis *s, struct call *call, char *why) {
    return link_append(s->link,
                       &(struct redis_command){call->n, call->argv, call->lens, CALL_KEY_AT}, why);
}

struct call call_begin_script(const struct script *script, bool by_sha, const char *key) {
    struct call call = {0};
    call_add_text(&call, by_sha ? "EVALSHA" : "EVAL");
    call_add_text(&call, by_sha ? script->sha : script->text);
    call_add_text(&call, "1");
    call_add_text(&call, key);
    return call;
}

static bool append_chunk(struct store_redis *s, const struct store_chunk *chunk, bool by_sha,
                         char *why) {
    char key[SCHEMA_KEY_MAX], there[NUMBER_MAX], until[NUMBER_MAX], ttl[NUMBER_MAX],
        windows[PART_WINDOWS_MAX];
    const enum resolution r = chunk->place.resolution;
    schema_chunk_key(r, chunk->place.chunk, s->group, key);
    struct call call = call_begin_script(&script_merge, by_sha, key);
    call_add_text(&call, s->field);
    call_add_text(&call, s->owner);
    call_add(&call, there, (size_t)snprintf(there, sizeof there, "%" PRIu64, chunk->there));
    call_add(&call, windows, part_windows(chunk->slot, chunk->count, chunk->n, windows));
    call_add(
        &call, until,
        (size_t)snprintf(until, sizeof until, "%" PRId64, schema_until_s(r, chunk->place.chunk)));
    call_add(&call, ttl, (size_t)snprintf(ttl, sizeof ttl, "%" PRId64, s->ttl_s[r]));
    return call_append(s, &call, why);
}

struct store_ack store_redis_read_ack(const struct store_redis *s, const redisReply *reply,
                                      char *why) {
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer >= -2) {
        return reply->integer >= 0 ? (struct store_ack){STORE_STORED, (uint64_t)reply->integer, 0}
               : reply->integer == -1 ? (struct store_ack){STORE_CLOSED, 0, 0}
                                      : (struct store_ack){STORE_FOREIGN, 0, 0};
    }
    snprintf(why, STORE_WHY_MAX, "%.80s: %.160s", link_address(s->link),
             reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that is no sum");
    return (struct store_ack){STORE_FAILED, 0, 0};
}

/* What to send, and where the acknowledgements go: two arrays of the same length. */
struct sending {
    const struct store_chunk *chunks;
    struct store_ack *ack;
};

/* The chunks that a pipeline carries: those numbered which[0..n). */
struct selection {
    size_t n;
    size_t which[STORE_SEND_MAX];
};

/* Sends one pipeline. Every reply is read, whatever it says, so that the connection stays usable.
 * False when a chunk failed; `why` is that of the first. Chunks whose server does not know the
 * script are added to `unknown`; if that is NULL, the script's text is sent along. */
static bool send_pipeline(struct store_redis *s, const struct sending *sending,
                          const struct selection *selection, struct selection *unknown, char *why) {
    char later[STORE_WHY_MAX] = "";
    bool ok = true, demoted = false;
    for (size_t i = 0; i < selection->n; i++) {
        if (!append_chunk(s, &sending->chunks[selection->which[i]], unknown != NULL, why)) {
            return false;
        }
    }
    for (size_t i = 0; link_pending(s->link); i++) {
        assert(i < selection->n); /* each command has one reply */
        redisReply *reply = link_reply(s->link, ok ? why : later);
        if (!reply) {
            ok = false;
            continue;
        }
        if (unknown && wire_is_error(reply, "NOSCRIPT")) {
            unknown->which[unknown->n++] = selection->which[i];
        } else {
            struct store_ack *ack = &sending->ack[selection->which[i]];
            *ack = store_redis_read_ack(s, reply, ok ? why : later);
            ok = ok && ack->outcome != STORE_FAILED;
            demoted = demoted || wire_is_error(reply, "READONLY");
        }
        freeReplyObject(reply);
    }
    /* the server is now a replica; when it is a master again, it may have lost what it
     * acknowledged */
    if (demoted) {
        link_close(s->link);
    }
    return ok;
}

void store_redis_begin_pipeline(struct store_redis *s) {
    link_set_end(s->link, wire_now_ms() + PIPELINE_TIMEOUTS * s->timeout_ms);
}

void store_redis_end_pipeline(struct store_redis *s) {
    link_set_end(s->link, WIRE_NO_END);
}

static bool store_send(struct store *store, const struct store_chunk *chunks, size_t n,
                       struct store_ack *ack, char why[STORE_WHY_MAX]) {
    struct store_redis *s = store_redis_of(store);
    char later[STORE_WHY_MAX];
    const struct sending sending = {chunks, ack};
    struct selection all = {.n = n}, unknown = {0};
    for (size_t i = 0; i < n; i++) {
        ack[i] = (struct store_ack){STORE_FAILED, 0, 0};
        all.which[i] = i;
    }
    store_redis_begin_pipeline(s);
    bool ok = send_pipeline(s, &sending, &all, &unknown, why);
    if (unknown.n) {
        ok = send_pipeline(s, &sending, &unknown, NULL, ok ? why : later) && ok;
    }
    store_redis_end_pipeline(s);
    return ok;
}

/* ---- reading this node's parts ---- */

static bool append_part(struct store_redis *s, const struct store_place *place, bool with_left,
                        char *why) {
    char key[SCHEMA_KEY_MAX];
    schema_chunk_key(place->resolution, place->chunk, s->group, key);
    const char *argv[] = {"HMGET", key, s->field, s->left};
    const size_t lens[] = {5, strlen(key), strlen(s->field), strlen(s->left)};
    return link_append(s->link, &(struct redis_command){with_left ? 4 : 3, argv, lens, 1}, why);
}

/* This node's parts of a chunk. */
struct parts {
    bool with_left; /* `left` was asked for */
    bool there, left_there;
    struct part part, left;
};

static bool read_field(const redisReply *value, enum resolution r, bool *there, struct part *part) {
    *there = value->type == REDIS_REPLY_STRING;
    return value->type == REDIS_REPLY_NIL ||
           (*there && part_read(value->str, (size_t)value->len, r, part));
}

/* False fills why. */
static bool take_parts(const struct store_redis *s, const redisReply *reply,
                       const struct store_place *place, struct parts *parts, char *why) {
    const enum resolution r = place->resolution;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == (parts->with_left ? 2 : 1) &&
        read_field(reply->element[0], r, &parts->there, &parts->part) &&
        (!parts->with_left || read_field(reply->element[1], r, &parts->left_there, &parts->left))) {
        return true;
    }
    char key[SCHEMA_KEY_MAX];
    schema_chunk_key(place->resolution, place->chunk, s->group, key);
    snprintf(why, STORE_WHY_MAX, "%.60s: %.60s: %.100s", link_address(s->link), key,
             reply->type == REDIS_REPLY_ERROR
                 ? reply->str
                 : "holds something that is not a node's part; delete the key, and what is within "
                   "the horizon is sent again");
    return false;
}

static bool append_losses(struct store_redis *s, char *why) {
    const char *argv[] = {"GET", SCHEMA_LOST_KEY};
    const size_t lens[] = {3, sizeof SCHEMA_LOST_KEY - 1};
    return link_append(s->link, &(struct redis_command){2, argv, lens, 1}, why);
}

static bool take_losses(struct store_redis *s, uint64_t *losses, char *why) {
    int64_t now = 0;
    const bool taken =
        store_redis_take_number(s, link_reply(s->link, why), SCHEMA_LOST_KEY, &now, why);
    *losses = taken ? (uint64_t)now : *losses;
    return taken;
}

/* What a pipeline reads: the number of losses, unless `losses` is NULL, and this node's parts of
 * places[0..n), each of which is passed to `each`. */
struct reading {
    const struct store_place *places;
    size_t n;
    uint64_t *losses;
    bool with_left; /* also read what another owner took over */
    void (*each)(void *cls, size_t i, const struct parts *parts);
    void *cls;
};

static bool append_reading(struct store_redis *s, const struct reading *reading, char *why) {
    bool ok = !reading->losses || append_losses(s, why);
    for (size_t i = 0; i < reading->n && ok; i++) {
        ok = append_part(s, &reading->places[i], reading->with_left, why);
    }
    return ok;
}

/* Reads all replies, whatever they say. False when anything could not be read; in a cluster, the
 * rest may still be read. */
static bool take_reading(struct store_redis *s, const struct reading *reading, char *why) {
    char later[STORE_WHY_MAX];
    bool ok = !reading->losses || take_losses(s, reading->losses, why);
    for (size_t i = 0; link_pending(s->link); i++) {
        struct parts parts = {.with_left = reading->with_left};
        redisReply *reply = link_reply(s->link, ok ? why : later);
        const bool taken =
            reply && take_parts(s, reply, &reading->places[i], &parts, ok ? why : later);
        ok = ok && taken;
        if (taken) {
            reading->each(reading->cls, i, &parts);
        }
        if (reply) {
            freeReplyObject(reply);
        }
    }
    return ok;
}

static bool read_parts(struct store_redis *s, const struct reading *reading, char *why) {
    store_redis_begin_pipeline(s);
    const bool ok = append_reading(s, reading, why) && take_reading(s, reading, why);
    store_redis_end_pipeline(s);
    return ok;
}

/* Where read_back passes the parts. */
struct handover {
    struct store_redis *store;
    const struct store_place *places;
    const struct store_taker *taker;
};

static void give_part(void *cls, size_t i, const struct parts *parts) {
    const struct handover *handover = cls;
    if (!parts->there) {
        return;
    }
    store_redis_note_read_back(handover->store, parts->part.owner);
    const bool ours_only = parts->part.owner == handover->store->owner_number;
    struct store_part given = {.place = handover->places[i],
                               .sum = parts->part.sum,
                               .ours_known = ours_only || parts->left_there,
                               .ours_only = ours_only};
    memcpy(given.count, parts->part.count, sizeof given.count);
    memcpy(given.ours, ours_only ? parts->part.count : parts->left.count, sizeof given.ours);
    handover->taker->each(handover->taker->cls, &given);
}

static bool store_read_back(struct store *store, struct chunk_range range,
                            const struct store_taker *taker, char why[STORE_WHY_MAX]) {
    for (uint32_t done = 0; done < range.n;) {
        struct store_place places[STORE_SEND_MAX] = {{0}};
        struct handover handover = {store_redis_of(store), places, taker};
        size_t here = 0;
        for (; here < STORE_SEND_MAX && done < range.n; here++, done++) {
            places[here] = (struct store_place){range.resolution, range.first + done};
        }
        const struct reading reading = {
            .places = places, .n = here, .with_left = true, .each = give_part, .cls = &handover};
        if (!read_parts(store_redis_of(store), &reading, why)) {
            return false;
        }
    }
    return true;
}

static void give_sum(void *cls, size_t i, const struct parts *parts) {
    uint64_t *sums = cls;
    sums[i] = parts->there ? parts->part.sum : 0;
}

static bool store_sums(struct store *store, const struct store_sums *asked,
                       char why[STORE_WHY_MAX]) {
    const struct reading reading = {.places = asked->places,
                                    .n = asked->n,
                                    .losses = asked->losses,
                                    .each = give_sum,
                                    .cls = asked->sums};
    for (size_t i = 0; i < asked->n; i++) {
        asked->sums[i] = STORE_SUM_UNKNOWN;
    }
    return read_parts(store_redis_of(store), &reading, why);
}

static unsigned store_server(const struct store *store, const struct store_place *place) {
    char key[SCHEMA_KEY_MAX];
    const size_t len =
        schema_chunk_key(place->resolution, place->chunk, store_redis_of(store)->group, key);
    return link_server(store_redis_of(store)->link, key, len);
}

/* ---- the table ---- */

static void store_rename(struct store *store, const char *node) {
    struct store_redis *s = store_redis_of(store);
    snprintf(s->node, sizeof s->node, "%s", node);
    schema_node_field(s->node, s->field);
    schema_left_field(s->node, s->owner_number, s->left);
    s->group = schema_group(s->node, link_groups(s->link));
}

static void store_end_by(struct store *store, int64_t steady_us) {
    atomic_store_explicit(&store_redis_of(store)->until_ms, steady_us / US_PER_MS,
                          memory_order_relaxed);
}

static bool store_connected(const struct store *store) {
    return link_connected(store_redis_of(store)->link);
}

static const char *store_address(const struct store *store) {
    return link_address(store_redis_of(store)->link);
}

static void store_close(struct store *store) {
    link_free(store_redis_of(store)->link);
    rows_call_free(&store_redis_of(store)->rows_call);
    free(store);
}

static const struct store_ops ops = {.connect = store_connect,
                                     .send = store_send,
                                     .read_back = store_read_back,
                                     .tell_report = store_redis_tell_report,
                                     .send_rows = store_redis_send_rows,
                                     .read_back_rows = store_redis_read_back_rows,
                                     .rows_sum = store_redis_rows_sum,
                                     .sums = store_sums,
                                     .server = store_server,
                                     .lease = store_redis_lease,
                                     .release = store_redis_release,
                                     .was_read_back = store_redis_was_read_back,
                                     .tell_loss = store_redis_tell_loss,
                                     .tell_node = store_redis_tell_node,
                                     .close_old = store_redis_close_old,
                                     .rename = store_rename,
                                     .end_by = store_end_by,
                                     .connected = store_connected,
                                     .address = store_address,
                                     .close = store_close};

struct store *store_redis_new(const struct store_redis_config *config, char why[STORE_WHY_MAX]) {
    struct redis_url url;
    if (!redis_url_parse(config->url, &url, why)) {
        return NULL;
    }
    url.tls_options = config->tls;
    struct store_redis *s = calloc(1, sizeof *s);
    struct link *link = s ? link_new(&url, config->timeout_ms) : NULL;
    if (!link) {
        free(s);
        snprintf(why, STORE_WHY_MAX, "out of memory");
        return NULL;
    }
    s->store.ops = &ops;
    s->link = link;
    s->timeout_ms = config->timeout_ms;
    s->horizon_s = config->horizon_s;
    atomic_init(&s->until_ms, WIRE_NO_END);
    link_set_until(link, &s->until_ms);
    link_set_check(link, check_server, s);
    s->owner_number = part_owner(config->owner);
    snprintf(s->owner, sizeof s->owner, "%" PRIu32, s->owner_number);
    store_rename(&s->store, config->node_id);
    for (int r = 0; r < RESOLUTIONS; r++) {
        const int64_t least_s = config->horizon_s + chunk_width_us((enum resolution)r) / US_PER_S +
                                STORE_REDIS_MARGIN_S;
        s->ttl_s[r] = config->ttl_s[r] > least_s ? config->ttl_s[r] : least_s;
    }
    return &s->store;
}
