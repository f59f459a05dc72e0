/* A log as it is read: the records of each node and shard in the order of their numbers, from
 * sealed files and open tails, while a server may be writing. What is not whole is named. One
 * thread. */
#ifndef AFORO_EVENTLOG_READ_H
#define AFORO_EVENTLOG_READ_H

#include "eventlog/line.h"

#define EVENTLOG_IS_NODE "is the folder of one node; name the one above it"
#define EVENTLOG_READ_WHY_MAX 512

/* Where a record or a damage is. */
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

/* Records first .. last are missing; last UINT64_MAX: nobody can tell how many; last first - 1:
 * none, and something beside them is damaged. */
struct eventlog_damage {
    const struct eventlog_where *where;
    uint64_t first, last;
    const char *why;
};

struct eventlog_taker {
    /* false: it wants no more */
    bool (*record)(void *cls, const struct eventlog_record *record);
    void (*damage)(void *cls, const struct eventlog_damage *damage);
    void *cls;
};

struct eventlog_question {
    const char *dir;
    int64_t from_us, to_us; /* of the records' times: [from, to) */
};

/* False fills why: the log cannot be read at all, or there is none. Damage is no failure. */
bool eventlog_read(const struct eventlog_question *question, const struct eventlog_taker *taker,
                   char why[EVENTLOG_READ_WHY_MAX]);

#endif
