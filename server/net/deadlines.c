#include "server/net/deadlines.h"

#include "counters/time/window.h"
#include "server/net/farewell.h"

#include <linux/tcp.h> /* struct tcp_info with tcpi_bytes_acked, which netinet/tcp.h lacks */
#include <netinet/in.h>
#include <sys/socket.h>

#define BYTES_PER_S 1024 /* the slowest rate allowed: each KiB moved adds a second */
/* The kernel uses twice as much. By default, it buffers up to 4 MiB per connection of answers that
 * are not read: 5,000 such connections exceed its memory for all TCP of the machine. */
#define SEND_BUFFER_BYTES (64 * 1024)

void deadline_enter(struct deadline *deadline, enum phase phase, int64_t now_us) {
    deadline->served = deadline->served || deadline->phase == PHASE_ANSWER;
    deadline->phase = phase;
    deadline->since_us = now_us;
    deadline->bytes = deadline->acked_before = 0;
}

int64_t deadline_limit_us(const struct deadline *deadline, const struct options *options) {
    switch (deadline->phase) {
    case PHASE_IDLE: /* the longer one, for a request line sent in small pieces */
        return options->header_timeout + (deadline->served ? options->idle_timeout : 0);
    case PHASE_HEADERS:
        return options->header_timeout;
    case PHASE_FAREWELL:
        return FAREWELL_US;
    default:
        return options->body_timeout + (int64_t)(deadline->bytes / BYTES_PER_S) * US_PER_S;
    }
}

static bool ask_tcp(int fd, struct tcp_info *info) {
    socklen_t size = sizeof *info;
    *info = (struct tcp_info){0};
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) == 0;
}

bool deadline_is_silent(int fd, int64_t silent_us) {
    struct tcp_info info;
    return !ask_tcp(fd, &info) || info.tcpi_last_data_recv * US_PER_MS >= silent_us;
}

void deadline_note_taken(struct deadline *deadline, int fd, int64_t now_us) {
    struct tcp_info info;
    if (ask_tcp(fd, &info)) {
        const uint64_t acked = info.tcpi_bytes_acked + 1; /* 0 means: not asked yet */
        if (!deadline->acked_before) {
            deadline->acked_before = acked;
            /* What the client took before is unknown, so its time counts from now. */
            deadline->since_us = now_us;
        }
        deadline->bytes = acked - deadline->acked_before;
    }
}

void deadline_cut(const struct deadline *deadline, int fd) {
    if (deadline->phase == PHASE_ANSWER) {
        const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    shutdown(fd, SHUT_RDWR);
}

void deadlines_set_socket(int listen_fd, const struct options *options) {
    const int bytes = SEND_BUFFER_BYTES;
    const unsigned ms = (unsigned)(options->body_timeout / US_PER_MS);
    setsockopt(listen_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    /* a socket that we have closed may still hold an answer */
    setsockopt(listen_fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}
