/* A log as it grows: what is committed is given round by round, each record once, in the order of
 * the numbers of its node and shard; new nodes, shards and files are found, a tail that is sealed
 * while it is read is read on. Where to go on is a list of positions, which the caller may keep.
 * One thread. */
#ifndef AFORO_EVENTLOG_FOLLOW_H
#define AFORO_EVENTLOG_FOLLOW_H

#include "eventlog/block.h"
#include "eventlog/read.h"

/* The number of the next record of a shard that is to be given. */
struct eventlog_position {
    char node[EVENTLOG_NODE_MAX];
    unsigned shard;
    uint64_t next;
};

struct eventlog_following {
    struct eventlog_question question;
    /* Go on here; shards that are not among them are given from their first record on. NULL: from
     * what is there, whatever its number. */
    const struct eventlog_position *position;
    size_t positions;
    /* What is given is on the disk: no power loss takes it back, and no number is used again. */
    bool durable;
};

struct eventlog_follower;

/* The question's dir, the positions and the taker are there until the end. NULL fills why. */
struct eventlog_follower *eventlog_follow(const struct eventlog_following *following,
                                          const struct eventlog_taker *taker,
                                          char why[EVENTLOG_READ_WHY_MAX]);

enum eventlog_round {
    EVENTLOG_IDLE,    /* what was there is given */
    EVENTLOG_GIVEN,   /* there may be more, at once */
    EVENTLOG_STOPPED, /* the taker wants no more */
    EVENTLOG_FAILED   /* why says what is wrong with the log or a position */
};

/* Gives what is new: of each shard a file, or a part of one, at the most. */
enum eventlog_round eventlog_follow_round(struct eventlog_follower *follower,
                                          char why[EVENTLOG_READ_WHY_MAX]);

/* Position i of all, from 0 on; also within a taker's call, whose record is not behind it yet.
 * False: there are no more. */
bool eventlog_follow_position(const struct eventlog_follower *follower, size_t i,
                              struct eventlog_position *position);

void eventlog_follow_end(struct eventlog_follower *follower);

#endif
