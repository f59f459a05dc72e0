#include "server/net/listen.h"

#include "server/net/deadlines.h"
#include "server/net/farewell.h"
#include "tests/unit/check_main.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(which_texts_are_addresses) {
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {"127.0.0.1:8080", true},
        {"[::1]:8080", true},
        {":8080", true},
        {"localhost:0", true},
        {"[::]:65535", true},
        {"a:65536", false},
        {"8080", false},
        {"::1:8080", false},
        {"a:", false},
        {"a:8o8o", false},
        {"a:-1", false},
        {"a:000001", false},
        {"", false},
        {":", false},
        {"[::1]", false},
        {"a: 1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char why[LISTEN_WHY_MAX] = "";
        ck_assert_msg(listen_is_valid(rows[i].text, why) == rows[i].valid, "%s", rows[i].text);
        ck_assert_msg(rows[i].valid || strstr(why, "is not ADDR:PORT"), "%s", why);
    }
}
END_TEST

START_TEST(a_free_port_and_one_that_is_taken) {
    char address[LISTEN_ADDRESS_MAX], again[LISTEN_ADDRESS_MAX], why[LISTEN_WHY_MAX];
    const int fd = listen_open("127.0.0.1:0", address, why);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(strncmp(address, "127.0.0.1:", 10), 0);
    ck_assert_int_gt(atoi(address + 10), 0);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert_int_eq(listen_open(address, again, why), -1);
    ck_assert_ptr_nonnull(strstr(why, "another program has this port"));
    ck_assert_int_eq(listen_open("nonsense", again, why), -1);
    close(fd);
}
END_TEST

#define INHERITED 3

/* Whether `fd`, passed by a service manager (-1: nothing is open), is inherited, or said to be
 * wrong by a sentence with `wanted` in it. */
static bool inherits(int fd, const char *fds, const char *wanted) {
    char pid[32], address[LISTEN_ADDRESS_MAX], why[LISTEN_WHY_MAX] = "";
    int got = -1;
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", fds, 1);
    close(INHERITED);
    if (fd >= 0 && dup2(fd, INHERITED) != INHERITED) {
        return false;
    }
    const enum listen_inherited inherited = listen_inherit(&got, address, why);
    if (getenv("LISTEN_PID") || getenv("LISTEN_FDS")) {
        return false;
    }
    return wanted ? inherited == LISTEN_UNUSABLE && strstr(why, wanted)
                  : inherited == LISTEN_INHERITED && got == INHERITED &&
                        (fcntl(got, F_GETFL) & O_NONBLOCK) && (fcntl(got, F_GETFD) & FD_CLOEXEC);
}

/* The first row that is wrong, counted from 1; 0: none. */
static int find_wrong_row(void) {
    char why[LISTEN_WHY_MAX], address[LISTEN_ADDRESS_MAX];
    const int stream = fcntl(socket(AF_INET, SOCK_STREAM, 0), F_DUPFD, 50);
    const int listening = fcntl(socket(AF_INET, SOCK_STREAM, 0), F_DUPFD, 50);
    const int datagram = fcntl(socket(AF_INET, SOCK_DGRAM, 0), F_DUPFD, 50);
    const int local = fcntl(socket(AF_UNIX, SOCK_STREAM, 0), F_DUPFD, 50);
    const int file = fcntl(open("/dev/null", O_RDONLY), F_DUPFD, 50);
    const struct {
        int fd;
        const char *fds, *why; /* NULL: inherited */
    } rows[] = {{-1, "1", "is not open"},
                {file, "1", "is not an IPv4 or IPv6 socket"},
                {local, "1", "is not an IPv4 or IPv6 socket"},
                {datagram, "1", "is not a stream socket"},
                {stream, "1", "does not listen"},
                {listening, "2", "start aforod with one listening socket"},
                {listening, "0", "start aforod with one listening socket"},
                {listening, "1", NULL}};
    int none = -1;
    unsetenv("LISTEN_PID");
    if (listen_inherit(&none, address, why) != LISTEN_NOT_INHERITED || listen(listening, 1)) {
        return 100;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!inherits(rows[i].fd, rows[i].fds, rows[i].why)) {
            return (int)i + 1;
        }
    }
    return 0;
}

