/* The shards of a log that is being followed: finds them and visits them in turn. */
#include "eventlog/follow.h"

#include "eventlog/follow_shard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_US INT64_C(50000) /* how often new nodes and shards are looked for */

struct eventlog_follower {
    struct eventlog_following following;
    struct eventlog_taker taker;
    struct follow_room room;
    struct follow_shard **shard;
    size_t shards, shards_cap;
    int64_t looked_us; /* steady; 0: never */
};

static bool say_errno(const struct eventlog_follower *follower, char *why) {
    snprintf(why, EVENTLOG_READ_WHY_MAX, "%s: cannot read the event log: %s",
             follower->following.question.dir, strerror(errno));
    return false;
}

/* ---- shards ---- */

/* False when out of memory. */
static bool add_shard(struct eventlog_follower *follower, const char *node, unsigned number,
                      uint64_t next) {
    if (follower->shards == follower->shards_cap) {
        const size_t cap = follower->shards_cap * 2 + 16;
        struct follow_shard **more = realloc(follower->shard, cap * sizeof(struct follow_shard *));
        if (!more) {
            return false;
        }
        follower->shard = more;
        follower->shards_cap = cap;
    }
    struct follow_shard *shard = calloc(1, sizeof *shard);
    if (!shard) {
        return false;
    }
    snprintf(shard->node, sizeof shard->node, "%s", node);
    shard->number = number;
    shard->next = next;
    shard->fd = -1;
    follower->shard[follower->shards++] = shard;
    return true;
}

static struct follow_shard *find_shard(const struct eventlog_follower *follower, const char *node,
                                       unsigned number) {
    for (size_t i = 0; i < follower->shards; i++) {
        struct follow_shard *shard = follower->shard[i];
        if (shard->number == number && strcmp(shard->node, node) == 0) {
            return shard;
        }
    }
    return NULL;
}

/* Adds the shards of a node. One that did not exist at the first look starts with record 1. */
static bool look_at_node(struct eventlog_follower *follower, int dir_fd, const char *node) {
    const bool from_the_first = follower->following.position || follower->looked_us > 0;
    char **names;
    size_t n;
    if (!files_list_folders(dir_fd, &names, &n)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        unsigned number;
        if (files_read_shard(names[i], &number)) {
            ok = find_shard(follower, node, number) ||
                 add_shard(follower, node, number, from_the_first);
        }
    }
    files_free_names(names, n);
    return ok;
}

static bool look_at_nodes(struct eventlog_follower *follower, int dir_fd) {
    char **names;
    size_t n;
    if (!files_list_folders(dir_fd, &names, &n)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        const int fd = openat(dir_fd, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (strlen(names[i]) < EVENTLOG_NODE_MAX && !strchr(names[i], '\n') && fd >= 0) {
            ok = look_at_node(follower, fd, names[i]);
        }
        if (fd >= 0) {
            close(fd);
        } else {
            ok = errno == ENOENT; /* removed meanwhile */
        }
    }
    const int error = errno;
    files_free_names(names, n);
    errno = error;
    return ok;
}

static bool look(struct eventlog_follower *follower, char *why) {
    const int64_t now_us = follow_steady_us();
    if (follower->looked_us > 0 && now_us - follower->looked_us < LOOK_US) {
        return true;
    }
    const int fd = open(follower->following.question.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool ok = fd >= 0 && look_at_nodes(follower, fd);
    const int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = error;
    follower->looked_us = now_us;
    return ok || say_errno(follower, why);
}

/* ---- the whole ---- */

struct eventlog_follower *eventlog_follow(const struct eventlog_following *following,
                                          const struct eventlog_taker *taker,
                                          char why[EVENTLOG_READ_WHY_MAX]) {
    struct eventlog_follower *follower = calloc(1, sizeof *follower);
    if (!follower) {
        snprintf(why, EVENTLOG_READ_WHY_MAX, "out of memory");
        return NULL;
    }
    follower->following = *following;
    follower->taker = *taker;
    follower->room.following = &follower->following;
    follower->room.taker = &follower->taker;
    bool ok = true;
    for (size_t i = 0; ok && i < following->positions; i++) {
        const struct eventlog_position *position = &following->position[i];
        ok = add_shard(follower, position->node, position->shard, position->next);
    }
    if (!ok) {
        snprintf(why, EVENTLOG_READ_WHY_MAX, "out of memory");
    }
    if (!ok || !look(follower, why)) {
        eventlog_follow_end(follower);
        return NULL;
    }
    return follower;
}

enum eventlog_round eventlog_follow_round(struct eventlog_follower *follower,
                                          char why[EVENTLOG_READ_WHY_MAX]) {
    enum eventlog_round all = EVENTLOG_IDLE;
    if (!look(follower, why)) {
        return EVENTLOG_FAILED;
    }
    for (size_t i = 0; i < follower->shards; i++) {
        const enum eventlog_round round =
            follow_shard_visit(&follower->room, follower->shard[i], why);
        if (round == EVENTLOG_STOPPED || round == EVENTLOG_FAILED) {
            return round;
        }
        all = round == EVENTLOG_GIVEN ? round : all;
    }
    return all;
}

bool eventlog_follow_position(const struct eventlog_follower *follower, size_t i,
                              struct eventlog_position *position) {
    if (i >= follower->shards) {
        return false;
    }
    const struct follow_shard *shard = follower->shard[i];
    memcpy(position->node, shard->node, sizeof position->node);
    position->shard = shard->number;
    position->next = shard->next;
    return true;
}

void eventlog_follow_end(struct eventlog_follower *follower) {
    if (!follower) {
        return;
    }
    for (size_t i = 0; i < follower->shards; i++) {
        follow_shard_close(follower->shard[i]);
        free(follower->shard[i]);
    }
    free(follower->shard);
    free(follower->room.text);
    free(follower);
}
