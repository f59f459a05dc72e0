/* One shard of a log that is being followed. Private to the library. */
#ifndef AFORO_EVENTLOG_FOLLOW_SHARD_H
#define AFORO_EVENTLOG_FOLLOW_SHARD_H

#include "eventlog/files.h"
#include "eventlog/follow.h"

#include <time.h>

#define FOLLOW_PATH_MAX 1024

struct follow_shard {
    char node[EVENTLOG_NODE_MAX];
    unsigned number;
    uint64_t next; /* sequence of the next record to pass on; 0: the first that exists */
    /* the contents of its folder when last listed */
    struct log_files files;
    struct timespec changed;
    int64_t listed_us; /* steady; 0: never */
    bool again;        /* it changed so shortly before that it may change again unnoticed */
    /* the tail being read */
    int fd;            /* -1: none */
    uint64_t first;    /* of that file, or of the last one read to its end; 0: none yet */
    uint64_t at;       /* bytes of it that were passed on or skipped */
    uint64_t sequence; /* of the record at that offset */
    bool named;        /* its name is on disk */
};

/* Shared by all shards. */
struct follow_room {
    const struct eventlog_following *following;
    const struct eventlog_taker *taker;
    char *text; /* grows with the longest line */
    size_t text_cap;
    char path[FOLLOW_PATH_MAX];
};

/* Passes on what is new in one file of the shard. EVENTLOG_GIVEN: there may be more.
 * EVENTLOG_FAILED fills `why`. */
enum eventlog_round follow_shard_visit(struct follow_room *room, struct follow_shard *shard,
                                       char why[EVENTLOG_READ_WHY_MAX]);

void follow_shard_close(struct follow_shard *shard);

int64_t follow_steady_us(void);

#endif
