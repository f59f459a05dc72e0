/* The rings against a model that cannot be wrong: one plain array of counts. */
#include "counters/counters.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <string.h>

#define MODEL_S 12000 /* seconds that the model knows */
#define BASE_S (T0 / (3600 * US_PER_S) * 3600)

static uint32_t model[MODEL_S][100]; /* 10 ms windows from BASE_S on */

static void make(void) {
    state_dir_make();
    memset(model, 0, sizeof model);
}

static struct counters *open_counters(unsigned workers, int64_t horizon_s, int64_t future_s) {
    const struct counters_config config = {.dir = state_dir,
                                           .workers = workers,
                                           .horizon_us = horizon_s * US_PER_S,
                                           .future_us = future_s * US_PER_S};
    return open_or_fail(&config);
}

static void note(int64_t t_us) {
    model[t_us / US_PER_S - BASE_S][t_us % US_PER_S / 10000]++;
}

/* What the model has in seconds [from_s, from_s + n). */
static uint64_t sum_model(int64_t from_s, int64_t n) {
    uint64_t sum = 0;
    for (int64_t s = from_s; s < from_s + n; s++) {
        for (int i = 0; i < 100; i++) {
            sum += model[s - BASE_S][i];
        }
    }
    return sum;
}

/* Every 10 ms window of seconds [from_s, to_s] is exact. */
static void must_agree(const struct counters *counters, int64_t from_s, int64_t to_s) {
    for (int64_t s = from_s; s <= to_s; s++) {
        uint64_t count[100];
        counters_read(counters, RESOLUTION_10MS, s * 100, 100, count);
        for (int i = 0; i < 100; i++) {
            DEMAND(count[i] == model[s - BASE_S][i], "10ms, %lld s: %llu, not %u",
                   (long long)(s - BASE_S), (unsigned long long)count[i], model[s - BASE_S][i]);
        }
    }
}

/* So is every second of them, and every minute that any of them is in. */
static void must_agree_in_sum(const struct counters *counters, int64_t from_s, int64_t to_s) {
    for (int64_t s = from_s; s <= to_s; s++) {
        DEMAND(read_one(counters, RESOLUTION_1S, s * US_PER_S) == sum_model(s, 1), "1s, %lld s",
               (long long)(s - BASE_S));
    }
    for (int64_t s = from_s / 60 * 60; s <= to_s; s += 60) {
        DEMAND(read_one(counters, RESOLUTION_1MIN, s * US_PER_S) == sum_model(s, 60),
               "1min, %lld s", (long long)(s - BASE_S));
    }
}

/* A million events of two shards over 550 s, 25 laps of the 10 ms ring: late, early, on edges,
 * refused. */
START_TEST(a_million_events_agree_with_the_model) {
    enum { EVENTS = 1000000, HORIZON_S = 20, FUTURE_S = 3 };
    const int64_t first_s = T0 / US_PER_S, last_s = first_s + 600;
    uint64_t random = 20261120, counted = 0, refused = 0;
    struct counters *counters = open_counters(2, HORIZON_S, FUTURE_S);
    for (int i = 0; i < EVENTS; i++) {
        const int64_t now_us = T0 + HORIZON_S * US_PER_S + (int64_t)i * (550 * US_PER_S / EVENTS);
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
        DEMAND((shard_add_owner(shard, t_us) == SHARD_COUNTED) == inside, "event %d", i);
        if (inside) {
            note(t_us);
            counted++;
        } else {
            refused++;
        }
        if (i % 100000 == 99999) {
            must_agree(counters, now_us / US_PER_S - HORIZON_S, now_us / US_PER_S + FUTURE_S);
            must_agree_in_sum(counters, first_s, last_s);
            must_verify(counters);
        }
    }
    ck_assert_uint_gt(counted, 800000);
    ck_assert_uint_gt(refused, 10000);
    counters_close(counters);
    counters = open_counters(1, HORIZON_S, FUTURE_S);
    must_agree(counters, first_s + 550, first_s + HORIZON_S + 550 + FUTURE_S);
    must_agree_in_sum(counters, first_s, last_s);
    counters_close(counters);
}
END_TEST

