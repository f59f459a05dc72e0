#include "counters/counters.h"

#include "tests/unit/check_main.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define T0 INT64_C(1464433871123456)

static char dir[64];

static void setup(void) {
    char template[] = "/tmp/aforo-shard-XXXXXX";
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
    const struct counters_config config = {
        .dir = dir, .workers = workers, .horizon_us = 10 * US_PER_S, .future_us = 2 * US_PER_S};
    struct counters *counters = counters_open(&config, NULL, why);
    ck_assert_msg(counters != NULL, "%s", why);
    return counters;
}

static uint64_t read_one(const struct counters *counters, enum resolution r, int64_t t_us) {
    uint64_t count;
    counters_read(counters, r, window_at(r, t_us), 1, &count);
    return count;
}

START_TEST(an_event_is_in_all_three_rings) {
    struct counters *counters = open_counters(2);
    struct shard *shard = counters_worker_shard(counters, 1);
    shard_set_now_owner(shard, T0);
    ck_assert_int_eq(shard_add_owner(shard, T0), SHARD_COUNTED);
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(read_one(counters, (enum resolution)r, T0), 1);
    }
    char why[COUNTERS_WHY_MAX];
    ck_assert_msg(counters_verify(counters, why), "%s", why);
    counters_close(counters);
}
END_TEST

START_TEST(the_edges_of_the_span_are_inside) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, T0);
    ck_assert_int_eq(shard_add_owner(shard, T0 - 10 * US_PER_S), SHARD_COUNTED);
    ck_assert_int_eq(shard_add_owner(shard, T0 - 10 * US_PER_S - 1), SHARD_TOO_LATE);
    ck_assert_int_eq(shard_add_owner(shard, T0 + 2 * US_PER_S), SHARD_COUNTED);
    ck_assert_int_eq(shard_add_owner(shard, T0 + 2 * US_PER_S + 1), SHARD_TOO_FAR_AHEAD);
    counters_close(counters);
}
END_TEST

START_TEST(counts_survive_a_reopen_with_other_threads) {
    struct counters *counters = open_counters(3);
    for (unsigned i = 0; i < 3; i++) {
        struct shard *shard = counters_worker_shard(counters, i);
        shard_set_now_owner(shard, T0);
        ck_assert_int_eq(shard_add_owner(shard, T0), SHARD_COUNTED);
    }
    counters_close(counters);
    counters = open_counters(1);
    ck_assert_uint_eq(counters_shards(counters), 4);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0), 3);
    counters_close(counters);
    counters = open_counters(5);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0), 3);
    counters_close(counters);
}
END_TEST

/* A wake-up's events against plain arrays: one by one, in batches and by arrival, in one window
 * again and again, seconds that share a place in the shard's cache, on both edges of the span and
 * beyond them. */
START_TEST(a_wake_up_of_events_in_any_order) {
    enum { SECONDS = 400 };
    static uint64_t model[SECONDS * 100];
    const int64_t base_us = T0 / (60 * US_PER_S) * (60 * US_PER_S);
    char why[COUNTERS_WHY_MAX] = "";
    const struct counters_config config = {
        .dir = dir, .workers = 1, .horizon_us = 200 * US_PER_S, .future_us = 2 * US_PER_S};
    struct counters *counters = counters_open(&config, NULL, why);
    ck_assert_msg(counters != NULL, "%s", why);
    struct shard *shard = counters_worker_shard(counters, 0);
    srandom(20261121);
    for (int turn = 0; turn < 2000; turn++) {
        const int64_t now_us =
            base_us + 210 * US_PER_S + turn * 90 * INT64_C(1000) + random() % 10000;
        const int64_t lo_us = now_us - config.horizon_us, hi_us = now_us + config.future_us;
        shard_set_now_owner(shard, now_us);
        int64_t t_us = now_us;
        for (int i = 0; i < 100; i++) {
            static const int64_t steps_us[] = {
                0, 1, -1, 9999, -10000, 64 * US_PER_S, -64 * US_PER_S, US_PER_S};
            const long choice = random() % 12;
            t_us = choice < 8    ? t_us + steps_us[choice]
                   : choice == 8 ? lo_us
                   : choice == 9 ? hi_us
                                 : t_us;
            int64_t us[8];
            size_t n = 1 + (size_t)random() % 8, inside = 0;
            for (size_t j = 0; j < n; j++) {
                us[j] = t_us + (int64_t)j * (choice == 10 ? 4000 : choice == 11 ? 0 : 1);
                inside += inside == j && us[j] >= lo_us && us[j] <= hi_us;
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
                model[(us[j] - base_us) / 10000]++;
            }
            if (choice == 7) {
                shard_add_arrival_owner(shard, now_us);
                model[(now_us - base_us) / 10000]++;
            }
        }
    }
    for (int64_t s = 215; s < SECONDS; s++) { /* older ones have left the ring */
        uint64_t count[100], sum = 0;
        counters_read(counters, RESOLUTION_10MS, (base_us / US_PER_S + s) * 100, 100, count);
        for (int i = 0; i < 100; i++) {
            ck_assert_uint_eq(count[i], model[s * 100 + i]);
            sum += count[i];
        }
        ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, base_us + s * US_PER_S), sum);
    }
    ck_assert_msg(counters_verify(counters, why), "%s", why);
    counters_close(counters);
}
END_TEST

