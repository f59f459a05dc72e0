#include "redis/cluster.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NODES_MAX 1000 /* what Redis recommends as a cluster's most */
#define NOWHERE (-1)
#define ROUNDS_MAX 16 /* times that a queue goes out, at the most */
#define PAUSE_MS 20   /* before what was told to come again is sent again */
/* a node that did not answer is left alone so long: each try may cost a whole time-out */
#define REST_MS 1000

struct node {
    struct redis_host host;
    redisContext *wire;     /* NULL: not connected */
    int64_t rests_until_ms; /* not to be tried before */
};

struct command {
    char *text; /* as it goes over the wire; NULL once its reply was fetched */
    int len;
    uint16_t slot;
    int ask;           /* node that an ASK sent us to, for the next round only; else NOWHERE */
    int sent_to;       /* node whose reply is awaited in this round; else NOWHERE */
    bool asking;       /* an ASKING went out before it */
    bool done;         /* reply is the last word */
    redisReply *reply; /* so far: an error that asked us to come again */
};

struct cluster {
    const struct wire_config *config;
    int nodes;
    struct node *node[NODES_MAX];
    int16_t owner[CLUSTER_SLOTS]; /* node, or NOWHERE */
    bool connected;
    bool shaken; /* see cluster_whole */
    bool stale;  /* the map is to be asked for before anything else is sent */
    bool moved;  /* a MOVED put one slot right; the others can wait for the next queue */
    bool ran;    /* the queue has gone out */
    unsigned queued, fetched;
    struct command queue[LINK_PIPELINE_MAX];
    char why[LINK_WHY_MAX]; /* of what failed last in this run */
};

/* ---- slots ---- */

static uint16_t crc16(const char *data, size_t len) {
    uint16_t crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc = (uint16_t)(crc ^ ((uint16_t)(unsigned char)data[i] << 8));
        for (int bit = 0; bit < 8; bit++) {
            crc = (uint16_t)(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
        }
    }
    return crc;
}

uint16_t cluster_slot(const char *key, size_t len) {
    const char *open = memchr(key, '{', len);
    if (open) {
        const char *tag = open + 1;
        const char *close = memchr(tag, '}', len - (size_t)(tag - key));
        if (close && close > tag) {
            return crc16(tag, (size_t)(close - tag)) % CLUSTER_SLOTS;
        }
    }
    return crc16(key, len) % CLUSTER_SLOTS;
}

/* ---- nodes ---- */

/* The node at that address, made when new; NOWHERE when there are too many or no memory. */
static int node_at(struct cluster *cluster, const struct redis_host *host) {
    for (int i = 0; i < cluster->nodes; i++) {
        if (cluster->node[i]->host.port == host->port &&
            strcmp(cluster->node[i]->host.name, host->name) == 0) {
            return i;
        }
    }
    struct node *node = cluster->nodes < NODES_MAX ? calloc(1, sizeof *node) : NULL;
    if (!node) {
        return NOWHERE;
    }
    node->host = *host;
    cluster->node[cluster->nodes] = node;
    return cluster->nodes++;
}

static void node_lose(struct cluster *cluster, struct node *node) {
    char address[REDIS_ADDRESS_MAX];
    redis_host_render(&node->host, address);
    wire_explain(node->wire, address, cluster->why);
    if (wire_timed_out(node->wire)) {
        node->rests_until_ms = wire_now_ms() + REST_MS;
    }
    redisFree(node->wire);
    node->wire = NULL;
    cluster->shaken = true;
    cluster->stale = true;
}

/* Connects when it is not. False fills cluster->why. */
static bool node_ready(struct cluster *cluster, struct node *node, bool *refused) {
    *refused = false;
    if (node->wire) {
        return true;
    }
    if (wire_now_ms() < node->rests_until_ms) {
        if (!*cluster->why) {
            char address[REDIS_ADDRESS_MAX];
            redis_host_render(&node->host, address);
            snprintf(cluster->why, LINK_WHY_MAX,
                     "%.120s: has not answered, is tried again within a second", address);
        }
        return false;
    }
    node->wire = wire_open(cluster->config, &node->host, refused, cluster->why);
    if (!node->wire) {
        node->rests_until_ms = wire_now_ms() + REST_MS;
        cluster->stale = true;
        return false;
    }
    /* it was not there when we connected */
    cluster->shaken = cluster->shaken || cluster->connected;
    return true;
}

