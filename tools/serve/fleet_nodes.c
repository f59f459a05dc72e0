/* Which nodes exist, and which of them are gone. */
#include "redis/nodes.h"
#include "server/process/clock.h"
#include "tools/console/source_redis.h"
#include "tools/serve/fleet_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GONE_US (5 * US_PER_S)
/* between two readings, while there are viewers */
#define STEP_MOST_US (2 * US_PER_S)

static struct fleet_node *find_node(struct fleet *fleet, const char *name) {
    for (size_t i = 0; i < fleet->nodes; i++) {
        if (strcmp(fleet->node[i].view.node, name) == 0) {
            return &fleet->node[i];
        }
    }
    return NULL;
}

/* NULL when out of memory. */
static struct fleet_node *add_node(struct fleet *fleet, const char *name) {
    if (fleet->nodes == fleet->nodes_cap) {
        const size_t cap = fleet->nodes_cap ? 2 * fleet->nodes_cap : 16;
        struct fleet_node *node = realloc(fleet->node, cap * sizeof *node);
        if (!node) {
            return NULL;
        }
        fleet->node = node;
        struct node_view *shown = realloc(fleet->shown, cap * sizeof *shown);
        if (!shown) {
            return NULL;
        }
        fleet->shown = shown;
        fleet->nodes_cap = cap;
    }
    struct fleet_node *node = &fleet->node[fleet->nodes++];
    *node = (struct fleet_node){0};
    snprintf(node->view.node, sizeof node->view.node, "%s", name);
    return node;
}

static void take_node(void *cls, const char *name, size_t len, int64_t seen_ms, const char *words) {
    struct fleet *fleet = cls;
    char shown[NODES_NAME_MAX];
    snprintf(shown, sizeof shown, "%.*s", (int)(len < sizeof shown ? len : sizeof shown - 1), name);
    struct fleet_node *node = find_node(fleet, shown);
    const bool is_new = !node;
    if (is_new && !(node = add_node(fleet, shown))) {
        return;
    }
    node->listed = true;
    if (seen_ms * US_PER_MS != node->view.last_seen_us) {
        /* The first time, only the clocks can tell; a node that is alive shows it within a
         * second. */
        const int64_t age_us = fleet->now_us - seen_ms * US_PER_MS;
        node->silent_us = is_new && age_us > 0 ? age_us : 0;
        node->view.last_seen_us = seen_ms * US_PER_MS;
        node->view.ended = false;
        nodes_read_words(words, &node->view);
    }
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const struct fleet_node *)a)->view.node,
                  ((const struct fleet_node *)b)->view.node);
}

/* Adds to each node's silence the time since nodes were last read. While Redis was away, nobody
 * knows what they said; and after a time without viewers, only the clocks can tell. */
static void note_silence(struct fleet *fleet, int64_t since_us) {
    pthread_mutex_lock(&fleet->mutex);
    const bool was_away = fleet->healed_us > fleet->nodes_read_us;
    pthread_mutex_unlock(&fleet->mutex);
    for (size_t i = 0; i < fleet->nodes; i++) {
        struct fleet_node *node = &fleet->node[i];
        const int64_t age_us = fleet->now_us - node->view.last_seen_us;
        node->silent_us = was_away && node->view.gone ? GONE_US + 1
                          : was_away                  ? 0
                          : since_us < STEP_MOST_US   ? node->silent_us + since_us
                          : age_us > 0                ? age_us
                                                      : 0;
    }
}

/* Drops nodes that no longer exist and sorts the others. */
static void tidy_nodes(struct fleet *fleet) {
    size_t n = 0;
    for (size_t i = 0; i < fleet->nodes; i++) {
        if (fleet->node[i].listed) {
            fleet->node[n] = fleet->node[i];
            fleet->node[n].view.gone =
                fleet->node[n].view.ended || fleet->node[n].silent_us > GONE_US;
            fleet->node[n++].listed = false;
        }
    }
    fleet->nodes = n;
    if (n > 0) {
        qsort(fleet->node, n, sizeof *fleet->node, compare_names);
    }
    for (size_t i = 0; i < n; i++) {
        fleet->shown[i] = fleet->node[i].view;
    }
}

bool fleet_nodes(struct fleet *fleet, int64_t now_us, const struct node_view **node, size_t *n,
                 char *why) {
    char sentence[LINK_WHY_MAX];
    const int64_t steady_us = clock_steady_us(), since_us = steady_us - fleet->nodes_read_us;
    if (!fleet_is_here(fleet, why)) {
        return false;
    }
    if (!fleet->nodes_read_us || since_us >= FLEET_KEPT_US) {
        const struct nodes_taker taker = {take_node, fleet};
        fleet->now_us = now_us;
        note_silence(fleet, since_us);
        if (!nodes_read(fleet->link, &taker, sentence)) {
            source_redis_explain(fleet->source, sentence, why);
            return fleet_fail(fleet, why);
        }
        tidy_nodes(fleet);
        fleet->nodes_read_us = steady_us;
    }
    *node = fleet->shown;
    *n = fleet->nodes;
    return true;
}
