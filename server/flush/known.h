/* What the store is known to have of this node: the memory that the flush compares with. The flush
 * thread's own.
 *
 * One place a chunk in a circle that spans what may change; a place that is wanted for another
 * chunk is emptied. Untouched pages cost nothing. */
#ifndef AFORO_SERVER_FLUSH_KNOWN_H
#define AFORO_SERVER_FLUSH_KNOWN_H

#include "counters/counters.h"

struct known_chunk {
    int64_t chunk;
    int64_t highest;   /* chunk that this place ever remembered */
    uint64_t total;    /* counters_chunk_total_rest before the windows were read that the store now
                        * has; at the start: what    earlier runs had counted */
    uint64_t there;    /* the sum of our part that the store is known to have */
    uint64_t too_late; /* what was told to be too late for it: once */
    /* of the acknowledgement; another one than the present: all of it is to be sent again */
    uint32_t generation;
    uint32_t failed_round; /* the round in which the store would not take it */
    /* nothing that was ever sent of it is missing in `sent`: this memory is no younger than that */
    bool whole;
    /* the store has other values than we thought: they are to be read back, however old the chunk
     * is */
    bool doubted;
    bool found;     /* see known_settle_left */
    bool inherited; /* the file held counts of it when it was opened */
    /* what another owner added was read back, and we have not written since: `sent` is what is
     * there */
    bool adopted;
    uint64_t sent[]; /* the most of each window that the store was ever told, or told us */
};

struct known_ring {
    unsigned char *base;
    size_t stride;
    int64_t places;
    int64_t back;   /* chunks before the newest that are looked at */
    int64_t newest; /* as of the last pass */
    /* of this chunk and later ones all that the file held at the start is remembered */
    int64_t remembered_from;
    /* chunks that are not of the present since the clock was set; left_behind 0: none */
    int64_t left_from, left_behind;
    int64_t left_us;   /* steady clock of that */
    int64_t left_next; /* to be looked at next, newest first; 0: the newest */
    bool left_failed;  /* something since the newest was not taken */
    /* the sum of what a clock that was ahead has left beyond the present, as of the last look */
    uint64_t ahead;
};

/* What another server reports of the same events: this node's file is a copy. See
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

/* False when out of memory; known_free then, too. */
bool known_make(struct known *known, const struct counters *counters);
void known_free(struct known *known);

/* What a place remembers, 0 to places - 1; its chunk is 0 when that is nothing. */
struct known_chunk *known_place(const struct known_ring *ring, int64_t place);

/* The memory of a chunk, emptied when its place remembered another. */
struct known_chunk *known_at(struct known *known, enum resolution r, int64_t chunk);

/* The same, as it is; NULL when its place remembers another. */
struct known_chunk *known_find(const struct known *known, enum resolution r, int64_t chunk);

/* Chunks [from, to] are looked at until all of them are acknowledged, whatever the present is by
 * then; now_us: steady clock. */
void known_leave_behind(struct known_ring *ring, int64_t from, int64_t to, int64_t now_us);

/* What others report of a chunk, count[slots]; NULL: nothing. */
const uint64_t *known_others(const struct known *known, enum resolution r, int64_t chunk);

/* What this node has of a chunk that is its own to report, into count[slots]: all of the rings,
 * less what others report. */
void known_ours(const struct known *known, const struct counters *counters, enum resolution r,
                int64_t chunk, uint64_t *count);

/* Sum of what was sent of a chunk. */
uint64_t known_sum(const struct known_chunk *chunk, enum resolution r);

/* What the file held when it was opened, from its references: what the store may have of it counts
 * as sent. Before any worker counts. False fills why. */
bool known_remember(struct known *known, const struct counters *counters, char *why);

/* The same once more, before the first read-back, for chunks [first, first + n): the clock may have
 * been set since. */
bool known_remember_range(struct known *known, const struct counters *counters,
                          const int64_t first[RESOLUTIONS], const int64_t n[RESOLUTIONS],
                          char *why);

/* Counts as sent what the read-back shard has of a chunk, since that came from the store, and not
 * what others report: makes its memory whole. */
void known_settle(struct known *known, const struct counters *counters, enum resolution r,
                  struct known_chunk *chunk);

/* How many places from `place` on (0 to places - 1) remember consecutive chunks of which something
 * was sent, at least 1; *chunk: the first of them, 0 when nothing was sent of that place's. */
int64_t known_run(const struct known *known, enum resolution r, int64_t place, int64_t *chunk);

/* The name has passed to another, who goes on with what the store had of this node. To be called
 * for each part of that name: no more than `ours` of what was sent came with it. */
void known_find_left(struct known *known, enum resolution r, int64_t chunk, const uint64_t *ours);

/* When all were found: of which chunks nothing was, nothing came with the name, unless another has
 * it all the same: a file that this one was copied from, or the other one, who read back what the
 * store lost only then. */
void known_settle_left(struct known *known, bool was_read_back);

/* This file turned out to be a copy: what was sent, and what was there when it was opened, is
 * reported by another. Takes the new name for good, and begins with nothing sent. False fills why,
 * and nothing has changed. */
bool known_become_copy(struct known *known, struct counters *counters, const char *node, char *why);

#endif
