/* What the files of the fleet share. Used by the thread that asks, except what the mutex guards. */
#ifndef AFORO_TOOLS_SERVE_FLEET_INTERNAL_H
#define AFORO_TOOLS_SERVE_FLEET_INTERNAL_H

#include "redis/link.h"
#include "server/process/log.h"
#include "tools/serve/fleet.h"

#include <pthread.h>

#define FLEET_KEPT_US (100 * US_PER_MS)

/* A chunk as it was in Redis. */
struct fleet_chunk {
    int64_t chunk;   /* 0: none */
    int64_t read_us; /* steady clock */
    bool is_final;
    uint64_t count[SLOTS_MAX];
};

#define FLEET_CHUNKS 1024 /* per resolution; a power of two */

/* Whether there is anything beyond the present; there hardly ever is. */
struct fleet_ahead {
    int64_t read_us; /* steady clock; 0: never */
    int64_t first, end;
    bool any;
};

struct fleet_node {
    struct node_view view;
    int64_t silent_us; /* how long it has been silent while Redis could be asked */
    bool listed;       /* it was in the last reading */
};

/* An answer about reports, with its question; question.len 0: none. */
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
    int64_t now_us; /* time of the current question */
    struct fleet_node *node;
    struct node_view *shown; /* [nodes] */
    size_t nodes, nodes_cap;
    int64_t nodes_read_us; /* steady clock */
    pthread_t healer;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t wake;
    int64_t healed_us; /* steady clock: when Redis was last found to answer again */
    struct log_digest reasons;
    bool away, stopping;                          /* away: source and link belong to the healer */
    char why[FLEET_WHY_MAX], said[FLEET_WHY_MAX]; /* said: the last one logged */
};

/* Handles a failure described by `sentence`: if the connection is gone, the healer takes over.
 * Returns false. */
bool fleet_fail(struct fleet *fleet, const char *sentence);

/* Frees its content and empties it. */
void fleet_free_answer(struct fleet_answer *answer);

#endif
