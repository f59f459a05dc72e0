/* Reads a log while it grows. Each round passes on what has been committed: every record once, in
 * the order of the sequences of its node and shard. New nodes, shards and files are found, and a
 * tail that is sealed while being read is read to its end. A list of positions says where to
 * resume; the caller may store it. One thread. */
#ifndef AFORO_EVENTLOG_FOLLOW_H
#define AFORO_EVENTLOG_FOLLOW_H

#include "eventlog/block.h"
#include "eventlog/read.h"

/* The sequence of the next record of a shard to be read. */
struct eventlog_position {
    char node[EVENTLOG_NODE_MAX];
    unsigned shard;
    uint64_t next;
};

struct eventlog_following {
    struct eventlog_question question;
    /* Where to resume; shards not listed here are read from their first record. NULL: from the
     * oldest record that exists, whatever its sequence. */
    const struct eventlog_position *position;
    size_t positions;
    /* pass on only what is on disk, so that no power loss reverts it and no sequence is reused */
    bool durable;
};

struct eventlog_follower;

/* The question's dir, the positions and the taker must stay valid until eventlog_follow_end. NULL
 * fills `why`. */
struct eventlog_follower *eventlog_follow(const struct eventlog_following *following,
                                          const struct eventlog_taker *taker,
                                          char why[EVENTLOG_READ_WHY_MAX]);

enum eventlog_round {
    EVENTLOG_IDLE,    /* everything there was has been passed on */
    EVENTLOG_GIVEN,   /* there may be more right now */
    EVENTLOG_STOPPED, /* the taker returned false */
    EVENTLOG_FAILED   /* `why` says what is wrong with the log or a position */
};

/* Passes on new records: at most one file, or a part of one, per shard. */
enum eventlog_round eventlog_follow_round(struct eventlog_follower *follower,
                                          char why[EVENTLOG_READ_WHY_MAX]);

/* Position i, from 0; false when there are no more. Also allowed during the taker's call, where the
 * position does not yet include the record being passed. */
bool eventlog_follow_position(const struct eventlog_follower *follower, size_t i,
                              struct eventlog_position *position);

void eventlog_follow_end(struct eventlog_follower *follower);

#endif
