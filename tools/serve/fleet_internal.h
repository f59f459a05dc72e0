/* What the files of the fleet share. By the thread that asks, but for what the mutex guards. */
#ifndef AFORO_TOOLS_SERVE_FLEET_INTERNAL_H
#define AFORO_TOOLS_SERVE_FLEET_INTERNAL_H

#include "redis/link.h"
#include "server/process/log.h"
#include "tools/serve/fleet.h"

#include <pthread.h>

#define FLEET_KEPT_US (100 * US_PER_MS)

/* A chunk as Redis had it. */
struct fleet_chunk {
    int64_t chunk;   /* 0: none */
    int64_t read_us; /* steady clock */
    bool is_final;
    uint64_t count[SLOTS_MAX];
};

#define FLEET_CHUNKS 1024 /* of each resolution; a power of two */

/* Whether there is anything beyond the present, where hardly ever something is. */
struct fleet_ahead {
    int64_t read_us; /* steady clock; 0: never */
    int64_t first, end;
    bool any;
};

struct fleet_node {
    struct node_view view;
    int64_t silent_us; /* of the time since then, when Redis was there to be asked */
    bool listed;       /* in what was read last */
};

/* An answer about reports, and to which question; question.len 0: none. */
struct fleet_answer {
    int64_t read_us; /* steady clock */
    struct text question, text;
};

#define FLEET_ANSWERS 64

struct fleet {
    struct fleet_config config;
    struct source *source;
    struct link *link;                      /* the source's */
    struct fleet_chunk *chunk[RESOLUTIONS]; /* [FLEET_CHUNKS] */
    struct fleet_ahead ahead[RESOLUTIONS];
    struct fleet_answer answer[FLEET_ANSWERS];
    int64_t now_us; /* of the question under way */
    struct fleet_node *node;
    struct node_view *shown; /* [nodes] */
    size_t nodes, nodes_cap;
    int64_t nodes_read_us; /* steady clock */
    pthread_t healer;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t wake;
    int64_t healed_us; /* steady clock: when it was last found to answer again */
    struct log_digest reasons;
    bool away, stopping;                          /* away: source and link are the healer's */
    char why[FLEET_WHY_MAX], said[FLEET_WHY_MAX]; /* said: in the log, last */
};

/* After a failure that `sentence` says: when the connection is gone, the healer takes over. Returns
 * false. */
bool fleet_fail(struct fleet *fleet, const char *sentence);

/* Frees what it holds, and empties it. */
void fleet_free_answer(struct fleet_answer *answer);

#endif
