/* A node's description of itself: as words, which it leaves in Redis, and as JSON, for /nodes. No
 * I/O; any thread.
 *
 *   words  version=0.1.0 started=1464433871120 received=12 counted=11 lag_ms=0
 *          complete_through=1464433872000 visible_p99_ms=100 refused.malformed=1
 *   json   {"node":"a","version":"0.1.0","started":"2016-05-28T11:11:11.120Z","received":12,
 *           "counted":11,"refused":{"malformed":1},"lag_ms":0,
 *           "complete_through":"2016-05-28T11:11:12.000Z","visible_p99_ms":100,
 *           "last_seen":"2016-05-28T11:11:12.300Z","state":"here"}
 *
 * Unknown words are ignored, so that nodes of several versions work together. */
#ifndef AFORO_VIEW_NODES_H
#define AFORO_VIEW_NODES_H

#include "view/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODES_NAME_MAX 64
#define NODES_VERSION_MAX 32
#define NODES_REASON_MAX 32
#define NODES_REASONS_MAX 32

struct node_reason {
    char name[NODES_REASON_MAX];
    uint64_t events;
};

struct node_view {
    char node[NODES_NAME_MAX];
    char version[NODES_VERSION_MAX];
    int64_t started_us; /* wall clock, like the others */
    uint64_t received, counted;
    unsigned reasons;
    struct node_reason refused[NODES_REASONS_MAX];
    int64_t lag_ms;
    int64_t complete_through_us; /* 0: not known */
    int64_t visible_p99_ms;      /* 99 % of events were visible within this; 0: unknown */
    int64_t last_seen_us;
    bool ended; /* it has said that it stops */
    bool gone;
};

/* Events received and not counted; 0 if the words, which may come from anybody, say that more were
 * counted. */
static inline uint64_t nodes_refused(const struct node_view *node) {
    return node->received > node->counted ? node->received - node->counted : 0;
}

/* Writes the words of a node (NUL-terminated, cut to cap > 0). */
void nodes_write(const struct node_view *node, char *words, size_t cap);

/* Reads words into *node, except its name, last_seen_us and gone. Accepts any text. */
void nodes_read_words(const char *words, struct node_view *node);

/* Adds the node as one object to `text`. */
void nodes_add_json(const struct node_view *node, struct text *text);

#endif