/* ---- a clock that is set ---- */

#define ERA_S 12000 /* seconds that the model below knows */
#define SET_HORIZON_S 10
#define SET_FUTURE_S 2

static uint32_t set_model[ERA_S][100];
static const int64_t SET_BASE_S = T0 / (3600 * US_PER_S) * 3600;

/* Every window that may be counted in now is exact, in each resolution. */
static void present_is_exact(const struct counters *counters, int64_t now_us) {
    const int64_t now_s = now_us / US_PER_S;
    for (int64_t s = now_s - SET_HORIZON_S; s <= now_s + SET_FUTURE_S; s++) {
        uint64_t count[100], sum = 0;
        counters_read(counters, RESOLUTION_10MS, s * 100, 100, count);
        for (int i = 0; i < 100; i++) {
            DEMAND(count[i] == set_model[s - SET_BASE_S][i], "10ms, %lld s: %llu, not %u",
                   (long long)(s - SET_BASE_S), (unsigned long long)count[i],
                   set_model[s - SET_BASE_S][i]);
            sum += set_model[s - SET_BASE_S][i];
        }
        DEMAND(read_one(counters, RESOLUTION_1S, s * US_PER_S) == sum, "1s, %lld s",
               (long long)(s - SET_BASE_S));
        uint64_t minute = 0;
        for (int64_t m = s / 60 * 60; m < s / 60 * 60 + 60; m++) {
            for (int i = 0; i < 100; i++) {
                minute += set_model[m - SET_BASE_S][i];
            }
        }
        DEMAND(read_one(counters, RESOLUTION_1MIN, s * US_PER_S) == minute, "1min, %lld s",
               (long long)(s - SET_BASE_S));
    }
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
    struct counters *counters = open_counters(2);
    char why[COUNTERS_WHY_MAX];
    int64_t now_us = (SET_BASE_S + 60) * US_PER_S;
    memset(set_model, 0, sizeof set_model);
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
            set_model[t_us / US_PER_S - SET_BASE_S][t_us % US_PER_S / 10000]++;
        }
        present_is_exact(counters, now_us);
        if (_i == 1 && turn % 25 == 24) {
            ck_assert_msg(counters_verify(counters, why), "%s", why);
            counters_close(counters);
            counters = open_counters(2);
            for (unsigned worker = 0; worker < 2; worker++) {
                shard_set_now_owner(counters_worker_shard(counters, worker), now_us);
            }
            present_is_exact(counters, now_us);
        }
    }
    ck_assert_msg(counters_verify(counters, why), "%s", why);
    /* what is free is used again */
    ck_assert_uint_le(counters_shards(counters), _i == 0 ? 3 + 60 : 15);
    counters_close(counters);
}
END_TEST

/* The one event of a clock that was an hour ahead: it stays counted, and nothing of the present is
 * refused for it. */
