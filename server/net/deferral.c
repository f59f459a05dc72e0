#include "server/net/deferral.h"

#include "counters/time/window.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#define SECONDS 1          /* the kernel's unit */
#define STATE_SYN_RECV 0x3 /* of the kernel's table */
#define TICKS_A_S 100      /* its unit of time; the first time-out of a connection is a second */
#define LINE_MAX_BYTES 512

static void defer(int listen_fd, int seconds) {
    setsockopt(listen_fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
}

void deferral_begin(int listen_fd) {
    defer(listen_fd, SECONDS);
}

void deferral_end(int listen_fd) {
    defer(listen_fd, 0);
}

/* 0 when the socket has none. */
static unsigned find_port(int fd) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } at = {0};
    socklen_t len = sizeof at;
    if (getsockname(fd, &at.any, &len)) {
        return 0;
    }
    return ntohs(at.any.sa_family == AF_INET6 ? at.in6.sin6_port : at.in.sin_port);
}

/* Whether a line of /proc/net/tcp tells of a connection to the port that is under way, and has at
 * most left_max of its first time-out left:
 *
 *     0: 0100007F:1F90 0100007F:D431 03 00000000:00000000 01:0000005F 00000000
 *
 * (entry, local and remote address, state, queues, timer and what is left of it, repetitions) */
static bool is_under_way(const char *line, unsigned port, long left_max) {
    unsigned local_port, state, repeated;
    unsigned long left;
    return sscanf(line, " %*d: %*[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*4x %2x %*8x:%*8x %*2x:%8lx %8x",
                  &local_port, &state, &left, &repeated) == 4 &&
           local_port == port && state == STATE_SYN_RECV && (repeated || (long)left <= left_max);
}

static bool is_any_under_way(const char *path, unsigned port, long left_max) {
    char line[LINE_MAX_BYTES];
    bool found = false;
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        found = is_under_way(line, port, left_max);
    }
    if (file) {
        fclose(file);
    }
    return found;
}

bool deferral_keeps_any(int listen_fd, int64_t age_us) {
    const unsigned port = find_port(listen_fd);
    const long left_max = TICKS_A_S - (long)(age_us / (US_PER_S / TICKS_A_S));
    return port && (is_any_under_way("/proc/net/tcp", port, left_max) ||
                    is_any_under_way("/proc/net/tcp6", port, left_max));
}