/* In a process of its own: the number that is inherited is that of check's own pipe here. */
START_TEST(what_can_be_inherited) {
    const pid_t child = fork();
    if (child == 0) {
        _exit(find_wrong_row());
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "row %d", WEXITSTATUS(status));
}
END_TEST

/* ---- deadlines ---- */

#define S INT64_C(1000000)

START_TEST(how_long_a_phase_may_last) {
    const struct options options = {
        .header_timeout = 10 * S, .body_timeout = 30 * S, .idle_timeout = 60 * S};
    struct deadline deadline = {0};
    deadline_enter(&deadline, PHASE_IDLE, 5);
    ck_assert_int_eq(deadline.since_us, 5);
    ck_assert_int_eq(deadline_limit_us(&deadline, &options), 10 * S);
    deadline_enter(&deadline, PHASE_HEADERS, 6);
    ck_assert_int_eq(deadline_limit_us(&deadline, &options), 10 * S);
    deadline_enter(&deadline, PHASE_BODY, 7);
    ck_assert_int_eq(deadline_limit_us(&deadline, &options), 30 * S);
    deadline.bytes = 1023;
    ck_assert_int_eq(deadline_limit_us(&deadline, &options), 30 * S);
    deadline.bytes = 10 * 1024;
    ck_assert_int_eq(deadline_limit_us(&deadline, &options), 40 * S);
    deadline_enter(&deadline, PHASE_ANSWER, 8);
    ck_assert_uint_eq(deadline.bytes, 0);
    ck_assert(!deadline.served);
    ck_assert_int_eq(deadline_limit_us(&deadline, &options), 30 * S);
    deadline_enter(&deadline, PHASE_IDLE, 9); /* kept alive: it may be idle */
    ck_assert(deadline.served);
    ck_assert_int_eq(deadline_limit_us(&deadline, &options), 10 * S + 60 * S);
    deadline_enter(&deadline, PHASE_FAREWELL, 9);
    ck_assert_int_eq(deadline_limit_us(&deadline, &options), FAREWELL_US);
}
END_TEST

START_TEST(what_was_taken_of_an_answer) {
    char address[LISTEN_ADDRESS_MAX], why[LISTEN_WHY_MAX], bytes[1000] = {0};
    const int listener = listen_open("127.0.0.1:0", address, why);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((in_port_t)atoi(address + 10))};
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    const int fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    struct deadline deadline = {0};
    deadline_enter(&deadline, PHASE_ANSWER, 1);
    deadline_note_taken(&deadline, fd, 7);
    ck_assert_int_eq(deadline.since_us, 7); /* the time runs from the first look */
    ck_assert_uint_eq(deadline.bytes, 0);
    ck_assert_int_eq(send(fd, bytes, sizeof bytes, 0), sizeof bytes);
    ck_assert_int_eq(recv(client, bytes, sizeof bytes, MSG_WAITALL), sizeof bytes);
    for (int i = 0; i < 1000 && deadline.bytes < sizeof bytes; i++) {
        deadline_note_taken(&deadline, fd, 9);
        usleep(1000);
    }
    ck_assert_uint_eq(deadline.bytes, sizeof bytes);
    ck_assert_int_eq(deadline.since_us, 7);
    deadline_cut(&deadline, fd);
    ck_assert_int_le(recv(client, bytes, sizeof bytes, 0), 0);
    close(fd);
    close(client);
    close(listener);
}
END_TEST

CHECK_MAIN("listen", which_texts_are_addresses, a_free_port_and_one_that_is_taken,
           what_can_be_inherited, how_long_a_phase_may_last, what_was_taken_of_an_answer)
