/* The log's data about its shards. Private to the library. */
#ifndef AFORO_EVENTLOG_INTERNAL_H
#define AFORO_EVENTLOG_INTERNAL_H

#include "eventlog/log.h"
#include "eventlog/seal.h"

#include <pthread.h>

#define LOG_SHARDS_MAX 4096             /* of all runs together */
#define LOG_PREPARED ".prepared.ndjson" /* made by the log thread */
#define LOG_MADE ".made.ndjson"         /* made by a worker that could not wait */
#define LOG_TAIL_BYTES ((size_t)16 << 20)

/* A folder DIR/<node>/<shard>. */
struct log_shard {
    struct eventlog *log;
    unsigned number;
    int dir_fd;
    struct seal seal;                /* used by the log thread */
    int64_t filled_us;               /* when a full tail of this run was last found; 0: never */
    _Atomic(struct tail *) prepared; /* ready for the worker to use; NULL: none yet */
    _Atomic bool starved;            /* the worker could not make one: only the log thread tries */
    /* full tails waiting to be sealed, in order; guarded by the log's mutex */
    struct tail *full, **full_end;
    struct eventlog_writer *writer; /* NULL: no worker of this run uses the shard */
};

struct eventlog {
    struct eventlog_config config;
    char node[EVENTLOG_NODE_MAX];
    char path[256]; /* DIR/<node> */
    int dir_fd;     /* DIR/<node>; holds the lock */
    unsigned shards;
    struct log_shard *shard[LOG_SHARDS_MAX];
    struct eventlog_writer *writer; /* [config.workers] */
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;        /* guarded by the mutex */
    struct packer packer; /* used by the log thread, then by eventlog_close */
    bool seal_failed;     /* sealing failed last time, and that was reported */
    int64_t seal_again_us;
    bool full; /* the lack of room for a tail was reported */
    int64_t synced_us, tidied_us;
    _Atomic uint64_t waiting, sealed, removed, removed_bytes;
};

/* Appends a full tail to its shard's list and wakes the log thread. */
void log_hand_off(struct log_shard *shard, struct tail *tail);

/* Seals the oldest waiting tail of a shard. False when there is none; also when sealing fails,
 * which is reported and sets *failed. */
bool log_seal_one(struct log_shard *shard, bool *failed);

/* Removes this node's oldest sealed files, as long as all of them exceed the size limit or the
 * oldest is too old. By the log thread. */
void log_remove_old(struct eventlog *log);

/* Calls the configuration's `say` with details in printf's format. Any thread of the log. */
void log_say(const struct eventlog *log, enum eventlog_grave grave, const char *text,
             const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
