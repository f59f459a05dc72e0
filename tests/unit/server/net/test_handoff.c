#include "server/net/handoff.h"

#include "tests/unit/check_main.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

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

/* A worker's wait: what has been told is not told again until there is more. */
static int open_wait(int fd) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    const int epoll_fd = epoll_create1(0);
    ck_assert_int_eq(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), 0);
    return epoll_fd;
}

static bool is_woken(int epoll_fd) {
    struct epoll_event event;
    return epoll_wait(epoll_fd, &event, 1, 0) == 1;
}

START_TEST(what_is_put_is_taken_once_and_counted) {
    struct peers peers;
    open_peers(&peers);
    struct handoff *to = &peers.handoff[1];
    struct pending pending[2] = {{.fd = 10}, {.fd = 11}};
    const int wait_fd = open_wait(to->event_fd);
    ck_assert(!is_woken(wait_fd) && !handoff_waits(to));
    ck_assert_ptr_null(handoff_take(to));
    ck_assert(handoff_put(to, &pending[0]) && handoff_put(to, &pending[1]));
    ck_assert_uint_eq(peers.connections[1], 2);
    ck_assert_uint_eq(peers.connections[0], 0);
    ck_assert(is_woken(wait_fd) && handoff_waits(to));
    const struct pending *first = handoff_take(to);
    ck_assert(!is_woken(wait_fd) && !handoff_waits(to));
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(first->next_handed);
    ck_assert_int_eq(first->fd + first->next_handed->fd, 21);
    ck_assert_ptr_null(first->next_handed->next_handed);
    ck_assert_ptr_null(handoff_take(to));
    close(wait_fd);
    close_peers(&peers);
}
END_TEST

/* Only what is put into an empty inbox wakes the worker up, and each time that it is empty. */
START_TEST(a_worker_is_woken_once_for_what_it_takes_together) {
    struct peers peers;
    open_peers(&peers);
    struct handoff *to = &peers.handoff[1];
    struct pending pending[3] = {{.fd = 10}, {.fd = 11}, {.fd = 12}};
    const int wait_fd = open_wait(to->event_fd);
    for (int i = 0; i < 2; i++) {
        ck_assert(handoff_put(to, &pending[0]));
        ck_assert(is_woken(wait_fd));
        ck_assert(handoff_put(to, &pending[1]) && handoff_put(to, &pending[2]));
        ck_assert(!is_woken(wait_fd));
        ck_assert_ptr_eq(handoff_take(to), &pending[2]);
    }
    close(wait_fd);
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
    ck_assert(!handoff_waits(to));
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

START_TEST(without_a_descriptor_there_is_no_inbox) {
    struct rlimit before;
    _Atomic uint64_t connections = 0;
    struct handoff handoff;
    memset(&handoff, 0xff, sizeof handoff);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {0, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    const bool opened = handoff_open(&handoff, &connections);
    const int error = errno;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert(!opened);
    ck_assert_int_eq(error, EMFILE);
    handoff_close(&handoff);
    ck_assert_int_eq(handoff.event_fd, -1);
}
END_TEST

START_TEST(its_descriptor_is_no_one_elses) {
    _Atomic uint64_t connections = 0;
    struct handoff handoff;
    memset(&handoff, 0xff, sizeof handoff);
    ck_assert(handoff_open(&handoff, &connections));
    ck_assert_ptr_eq(handoff.connections, &connections);
    ck_assert_int_eq(fcntl(handoff.event_fd, F_GETFD), FD_CLOEXEC);
    ck_assert_ptr_null(handoff_take(&handoff)); /* it does not block */
    const int fd = handoff.event_fd;
    handoff_close(&handoff);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    handoff_close(&handoff);
}
END_TEST

START_TEST(descriptor_zero_is_one_like_others) {
    _Atomic uint64_t connections = 0;
    struct handoff handoff;
    const int before = dup(STDIN_FILENO);
    close(STDIN_FILENO);
    ck_assert(handoff_open(&handoff, &connections));
    ck_assert_int_eq(handoff.event_fd, 0);
    handoff_close(&handoff);
    ck_assert_int_eq(handoff.event_fd, -1);
    ck_assert_int_eq(fcntl(0, F_GETFD), -1);
    dup2(before, STDIN_FILENO);
    close(before);
}
END_TEST

START_TEST(what_was_put_before_it_shut_is_not_lost) {
    struct peers peers;
    open_peers(&peers);
    struct handoff *to = &peers.handoff[0];
    struct pending pending[2] = {{.fd = 10}, {.fd = 11}};
    ck_assert(handoff_put(to, &pending[0]) && handoff_put(to, &pending[1]));
    ck_assert_ptr_eq(handoff_shut(to), &pending[1]);
    ck_assert_ptr_eq(pending[1].next_handed, &pending[0]);
    ck_assert_ptr_null(pending[0].next_handed);
    close_peers(&peers);
}
END_TEST

CHECK_MAIN("handoff", the_worker_with_clearly_fewest_connections_is_chosen,
           what_is_put_is_taken_once_and_counted, a_worker_is_woken_once_for_what_it_takes_together,
           a_worker_that_has_shut_takes_no_more, nothing_is_lost_between_threads,
           without_a_descriptor_there_is_no_inbox, its_descriptor_is_no_one_elses,
           what_was_put_before_it_shut_is_not_lost, descriptor_zero_is_one_like_others)
