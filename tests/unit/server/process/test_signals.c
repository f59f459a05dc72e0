/* What main does with each signal while it waits, and that the watchdog hears of signs of life. */
#include "server/process/clock.h"
#include "server/process/signals.h"
#include "tests/unit/check_main.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND_US 1000000

static int reloads;
static int64_t alive_us;

static void reload(void *cls) {
    ck_assert_ptr_eq(cls, &reloads);
    reloads++;
    raise(SIGTERM);
}

static int64_t find_alive_us(void *cls) {
    ck_assert_ptr_eq(cls, &reloads);
    return alive_us;
}

static int tidied;

static void tidy(void *cls) {
    ck_assert_ptr_eq(cls, &reloads);
    tidied++;
}

static const struct signals_duties duties = {reload, tidy, 60 * SECOND_US, find_alive_us, &reloads};

START_TEST(it_returns_what_asks_for_the_end) {
    signals_hold();
    raise(SIGTERM);
    ck_assert_int_eq(signals_wait(INT64_MAX, &duties), SIGTERM);
    raise(SIGINT);
    ck_assert_int_eq(signals_wait(INT64_MAX, &duties), SIGINT);
    ck_assert_int_eq(reloads, 0);
}
END_TEST

START_TEST(a_hangup_reloads_and_the_wait_goes_on) {
    signals_hold();
    raise(SIGHUP);
    ck_assert_int_eq(signals_wait(INT64_MAX, &duties), SIGTERM); /* which reload raised */
    ck_assert_int_eq(reloads, 1);
}
END_TEST

START_TEST(it_returns_when_the_time_is_over) {
    signals_hold();
    const int64_t until_us = clock_steady_us() + 50000;
    ck_assert_int_eq(signals_wait(until_us, &duties), 0);
    ck_assert_int_ge(clock_steady_us(), until_us);
    ck_assert_int_eq(signals_wait(until_us, &duties), 0); /* is over already */
}
END_TEST

START_TEST(it_tidies_meanwhile) {
    struct signals_duties often = duties;
    often.tidy_us = 10000;
    signals_wait(clock_steady_us() + 200000, &duties);
    ck_assert_int_eq(tidied, 0);
    signals_wait(clock_steady_us() + 200000, &often);
    ck_assert_int_ge(tidied, 1);
    ck_assert_int_le(tidied, 20);
}
END_TEST

START_TEST(calls_fail_instead_of_ending_it) {
    int ends[2];
    signals_hold();
    ck_assert_int_eq(pipe(ends), 0);
    close(ends[0]);
    ck_assert_int_eq(write(ends[1], "x", 1), -1); /* SIGPIPE would have ended it */
    raise(SIGXFSZ);
}
END_TEST

/* How a child ends that is sent the signal after it has released them. */
static int end_of_child(int signal) {
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        signals_hold();
        signals_release();
        raise(signal);
        _exit(7);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

START_TEST(once_released_they_end_it_at_once) {
    ck_assert_int_eq(end_of_child(SIGTERM), SIGTERM);
    ck_assert_int_eq(end_of_child(SIGINT), SIGINT);
    ck_assert_int_eq(end_of_child(SIGHUP), -7); /* but for this one */
}
END_TEST

/* The datagrams that came while main waited for that long. */
static int count_watchdog_messages(int64_t wait_us) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char message[64];
    int messages = 0;
    snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "aforo-signals-%d", (int)getpid());
    const socklen_t len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(at.sun_path + 1));
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0);
    at.sun_path[0] = '@';
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
    setenv("WATCHDOG_USEC", "40000", 1);
    signals_hold();
    signals_pause(clock_steady_us() + wait_us, &duties);
    for (ssize_t n; (n = recv(fd, message, sizeof message, 0)) > 0; messages++) {
        ck_assert_msg(n == 10 && memcmp(message, "WATCHDOG=1", 10) == 0, "%.*s", (int)n, message);
    }
    close(fd);
    return messages;
}

START_TEST(the_watchdog_hears_of_signs_of_life) {
    alive_us = clock_steady_us() + INT64_C(3600) * SECOND_US;
    const int messages =
        count_watchdog_messages(200000); /* every 20 ms, where the machine is idle */
    ck_assert_int_ge(messages, 1);
    ck_assert_int_le(messages, 10);
}
END_TEST

START_TEST(the_watchdog_hears_nothing_without_them) {
    alive_us = clock_steady_us() - SECOND_US;
    ck_assert_int_eq(count_watchdog_messages(100000), 0);
}
END_TEST

CHECK_MAIN("signals", it_returns_what_asks_for_the_end, a_hangup_reloads_and_the_wait_goes_on,
           it_returns_when_the_time_is_over, it_tidies_meanwhile, calls_fail_instead_of_ending_it,
           once_released_they_end_it_at_once, the_watchdog_hears_of_signs_of_life,
           the_watchdog_hears_nothing_without_them)