/* ---- the map ---- */

/* One range of CLUSTER SLOTS: first, last, [host, port, ...] of the master, replicas. */
static bool take_range(struct cluster *cluster, const redisReply *range,
                       const struct redis_host *asked) {
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 ||
        range->element[0]->type != REDIS_REPLY_INTEGER ||
        range->element[1]->type != REDIS_REPLY_INTEGER ||
        range->element[2]->type != REDIS_REPLY_ARRAY || range->element[2]->elements < 2 ||
        range->element[2]->element[1]->type != REDIS_REPLY_INTEGER) {
        return false;
    }
    const redisReply *name = range->element[2]->element[0];
    const long long first = range->element[0]->integer, last = range->element[1]->integer;
    struct redis_host host = *asked; /* a node that does not know its own name means itself */
    if (name->type == REDIS_REPLY_STRING && name->len > 0 && strcmp(name->str, "?") != 0) {
        snprintf(host.name, sizeof host.name, "%s", name->str);
    }
    host.port = (int)range->element[2]->element[1]->integer;
    const int node = node_at(cluster, &host);
    if (first < 0 || last >= CLUSTER_SLOTS || node == NOWHERE) {
        return false;
    }
    for (long long slot = first; slot <= last; slot++) {
        cluster->owner[slot] = (int16_t)node;
    }
    return true;
}

static bool take_map(struct cluster *cluster, redisContext *wire, const struct redis_host *asked) {
    char address[REDIS_ADDRESS_MAX];
    redis_host_render(asked, address);
    const char *ask[] = {"CLUSTER", "SLOTS"};
    redisReply *reply = wire_call(cluster->config, wire, address, 2, ask, cluster->why);
    if (!reply) {
        return false;
    }
    bool ok = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0;
    if (!ok) {
        snprintf(cluster->why, LINK_WHY_MAX, "%.80s: CLUSTER SLOTS: %.150s", address,
                 wire_is_error(reply, "NOAUTH")     ? "NOAUTH: " WIRE_NOAUTH_REMEDY
                 : reply->type == REDIS_REPLY_ERROR ? reply->str
                                                    : "no node has any slot");
    }
    if (ok) {
        memset(cluster->owner, 0xff, sizeof cluster->owner); /* NOWHERE */
        for (size_t i = 0; i < reply->elements && ok; i++) {
            ok = take_range(cluster, reply->element[i], asked);
        }
        if (!ok) {
            snprintf(cluster->why, LINK_WHY_MAX,
                     "%.80s: CLUSTER SLOTS: an answer we do not understand", address);
        }
    }
    freeReplyObject(reply);
    return ok;
}

/* Asks those of the URL, one after the other. */
static bool take_map_from_seed(struct cluster *cluster) {
    struct wire_config config = *cluster->config;
    config.check = NULL; /* a seed may be a replica: only masters are to be checked */
    for (unsigned i = 0; i < config.url->hosts; i++) {
        const struct redis_host *seed = &config.url->host[i];
        redisContext *wire = wire_open(&config, seed, NULL, cluster->why);
        const bool taken = wire && take_map(cluster, wire, seed);
        if (wire) {
            redisFree(wire);
        }
        if (taken) {
            return true;
        }
    }
    return false;
}

/* Asks a node we are connected to, or the URL's. No reply may be awaited. */
static void refresh(struct cluster *cluster) {
    cluster->stale = false;
    for (int i = 0; i < cluster->nodes; i++) {
        struct node *node = cluster->node[i];
        if (!node->wire) {
            continue;
        }
        if (take_map(cluster, node->wire, &node->host)) {
            return;
        }
        if (node->wire->err) {
            node_lose(cluster, node);
        }
    }
    cluster->stale = !take_map_from_seed(cluster);
}

bool cluster_connect(struct cluster *cluster, char *why) {
    cluster_close(cluster);
    bool refused = false, any = false;
    if (take_map_from_seed(cluster)) {
        const int known = cluster->nodes;
        for (int i = 0; i < known && !refused; i++) {
            any = node_ready(cluster, cluster->node[i], &refused) || any;
        }
    }
    cluster->connected = any && !refused;
    cluster->stale = false;
    if (!cluster->connected) {
        snprintf(why, LINK_WHY_MAX, "%s", cluster->why);
        cluster_close(cluster);
    }
    return cluster->connected;
}

