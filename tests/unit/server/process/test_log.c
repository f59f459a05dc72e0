#include "server/process/log.h"

#include "tests/unit/check_main.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>

#define S INT64_C(1000000)

START_TEST(so_many_a_second_and_then_how_many_more) {
    struct log_limit limit = {0};
    int64_t now_us = 7 * S;
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(log_limit_admits(&limit, now_us, S, 20), i < 20);
    }
    ck_assert_uint_eq(log_limit_left_out(&limit, now_us + S - 1, S), 0);
    ck_assert(!log_limit_admits(&limit, now_us + S - 1, S, 20));
    now_us += S;
    ck_assert(!log_limit_admits(&limit, now_us, S, 20)); /* not before the others were told */
    ck_assert_uint_eq(log_limit_left_out(&limit, now_us, S), 32);
    ck_assert_uint_eq(log_limit_left_out(&limit, now_us + 2 * S, S), 0);
    ck_assert(log_limit_admits(&limit, now_us, S, 20));
}
END_TEST

START_TEST(nothing_is_left_out_of_a_little_each_second) {
    struct log_limit limit = {0};
    for (int64_t now_us = S; now_us < 100 * S; now_us += S / 10) {
        ck_assert(log_limit_admits(&limit, now_us, S, 20));
        ck_assert_uint_eq(log_limit_left_out(&limit, now_us, S), 0);
    }
}
END_TEST

START_TEST(the_first_at_once_and_the_rest_once_a_period) {
    struct log_digest digest = {0};
    ck_assert_uint_eq(log_digest_add(&digest, 0, S, 60 * S), 0); /* only looked: nothing happened */
    ck_assert_uint_eq(log_digest_add(&digest, 1, S, 60 * S), 1);
    for (int i = 0; i < 10; i++) {
        ck_assert_uint_eq(log_digest_add(&digest, 3, 2 * S + i, 60 * S), 0);
    }
    ck_assert_uint_eq(log_digest_add(&digest, 0, 61 * S - 1, 60 * S), 0);
    ck_assert_uint_eq(log_digest_add(&digest, 0, 61 * S, 60 * S), 30);
    ck_assert_uint_eq(log_digest_add(&digest, 0, 200 * S, 60 * S), 0);
    ck_assert_uint_eq(log_digest_add(&digest, 1, 200 * S, 60 * S), 1);
}
END_TEST

#define THREADS 4
#define TURNS 20000

static struct log_digest shared;

static void *add_many(void *cls) {
    uint64_t *told = cls;
    for (int64_t i = 0; i < TURNS; i++) {
        *told += log_digest_add(&shared, 1, i, 10);
    }
    return NULL;
}

START_TEST(of_many_threads_each_event_is_told_once) {
    pthread_t thread[THREADS];
    uint64_t told[THREADS] = {0}, sum = 0;
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, add_many, &told[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        sum += told[i];
    }
    ck_assert_uint_eq(sum + log_digest_add(&shared, 0, TURNS + 100, 10), THREADS * TURNS);
}
END_TEST

START_TEST(addresses) {
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(4711), .sin_addr.s_addr = htonl(0x7f000001)};
    struct sockaddr_in6 in6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(80), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const struct sockaddr other = {.sa_family = AF_UNIX};
    char text[LOG_ADDRESS_MAX];
    ck_assert_str_eq(log_address((const struct sockaddr *)(const void *)&in, text),
                     "127.0.0.1:4711");
    ck_assert_str_eq(log_address((const struct sockaddr *)(const void *)&in6, text), "[::1]:80");
    memset(&in6.sin6_addr, 0xff, sizeof in6.sin6_addr);
    in6.sin6_port = htons(65535);
    ck_assert_str_eq(log_address((const struct sockaddr *)(const void *)&in6, text),
                     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    ck_assert_str_eq(log_address(&other, text), "?");
    ck_assert_str_eq(log_address(NULL, text), "?");
}
END_TEST

START_TEST(what_a_terminal_would_obey_is_escaped) {
    static const char *const cases[][2] = {{"a \"b\" \\", "\"a \\\"b\\\" \\\\\""},
                                           {"\x1b[2J\n\x7f", "\"\\x1b[2J\\x0a\\x7f\""},
                                           {"\xc2\x9b\x9b", "\"\\xc2\\x9b\\x9b\""},
                                           {"gr\xc3\xbc\xc3", "\"gr\xc3\xbc\\xc3\""},
                                           {"\xe2\x80\xae", "\"\\xe2\\x80\\xae\""}};
    char text[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_str_eq(log_quote(cases[i][0], text, sizeof text), cases[i][1]);
    }
    /* cut, but never in the middle of a character */
    ck_assert_str_eq(log_quote("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", text, 10),
                     "\"\xe2\x82\xac\"");
}
END_TEST

CHECK_MAIN("log", so_many_a_second_and_then_how_many_more,
           nothing_is_left_out_of_a_little_each_second,
           the_first_at_once_and_the_rest_once_a_period, of_many_threads_each_event_is_told_once,
           addresses, what_a_terminal_would_obey_is_escaped)
