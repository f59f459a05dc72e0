#include "server/net/connection_limits.h"

#include "tests/unit/captured_log.h"
#include "tests/unit/check_main.h"

#include <netinet/in.h>

START_TEST(limits_count_what_is_open) {
    const struct sockaddr_in one = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    const struct sockaddr_in two = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000202)};
    const struct sockaddr *a = (const struct sockaddr *)&one, *b = (const struct sockaddr *)&two;
    struct address_limit *client = address_limit_new(2);
    struct connection_limits limits = {0};
    connection_limits_init(&limits, false, 3, client);
    ck_assert_int_eq(connection_limits_admit(&limits, a), CONNECTION_ADMITTED);
    ck_assert_int_eq(connection_limits_admit(&limits, a), CONNECTION_ADMITTED);
    ck_assert_int_eq(connection_limits_admit(&limits, a), CONNECTION_TOO_MANY_OF_CLIENT);
    ck_assert_uint_eq(limits.open, 2);
    ck_assert_int_eq(connection_limits_admit(&limits, b), CONNECTION_ADMITTED);
    ck_assert_int_eq(connection_limits_admit(&limits, b), CONNECTION_TOO_MANY);
    ck_assert_uint_eq(limits.open, 3);
    connection_limits_release(&limits, a);
    ck_assert_int_eq(connection_limits_admit(&limits, b), CONNECTION_ADMITTED);
    ck_assert_int_eq(connection_limits_admit(&limits, a), CONNECTION_TOO_MANY);
    connection_limits_release(&limits, b);
    ck_assert_int_eq(connection_limits_admit(&limits, a), CONNECTION_ADMITTED);
    address_limit_free(client);
}
END_TEST

#define S INT64_C(1000000)

/* What is logged of n more at that time. */
static const char *warn(struct connection_limits *limits, uint64_t n, int64_t now_us) {
    log_begin_capture();
    connection_limits_warn(limits, n, now_us);
    return log_end_capture();
}

START_TEST(what_was_refused_is_told_at_once_and_then_once_a_minute) {
    struct connection_limits limits = {0};
    connection_limits_init(&limits, false, 3, NULL);
    limits.open = 2;
    ck_assert_str_eq(warn(&limits, 0, S), "");
    const char *line = warn(&limits, 1, S);
    ck_assert_ptr_nonnull(
        strstr(line, " level=warn msg=\"--max-connections is reached\" open=2 most=3 refused=1 "
                     "remedy=\"raise --max-connections, or add servers\"\n"));
    ck_assert_str_eq(warn(&limits, 2, 2 * S), "");
    ck_assert_str_eq(warn(&limits, 3, 61 * S - 1), "");
    line = warn(&limits, 0, 61 * S);
    ck_assert_ptr_nonnull(strstr(line, " refused=5 "));
    ck_assert_str_eq(warn(&limits, 0, 200 * S), "");
}
END_TEST

START_TEST(of_the_admin_listener_the_remedy_is_another) {
    struct connection_limits limits = {0};
    connection_limits_init(&limits, true, CONNECTION_LIMIT_ADMIN, NULL);
    ck_assert_ptr_nonnull(
        strstr(warn(&limits, 1, S),
               " level=warn msg=\"--admin-listen has as many connections as it takes\" open=0 "
               "most=256 refused=1 remedy=\"close connections that only wait\"\n"));
}
END_TEST

START_TEST(without_a_limit_of_clients_only_the_sum_counts) {
    const struct sockaddr_in one = {.sin_family = AF_INET};
    const struct sockaddr *a = (const struct sockaddr *)&one;
    struct connection_limits limits = {0};
    connection_limits_init(&limits, false, 2, NULL);
    ck_assert_int_eq(connection_limits_admit(&limits, a), CONNECTION_ADMITTED);
    ck_assert_int_eq(connection_limits_admit(&limits, a), CONNECTION_ADMITTED);
    ck_assert_int_eq(connection_limits_admit(&limits, a), CONNECTION_TOO_MANY);
    connection_limits_release(&limits, a);
    ck_assert_uint_eq(limits.open, 1);
}
END_TEST

CHECK_MAIN("connection_limits", limits_count_what_is_open,
           what_was_refused_is_told_at_once_and_then_once_a_minute,
           of_the_admin_listener_the_remedy_is_another,
           without_a_limit_of_clients_only_the_sum_counts)
