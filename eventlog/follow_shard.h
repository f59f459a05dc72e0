/* One shard of a log that is followed. Private to the library. */
#ifndef AFORO_EVENTLOG_FOLLOW_SHARD_H
#define AFORO_EVENTLOG_FOLLOW_SHARD_H

#include "eventlog/files.h"
#include "eventlog/follow.h"

#include <time.h>

#define FOLLOW_PATH_MAX 1024

struct follow_shard {
    char node[EVENTLOG_NODE_MAX];
    unsigned number;
    uint64_t next; /* record that is to be given next; 0: the first that is there */
    /* what its folder had, when it was looked at last */
    struct log_files files;
    struct timespec changed;
    int64_t listed_us; /* steady; 0: never */
    bool again;        /* it changed so shortly before that it may have changed once more */
    /* the tail that is being read */
    int fd;            /* -1: none */
    uint64_t first;    /* of that file, or of the one that was read to its end; 0: none yet */
    uint64_t at;       /* bytes of it that were given or passed over */
    uint64_t sequence; /* of the record there */
    bool named;        /* the disk has its name */
};

/* What all shards share. */
struct follow_room {
    const struct eventlog_following *following;
    const struct eventlog_taker *taker;
    char *text; /* grows with the longest line */
    size_t text_cap;
    char path[FOLLOW_PATH_MAX];
};

/* Gives what is new in a file of the shard. GIVEN: there may be more. FAILED fills why. */
enum eventlog_round follow_shard_visit(struct follow_room *room, struct follow_shard *shard,
                                       char why[EVENTLOG_READ_WHY_MAX]);

void follow_shard_close(struct follow_shard *shard);

int64_t follow_steady_us(void);

#endif
