/* What one worker thread owns: three rings and statistics. Private to the library. */
#ifndef AFORO_COUNTERS_RINGS_SHARD_H
#define AFORO_COUNTERS_RINGS_SHARD_H

#include "counters/counters.h"
#include "counters/rings/ring.h"

/* The shard's first page in the file. Each 64-byte line has its own readers. */
struct shard_page {
    /* Which chunks the rings hold; read by every thread at each wake-up, written once a second. */
    _Alignas(64) counter newest[RESOLUTIONS];
    counter oldest[RESOLUTIONS]; /* the first chunk ever counted in; 0 for none */
    /* The events being added, all in one 10 ms window. After a crash, count and total may disagree
     * only there, and by that many. */
    _Alignas(64) counter adding_us;
    counter adding_by;
    /* Statistics, guarded by a sequence number that is odd while they change. */
    counter sequence;
    counter received;
    counter counted;
    counter refused[COUNTERS_REASONS];
    /* What the worker that begins in this shard protects (see struct shard), for the next run. */
    _Alignas(64) counter protect_from_us;
    counter protect_to_us, protect_until_us;
    /* What the flush noted for its next run (counters_flush_note), and in which boot and under
     * which name; of shard 0 only. A file of an earlier version has zeros here. */
    _Alignas(64) counter flush_boot;
    counter flush_node;
    counter flush_wall_us, flush_steady_us;
    counter flush_left_from[RESOLUTIONS], flush_left_to[RESOLUTIONS];
};

/* Where the windows of one second are. Looked up once, then used for every event of that second. */
struct second_place {
    int64_t second;
    struct chunk *ten_ms; /* this second's chunk of 10 ms windows */
    struct chunk *s;      /* the chunk of its 1 s window, and that window */
    counter *s_count;
    struct chunk *min;
    counter *min_count;
};

/* a power of two; enough to find the second of events scattered over a minute at once */
#define SECOND_PLACES 64

/* Either a shard of the file, as all threads read it, or a worker's hold on one: the worker may
 * move to another shard when the clock is set (move.c). */
struct shard {
    int64_t lo_us, hi_us; /* accepted event times, both inclusive */
    struct shard_page *page;
    struct ring ring[RESOLUTIONS];
    struct counters *counters;
    struct shard *home;         /* this shard of the file, or the one that its worker holds */
    _Atomic int64_t present_us; /* hi_us for readers; 0: not set yet */
    /* the present before the clock jumped ahead, which is protected */
    int64_t protect_from_us, protect_to_us;
    int64_t protect_until_us; /* until when its places are protected */
    struct shard_page *first; /* of a worker: of the shard in which it begins; else NULL */
    bool looked;              /* has checked that the first shard has room */
    int64_t stuck_us;         /* when moving last failed; 0: it did not */
    struct second_place place[SECOND_PLACES];
};

/* The oldest time that still has a place in all three rings, given the newest chunks they hold. */
int64_t shard_floor_us(const struct shard *shard);

/* Finds the window of the next resolution that is the sum of chunk `number` of resolution r (r <
 * RESOLUTIONS - 1) and points *count to its count. Returns the chunk that contains the window, or
 * NULL when it is no longer held. */
struct chunk *shard_find_sum(const struct shard *shard, enum resolution r, int64_t number,
                             counter **count);

/* Whether a worker may count in this shard: it has room for the worker's span, and nothing in it
 * that is protected would be recycled. Slow, as shard_has_room. By the worker's thread. */
bool shard_suits(const struct shard *shard, const struct shard *holder);

/* Whether the span from lo_us on has its places in this shard: no newer chunk occupies them, and no
 * second that was counted in has lost its 10 ms windows. Slow: it looks at the whole shard. */
bool shard_has_room(const struct shard *shard, int64_t lo_us);

/* Counts the one event that a crash left out of a 10 ms window which should have reached `count`.
 * Does nothing when the event is there, or when the window has no place any more. True when it was
 * missing. Before the threads start, after shard_repair. */
bool shard_complete(struct shard *shard, int64_t window, uint64_t count);

/* Sets which event times are protected, and until when by the wall clock, here and for the next
 * run. By the worker's thread. */
void shard_protect_owner(struct shard *shard, int64_t from_us, int64_t to_us, int64_t until_us);

/* Has a worker's hold begin in a shard of the file, and goes on protecting what the worker did when
 * the file was last open. Before the threads start. */
void shard_begin(struct shard *holder, struct shard *home);

/* Binds a worker's hold to a shard of the file; the span it accepts does not change. */
void shard_hold(struct shard *holder, struct shard *home);

/* Moves a worker to a shard of the file that has room for its span and where it will not recycle
 * places that are protected; creates one when there is none. False with errno set when that fails:
 * the worker stays where it is. By the worker's thread; takes a lock and makes system calls. */
bool shard_move_owner(struct shard *holder);

/* Binds a shard to its pages at `base`: one shard_page, then the rings. */
void shard_bind(struct shard *shard, struct counters *counters, unsigned char *base,
                const int64_t chunks[RESOLUTIONS]);
size_t shard_bytes(const int64_t chunks[RESOLUTIONS]);

#endif
