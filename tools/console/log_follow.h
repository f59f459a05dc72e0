/* The records of an event log as they come, and the cursor that says which were given out. One
 * thread. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_FOLLOW_H
#define AFORO_TOOLS_CONSOLE_LOG_FOLLOW_H

#include "eventlog/follow.h"
#include "tools/console/log_cursor.h"
#include "tools/console/log_output.h"
#include "tools/console/log_where.h"

/* One `aforo log cat`. */
struct log_cat {
    bool counted, refused; /* which of them are printed */
    bool number;           /* with node, shard and sequence */
    bool follows;          /* until it is asked to end */
    unsigned conditions;
    int64_t every_us;
    struct log_where *where;
    struct log_output output;
    uint64_t printed, passed_over, others, damages;
    bool failed; /* it was said */
    /* gives out what was printed; false: no more is to be */
    bool (*flush)(struct log_cat *cat);
    /* log_follow's own */
    struct eventlog_follower *follower;
    struct log_cursor cursor;
    bool has_cursor, moved;           /* since it was written */
    struct eventlog_position *behind; /* what was given out ends before these */
    size_t behinds, behinds_cap;
    int64_t flushed_us, written_us;
};

/* Gives what is new to the taker, which prints it: until SIGINT or SIGTERM, which end it in order,
 * a second one at once; or without cat->follows until there is no more. cursor: the name of its
 * file; "": none. False: it failed, which was said. */
bool log_follow(struct log_cat *cat, const struct eventlog_question *question,
                const struct eventlog_taker *taker, const char *cursor);

/* Waits before a batch is given to a command again. False: a signal asked log_follow to end. */
bool log_follow_wait(void *cls);

#endif