/* ---- a round: all commands that have no last word yet go out, and their replies come in ---- */

static void command_send(struct cluster *cluster, struct command *command) {
    const int to = command->ask != NOWHERE ? command->ask : cluster->owner[command->slot];
    bool refused;
    command->asking = command->ask != NOWHERE;
    command->ask = NOWHERE;
    command->sent_to = NOWHERE;
    if (to == NOWHERE) {
        snprintf(cluster->why, LINK_WHY_MAX, "%.120s: no node serves slot %u",
                 cluster->config->url->address, command->slot);
        cluster->stale = true;
        return;
    }
    struct node *node = cluster->node[to];
    if (!node_ready(cluster, node, &refused)) {
        return;
    }
    static const char asking[] = "*1\r\n$6\r\nASKING\r\n";
    if ((command->asking &&
         redisAppendFormattedCommand(node->wire, asking, sizeof asking - 1) != REDIS_OK) ||
        redisAppendFormattedCommand(node->wire, command->text, (size_t)command->len) != REDIS_OK) {
        node_lose(cluster, node);
        node->rests_until_ms =
            /* or a later command would open it, and get earlier ones' turns */
            wire_now_ms() + REST_MS;
        return;
    }
    command->sent_to = to;
}

/* Writes to every node before the first reply is waited for, so that they work at the same time. */
static void write_all(struct cluster *cluster) {
    for (int i = 0; i < cluster->nodes; i++) {
        struct node *node = cluster->node[i];
        if (node->wire && !wire_write(cluster->config, node->wire)) {
            node_lose(cluster, node);
        }
    }
}

/* "MOVED 3999 127.0.0.1:6381" and ASK alike: the node it names, made when new. */
static int redirected_to(struct cluster *cluster, const redisReply *reply,
                         const struct node *from) {
    const char *address = strrchr(reply->str, ' ');
    const char *colon = strrchr(reply->str, ':');
    if (!address || !colon || colon < address) {
        return NOWHERE;
    }
    address++;
    struct redis_host host = from->host; /* without a name: the same host */
    if (colon > address) {
        snprintf(host.name, sizeof host.name, "%.*s", (int)(colon - address), address);
    }
    host.port = atoi(colon + 1);
    return node_at(cluster, &host);
}

/* *pause: wait before the next round. */
static void judge(struct cluster *cluster, struct command *command, redisReply *reply,
                  bool *pause) {
    const struct node *from = cluster->node[command->sent_to];
    if (command->reply) {
        freeReplyObject(command->reply);
    }
    command->reply = reply;
    if (wire_is_error(reply, "MOVED")) {
        const int to = redirected_to(cluster, reply, from);
        if (to != NOWHERE) {
            cluster->owner[command->slot] = (int16_t)to;
        }
        cluster->moved = true;
    } else if (wire_is_error(reply, "ASK")) {
        command->ask = redirected_to(cluster, reply, from);
    } else if (wire_is_error(reply, "TRYAGAIN")) {
        *pause = true; /* its slot is on its way */
    } else if (wire_is_error(reply, "CLUSTERDOWN")) {
        *pause = true;
        cluster->stale = true;
    } else {
        command->done = true;
    }
}

/* The reply of one command, when its connection lasts. */
static void command_receive(struct cluster *cluster, struct command *command, bool *pause) {
    struct node *node = cluster->node[command->sent_to];
    if (!node->wire) {
        return; /* lost earlier in this round */
    }
    redisReply *reply = wire_reply(cluster->config, node->wire);
    if (reply && command->asking) {
        freeReplyObject(reply);
        reply = wire_reply(cluster->config, node->wire);
    }
    if (reply) {
        judge(cluster, command, reply, pause);
    } else {
        node_lose(cluster, node);
    }
}

/* True when anything went out. */
static bool round_of(struct cluster *cluster, bool *pause, bool *left) {
    bool sent = false;
    for (unsigned i = 0; i < cluster->queued; i++) {
        if (!cluster->queue[i].done) {
            command_send(cluster, &cluster->queue[i]);
            sent = sent || cluster->queue[i].sent_to != NOWHERE;
        }
    }
    write_all(cluster);
    *left = false;
    for (unsigned i = 0; i < cluster->queued; i++) {
        struct command *command = &cluster->queue[i];
        if (!command->done && command->sent_to != NOWHERE) {
            command_receive(cluster, command, pause);
        }
        *left = *left || !command->done;
    }
    return sent;
}

