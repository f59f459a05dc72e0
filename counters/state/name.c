/* The node's name: which names are valid, what a new file gets, and how it changes. */
#include "counters/state/name.h"

#include "counters/state/header.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

bool counters_node_id_is_valid(const char *id) {
    const size_t n =
        strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n >= 1 && n < COUNTERS_NODE_MAX && id[n] == '\0';
}

bool state_choose_name(const struct counters_config *config, char node[COUNTERS_NODE_MAX],
                       char *why) {
    memset(node, 0, COUNTERS_NODE_MAX);
    if (config->node_id) {
        snprintf(node, COUNTERS_NODE_MAX, "%s", config->node_id);
        return true;
    }
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random) {
        return state_refuse(why, "cannot make up a node id: %s; give one with --node-id",
                            strerror(errno));
    }
    snprintf(node, COUNTERS_NODE_MAX, "%016llx", (unsigned long long)random);
    return true;
}

#define COPY_SUFFIX 9 /* "." and eight hexadecimal digits, appended by a copy to its name */

bool state_names_node(const char *node, const char *asked) {
    const size_t len = strlen(node), most = COUNTERS_NODE_MAX - 1 - COPY_SUFFIX;
    const size_t kept = strlen(asked) < most ? strlen(asked) : most;
    return strcmp(node, asked) == 0 ||
           (len == kept + COPY_SUFFIX && node[kept] == '.' && strncmp(node, asked, kept) == 0 &&
            strspn(node + kept + 1, "0123456789abcdef") == COPY_SUFFIX - 1);
}

void state_publish_name(struct counters *counters, int place) {
    memcpy(counters->name[place], counters->header.node, COUNTERS_NODE_MAX);
    atomic_store_explicit(&counters->node, counters->name[place], memory_order_release);
}

/* The first place that has no name yet; COUNTERS_NAMES_MAX when none is left. */
static int find_free_name(const struct counters *counters) {
    int place = 1;
    while (place < COUNTERS_NAMES_MAX && *counters->name[place]) {
        place++;
    }
    return place;
}

bool state_may_rename(const struct counters *counters, char *why) {
    return find_free_name(counters) < COUNTERS_NAMES_MAX ||
           state_refuse(why,
                        "%s: has had %d names since it was opened; end the servers that use its "
                        "copies, and start again",
                        counters->path, COUNTERS_NAMES_MAX);
}

bool state_rename(struct counters *counters, const char *node, char *why) {
    const char *before = atomic_load_explicit(&counters->node, memory_order_relaxed);
    const int place = find_free_name(counters);
    if (!state_may_rename(counters, why)) {
        return false;
    }
    pthread_mutex_lock(&counters->mutex);
    memset(counters->header.node, 0, sizeof counters->header.node);
    snprintf(counters->header.node, sizeof counters->header.node, "%s", node);
    counters->header.read_back = 1;
    const bool ok = state_write_header(counters, why) && fsync(counters->fd) == 0;
    if (!ok) {
        state_refuse(why, "%s: cannot write: %s", counters->path, strerror(errno));
        snprintf(counters->header.node, sizeof counters->header.node, "%s", before);
    } else {
        state_publish_name(counters, place);
    }
    pthread_mutex_unlock(&counters->mutex);
    return ok;
}

void counters_owner(const struct counters *counters, char owner[COUNTERS_OWNER_MAX]) {
    struct stat about = {0};
    fstat(counters->fd, &about);
    const int len = (int)strcspn(counters->header.boot, "\n");
    snprintf(owner, COUNTERS_OWNER_MAX, "%.*s:%llx:%llu", len, counters->header.boot,
             (unsigned long long)about.st_dev, (unsigned long long)about.st_ino);
}

const char *counters_node_id(const struct counters *counters) {
    /* partner: state_publish_name */
    return atomic_load_explicit(&counters->node, memory_order_acquire);
}
