#include "server/net/deferral.h"

#include "counters/time/window.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECONDS 1 /* the kernel's unit; the first time-out of a connection is also a second */

/* What the kernel tells about connections under way. */
enum told { TOLD_NOTHING, TOLD_NONE, TOLD_SOME };

static void defer(int listen_fd, int seconds) {
    setsockopt(listen_fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
}

/* The port in network byte order; 0 when the socket has none. */
static in_port_t find_port(int fd) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } at = {0};
    socklen_t len = sizeof at;
    if (getsockname(fd, &at.any, &len)) {
        return 0;
    }
    return at.any.sa_family == AF_INET6 ? at.in6.sin6_port : at.in.sin_port;
}

static bool ask(int diag_fd, int family, in_port_t port) {
    const struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 request;
    } message = {.head = {.nlmsg_len = sizeof message,
                          .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                          .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
                 .request = {.sdiag_family = (uint8_t)family,
                             .sdiag_protocol = IPPROTO_TCP,
                             .idiag_states = 1U << TCP_SYN_RECV,
                             .id.idiag_sport = port}};
    return send(diag_fd, &message, sizeof message, 0) == (ssize_t)sizeof message;
}

/* Whether at most left_ms of the connection's first time-out are left, or it is over. */
static bool is_old(const struct inet_diag_msg *found, int64_t left_ms) {
    return found->idiag_retrans || (int64_t)found->idiag_expires <= left_ms;
}

static enum told read_answer(int diag_fd, int64_t left_ms) {
    _Alignas(struct nlmsghdr) char room[16384];
    enum told told = TOLD_NONE;
    for (;;) {
        const ssize_t n = recv(diag_fd, room, sizeof room, 0);
        if (n <= 0) {
            return TOLD_NOTHING;
        }
        size_t left = (size_t)n;
        for (const struct nlmsghdr *head = (const void *)room; NLMSG_OK(head, left);
             head = NLMSG_NEXT(head, left)) {
            if (head->nlmsg_type == NLMSG_DONE) {
                return told;
            }
            if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY) {
                return TOLD_NOTHING;
            }
            told = is_old(NLMSG_DATA(head), left_ms) ? TOLD_SOME : told;
        }
    }
}

static enum told look(int listen_fd, int64_t age_us) {
    const int64_t left_ms = (SECONDS * US_PER_S - age_us) / US_PER_MS;
    const in_port_t port = find_port(listen_fd);
    const int diag_fd = port ? socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG) : -1;
    if (diag_fd < 0) {
        return TOLD_NOTHING;
    }
    enum told told = ask(diag_fd, AF_INET, port) ? read_answer(diag_fd, left_ms) : TOLD_NOTHING;
    if (told == TOLD_NONE) {
        told = ask(diag_fd, AF_INET6, port) ? read_answer(diag_fd, left_ms) : TOLD_NOTHING;
    }
    close(diag_fd);
    return told;
}

void deferral_begin(int listen_fd) {
    if (look(listen_fd, 0) != TOLD_NOTHING) {
        defer(listen_fd, SECONDS);
    }
}

void deferral_end(int listen_fd) {
    defer(listen_fd, 0);
}

bool deferral_keeps_any(int listen_fd, int64_t age_us) {
    return look(listen_fd, age_us) == TOLD_SOME;
}