static void run(struct cluster *cluster) {
    const int64_t deadline_ms = wire_now_ms() + cluster->config->timeout_ms;
    bool left = true;
    cluster->ran = true;
    cluster->why[0] = '\0';
    cluster->stale = cluster->stale || cluster->moved;
    cluster->moved = false;
    for (int i = 0; i < ROUNDS_MAX && left; i++) {
        const bool was_stale = cluster->stale;
        if (was_stale) {
            refresh(cluster);
        }
        bool pause = false;
        const bool sent = round_of(cluster, &pause, &left);
        /* Nothing could be sent with a fresh map, or the time is up: the rest goes back unanswered.
         */
        if ((!sent && was_stale) || wire_now_ms() >= deadline_ms) {
            break;
        }
        if (pause && left) {
            struct timespec rest = {.tv_nsec = PAUSE_MS * 1000000L};
            nanosleep(&rest, NULL);
        }
    }
}

/* ---- the link's calls ---- */

bool cluster_append(struct cluster *cluster, int argc, const char **argv, const size_t *lens,
                    int key_at, char *why) {
    assert(!cluster->ran && cluster->queued < LINK_PIPELINE_MAX && key_at > 0 && key_at < argc);
    struct command *command = &cluster->queue[cluster->queued];
    *command = (struct command){.ask = NOWHERE, .sent_to = NOWHERE};
    command->slot = cluster_slot(argv[key_at], lens[key_at]);
    command->len =
        cluster->connected ? redisFormatCommandArgv(&command->text, argc, argv, lens) : -1;
    if (command->len < 0) {
        snprintf(why, LINK_WHY_MAX, "%.120s: %s", cluster->config->url->address,
                 cluster->connected ? "out of memory" : "not connected");
        cluster_close(cluster);
        return false;
    }
    cluster->queued++;
    return true;
}

redisReply *cluster_reply(struct cluster *cluster, char *why) {
    if (cluster->fetched == cluster->queued) {
        snprintf(why, LINK_WHY_MAX, "%.120s: not connected", cluster->config->url->address);
        return NULL;
    }
    if (!cluster->ran) {
        run(cluster);
    }
    struct command *command = &cluster->queue[cluster->fetched++];
    redisReply *reply = command->reply;
    redisFreeCommand(command->text);
    *command = (struct command){0};
    if (!reply) {
        snprintf(why, LINK_WHY_MAX, "%s",
                 *cluster->why ? cluster->why : "the cluster did not answer in time");
    }
    if (cluster->fetched == cluster->queued) {
        cluster->fetched = cluster->queued = 0;
        cluster->ran = false;
    }
    return reply;
}

unsigned cluster_server(const struct cluster *cluster, const char *key, size_t len) {
    const int owner = cluster->owner[cluster_slot(key, len)];
    return owner == NOWHERE ? 0 : (unsigned)owner;
}

bool cluster_pending(const struct cluster *cluster) {
    return cluster->fetched < cluster->queued;
}

bool cluster_whole(const struct cluster *cluster) {
    return cluster->connected && !cluster->shaken;
}

void cluster_close(struct cluster *cluster) {
    for (unsigned i = cluster->fetched; i < cluster->queued; i++) {
        redisFreeCommand(cluster->queue[i].text);
        if (cluster->queue[i].reply) {
            freeReplyObject(cluster->queue[i].reply);
        }
    }
    for (int i = 0; i < cluster->nodes; i++) {
        if (cluster->node[i]->wire) {
            redisFree(cluster->node[i]->wire);
        }
        free(cluster->node[i]);
    }
    cluster->nodes = 0;
    cluster->queued = cluster->fetched = 0;
    cluster->ran = cluster->connected = cluster->shaken = cluster->stale = cluster->moved = false;
    memset(cluster->owner, 0xff, sizeof cluster->owner);
}

struct cluster *cluster_new(const struct wire_config *config) {
    struct cluster *cluster = calloc(1, sizeof *cluster);
    if (cluster) {
        cluster->config = config;
        memset(cluster->owner, 0xff, sizeof cluster->owner);
    }
    return cluster;
}

void cluster_free(struct cluster *cluster) {
    if (cluster) {
        cluster_close(cluster);
        free(cluster);
    }
}
