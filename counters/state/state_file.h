/* The file behind the rings, and the library's data about it. Private to the library.
 *
 *   page 0        struct state_header
 *   then          shard 0 (read back from the store), shard 1 .. n (worker threads),
 *                 each: one shard_page, three rings
 *
 * A later run with more threads appends shards; one with fewer leaves the rest as they are, and
 * they are still summed. Setting the clock may append shards, too: a shard holds one stretch of
 * time, and a worker whose clock shows another one takes another shard (rings/move.c). */
#ifndef AFORO_COUNTERS_STATE_STATE_FILE_H
#define AFORO_COUNTERS_STATE_STATE_FILE_H

#include "counters/counters.h"
#include "counters/rings/shard.h"

#include <pthread.h>

#define STATE_FILE_NAME "counters.aforo"
#define STATE_FILE_TEMPORARY STATE_FILE_NAME ".new" /* until it is complete */
#define STATE_VERSION 1
#define BOOT_ID_MAX 40
#define COUNTERS_NAMES_MAX 4

/* All fields before `checksum` are covered by it, so that a flipped bit in a header is detected. */
struct state_header {
    char magic[8];
    uint32_t version;
    uint32_t shards;
    int64_t horizon_us;
    int64_t future_us;
    int64_t chunks[RESOLUTIONS];
    char node[COUNTERS_NODE_MAX];
    /* the machine's boot in which the file was last opened for writing */
    char boot[BOOT_ID_MAX];
    /* 1: the read-back shard was raised to the store's counts at least once */
    uint64_t read_back;
    uint64_t clean; /* 1: closed cleanly, nothing can be half done */
    uint64_t checksum;
};

struct counters {
    int dir_fd; /* holds the lock; -1 when read-only */
    int fd;
    unsigned char *map;
    size_t map_bytes;
    bool writable;
    char path[256];
    struct state_header header;
    /* the node's successive names: readers may hold on to an old one */
    char name[COUNTERS_NAMES_MAX][COUNTERS_NODE_MAX];
    _Atomic(const char *) node; /* the current one */
    unsigned workers;
    unsigned mapped;            /* shards in `map`; later ones have mappings of their own */
    _Atomic unsigned shards;    /* only grows */
    struct shard *shard;        /* [COUNTERS_SHARDS_MOST] as in the file; readers sum these */
    struct shard *worker;       /* [workers] each worker's hold on one of the shards */
    _Atomic int64_t present_us; /* now + future, from counters_set_now; 0: not set */
    pthread_mutex_t mutex;      /* guards the header, and who holds which shard */
    bool held[COUNTERS_SHARDS_MOST];
};

/* Writes a sentence to why (COUNTERS_WHY_MAX) and returns false. */
__attribute__((format(printf, 2, 3))) bool state_refuse(char *why, const char *format, ...);

/* ---- parts of opening and closing; before the threads start and after they ended ---- */

/* A struct counters for the directory `dir`, without a file yet; NULL fills `why`. state_free
 * closes and frees whatever it has by then. */
struct counters *state_new(const char *dir, bool writable, char *why);
void state_free(struct counters *counters);

/* Creates the directory when it is missing, and locks it. False fills `why`. */
bool state_lock_dir(struct counters *counters, const char *dir, char *why);

/* ---- the shards ---- */

/* The statistics of one shard, read consistently. Any thread. */
void counters_tally_shard(const struct counters *counters, unsigned index, struct shard_tally *out);

/* How much damage a crash may have done to the file. */
enum recovery {
    RECOVERY_NONE,   /* closed cleanly: every invariant holds, or the file is damaged */
    RECOVERY_KILLED, /* the process died: at most each shard's noted event is half done */
    RECOVERY_TORN    /* the machine died: pages may be from different moments */
};

/* Completes what a crash left half done in one shard and adds the number of changed counts to
 * *repaired. `index` 0 is the read-back shard. Whatever the recovery, the shard's page afterwards
 * describes what its rings hold. */
void shard_repair(struct shard *shard, unsigned index, enum recovery recovery, uint64_t *repaired);

/* Checks every invariant of one shard; `index` 0 is the read-back shard, whose resolutions are
 * independent of each other. False fills `why` (COUNTERS_WHY_MAX). */
bool shard_verify(const struct shard *shard, unsigned index, char *why);

/* The same for a shard of a cleanly closed file that is open read-only and so cannot be repaired:
 * also checks what its page says about the rings, which opening for writing recomputes. */
bool shard_verify_closed(const struct shard *shard, unsigned index, char *why);

#endif
