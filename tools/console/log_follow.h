/* Follows the records of an event log, with a cursor that says which were delivered. One thread. */
#ifndef AFORO_TOOLS_CONSOLE_LOG_FOLLOW_H
#define AFORO_TOOLS_CONSOLE_LOG_FOLLOW_H

#include "eventlog/follow.h"
#include "tools/console/log_cursor.h"
#include "tools/console/log_output.h"
#include "tools/console/log_where.h"

/* One run of `aforo log cat`. */
struct log_cat {
    bool counted, refused; /* which records are printed */
    bool number;           /* print node, shard and sequence number too */
    bool follows;          /* continue until asked to end */
    unsigned conditions;
    int64_t every_us;
    struct log_where *where;
    struct log_output output;
    uint64_t printed, passed_over, others, damages;
    bool failed; /* it failed, and a message was printed */
    /* delivers what was printed; false: print no more */
    bool (*flush)(struct log_cat *cat);
    /* from here on, log_follow's own */
    struct eventlog_follower *follower;
    struct log_cursor cursor;
    bool has_cursor, moved;           /* moved: since the cursor was written */
    struct eventlog_position *behind; /* everything before these was delivered */
    size_t behinds, behinds_cap;
    int64_t flushed_us, written_us;
};

/* Passes new records to the taker, which prints them. With cat->follows, until SIGINT or SIGTERM,
 * which ends it in an orderly way (a second one at once); otherwise until there are no more.
 * cursor: its file's name; "": none. False when it failed; a message was printed. */
bool log_follow(struct log_cat *cat, const struct eventlog_question *question,
                const struct eventlog_taker *taker, const char *cursor);

/* Waits before a batch is passed to a command again. False: a signal asked log_follow to end. */
bool log_follow_wait(void *cls);

#endif
