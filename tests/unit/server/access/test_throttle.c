#include "server/access/throttle.h"

#include "server/net/address_table.h"
#include "tests/unit/check_main.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define S INT64_C(1000000)

static struct throttle *made(int64_t rate) {
    struct throttle *throttle = throttle_new(rate);
    ck_assert_ptr_nonnull(throttle);
    return throttle;
}

/* How many of n requests at one moment are admitted. */
static int admitted(struct throttle *throttle, uint64_t client, int64_t now_us, int n) {
    int in = 0;
    for (int i = 0; i < n; i++) {
        in += throttle_admit(throttle, client, now_us);
    }
    return in;
}

START_TEST(a_second_at_once_then_the_rate) {
    static const int64_t rates[] = {1, 2, 3, 7, 100, 1000, 5000};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        const int64_t rate = rates[r];
        struct throttle *throttle = made(rate);
        int64_t now = 5 * S;
        ck_assert_int_eq(admitted(throttle, 42, now, (int)rate * 3), rate);
        int64_t in = 0;
        for (int ms = 0; ms < 10000; ms++, now += 1000) {
            in += admitted(throttle, 42, now, 8);
        }
        ck_assert_int_ge(in, rate * 10 - rate / 1000 - 1);
        ck_assert_int_le(in, rate * 10 + rate / 1000 + 1);
        now += 2 * S;
        ck_assert_int_eq(admitted(throttle, 42, now, (int)rate * 3),
                         rate); /* what was not used is kept for a second */
        throttle_free(throttle);
    }
}
END_TEST

START_TEST(rates_are_what_was_asked_for) {
    static const struct {
        int64_t rate;
        double within;
    } rows[] = {{1, 0.0001},     {10, 0.0001},   {999, 0.001},   {10000, 0.001},
                {123456, 0.005}, {700000, 0.03}, {1000000, 0.03}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct throttle *throttle = made(rows[r].rate);
        double in = 0;
        const int64_t span = 20 * S;
        for (int64_t t = 0; t < span; t += rows[r].rate < 1000 ? 1000 : 100) {
            for (int i = 0; i < 200 && throttle_admit(throttle, 1, S + t); i++) {
                in++;
            }
        }
        in -= (double)rows[r].rate; /* the second's worth at the start */
        const double ratio = in / ((double)rows[r].rate * (double)span / (double)S);
        ck_assert_msg(ratio > 0.94 && ratio < 1 + rows[r].within, "%lld: %f",
                      (long long)rows[r].rate, ratio);
        throttle_free(throttle);
    }
}
END_TEST

START_TEST(one_client_does_not_touch_another) {
    struct throttle *throttle = made(10);
    int short_of = 0;
    for (uint64_t client = 0; client < 1000; client++) {
        const uint64_t hash = address_table_sip((uint64_t[2]){1, 2}, client);
        short_of += admitted(throttle, hash, S, 12) != 10;
    }
    ck_assert_int_eq(short_of, 0);
    for (uint64_t client = 0; client < 1000; client++) { /* all of them are remembered */
        short_of += admitted(throttle, address_table_sip((uint64_t[2]){1, 2}, client), S, 1) != 0;
    }
    ck_assert_int_eq(short_of, 0);
    throttle_free(throttle);
}
END_TEST

/* A flood of made-up addresses: the table stays what it is, and no client is admitted less often
 * for it.
 */
START_TEST(more_addresses_than_buckets) {
    struct throttle *throttle = made(5);
    for (uint64_t client = 0; client < 2000000; client++) {
        DEMAND(throttle_admit(throttle, address_table_sip((uint64_t[2]){3, 4}, client), S),
               "client %llu", (unsigned long long)client);
    }
    ck_assert_int_ge(
        admitted(throttle, address_table_sip((uint64_t[2]){3, 4}, UINT64_C(1) << 40), S, 8), 5);
    throttle_free(throttle);
}
END_TEST

/* The clock of 44 bits comes round; the workers' clocks differ a little. */
START_TEST(clocks) {
    const int64_t round_us = (INT64_C(1) << 44) / 16;
    const uint64_t client = UINT64_C(9) << 60;
    for (int64_t turn = 0; turn < 4; turn++) {
        struct throttle *throttle = made(100);
        const int64_t now = turn * round_us + 2 * S;
        for (int64_t at = -2 * S; at <= 4 * S; at += 2 * S) { /* before, at and after the turn */
            ck_assert_int_eq(admitted(throttle, client, now + at, 200), 100);
            ck_assert_int_eq(admitted(throttle, client, now + at + 10, 200), 0);
            ck_assert_int_eq(admitted(throttle, client, now + at - 900000, 10),
                             0); /* a worker that looked before */
        }
        throttle_free(throttle);
    }
}
END_TEST

START_TEST(an_address_is_a_client) {
    struct throttle *throttle = made(1), *other = made(1);
    const struct sockaddr_in one = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    const struct sockaddr_in two = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000202)};
    const uint64_t client = throttle_find_client(throttle, (const struct sockaddr *)&one);
    ck_assert(client == throttle_find_client(throttle, (const struct sockaddr *)&one));
    ck_assert(client != throttle_find_client(throttle, (const struct sockaddr *)&two));
    /* nobody can know the hashes of the next run */
    ck_assert(client != throttle_find_client(other, (const struct sockaddr *)&one));
    throttle_free(other);
    throttle_free(throttle);
}
END_TEST

struct racer {
    struct throttle *throttle;
    int in;
};

static void *race(void *cls) {
    struct racer *racer = cls;
    for (int i = 0; i < 200000; i++) {
        racer->in += throttle_admit(racer->throttle, 7, 3 * S + i / 1000);
    }
    return NULL;
}

START_TEST(threads_share_one_limit) {
    struct throttle *throttle = made(50000);
    struct racer racers[4];
    pthread_t threads[4];
    int in = 0;
    for (int i = 0; i < 4; i++) {
        racers[i] = (struct racer){throttle, 0};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        in += racers[i].in;
    }
    /* A full bucket and 200 us, however the threads get into each other's way. */
    ck_assert_int_ge(in, 50000);
    ck_assert_int_le(in, 50000 + 10);
    throttle_free(throttle);
}
END_TEST

CHECK_MAIN("throttle", a_second_at_once_then_the_rate, rates_are_what_was_asked_for,
           one_client_does_not_touch_another, more_addresses_than_buckets, clocks,
           an_address_is_a_client, threads_share_one_limit)
