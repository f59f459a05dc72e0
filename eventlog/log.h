/* The event log of one node: DIR/<node>/<shard>/, one shard per worker. Workers append to their
 * tails (writer.h). The log thread prepares tails, seals full ones, syncs what was written to disk,
 * and removes the oldest sealed files.
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
    const char *dir;  /* created when missing; its parent must exist */
    const char *node; /* 1 .. 63 bytes, no '/', no '.' at the beginning */
    unsigned workers;
    size_t tail_bytes;  /* capacity of a tail, whole pages; 0: 16 MiB */
    int64_t size_bytes; /* limit for sealed files of all shards; the oldest go first; 0: none */
    int64_t keep_us;    /* how long sealed files are kept; 0: forever */
    int64_t sync_us;    /* how often what was written is synced to disk */
    bool refuse_when_full;
    struct tail_judge judge; /* consults the counts, which must have been recovered by then */
    /* Reports what an operator should know: a sentence, and details as key=value. Called from the
     * log thread and from workers. */
    void (*say)(void *cls, enum eventlog_grave grave, const char *text, const char *details);
    void *cls;
};

/* ---- before the threads start, and after they ended ---- */

/* Opens the log. What an earlier run left open is settled by the counts now, and sealed later. NULL
 * fills `why`: which folder, what is wrong with it, and what to do. Fails when another process has
 * the log open. */
struct eventlog *eventlog_open(const struct eventlog_config *config, char why[EVENTLOG_WHY_MAX]);

/* Starts the log thread. False when no thread can be created. */
bool eventlog_start(struct eventlog *log);

/* Stops the log thread, closes the tails, and seals them until deadline_us (CLOCK_MONOTONIC); the
 * next run seals the rest. Frees everything. NULL is allowed. */
void eventlog_close(struct eventlog *log, int64_t deadline_us);

/* The writer of worker 0 .. workers - 1; owned by the log. */
struct eventlog_writer *eventlog_writer(struct eventlog *log, unsigned worker);

/* ---- any thread ---- */

struct eventlog_status {
    uint64_t records;       /* written by this process */
    uint64_t dropped;       /* not written because the disk was full */
    uint64_t waiting;       /* full tails that are not sealed yet */
    uint64_t sealed;        /* files sealed by this process */
    uint64_t removed;       /* old files removed by this process */
    uint64_t removed_bytes; /* and their size */
};

/* Sums the counters of log and writers. */
void eventlog_status(const struct eventlog *log, struct eventlog_status *status);

#endif
