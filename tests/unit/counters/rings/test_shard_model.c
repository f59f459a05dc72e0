/* The rings against a model that cannot be wrong, and under real threads. */
#include "counters/counters.h"

#include "tests/unit/check_main.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define T0 INT64_C(1464433871000000)
#define HORIZON_S 20
#define FUTURE_S 3

static char dir[64];

static void setup(void) {
    char template[] = "/tmp/aforo-model-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(template));
    snprintf(dir, sizeof dir, "%s", template);
}

static void teardown(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static struct counters *open_counters(unsigned workers) {
    char why[COUNTERS_WHY_MAX] = "";
    const struct counters_config config = {.dir = dir,
                                           .workers = workers,
                                           .horizon_us = HORIZON_S * US_PER_S,
                                           .future_us = FUTURE_S * US_PER_S};
    struct counters *counters = counters_open(&config, NULL, why);
    ck_assert_msg(counters != NULL, "%s", why);
    return counters;
}

static void must_verify(const struct counters *counters) {
    char why[COUNTERS_WHY_MAX];
    ck_assert_msg(counters_verify(counters, why), "%s", why);
}

/* A small generator of our own, so that a seed means the same everywhere (Steele, Lea, Flood:
 * splitmix64). */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#define MODEL_S 600
struct model {
    uint32_t ten_ms[MODEL_S * 100];
    uint32_t s[MODEL_S];
    uint32_t min[MODEL_S / 60 + 2];
};

static int64_t model_minute(int64_t t_us) {
    return t_us / (60 * US_PER_S) - T0 / (60 * US_PER_S);
}

/* All windows that readers must still see equal the model's. */
static void compare(const struct counters *counters, const struct model *model, int64_t now_us) {
    const int64_t base_s = T0 / US_PER_S;
    for (int64_t s = now_us / US_PER_S - HORIZON_S; s <= now_us / US_PER_S + FUTURE_S; s++) {
        uint64_t count[100];
        if (s < base_s || s - base_s >= MODEL_S) {
            continue;
        }
        counters_read(counters, RESOLUTION_10MS, s * 100, 100, count);
        for (int i = 0; i < 100; i++) {
            ck_assert_uint_eq(count[i], model->ten_ms[(s - base_s) * 100 + i]);
        }
    }
    for (int64_t s = 0; s < MODEL_S; s++) {
        uint64_t count;
        counters_read(counters, RESOLUTION_1S, base_s + s, 1, &count);
        ck_assert_uint_eq(count, model->s[s]);
    }
    for (int64_t m = 0; m <= model_minute(T0 + (MODEL_S - 1) * US_PER_S); m++) {
        uint64_t count;
        counters_read(counters, RESOLUTION_1MIN, T0 / (60 * US_PER_S) + m, 1, &count);
        ck_assert_uint_eq(count, model->min[m]);
    }
}

/* A million events of two shards over 580 s, 25 laps of the 10 ms ring: late, early, on edges,
 * refused. */
START_TEST(a_million_events_agree_with_the_model) {
    struct model *model = calloc(1, sizeof *model);
    uint64_t random = 20261120, counted = 0, refused = 0;
    struct counters *counters = open_counters(2);
    const int events = 1000000;
    for (int i = 0; i < events; i++) {
        const int64_t now_us = T0 + HORIZON_S * US_PER_S + (int64_t)i * (550 * US_PER_S / events);
        struct shard *shard = counters_worker_shard(counters, (unsigned)(next_random(&random) % 2));
        const int64_t spread_us = (HORIZON_S + FUTURE_S + 2) * US_PER_S;
        int64_t t_us = now_us - (HORIZON_S + 1) * US_PER_S +
                       (int64_t)(next_random(&random) % (uint64_t)spread_us);
        if (next_random(&random) % 4 == 0) {
            t_us -= t_us % 10000; /* the very edge of a window */
        }
        shard_set_now_owner(shard, now_us);
        const bool inside =
            t_us >= now_us - HORIZON_S * US_PER_S && t_us <= now_us + FUTURE_S * US_PER_S;
        const enum shard_verdict verdict = shard_add_owner(shard, t_us);
        ck_assert_int_eq(verdict == SHARD_COUNTED, inside);
        if (inside) {
            model->ten_ms[(t_us - T0) / 10000]++;
            model->s[(t_us - T0) / US_PER_S]++;
            model->min[model_minute(t_us)]++;
            counted++;
        } else {
            refused++;
        }
        if (i % 100000 == 99999) {
            compare(counters, model, now_us);
            must_verify(counters);
        }
    }
    ck_assert_uint_gt(counted, 800000);
    ck_assert_uint_gt(refused, 10000);
    counters_close(counters);
    counters = open_counters(1);
    compare(counters, model, T0 + (HORIZON_S + 550) * US_PER_S);
    counters_close(counters);
    free(model);
}
END_TEST

/* ---- two owners and a reader ---- */

#define THREAD_EVENTS 400000

struct race {
    struct counters *counters;
    _Atomic int64_t now_us;
    _Atomic bool done;
};

struct owner {
    struct race *race;
    unsigned index;
    pthread_t thread;
};

/* Runs through 400 s of event time: each second recycles a place of the 10 ms ring. */
static void *own(void *cls) {
    struct owner *owner = cls;
    struct shard *shard = counters_worker_shard(owner->race->counters, owner->index);
    for (int i = 0; i < THREAD_EVENTS; i++) {
        const int64_t t_us = T0 + i * INT64_C(1000);
        shard_set_now_owner(shard, t_us);
        if (shard_add_owner(shard, t_us) != SHARD_COUNTED) {
            return (void *)1;
        }
        shard_tally_counted_owner(shard);
        atomic_store_explicit(&owner->race->now_us, t_us, memory_order_release);
    }
    return NULL;
}

/* What a reader may never see: a window with more than was ever put into it, a second that shrinks
 * while it is held, a snapshot of the statistics that does not add up. */
static void *watch(void *cls) {
    struct race *race = cls;
    uint64_t last_total = 0;
    int64_t last_second = 0;
    while (!atomic_load(&race->done)) {
        const int64_t second = atomic_load_explicit(&race->now_us, memory_order_acquire) / US_PER_S;
        uint64_t count[100];
        const uint64_t total = counters_chunk_total(race->counters, RESOLUTION_10MS, second);
        counters_read(race->counters, RESOLUTION_10MS, second * 100, 100, count);
        uint64_t sum = 0;
        for (int i = 0; i < 100; i++) {
            sum += count[i];
            if (count[i] > 20) { /* 10 events of each of two owners */
                return (void *)1;
            }
        }
        /* A reader that was put off its core may find its chunk recycled: only what is held after
         * it read counts. */
        int64_t oldest = INT64_MAX, newest;
        counters_span(race->counters, RESOLUTION_10MS, &oldest, &newest);
        const bool held = second >= oldest;
        if (held && (sum < total || (second == last_second && total < last_total))) {
            return (void *)2;
        }
        struct shard_tally tally;
        counters_tally(race->counters, &tally);
        if (tally.received != tally.counted) {
            return (void *)3;
        }
        last_second = held ? second : 0;
        last_total = total;
    }
    return NULL;
}

START_TEST(readers_see_only_what_was_counted) {
    struct race race = {.counters = open_counters(2), .now_us = T0};
    struct owner owner[2] = {{&race, 0, 0}, {&race, 1, 0}};
    pthread_t reader;
    void *result;
    ck_assert_int_eq(pthread_create(&reader, NULL, watch, &race), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_create(&owner[i].thread, NULL, own, &owner[i]), 0);
    }
    int refused = 0;
    for (int i = 0; i < 2; i++) {
        pthread_join(owner[i].thread, &result);
        refused += result != NULL;
    }
    atomic_store(&race.done, true);
    pthread_join(reader, &result);
    ck_assert_ptr_null(result);
    /* An owner that fell behind by more than the rings hold is refused, never miscounted. */
    if (refused == 0) {
        uint64_t count;
        counters_read(race.counters, RESOLUTION_1S, T0 / US_PER_S + 399, 1, &count);
        ck_assert_uint_eq(count, 2000);
    }
    must_verify(race.counters);
    counters_close(race.counters);
}
END_TEST

