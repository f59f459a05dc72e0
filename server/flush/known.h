/* What the store is known to have of this node: the memory that the flush compares the rings with.
 * It belongs to the flush thread.
 *
 * Each chunk has one place in a circle that spans everything that may change; a place that is
 * needed for another chunk is emptied first. Pages never touched cost nothing. */
#ifndef AFORO_SERVER_FLUSH_KNOWN_H
#define AFORO_SERVER_FLUSH_KNOWN_H

#include "counters/counters.h"

struct known_chunk {
    int64_t chunk;
    int64_t highest; /* newest chunk that this place ever remembered */
    /* counters_chunk_total_rest as it was before the windows that the store now has were read; at
     * the start: what earlier runs had counted */
    uint64_t total;
    uint64_t there;    /* the sum of our part at the store, as far as known */
    uint64_t too_late; /* events already counted as too late for it, so that each is counted once */
    /* generation of the acknowledgement; if it is not the current one, the whole chunk is sent
     * again */
    uint32_t generation;
    uint32_t failed_round; /* the round in which sending it failed */
    /* `sent` lacks nothing that was ever sent of this chunk: the place has remembered it all the
     * while */
    bool whole;
    /* the store's values are not what we expected: they must be read back, however old the chunk
     * is */
    bool doubted;
    bool found;     /* see known_settle_left */
    bool inherited; /* the file held counts of it when it was opened */
    /* what another owner added was read back, and we have not written since: `sent` is what the
     * store has */
    bool adopted;
    uint64_t sent[]; /* the highest count of each window that we ever sent or read back */
};

struct known_ring {
    unsigned char *base;
    size_t stride;
    int64_t places;
    int64_t back;   /* how many chunks before the newest a pass examines */
    int64_t newest; /* as of the last pass */
    /* at the start, everything that the file held of these chunks was remembered; it held nothing
     * newer than held_to */
    int64_t remembered_from, remembered_to, held_to;
    /* chunks that are no longer current since the clock was set; left_behind 0: none */
    int64_t left_from, left_behind;
    int64_t own_from, own_behind; /* of these, what this run may have counted */
    int64_t left_us;              /* steady clock of that */
    int64_t left_next;            /* the next one to examine, newest first; 0: the newest */
    bool left_failed; /* since it began with the newest, the store did not take something */
    /* the sum of what a clock that was ahead left beyond the present, when last examined */
    uint64_t ahead;
};

/* What another server reports of the same events, when this node's file is a copy. See
 * counters/state/reference.h. */
struct known_others {
    unsigned char *base; /* as known_ring; NULL: nothing */
    size_t stride;
};

struct known {
    struct known_ring ring[RESOLUTIONS];
    struct known_others others[RESOLUTIONS];
    uint32_t generation; /* from 1 on */
};

/* Makes the memory for these counts. False when out of memory. The caller frees with known_free in
 * either case. */
bool known_make(struct known *known, const struct counters *counters);
void known_free(struct known *known);

/* What place 0 to places - 1 remembers; its `chunk` is 0 when it is empty. */
struct known_chunk *known_place(const struct known_ring *ring, int64_t place);

/* The memory of a chunk; emptied first if its place remembered another. */
struct known_chunk *known_at(struct known *known, enum resolution r, int64_t chunk);

/* The same without a change; NULL when its place remembers another. */
struct known_chunk *known_find(const struct known *known, enum resolution r, int64_t chunk);

/* Has passes examine chunks [from, to] until all of them are acknowledged, whatever the present is
 * by then; now_us: steady clock. */
void known_leave_behind(struct known_ring *ring, int64_t from, int64_t to, int64_t now_us);

/* What others report of a chunk, [slots] counts; NULL: nothing. */
const uint64_t *known_others(const struct known *known, enum resolution r, int64_t chunk);

/* Fills count[slots] with what this node must report of a chunk: all of the rings, less what others
 * report. */
void known_ours(const struct known *known, const struct counters *counters, enum resolution r,
                int64_t chunk, uint64_t *count);

/* Sum of what was sent of a chunk. */
uint64_t known_sum(const struct known_chunk *chunk, enum resolution r);

/* Remembers what the file held when it was opened, from its references: what the store may have of
 * that counts as sent. Before any worker counts. False fills why. */
bool known_remember(struct known *known, const struct counters *counters, char *why);

/* The same again for chunks [first, first + n), before the first read-back, since the clock may
 * have been set meanwhile. */
bool known_remember_range(struct known *known, const struct counters *counters,
                          const int64_t first[RESOLUTIONS], const int64_t n[RESOLUTIONS],
                          char *why);

/* Makes a chunk's memory whole: counts as sent what the read-back shard has of it, since that came
 * from the store, but not what others report. */
void known_settle(struct known *known, const struct counters *counters, enum resolution r,
                  struct known_chunk *chunk);

/* How many places from `place` (0 to places - 1) on remember consecutive chunks of which something
 * was sent; at least 1. *chunk: the first of these chunks, or 0 when nothing was sent of that
 * place's chunk. */
int64_t known_run(const struct known *known, enum resolution r, int64_t place, int64_t *chunk);

/* The name has passed to another owner, who continues with what the store had of this node. To be
 * called for each part under that name: at most `ours` of what we sent was taken over. */
void known_find_left(struct known *known, enum resolution r, int64_t chunk, const uint64_t *ours);

/* To be called after all parts were found. Of a chunk without a part nothing was taken over, unless
 * another has it all the same: the file that this one was copied from, or the other owner, who may
 * have read back what the store lost only afterwards (was_read_back). */
void known_settle_left(struct known *known, bool was_read_back);

/* This file turned out to be a copy: what was sent, and what it held when it was opened, is
 * reported by another. Takes the new name for good and starts with nothing sent. False fills why;
 * the name is unchanged then. */
bool known_become_copy(struct known *known, struct counters *counters, const char *node, char *why);

#endif
