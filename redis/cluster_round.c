/* The rounds of a queue: sends all commands without a final reply, and receives their replies. */
#include "redis/cluster_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS_MAX 16 /* most times that a queue is sent */
#define PAUSE_MS 20   /* before retrying what was told to come again */

static void send_command(struct cluster *cluster, struct cluster_command *command) {
    const int to = command->ask != NOWHERE ? command->ask : cluster->owner[command->slot];
    bool refused;
    command->asking = command->ask != NOWHERE;
    command->ask = NOWHERE;
    command->sent_to = NOWHERE;
    if (to == NOWHERE) {
        snprintf(cluster->why, WIRE_WHY_MAX, "%.120s: no node serves slot %u",
                 cluster->config->url->address, command->slot);
        cluster->stale = true;
        return;
    }
    struct cluster_node *node = cluster->node[to];
    if (!cluster_ready_node(cluster, node, &refused)) {
        return;
    }
    static const char asking[] = "*1\r\n$6\r\nASKING\r\n";
    if ((command->asking && !wire_append_text(node->wire, asking, sizeof asking - 1)) ||
        !wire_append_text(node->wire, command->text, (size_t)command->len)) {
        cluster_lose_node(cluster, node);
        /* or a later command would reconnect, and its reply would be taken for an earlier one's */
        cluster_rest_node(node);
        return;
    }
    command->sent_to = to;
}

/* Writes to every node before waiting for the first reply, so that they work in parallel. */
static void write_all(struct cluster *cluster) {
    for (int i = 0; i < cluster->nodes; i++) {
        struct cluster_node *node = cluster->node[i];
        if (node->wire && !wire_write(cluster->config, node->wire)) {
            cluster_lose_node(cluster, node);
        }
    }
}

/* The node that a reply names ("MOVED 3999 127.0.0.1:6381", likewise ASK), added when new; NOWHERE
 * when it names none. */
static int find_redirected(struct cluster *cluster, const redisReply *reply,
                           const struct cluster_node *from) {
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
    return cluster_find_node(cluster, &host);
}

/* Keeps the reply and notes what it asks for: another node, a new map, or a wait before the next
 * round (*pause). */
static void note_reply(struct cluster *cluster, struct cluster_command *command, redisReply *reply,
                       bool *pause) {
    const struct cluster_node *from = cluster->node[command->sent_to];
    if (command->reply) {
        freeReplyObject(command->reply);
    }
    command->reply = reply;
    if (wire_is_error(reply, "MOVED")) {
        const int to = find_redirected(cluster, reply, from);
        if (to != NOWHERE) {
            cluster->owner[command->slot] = (int16_t)to;
        }
        cluster->moved = true;
    } else if (wire_is_error(reply, "ASK")) {
        command->ask = find_redirected(cluster, reply, from);
    } else if (wire_is_error(reply, "TRYAGAIN")) {
        *pause = true; /* its slot is being moved */
    } else if (wire_is_error(reply, "CLUSTERDOWN")) {
        *pause = true;
        cluster->stale = true;
    } else {
        command->done = true;
    }
}

/* Receives the reply to one command, unless its connection fails. */
static void receive_reply(struct cluster *cluster, struct cluster_command *command, bool *pause) {
    struct cluster_node *node = cluster->node[command->sent_to];
    if (!node->wire) {
        return; /* lost earlier in this round */
    }
    redisReply *reply = wire_reply(cluster->config, node->wire);
    if (reply && command->asking) {
        freeReplyObject(reply);
        reply = wire_reply(cluster->config, node->wire);
    }
    if (reply) {
        note_reply(cluster, command, reply, pause);
    } else {
        cluster_lose_node(cluster, node);
    }
}

/* Runs a round. True when anything was sent. *pause: wait before the next round; *left: some
 * command has no final reply yet. */
static bool play_round(struct cluster *cluster, bool *pause, bool *left) {
    bool sent = false;
    for (unsigned i = 0; i < cluster->queued; i++) {
        if (!cluster->queue[i].done) {
            send_command(cluster, &cluster->queue[i]);
            sent = sent || cluster->queue[i].sent_to != NOWHERE;
        }
    }
    write_all(cluster);
    *left = false;
    for (unsigned i = 0; i < cluster->queued; i++) {
        struct cluster_command *command = &cluster->queue[i];
        if (!command->done && command->sent_to != NOWHERE) {
            receive_reply(cluster, command, pause);
        }
        *left = *left || !command->done;
    }
    return sent;
}

void cluster_run_queue(struct cluster *cluster) {
    const int64_t deadline_ms = wire_now_ms() + cluster->config->timeout_ms;
    bool left = true;
    cluster->ran = true;
    cluster->why[0] = '\0';
    cluster->stale = cluster->stale || cluster->moved;
    cluster->moved = false;
    for (int i = 0; i < ROUNDS_MAX && left; i++) {
        const bool was_stale = cluster->stale;
        if (was_stale) {
            cluster_refresh_map(cluster);
        }
        bool pause = false;
        const bool sent = play_round(cluster, &pause, &left);
        /* Nothing could be sent with a fresh map, or the time is up: the rest is returned
         * unanswered. */
        if ((!sent && was_stale) || wire_now_ms() >= deadline_ms) {
            break;
        }
        if (pause && left) {
            struct timespec rest = {.tv_nsec = PAUSE_MS * 1000000L};
            nanosleep(&rest, NULL);
        }
    }
}