START_TEST(a_clock_set_back_loses_no_arrival) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    const int64_t day_us = 24 * 3600 * US_PER_S;
    const int64_t steps_us[] = {0, day_us,  40 * day_us, 40 * day_us - 3600 * US_PER_S,
                                0, -day_us, 41 * day_us, 5};
    uint64_t seen = 0;
    for (size_t i = 0; i < sizeof steps_us / sizeof *steps_us; i++) {
        shard_set_now_owner(shard, T0 + steps_us[i]);
        shard_add_arrival_owner(shard, T0 + steps_us[i]);
        must_verify(counters);
        int64_t oldest, newest;
        ck_assert(counters_span(counters, RESOLUTION_1S, &oldest, &newest));
        uint64_t in_rings = 0;
        for (int64_t chunk = oldest; chunk <= newest; chunk++) {
            in_rings += counters_chunk_total(counters, RESOLUTION_1S, chunk);
        }
        ck_assert_uint_ge(in_rings, 1);
        seen++;
    }
    ck_assert_uint_eq(seen, 8);
    counters_close(counters);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("shard_model");
    TCase *tcase = tcase_create("shard_model");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 100);
    tcase_add_test(tcase, a_million_events_agree_with_the_model);
    tcase_add_test(tcase, readers_see_only_what_was_counted);
    tcase_add_test(tcase, a_clock_set_back_loses_no_arrival);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
