#include "server/net/pending.h"

#include "tests/unit/check_main.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static enum pending_start start_of(const char *bytes, bool end) {
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(write(pair[1], bytes, strlen(bytes)), (ssize_t)strlen(bytes));
    if (end) {
        shutdown(pair[1], SHUT_WR);
    }
    const enum pending_start start = pending_peek(pair[0]);
    ck_assert_int_eq(pending_peek(pair[0]), start); /* they are still there */
    close(pair[0]);
    close(pair[1]);
    return start;
}

START_TEST(the_first_bytes_choose_the_pool) {
    ck_assert_int_eq(start_of("", false), PENDING_SILENT);
    ck_assert_int_eq(start_of("", true), PENDING_ENDED);
    ck_assert_int_eq(start_of("P", false), PENDING_SINGLE);
    ck_assert_int_eq(start_of("POST /event", false), PENDING_SINGLE);
    ck_assert_int_eq(start_of("POST /events", false), PENDING_BATCH);
    ck_assert_int_eq(start_of("POST /events HTTP/1.1\r\n", true), PENDING_BATCH);
    ck_assert_int_eq(start_of("POST / HTTP/1.1\r\nHost: x", false), PENDING_SINGLE);
    ck_assert_int_eq(start_of("GET /events HTTP", false), PENDING_SINGLE);
}
END_TEST

START_TEST(a_broken_connection_has_ended) {
    int pair[2];
    ck_assert_int_eq(pipe(pair), 0);
    ck_assert_int_eq(pending_peek(pair[0]), PENDING_ENDED); /* no socket */
    close(pair[0]);
    close(pair[1]);
    ck_assert_int_eq(pending_peek(pair[0]), PENDING_ENDED); /* nothing at all */
}
END_TEST

CHECK_MAIN("pending", the_first_bytes_choose_the_pool, a_broken_connection_has_ended)
