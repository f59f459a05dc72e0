/* systemd's protocol: to whom a message goes, and whom the watchdog is for. */
#include "server/process/notify.h"
#include "tests/unit/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

START_TEST(a_message_is_a_datagram) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char message[32];
    snprintf(at.sun_path, sizeof at.sun_path, "/tmp/aforo-notify-%d", (int)getpid());
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
    notify_send("READY=1");
    const ssize_t n = recv(fd, message, sizeof message, 0);
    unlink(at.sun_path);
    ck_assert_int_eq(n, 7);
    ck_assert_int_eq(memcmp(message, "READY=1", 7), 0);
    close(fd);
}
END_TEST

START_TEST(without_a_socket_nothing_happens) {
    static char longer[4 * sizeof(struct sockaddr_un)];
    memset(longer, '/', sizeof longer - 1);
    const char *const names[] = {"relative", "", "/nonexistent/socket", longer};
    unsetenv("NOTIFY_SOCKET");
    notify_send("READY=1");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify_send("READY=1");
    }
}
END_TEST

START_TEST(the_watchdog_is_for_this_process) {
    char pid[16];
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    ck_assert_int_eq(notify_watchdog_us(), 0);
    setenv("WATCHDOG_USEC", "10000000", 1);
    ck_assert_int_eq(notify_watchdog_us(), 10000000);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    ck_assert_int_eq(notify_watchdog_us(), 10000000);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_int_eq(notify_watchdog_us(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "-5", 1);
    ck_assert_int_eq(notify_watchdog_us(), 0);
}
END_TEST

CHECK_MAIN("notify", a_message_is_a_datagram, without_a_socket_nothing_happens,
           the_watchdog_is_for_this_process)