START_TEST(one_event_far_ahead_is_in_nobodys_way) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    const int64_t ahead_us = T0 + 3700 * US_PER_S;
    shard_set_now_owner(shard, ahead_us); /* no step is seen: the server was started so */
    ck_assert_int_eq(shard_add_owner(shard, ahead_us), SHARD_COUNTED);
    for (int restart = 0; restart < 3; restart++) {
        const enum shard_move move = shard_set_now_owner(shard, T0);
        ck_assert_int_eq(move, SHARD_MOVED);
        ck_assert_int_eq(shard_set_now_owner(shard, T0), SHARD_STAYED);
        ck_assert_int_eq(shard_add_owner(shard, T0 - 10 * US_PER_S), SHARD_COUNTED);
        ck_assert_int_eq(shard_add_owner(shard, T0), SHARD_COUNTED);
        shard_add_arrival_owner(shard, T0 + US_PER_S);
        for (int r = 0; r < RESOLUTIONS; r++) {
            int64_t oldest, newest;
            ck_assert(counters_span(counters, (enum resolution)r, &oldest, &newest));
            ck_assert_int_le(chunk_start_us((enum resolution)r, newest), T0 + 4 * US_PER_S);
        }
        ck_assert_int_gt(counters_ahead_us(counters), 3600 * US_PER_S);
        ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0), (unsigned)restart + 1);
        ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0 + US_PER_S),
                          (unsigned)restart + 1);
        ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, ahead_us), 1);
        counters_close(counters);
        counters = open_counters(1);
        shard = counters_worker_shard(counters, 0);
    }
    ck_assert_uint_eq(counters_shards(counters), 3);
    shard_set_now_owner(shard, ahead_us + 5 * US_PER_S); /* its time has come */
    ck_assert_int_eq(shard_add_owner(shard, ahead_us), SHARD_COUNTED);
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(read_one(counters, (enum resolution)r, ahead_us), 2);
    }
    ck_assert_int_eq(counters_ahead_us(counters), 0);
    counters_close(counters);
}
END_TEST

START_TEST(no_space_for_another_shard_is_said) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    shard_set_now_owner(shard, T0 + 3700 * US_PER_S);
    ck_assert_int_eq(shard_add_owner(shard, T0 + 3700 * US_PER_S), SHARD_COUNTED);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit none = {4096, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    ck_assert_int_eq(shard_set_now_owner(shard, T0), SHARD_STUCK);
    ck_assert_int_eq(shard_add_owner(shard, T0), SHARD_TOO_LATE);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
    /* not asked again at once */
    ck_assert_int_eq(shard_set_now_owner(shard, T0 + US_PER_S / 2), SHARD_STUCK);
    ck_assert_int_eq(shard_set_now_owner(shard, T0 + US_PER_S), SHARD_MOVED);
    ck_assert_int_eq(shard_add_owner(shard, T0), SHARD_COUNTED);
    counters_close(counters);
}
END_TEST

START_TEST(a_clock_that_was_never_set) {
    struct counters *counters = open_counters(1);
    struct shard *shard = counters_worker_shard(counters, 0);
    char why[COUNTERS_WHY_MAX];
    shard_set_now_owner(shard, 5 * US_PER_S); /* 1970-01-01 00:00:05 */
    ck_assert_int_eq(shard_add_owner(shard, 4 * US_PER_S), SHARD_TOO_LATE);
    shard_add_arrival_owner(shard, 5 * US_PER_S);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, 3600 * US_PER_S), 1);
    ck_assert_msg(counters_verify(counters, why), "%s", why);
    shard_set_now_owner(shard, T0);
    ck_assert_int_eq(shard_add_owner(shard, T0), SHARD_COUNTED);
    counters_close(counters);
    counters_close(open_counters(1));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("shard");
    TCase *tcase = tcase_create("shard");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_event_is_in_all_three_rings);
    tcase_add_test(tcase, the_edges_of_the_span_are_inside);
    tcase_add_test(tcase, counts_survive_a_reopen_with_other_threads);
    tcase_add_test(tcase, a_wake_up_of_events_in_any_order);
    tcase_add_loop_test(tcase, a_clock_that_is_set_again_and_again, 0, 2);
    tcase_add_test(tcase, one_event_far_ahead_is_in_nobodys_way);
    tcase_add_test(tcase, no_space_for_another_shard_is_said);
    tcase_add_test(tcase, a_clock_that_was_never_set);
    tcase_set_timeout(tcase, 100);
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
