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

/* What one look found is not taken for what the next one finds. */
START_TEST(each_look_is_its_own) {
    int whole[2], cut[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, whole), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, cut), 0);
    ck_assert_int_eq(write(whole[1], "POST /events", 12), 12);
    ck_assert_int_eq(write(cut[1], "POST /event", 11), 11);
    const enum pending_start first = pending_peek(whole[0]), second = pending_peek(cut[0]);
    ck_assert_int_eq(first, PENDING_BATCH);
    ck_assert_int_eq(second, PENDING_SINGLE);
    for (int i = 0; i < 2; i++) {
        close(whole[i]);
        close(cut[i]);
    }
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

CHECK_MAIN("pending", the_first_bytes_choose_the_pool, each_look_is_its_own,
           a_broken_connection_has_ended)
