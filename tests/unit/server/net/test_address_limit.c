#include "server/net/address_limit.h"

#include "tests/unit/server/net/addresses.h"
#include "tests/unit/server/net/no_random.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

START_TEST(no_client_has_more_connections_than_the_limit) {
    struct address_limit *limit = address_limit_new(2);
    ck_assert_ptr_nonnull(limit);
    const union address one = address_at("192.0.2.1", 1),
                        mapped = address_at("::ffff:192.0.2.1", 2);
    ck_assert(address_limit_admit(limit, &one.any));
    ck_assert(address_limit_admit(limit, &mapped.any));
    ck_assert(!address_limit_admit(limit, &one.any));
    ck_assert(!address_limit_admit(limit, &mapped.any));
    address_limit_release(limit, &one.any);
    ck_assert(address_limit_admit(limit, &mapped.any));
    ck_assert(!address_limit_admit(limit, &one.any));
    address_limit_free(limit);
    ck_assert(address_limit_admit(NULL, &one.any));
    address_limit_release(NULL, &one.any);
    address_limit_free(NULL);
}
END_TEST

START_TEST(each_client_has_a_count_of_its_own) {
    struct address_limit *limit = address_limit_new(1);
    ck_assert_ptr_nonnull(limit);
    unsigned refused = 0;
    for (uint32_t i = 0; i < 256; i++) {
        const struct sockaddr_in client = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(i)};
        refused += !address_limit_admit(limit, (const struct sockaddr *)&client);
    }
    /* 256 of 65,536: half a pair shares a count by accident; nine do once in 10^10 */
    ck_assert_uint_lt(refused, 9);
    address_limit_free(limit);
}
END_TEST

#define THREADS 4
#define TURNS 20000

static struct address_limit *shared;
static _Atomic int open_now, open_most;

static void *come_and_go(void *cls) {
    const struct sockaddr *address = cls;
    for (int i = 0; i < TURNS; i++) {
        if (address_limit_admit(shared, address)) {
            const int open = atomic_fetch_add(&open_now, 1) + 1;
            int most = atomic_load(&open_most);
            while (open > most && !atomic_compare_exchange_weak(&open_most, &most, open)) {
            }
            atomic_fetch_sub(&open_now, 1);
            address_limit_release(shared, address);
        }
    }
    return NULL;
}

START_TEST(of_many_threads_no_more_are_open) {
    union address client = address_at("192.0.2.1", 1);
    pthread_t threads[THREADS];
    shared = address_limit_new(2);
    ck_assert_ptr_nonnull(shared);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, &client.any), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_int_ge(open_most, 1);
    ck_assert_int_le(open_most, 2);
    /* all of them are given back, and not one more */
    ck_assert(address_limit_admit(shared, &client.any));
    ck_assert(address_limit_admit(shared, &client.any));
    ck_assert(!address_limit_admit(shared, &client.any));
    address_limit_free(shared);
}
END_TEST

START_TEST(without_random_bytes_there_is_no_limit) {
    no_random = true;
    ck_assert_ptr_null(address_limit_new(1)); /* a sanitizer sees whether it is freed */
}
END_TEST

CHECK_MAIN("address_limit", no_client_has_more_connections_than_the_limit,
           each_client_has_a_count_of_its_own, of_many_threads_no_more_are_open,
           without_random_bytes_there_is_no_limit)