/* Where a wake-up's next events are: steps from the last one, or the edges of the span. */
enum choice { CHOICE_STEPS = 8, CHOICE_LOW = 8, CHOICE_HIGH, CHOICE_SPREAD, CHOICE_SAME, CHOICES };

/* As many as us[] has places, each for some events of its window. */
static void add_windows(struct shard *shard, const int64_t *us, size_t n, int64_t lo_us,
                        int64_t hi_us) {
    unsigned char times[8];
    uint64_t events, sum = 0;
    for (size_t i = 0; i < n; i++) {
        times[i] = (unsigned char)(1 + random() % 3);
    }
    const size_t counted = shard_add_windows_owner(shard, us, times, n, &events);
    for (size_t i = 0; i < counted; i++) {
        ck_assert(us[i] >= lo_us && us[i] <= hi_us);
        sum += times[i];
        for (int j = 0; j < times[i]; j++) {
            note(us[i]);
        }
    }
    ck_assert_uint_eq(events, sum);
    if (counted < n) {
        const int64_t from_us =
            window_start_us(RESOLUTION_10MS, window_at(RESOLUTION_10MS, us[counted]));
        ck_assert(from_us < lo_us || from_us + 9999 > hi_us);
    }
}

/* A wake-up's events one by one, in batches and by arrival, in one window again and again, seconds
 * that share a place in the shard's cache, on both edges of the span and beyond them. */
START_TEST(a_wake_up_of_events_in_any_order) {
    enum { HORIZON_S = 200, FUTURE_S = 2 };
    static const int64_t steps_us[CHOICE_STEPS] = {
        0, 1, -1, 9999, -10000, 64 * US_PER_S, -64 * US_PER_S, US_PER_S};
    struct counters *counters = open_counters(1, HORIZON_S, FUTURE_S);
    struct shard *shard = counters_worker_shard(counters, 0);
    srandom(20261121);
    for (int turn = 0; turn < 2000; turn++) {
        const int64_t now_us =
            (BASE_S + 210) * US_PER_S + turn * 90 * INT64_C(1000) + random() % 10000;
        const int64_t lo_us = now_us - HORIZON_S * US_PER_S, hi_us = now_us + FUTURE_S * US_PER_S;
        shard_set_now_owner(shard, now_us);
        int64_t t_us = now_us;
        for (int i = 0; i < 100; i++) {
            const long choice = random() % CHOICES;
            t_us = choice < CHOICE_STEPS   ? t_us + steps_us[choice]
                   : choice == CHOICE_LOW  ? lo_us
                   : choice == CHOICE_HIGH ? hi_us
                                           : t_us;
            int64_t us[8];
            size_t n = 1 + (size_t)random() % 8, inside = 0;
            for (size_t j = 0; j < n; j++) {
                us[j] = t_us + (int64_t)j * (choice == CHOICE_SPREAD ? 4000
                                             : choice == CHOICE_SAME ? 0
                                                                     : 1);
                inside += inside == j && us[j] >= lo_us && us[j] <= hi_us;
            }
            if (choice % 3 == 1) {
                add_windows(shard, us, n, lo_us, hi_us);
                continue;
            }
            enum shard_verdict verdict = SHARD_COUNTED;
            if (choice % 3 == 0) {
                ck_assert_uint_eq(shard_add_batch_owner(shard, us, n, &verdict), inside);
            } else {
                n = 1;
                inside = inside > 0;
                verdict = shard_add_owner(shard, us[0]);
            }
            const int64_t *out = us + inside;
            ck_assert_int_eq(verdict, inside == n    ? SHARD_COUNTED
                                      : *out < lo_us ? SHARD_TOO_LATE
                                                     : SHARD_TOO_FAR_AHEAD);
            for (size_t j = 0; j < inside; j++) {
                note(us[j]);
            }
            if (choice == CHOICE_STEPS - 1) {
                shard_add_arrival_owner(shard, now_us);
                note(now_us);
            }
        }
    }
    must_agree(counters, BASE_S + 215, BASE_S + 399); /* older ones have left the ring */
    must_agree_in_sum(counters, BASE_S, BASE_S + 399);
    must_verify(counters);
    counters_close(counters);
}
END_TEST

