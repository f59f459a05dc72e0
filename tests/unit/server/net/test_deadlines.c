#include "server/net/deadlines.h"

#include "counters/time/window.h"
#include "server/net/farewell.h"
#include "tests/unit/check_main.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define S US_PER_S

static const struct options options = {
    .idle_timeout = 60 * S, .header_timeout = 10 * S, .body_timeout = 30 * S};

START_TEST(a_phase_begins_anew) {
    struct deadline deadline = {0};
    deadline_enter(&deadline, PHASE_HEADERS, 5 * S);
    ck_assert_int_eq(deadline.phase, PHASE_HEADERS);
    ck_assert_int_eq(deadline.since_us, 5 * S);
    ck_assert(!deadline.served);
    deadline.bytes = deadline.acked_before = 7;
    deadline_enter(&deadline, PHASE_ANSWER, 6 * S);
    ck_assert_uint_eq(deadline.bytes, 0);
    ck_assert_uint_eq(deadline.acked_before, 0);
    ck_assert(!deadline.served); /* not before the answer's end */
    deadline_enter(&deadline, PHASE_IDLE, 7 * S);
    ck_assert(deadline.served);
    deadline_enter(&deadline, PHASE_BODY, 8 * S);
    ck_assert(deadline.served); /* and from then on */
    ck_assert_int_eq(deadline.since_us, 8 * S);
}
END_TEST

START_TEST(how_long_each_phase_may_last) {
    static const struct {
        enum phase phase;
        bool served;
        uint64_t bytes;
        int64_t limit_us;
    } rows[] = {
        {PHASE_IDLE, false, 0, 10 * S},         {PHASE_IDLE, true, 0, 70 * S},
        {PHASE_HEADERS, false, 0, 10 * S},      {PHASE_HEADERS, true, 9999, 10 * S},
        {PHASE_BODY, false, 0, 30 * S},         {PHASE_BODY, false, 1023, 30 * S},
        {PHASE_BODY, true, 1024, 31 * S},       {PHASE_ANSWER, false, 2047, 31 * S},
        {PHASE_ANSWER, true, 2048, 32 * S},     {PHASE_FAREWELL, false, 9999, 2 * S},
        {PHASE_BODY, false, 1 << 20, 1054 * S},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct deadline deadline = {
            .phase = rows[i].phase, .served = rows[i].served, .bytes = rows[i].bytes};
        ck_assert_msg(deadline_limit_us(&deadline, &options) == rows[i].limit_us, "%zu", i);
    }
    ck_assert_int_eq(FAREWELL_US, 2 * S);
}
END_TEST

/* ---- sockets ---- */

/* A TCP connection to ourselves: the server's end, the client's end. */
static void open_tcp(int fds[2]) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    const int listening = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&at, sizeof at), 0);
    deadlines_set_socket(listening, &options);
    ck_assert_int_eq(listen(listening, 1), 0);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&at, &len), 0);
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fds[1], (struct sockaddr *)&at, sizeof at), 0);
    fds[0] = accept(listening, NULL, NULL);
    ck_assert_int_ge(fds[0], 0);
    close(listening);
}

static void close_tcp(const int fds[2]) {
    close(fds[0]);
    close(fds[1]);
}

/* Sends n bytes that the client's machine takes: waits until TCP knows it. */
static void send_and_take(const int fds[2], size_t n) {
    static char bytes[8192];
    struct tcp_info info;
    socklen_t size = sizeof info;
    ck_assert_int_eq(send(fds[0], bytes, n, 0), (ssize_t)n);
    ck_assert_int_eq(recv(fds[1], bytes, n, MSG_WAITALL), (ssize_t)n);
    do {
        ck_assert_int_eq(getsockopt(fds[0], IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    } while (info.tcpi_unacked > 0);
}

START_TEST(what_was_taken_counts_from_the_first_look) {
    int fds[2];
    struct deadline deadline = {0};
    open_tcp(fds);
    send_and_take(fds, 5000);
    deadline_enter(&deadline, PHASE_ANSWER, 1 * S);
    deadline_note_taken(&deadline, fds[0], 3 * S);
    ck_assert_uint_eq(deadline.bytes, 0);
    ck_assert_int_eq(deadline.since_us, 3 * S);
    send_and_take(fds, 3000);
    deadline_note_taken(&deadline, fds[0], 4 * S);
    ck_assert_uint_eq(deadline.bytes, 3000);
    ck_assert_int_eq(deadline.since_us, 3 * S);
    send_and_take(fds, 1);
    deadline_note_taken(&deadline, fds[0], 5 * S);
    ck_assert_uint_eq(deadline.bytes, 3001);
    close_tcp(fds);
}
END_TEST

START_TEST(the_first_look_may_see_nothing_taken) {
    int fds[2];
    struct deadline deadline = {0};
    open_tcp(fds);
    deadline_enter(&deadline, PHASE_ANSWER, 1 * S);
    deadline_note_taken(&deadline, fds[0], 2 * S);
    ck_assert_int_eq(deadline.since_us, 2 * S);
    deadline_note_taken(&deadline, fds[0], 3 * S); /* it has been looked at all the same */
    ck_assert_int_eq(deadline.since_us, 2 * S);
    ck_assert_uint_eq(deadline.bytes, 0);
    close_tcp(fds);
}
END_TEST

START_TEST(what_is_no_tcp_tells_nothing) {
    int fds[2];
    struct deadline deadline = {.phase = PHASE_ANSWER, .since_us = S, .bytes = 5};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    deadline_note_taken(&deadline, fds[0], 2 * S);
    ck_assert_int_eq(deadline.since_us, S);
    ck_assert_uint_eq(deadline.bytes, 5);
    ck_assert_uint_eq(deadline.acked_before, 0);
    close_tcp(fds);
}
END_TEST

/* Whether what is unsent is discarded when a connection closes that was cut in that phase. */
static bool discards(enum phase phase) {
    int fds[2];
    char byte;
    struct linger linger;
    socklen_t size = sizeof linger;
    const struct deadline deadline = {.phase = phase};
    open_tcp(fds);
    deadline_cut(&deadline, fds[0]);
    ck_assert_int_eq(recv(fds[0], &byte, 1, 0), 0); /* the library sees the end */
    ck_assert_int_eq(getsockopt(fds[0], SOL_SOCKET, SO_LINGER, &linger, &size), 0);
    ck_assert_int_eq(linger.l_linger, 0);
    close_tcp(fds);
    return linger.l_onoff != 0;
}

START_TEST(only_an_answer_is_discarded) {
    ck_assert(discards(PHASE_ANSWER));
    ck_assert(!discards(PHASE_IDLE));
    ck_assert(!discards(PHASE_BODY));
    ck_assert(!discards(PHASE_FAREWELL));
}
END_TEST

START_TEST(what_a_client_costs_the_kernel_is_bounded) {
    int fds[2], bytes = 0;
    unsigned ms = 0;
    socklen_t size = sizeof bytes;
    open_tcp(fds);
    ck_assert_int_eq(getsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, &size), 0);
    ck_assert_int_eq(bytes, 2 * 64 * 1024); /* the kernel doubles it */
    size = sizeof ms;
    ck_assert_int_eq(getsockopt(fds[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &size), 0);
    ck_assert_uint_eq(ms, 30000);
    close_tcp(fds);
}
END_TEST

CHECK_MAIN("deadlines", a_phase_begins_anew, how_long_each_phase_may_last,
           what_was_taken_counts_from_the_first_look, the_first_look_may_see_nothing_taken,
           what_is_no_tcp_tells_nothing, only_an_answer_is_discarded,
           what_a_client_costs_the_kernel_is_bounded)
