/* What one worker thread owns: its three rings and its own statistics. Private to the library. */
#ifndef AFORO_COUNTERS_RINGS_SHARD_H
#define AFORO_COUNTERS_RINGS_SHARD_H

#include "counters/counters.h"
#include "counters/rings/ring.h"

/* The shard's first page in the file. Each line of 64 bytes has its own readers. */
struct shard_page {
    /* Which chunks the rings hold; read by every thread once a wake-up, written once a second. */
    _Alignas(64) counter newest[RESOLUTIONS];
    counter oldest[RESOLUTIONS]; /* the first chunk ever counted in, 0 for none */
    /* The events being added, all of one 10 ms window: after a crash, the only place where count
     * and total may disagree, and by how much. */
    _Alignas(64) counter adding_us;
    counter adding_by;
    /* Statistics, behind a sequence that is odd while they change. */
    counter sequence;
    counter received;
    counter counted;
    counter refused[COUNTERS_REASONS];
};

/* Where the windows of one second are: found once, used for every event of that second. */
struct second_place {
    int64_t second;
    struct chunk *ten_ms; /* this second's chunk of 10 ms windows */
    struct chunk *s;      /* the chunk its 1 s window lives in, and that window */
    counter *s_count;
    struct chunk *min;
    counter *min_count;
};

/* a power of two: events scattered over a minute find their second in one look */
#define SECOND_PLACES 64

/* A shard of the file as everybody reads it, or a worker's hold on one: the worker may move to
 * another when the clock is set (move.c). */
struct shard {
    int64_t lo_us, hi_us; /* accepted event times, both inclusive */
    struct shard_page *page;
    struct ring ring[RESOLUTIONS];
    struct counters *counters;
    struct shard *home;         /* the shard of the file that this is, or that its worker holds */
    _Atomic int64_t present_us; /* hi_us for readers; 0: not set yet */
    /* what was the present before the clock stepped ahead, */
    int64_t protect_from_us, protect_to_us;
    int64_t protect_until_us; /* and until when it keeps its places */
    bool looked;              /* whether the shard it began with has room */
    int64_t stuck_us;         /* when there was last no shard to move to; 0: never */
    struct second_place place[SECOND_PLACES];
};

/* The oldest time that has a place in all three rings, given the newest chunks they hold. */
int64_t shard_floor_us(const struct shard *shard);

/* Finds the window of the next resolution that chunk `number` of resolution r sums up to (r <
 * RESOLUTIONS - 1): its count into *count. Returns the chunk that the window lives in, or NULL when
 * that is not held any more. */
struct chunk *shard_find_sum(const struct shard *shard, enum resolution r, int64_t number,
                             counter **count);

/* Whether the span from lo_us on has its places in this shard: no newer chunk is in them, and no
 * second that is still counted has lost its 10 ms windows. Slow: it looks at all of the shard. */
bool shard_has_room(const struct shard *shard, int64_t lo_us);

/* Counts the one event that a crash left out of a 10 ms window whose count was to be `count`; does
 * nothing when it is there, or when the window has no place any more. True when it was left out.
 * Before the threads start, after shard_repair. */
bool shard_complete(struct shard *shard, int64_t window, uint64_t count);

/* Binds a worker's hold to a shard of the file; the span it accepts stays. */
void shard_hold(struct shard *holder, struct shard *home);

/* Moves a worker to a shard of the file that has room for its span, and in which it takes no place
 * of what is protected; makes one when there is none. False, errno set, when it cannot be made: the
 * worker stays where it is. By the worker's thread; takes a lock, makes system calls. */
bool shard_move_owner(struct shard *holder);

/* Binds a shard to its pages (one shard_page, then the rings). */
void shard_bind(struct shard *shard, struct counters *counters, unsigned char *base,
                const int64_t chunks[RESOLUTIONS]);
size_t shard_bytes(const int64_t chunks[RESOLUTIONS]);

#endif
