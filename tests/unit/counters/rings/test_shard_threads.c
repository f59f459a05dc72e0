/* Two owners count while two readers read, in rings so small that each second takes a place from
 * another. The owners leap over minutes, too, so that a reader is often in a chunk that is being
 * taken. A reader must find of each second either nothing, when it is no longer held, or all that
 * was acknowledged before it looked and nothing that was begun after. Under the thread sanitizer
 * this also shows that no plain access races with another. */
#include "counters/state/state_file.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <pthread.h>
#include <sched.h>

#define OWNERS 2
#define READERS 2
#define SECONDS 8192
#define EVENTS_A_SECOND 40

struct race {
    struct counters *counters;
    _Atomic int64_t newest; /* second since T0 that any owner has begun */
    _Atomic int owners_left;
    _Atomic uint64_t begun[SECONDS], acknowledged[SECONDS];
};

struct side {
    struct race *race;
    unsigned index;
    const char *broken; /* what did not hold, NULL when all did */
    uint64_t looks, held, gone;
    int64_t second;
    uint64_t least, got, most;
    uint64_t total, window_most;
    pthread_t thread;
};

/* Both owners go through the same seconds, so that sums are of two parts. Every 64th step leaps
 * over minutes: the place taken next is then not the oldest one. */
static int64_t second_of_step(int64_t step) {
    return step / 64 * 300 + step % 64;
}

static void *own(void *cls) {
    struct side *side = cls;
    struct race *race = side->race;
    struct shard *shard = counters_worker_shard(race->counters, side->index);
    int64_t second;
    for (int64_t step = 0; (second = second_of_step(step)) < SECONDS; step++) {
        for (int i = 0; i < EVENTS_A_SECOND; i++) {
            const int64_t t_us = T0 + second * US_PER_S + i * (US_PER_S / EVENTS_A_SECOND);
            shard_set_now_owner(shard, t_us);
            if (second > atomic_load(&race->newest)) {
                atomic_store(&race->newest, second);
            }
            atomic_fetch_add(&race->begun[second], 1);
            if (shard_add_owner(shard, t_us) == SHARD_COUNTED) {
                atomic_fetch_add(&race->acknowledged[second], 1);
                shard_tally_counted_owner(shard);
            } else {
                atomic_fetch_sub(&race->begun[second], 1); /* the other owner is seconds ahead */
                const struct shard_tally late = {.received = 1, .refused = {[1] = 1}};
                shard_tally_owner(shard, &late);
            }
        }
        sched_yield();
    }
    atomic_fetch_sub(&race->owners_left, 1);
    return NULL;
}

/* Looks at one second in one of three ways; what it got. By its windows: with the total that was
 * read before them, and with the most that any of them had. */
static uint64_t look(const struct counters *counters, unsigned way, int64_t second,
                     struct side *side) {
    uint64_t count[100], sum = 0;
    side->total = side->window_most = 0;
    switch (way) {
    case 0:
        side->total = counters_chunk_total(counters, RESOLUTION_10MS, second);
        counters_read(counters, RESOLUTION_10MS, second * 100, 100, count);
        for (int i = 0; i < 100; i++) {
            sum += count[i];
            side->window_most = count[i] > side->window_most ? count[i] : side->window_most;
        }
        return sum;
    case 1:
        return counters_chunk_total(counters, RESOLUTION_10MS, second);
    default:
        counters_read(counters, RESOLUTION_1S, second, 1, &sum);
        return sum;
    }
}

static bool tally_holds(const struct counters *counters, struct shard_tally *last) {
    struct shard_tally tally;
    counters_tally(counters, &tally);
    uint64_t sum = tally.counted;
    for (int i = 0; i < COUNTERS_REASONS; i++) {
        sum += tally.refused[i];
    }
    const bool holds = tally.received == sum && tally.received >= last->received;
    *last = tally;
    return holds;
}

static void *watch(void *cls) {
    struct side *side = cls;
    struct race *race = side->race;
    const int64_t base = T0 / US_PER_S, places = race->counters->header.chunks[RESOLUTION_10MS];
    uint64_t random = 11 + side->index;
    uint64_t last_got[3] = {0};
    int64_t last_second[3] = {-1, -1, -1};
    struct shard_tally last_tally = {0};
    while (atomic_load(&race->owners_left) > 0) {
        const unsigned way = (unsigned)(next_random(&random) % 3);
        int64_t second =
            atomic_load(&race->newest) - (int64_t)(next_random(&random) % (uint64_t)(places + 1));
        second = second < 0 ? 0 : second;
        side->least = atomic_load(&race->acknowledged[second]);
        side->got = look(race->counters, way, base + second, side);
        side->most = atomic_load(&race->begun[second]);
        side->second = second;
        side->looks++;
        int64_t oldest = 0, newest;
        const enum resolution r = way < 2 ? RESOLUTION_10MS : RESOLUTION_1S;
        counters_span(race->counters, r, &oldest, &newest);
        const bool gone = window_chunk(r, way < 2 ? (base + second) * 100 : base + second) < oldest;
        if (gone && side->got == 0) {
            side->gone++;
            continue;
        }
        side->held++;
        if (side->window_most > OWNERS) { /* one event of each owner comes into a window */
            side->broken = "a window with more than was ever put into it";
            return NULL;
        }
        if (side->got < side->total) {
            side->broken = "windows that sum to less than the total read before them";
            return NULL;
        }
        if (side->got < side->least || side->got > side->most) {
            side->broken = "a count out of bounds";
            return NULL;
        }
        if (second == last_second[way] && side->got < last_got[way]) {
            side->broken = "a count that shrank";
            return NULL;
        }
        last_second[way] = second;
        last_got[way] = side->got;
        if (!tally_holds(race->counters, &last_tally)) {
            side->broken = "received is not counted and refused, or shrank";
            return NULL;
        }
    }
    return NULL;
}

static struct race race;

START_TEST(readers_find_all_or_nothing) {
    state_dir_make();
    const struct counters_config config = tiny_config(OWNERS);
    race.counters = open_or_fail(&config);
    race.owners_left = OWNERS;
    struct side owner[OWNERS], reader[READERS];
    for (unsigned i = 0; i < READERS; i++) {
        reader[i] = (struct side){.race = &race, .index = i};
        ck_assert_int_eq(pthread_create(&reader[i].thread, NULL, watch, &reader[i]), 0);
    }
    for (unsigned i = 0; i < OWNERS; i++) {
        owner[i] = (struct side){.race = &race, .index = i};
        ck_assert_int_eq(pthread_create(&owner[i].thread, NULL, own, &owner[i]), 0);
    }
    for (unsigned i = 0; i < OWNERS; i++) {
        pthread_join(owner[i].thread, NULL);
    }
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(reader[i].thread, NULL);
        ck_assert_msg(reader[i].broken == NULL,
                      "%s: second %lld: at least %llu, at most %llu, seen %llu", reader[i].broken,
                      (long long)reader[i].second, (unsigned long long)reader[i].least,
                      (unsigned long long)reader[i].most, (unsigned long long)reader[i].got);
        ck_assert_uint_gt(reader[i].held, 100);
    }
    must_verify(race.counters);
    uint64_t counted = 0;
    for (int s = 0; s < SECONDS; s++) {
        ck_assert_uint_eq(race.begun[s], race.acknowledged[s]);
        counted += race.acknowledged[s];
    }
    struct shard_tally tally;
    counters_tally(race.counters, &tally);
    ck_assert_uint_eq(tally.counted, counted);
    counters_close(race.counters);
    state_dir_remove();
}
END_TEST

CHECK_MAIN("shard_threads", readers_find_all_or_nothing)
