#include "server/net/deferral.h"

#include "counters/time/window.h"
#include "tests/unit/check_main.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOON_MS 5000 /* a time-out of the test */
#define SILENT_MS 10 /* far below the second of a connection that says nothing */

struct listening {
    int fd;
    struct sockaddr_in6 at;
    socklen_t len;
};

static struct listening open_listening(sa_family_t family) {
    struct listening listening = {.at.sin6_family = family, .len = sizeof listening.at};
    if (family == AF_INET6) {
        listening.at.sin6_addr = in6addr_loopback;
    } else {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        memcpy(&listening.at, &at, sizeof at);
        listening.len = sizeof at;
    }
    listening.fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (listening.fd < 0 || bind(listening.fd, (struct sockaddr *)&listening.at, listening.len)) {
        return (struct listening){.fd = -1}; /* no IPv6 here */
    }
    ck_assert_int_eq(listen(listening.fd, 8), 0);
    ck_assert_int_eq(getsockname(listening.fd, (struct sockaddr *)&listening.at, &listening.len),
                     0);
    return listening;
}

static int open_client(const struct listening *to) {
    const int fd = socket(to->at.sin6_family, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to->at, to->len), 0);
    return fd;
}

static bool comes(const struct listening *listening, int ms) {
    struct pollfd ready = {.fd = listening->fd, .events = POLLIN};
    if (poll(&ready, 1, ms) != 1) {
        return false;
    }
    const int fd = accept(listening->fd, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    return close(fd) == 0;
}

START_TEST(a_connection_comes_with_its_first_bytes) {
    static const sa_family_t families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        const struct listening listening = open_listening(families[i]);
        if (listening.fd < 0) {
            continue;
        }
        deferral_begin(listening.fd);
        ck_assert(!deferral_keeps_any(listening.fd, 0));
        const int client = open_client(&listening);
        ck_assert(!comes(&listening, SILENT_MS));
        ck_assert(deferral_keeps_any(listening.fd, 0));
        ck_assert_int_eq(send(client, "x", 1, 0), 1);
        ck_assert(comes(&listening, SOON_MS));
        ck_assert(!deferral_keeps_any(listening.fd, 0));
        close(client);
        close(listening.fd);
    }
}
END_TEST

START_TEST(one_that_says_nothing_comes_all_the_same) {
    const struct listening listening = open_listening(AF_INET);
    deferral_begin(listening.fd);
    const int client = open_client(&listening);
    ck_assert(comes(&listening, SOON_MS));
    close(client);
    close(listening.fd);
}
END_TEST

START_TEST(after_its_end_all_come_at_once) {
    const struct listening listening = open_listening(AF_INET), other = open_listening(AF_INET);
    deferral_begin(listening.fd);
    const int kept = open_client(&listening);
    deferral_end(listening.fd);
    const int client = open_client(&listening);
    ck_assert(comes(&listening, SOON_MS));
    ck_assert(deferral_keeps_any(listening.fd, 0));
    ck_assert(!deferral_keeps_any(other.fd, 0)); /* another port */
    ck_assert_int_eq(send(kept, "x", 1, 0), 1);
    ck_assert(comes(&listening, SOON_MS));
    close(kept);
    close(client);
    close(listening.fd);
    close(other.fd);
}
END_TEST

START_TEST(only_those_that_are_old_enough_are_looked_for) {
    const struct timespec some = {.tv_nsec = 200 * 1000 * 1000};
    const struct listening listening = open_listening(AF_INET);
    deferral_begin(listening.fd);
    const int client = open_client(&listening);
    nanosleep(&some, NULL);
    ck_assert(deferral_keeps_any(listening.fd, 100 * US_PER_MS));
    ck_assert(!deferral_keeps_any(listening.fd, 60 * US_PER_S));
    close(client);
    close(listening.fd);
}
END_TEST

START_TEST(what_is_no_socket_keeps_none) {
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    deferral_begin(fds[0]);
    deferral_end(fds[0]);
    ck_assert(!deferral_keeps_any(fds[0], 0));
    ck_assert(!deferral_keeps_any(-1, 0));
    close(fds[0]);
    close(fds[1]);
}
END_TEST

CHECK_MAIN("deferral", a_connection_comes_with_its_first_bytes,
           one_that_says_nothing_comes_all_the_same, after_its_end_all_come_at_once,
           only_those_that_are_old_enough_are_looked_for, what_is_no_socket_keeps_none)
