/* Reads a log: the records of each node and shard in the order of their sequences, from sealed
 * files and open tails, even while a server is writing. What is damaged is reported. One thread. */
#ifndef AFORO_EVENTLOG_READ_H
#define AFORO_EVENTLOG_READ_H

#include "eventlog/line.h"

#define EVENTLOG_IS_NODE "is the folder of one node; name the one above it"
#define EVENTLOG_READ_WHY_MAX 512

/* Where a record or damage was found; valid during the taker's call only. */
struct eventlog_where {
    const char *node;
    unsigned shard;
    const char *file; /* DIR/<node>/<shard>/<name> */
};

struct eventlog_record {
    const struct eventlog_where *where;
    uint64_t sequence;
    struct line_info info;
    const char *text; /* the line, with its LF */
    size_t len;
};

/* Records first .. last are missing. last == UINT64_MAX: the number is unknown. last == first - 1:
 * none is missing, but something beside them is damaged. */
struct eventlog_damage {
    const struct eventlog_where *where;
    uint64_t first, last;
    const char *why;
};

struct eventlog_taker {
    /* returns false to stop */
    bool (*record)(void *cls, const struct eventlog_record *record);
    void (*damage)(void *cls, const struct eventlog_damage *damage);
    void *cls;
};

struct eventlog_question {
    const char *dir;
    int64_t from_us, to_us; /* the records' times, [from, to) */
};

/* Passes the records to the taker. False fills `why`: there is no log, or it cannot be read at all.
 * Damage is not a failure. */
bool eventlog_read(const struct eventlog_question *question, const struct eventlog_taker *taker,
                   char why[EVENTLOG_READ_WHY_MAX]);

#endif
