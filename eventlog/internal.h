/* What the log keeps of its shards. Private to the library. */
#ifndef AFORO_EVENTLOG_INTERNAL_H
#define AFORO_EVENTLOG_INTERNAL_H

#include "eventlog/log.h"
#include "eventlog/seal.h"

#include <pthread.h>

#define LOG_SHARDS_MAX 4096             /* of all runs */
#define LOG_PREPARED ".prepared.ndjson" /* by the log thread */
#define LOG_MADE ".made.ndjson"         /* by a worker that could not wait for it */
#define LOG_TAIL_BYTES ((size_t)16 << 20)

/* A folder DIR/<node>/<shard>. */
struct log_shard {
    struct eventlog *log;
    unsigned number;
    int dir_fd;
    struct seal seal;                /* by the log thread */
    int64_t filled_us;               /* when it last found a full tail of this run; 0: never */
    _Atomic(struct tail *) prepared; /* made ready for the worker; NULL: none yet */
    _Atomic bool starved;            /* the worker could make none: only the log thread tries */
    /* full, in order; to be sealed; guarded by the log's mutex */
    struct tail *full, **full_end;
    struct eventlog_writer *writer; /* NULL: no worker of this run has it */
};

struct eventlog {
    struct eventlog_config config;
    char node[EVENTLOG_NODE_MAX];
    char path[256]; /* DIR/<node> */
    int dir_fd;     /* DIR/<node>, which carries the lock */
    unsigned shards;
    struct log_shard *shard[LOG_SHARDS_MAX];
    struct eventlog_writer *writer; /* [config.workers] */
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;        /* guarded by the mutex */
    struct packer packer; /* the log thread's, then of who closes */
    bool seal_failed;     /* the last time; it was said */
    int64_t seal_again_us;
    bool full; /* it was said that there is no room for a tail */
    int64_t synced_us, tidied_us;
    _Atomic uint64_t waiting, sealed, removed, removed_bytes;
};

/* Puts a tail that is full behind the others of its shard, and wakes the log thread. */
void log_hand_off(struct log_shard *shard, struct tail *tail);

/* Seals the oldest waiting tail of a shard. False: there is none, or it cannot be, which is said,
 * and *failed set. */
bool log_seal_one(struct log_shard *shard, bool *failed);

/* Removes sealed files of this node, the oldest first, that are beyond the size or too old. By the
 * log thread. */
void log_remove_old(struct eventlog *log);

void log_say(const struct eventlog *log, enum eventlog_grave grave, const char *text,
             const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
