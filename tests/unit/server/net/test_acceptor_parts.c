#include "server/net/connection_limits.h"
#include "server/net/handoff.h"
#include "server/net/pending.h"

#include "tests/unit/check_main.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- connection limits ---- */

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

/* ---- hand-off ---- */

struct peers {
    struct handoff handoff[3];
    _Atomic uint64_t connections[3];
    struct handoff_group group;
};

static void open_peers(struct peers *peers) {
    memset(peers, 0, sizeof *peers);
    STAILQ_INIT(&peers->group);
    for (int i = 0; i < 3; i++) {
        ck_assert(handoff_open(&peers->handoff[i], &peers->connections[i]));
        STAILQ_INSERT_TAIL(&peers->group, &peers->handoff[i], entry);
    }
}

static void close_peers(struct peers *peers) {
    for (int i = 0; i < 3; i++) {
        handoff_close(&peers->handoff[i]);
        ck_assert_int_eq(peers->handoff[i].event_fd, -1);
    }
}

START_TEST(the_worker_with_clearly_fewest_connections_is_chosen) {
    static const struct {
        uint64_t open[3];
        int chosen; /* by the first one */
    } rows[] = {
        {{0, 0, 0}, 0},     {{1, 0, 0}, 1},     {{1, 1, 0}, 2},     {{5, 5, 5}, 0},
        {{7, 7, 6}, 2},     {{8, 7, 7}, 0},     {{8, 7, 6}, 2},     {{100, 88, 90}, 0},
        {{100, 87, 87}, 1}, {{100, 87, 86}, 2}, {{3, 900, 900}, 0},
    };
    struct peers peers;
    open_peers(&peers);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int p = 0; p < 3; p++) {
            peers.connections[p] = rows[i].open[p];
        }
        const struct handoff *chosen = handoff_choose(&peers.handoff[0], &peers.group);
        ck_assert_msg(chosen == &peers.handoff[rows[i].chosen], "row %zu: %d", i,
                      (int)(chosen - peers.handoff));
    }
    close_peers(&peers);
}
END_TEST

static bool is_readable(int fd) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, 0) == 1;
}

START_TEST(what_is_put_is_taken_once_and_counted) {
    struct peers peers;
    open_peers(&peers);
    struct handoff *to = &peers.handoff[1];
    struct pending pending[2] = {{.fd = 10}, {.fd = 11}};
    ck_assert(!is_readable(to->event_fd));
    ck_assert_ptr_null(handoff_take(to));
    ck_assert(handoff_put(to, &pending[0]) && handoff_put(to, &pending[1]));
    ck_assert_uint_eq(peers.connections[1], 2);
    ck_assert_uint_eq(peers.connections[0], 0);
    ck_assert(is_readable(to->event_fd));
    const struct pending *first = handoff_take(to);
    ck_assert(!is_readable(to->event_fd));
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(first->next_handed);
    ck_assert_int_eq(first->fd + first->next_handed->fd, 21);
    ck_assert_ptr_null(first->next_handed->next_handed);
    ck_assert_ptr_null(handoff_take(to));
    close_peers(&peers);
}
END_TEST

START_TEST(a_worker_that_has_shut_takes_no_more) {
    struct peers peers;
    open_peers(&peers);
    struct handoff *to = &peers.handoff[2];
    struct pending before = {.fd = 1}, after = {.fd = 2};
    ck_assert(handoff_put(to, &before));
    ck_assert_ptr_eq(handoff_shut(to), &before);
    ck_assert(!handoff_put(to, &after));
    ck_assert_uint_eq(peers.connections[2], 1);
    ck_assert_ptr_null(handoff_shut(to));
    close_peers(&peers);
}
END_TEST

#define PUTTERS 4
#define PUTS 20000

static struct pending pending_of[PUTTERS][PUTS];

struct putter {
    struct handoff *to;
    struct pending *pending;
    int put;
};

static void *put_all(void *cls) {
    struct putter *putter = cls;
    for (int i = 0; i < PUTS; i++) {
        putter->pending[i].fd = i;
        putter->put += handoff_put(putter->to, &putter->pending[i]);
    }
    return NULL;
}

START_TEST(nothing_is_lost_between_threads) {
    struct peers peers;
    open_peers(&peers);
    struct putter putters[PUTTERS];
    pthread_t threads[PUTTERS];
    for (int i = 0; i < PUTTERS; i++) {
        putters[i] = (struct putter){&peers.handoff[0], pending_of[i], 0};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, put_all, &putters[i]), 0);
    }
    int taken = 0, put = 0;
    for (int turn = 0; turn < 1000; turn++) {
        const struct pending *pending =
            turn < 999 ? handoff_take(&peers.handoff[0]) : handoff_shut(&peers.handoff[0]);
        for (; pending; pending = pending->next_handed) {
            taken++;
        }
    }
    for (int i = 0; i < PUTTERS; i++) {
        pthread_join(threads[i], NULL);
        put += putters[i].put;
    }
    ck_assert_int_eq(taken, put);
    ck_assert_uint_eq(peers.connections[0], (uint64_t)put);
    close_peers(&peers);
}
END_TEST

/* ---- the first bytes ---- */

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

CHECK_MAIN("acceptor_parts", limits_count_what_is_open,
           the_worker_with_clearly_fewest_connections_is_chosen,
           what_is_put_is_taken_once_and_counted, a_worker_that_has_shut_takes_no_more,
           nothing_is_lost_between_threads, the_first_bytes_choose_the_pool)
