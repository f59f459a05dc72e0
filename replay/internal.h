/* What the files of the replay share. */
#ifndef AFORO_REPLAY_INTERNAL_H
#define AFORO_REPLAY_INTERNAL_H

#include "eventlog/parts.h"
#include "replay/replay.h"

/* Hours since 1970, ascending, without duplicates. */
struct hours {
    int64_t *hour;
    size_t n, cap;
    bool failed; /* out of memory */
};

/* The range of times of a piece's selected events; min > max: it has none. */
struct piece_span {
    int64_t min_us, max_us;
    bool damaged; /* it may have had more, at any time */
};

struct replay {
    struct replay_config config;
    struct eventlog_pieces pieces;
    struct piece_span *span; /* [pieces.n] */
    struct hours hours;
    bool named; /* damage was reported */
};

/* Whether an event is selected for counting, according to its record. */
static inline bool replay_is_meant(const struct replay *replay, const struct line_found *found) {
    if (found->time_us < replay->config.from_us || found->time_us >= replay->config.to_us ||
        found->kind == LINE_WRONG) {
        return false;
    }
    return found->kind != LINE_REFUSED ||
           (replay->config.late && found->refused.len == sizeof "too_late" - 1 &&
            __builtin_memcmp(found->refused.text, "too_late", sizeof "too_late" - 1) == 0);
}

/* Runs `work` for items 0 .. items - 1 on `threads` threads, which are numbered from 0 so that each
 * can have its own state. True when all threads could be started. */
struct pool {
    void (*work)(void *cls, unsigned thread, size_t item);
    void *cls;
    unsigned threads;
    size_t items;
    const _Atomic bool *stop;
};
bool pool_run(const struct pool *pool);

/* Whether somebody has asked to stop. */
static inline bool replay_is_stopped(const struct replay *replay) {
    return replay->config.stop && atomic_load_explicit(replay->config.stop, memory_order_relaxed);
}

#endif
