/* What one worker thread owns: its three rings and its own statistics. Private to the library. */
#ifndef AFORO_COUNTERS_SHARD_H
#define AFORO_COUNTERS_SHARD_H

#include "counters/counters.h"
#include "counters/ring.h"

/* The shard's first page in the file. Each line of 64 bytes has its own readers. */
struct shard_page {
    /* Which chunks the rings hold; read by every thread once a wake-up, written once a second. */
    _Alignas(64) counter newest[RESOLUTIONS];
    counter oldest[RESOLUTIONS]; /* the first chunk ever counted in, 0 for none */
    /* The events being added, all of one 10 ms window: after a crash, the only place where count and total may disagree, and by how much. */
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

/* The 10 ms window that the last single event was counted in, as far as it lies in the accepted span: the file's note
 * already names it, so another event there is counted at once. width_us 0: none. */
struct hot_window {
    int64_t from_us;
    uint64_t width_us;
    const struct second_place *place;
    counter *count;
};

#define SECOND_PLACES 64 /* a power of two: events scattered over a minute find their second in one look */

struct shard {
    int64_t lo_us, hi_us; /* accepted event times, both inclusive */
    struct shard_page *page;
    struct ring ring[RESOLUTIONS];
    const struct counters *counters;
    struct hot_window hot;
    struct second_place place[SECOND_PLACES];
};

/* The oldest time that every reader still sees in all three rings, given the newest chunk of any shard. */
int64_t shard_floor_us(const struct shard *shard);

/* Binds a shard to its pages (one shard_page, then the rings). */
void shard_bind(struct shard *shard, const struct counters *counters, unsigned char *base,
                const int64_t chunks[RESOLUTIONS]);
size_t shard_bytes(const int64_t chunks[RESOLUTIONS]);

#endif