/* ---- a clock that is set ---- */

#define SET_HORIZON_S 10
#define SET_FUTURE_S 2

/* Every window that may be counted in now is exact, in each resolution. */
static void present_must_agree(const struct counters *counters, int64_t now_us) {
    const int64_t now_s = now_us / US_PER_S;
    must_agree(counters, now_s - SET_HORIZON_S, now_s + SET_FUTURE_S);
    must_agree_in_sum(counters, now_s - SET_HORIZON_S, now_s + SET_FUTURE_S);
}

static enum shard_move set_clock(struct shard *shard, int64_t before_us, int64_t now_us) {
    return now_us > before_us ? shard_step_ahead_owner(shard, before_us, now_us)
                              : shard_set_now_owner(shard, now_us);
}

/* Two workers, a clock that is set by seconds, minutes and hours, and events anywhere in the
 * accepted span: each one is counted, once, in all three resolutions. A clock that is ahead for a
 * while and right again may also do so over restarts. */
START_TEST(a_clock_that_is_set_again_and_again) {
    static const int64_t steps_s[] = {3700, -3700, 15,    -15,  600, 20, -620, 9,
                                      -5,   7200,  -7000, -200, 1,   30, -31};
    struct counters *counters = open_counters(2, SET_HORIZON_S, SET_FUTURE_S);
    int64_t now_us = (BASE_S + 60) * US_PER_S;
    srandom(20261124);
    for (int turn = 0; turn < 300; turn++) {
        const int64_t before_us = now_us;
        const int64_t step_s = _i == 0 ? steps_s[turn / 10 % 15] : turn / 10 % 2 ? -3700 : 3700;
        now_us += turn % 10 ? 300 * INT64_C(1000) : step_s * US_PER_S;
        for (unsigned worker = 0; worker < 2; worker++) {
            struct shard *shard = counters_worker_shard(counters, worker);
            ck_assert_int_ne(turn % 10 ? shard_set_now_owner(shard, now_us)
                                       : set_clock(shard, before_us, now_us),
                             SHARD_STUCK);
        }
        for (int i = 0; i < 40; i++) {
            struct shard *shard = counters_worker_shard(counters, (unsigned)i % 2);
            const int64_t t_us = now_us - SET_HORIZON_S * US_PER_S +
                                 random() % ((SET_HORIZON_S + SET_FUTURE_S) * US_PER_S);
            DEMAND(shard_add_owner(shard, t_us) == SHARD_COUNTED, "turn %d: refused", turn);
            note(t_us);
        }
        present_must_agree(counters, now_us);
        if (_i == 1 && turn % 25 == 24) {
            must_verify(counters);
            counters_close(counters);
            counters = open_counters(2, SET_HORIZON_S, SET_FUTURE_S);
            for (unsigned worker = 0; worker < 2; worker++) {
                shard_set_now_owner(counters_worker_shard(counters, worker), now_us);
            }
            present_must_agree(counters, now_us);
        }
    }
    must_verify(counters);
    /* what is free is used again: else it is one for each worker and each of 30 times */
    ck_assert_uint_le(counters_shards(counters), _i == 0 ? 3 + 60 : 45);
    counters_close(counters);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("shard_model");
    TCase *tcase = tcase_create("shard_model");
    tcase_add_checked_fixture(tcase, make, state_dir_remove);
    tcase_set_timeout(tcase, 100);
    tcase_add_test(tcase, a_million_events_agree_with_the_model);
    tcase_add_test(tcase, a_wake_up_of_events_in_any_order);
    tcase_add_loop_test(tcase, a_clock_that_is_set_again_and_again, 0, 2);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
