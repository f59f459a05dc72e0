/* The floor under every server of the bench: one thread, one epoll loop, nothing done for what is
 * received.
 *
 *   floor PORT        answers each recv with the fixed bytes of a 204, never looks at the request
 *   floor PORT batch  receives and discards each body, answers when Content-Length bytes came
 *
 * It says "listening" on standard output when it can be connected to. What is faster than this is
 * measured wrongly. */
#define _GNU_SOURCE /* accept4, memmem */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 128
#define FILES_MAX 65536
#define READ_BYTES (64 * 1024)

static const char counted[] = "HTTP/1.1 204 No Content\r\n\r\n";
static const char received[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

static char buffer[READ_BYTES];
static size_t body_left[FILES_MAX]; /* by descriptor, batch only: bytes of the body still to come */

static void die(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int listen_on(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) {
        die("cannot listen");
    }
    return fd;
}

static void accept_all(int epoll_fd, int listen_fd) {
    for (int fd; (fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= FILES_MAX || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
            die("cannot take a connection");
        }
        body_left[fd] = 0;
    }
}

/* The answer is due when this returns true. */
static bool batch_complete(int fd, size_t len) {
    if (body_left[fd] == 0) { /* the bench sends a head in one piece */
        const char *end = memmem(buffer, len, "\r\n\r\n", 4);
        const char *length = memmem(buffer, len, "Content-Length: ", 16);
        if (!end || !length || length > end) {
            die("a head came in pieces, or without its length");
        }
        body_left[fd] = strtoul(length + 16, NULL, 10);
        len -= (size_t)(end + 4 - buffer);
    }
    body_left[fd] -= len < body_left[fd] ? len : body_left[fd];
    return body_left[fd] == 0;
}

static void handle(int fd, bool batch) {
    const ssize_t len = recv(fd, buffer, sizeof buffer, 0);
    if (len <= 0) {
        if (len == 0 || errno != EAGAIN) {
            close(fd);
        }
    } else if (!batch) {
        send(fd, counted, sizeof counted - 1, MSG_NOSIGNAL);
    } else if (batch_complete(fd, (size_t)len)) {
        send(fd, received, sizeof received - 1, MSG_NOSIGNAL);
    }
}

int main(int argc, char **argv) {
    const int port = argc > 1 ? atoi(argv[1]) : 0;
    const bool batch = argc == 3 && strcmp(argv[2], "batch") == 0;
    if (port < 1 || port > 65535 || argc > 3 || (argc == 3 && !batch)) {
        fprintf(stderr, "usage: floor PORT [batch]\n");
        return 2;
    }
    const int listen_fd = listen_on(port);
    const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS_MAX] = {{.events = EPOLLIN, .data.fd = listen_fd}};
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, events)) {
        die("cannot wait");
    }
    puts("listening");
    fflush(stdout);
    for (;;) {
        const int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listen_fd) {
                accept_all(epoll_fd, listen_fd);
            } else {
                handle(events[i].data.fd, batch);
            }
        }
    }
}
