/* The event log of one node: DIR/<node>/<shard>/, a shard a worker. The workers append to their
 * tails (writer.h); the log thread makes tails ready, seals those that are full, has what is
 * written put on the disk, and removes the oldest sealed files.
 *
 * Calls are grouped by the thread that may make them. */
#ifndef AFORO_EVENTLOG_LOG_H
#define AFORO_EVENTLOG_LOG_H

#include "eventlog/tail.h"
#include "eventlog/writer.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENTLOG_WHY_MAX 512

struct eventlog;

enum eventlog_grave { EVENTLOG_INFO, EVENTLOG_WARN, EVENTLOG_ERROR };

struct eventlog_config {
    const char *dir;  /* made when missing; its parent must exist */
    const char *node; /* 1 .. 63 bytes, no '/', not beginning with '.' */
    unsigned workers;
    size_t tail_bytes;  /* room of a tail, whole pages; 0: 16 MiB */
    int64_t size_bytes; /* of sealed files, all shards together: the oldest go; 0: any */
    int64_t keep_us;    /* how long they stay; 0: for ever */
    int64_t sync_us;    /* how often what is written is put on the disk */
    bool refuse_when_full;
    struct tail_judge judge; /* looks at the counts, which are recovered by then */
    /* what an operator should know: a sentence, and details as key=value; by any thread of ours */
    void (*say)(void *cls, enum eventlog_grave grave, const char *text, const char *details);
    void *cls;
};

/* ---- before the threads start, and after they ended ---- */

/* Opens the log: what an earlier run left open is settled by the counts, and sealed later. NULL
 * fills why: which folder, what is wrong with it, what to do. Another process must not have it
 * open. */
struct eventlog *eventlog_open(const struct eventlog_config *config, char why[EVENTLOG_WHY_MAX]);

/* Starts the log thread. False when out of threads. */
bool eventlog_start(struct eventlog *log);

/* Ends the log thread, closes the tails, and seals them until deadline_us (CLOCK_MONOTONIC); what
 * is not sealed by then is by the next run. Frees all. NULL is allowed. */
void eventlog_close(struct eventlog *log, int64_t deadline_us);

/* What worker 0 .. workers - 1 appends to. */
struct eventlog_writer *eventlog_writer(struct eventlog *log, unsigned worker);

/* ---- any thread ---- */

struct eventlog_status {
    uint64_t records;       /* written by this process */
    uint64_t dropped;       /* not written, since the disk was full */
    uint64_t waiting;       /* tails that are full and not sealed */
    uint64_t sealed;        /* files sealed by this process */
    uint64_t removed;       /* files removed by it, the oldest, */
    uint64_t removed_bytes; /* and what they had */
};

void eventlog_status(const struct eventlog *log, struct eventlog_status *status);

#endif
