#define _GNU_SOURCE
#include "tests/faults/load/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RETRY_US 3000

static void watch(struct connection *c, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll_fd, operation, c->fd, &event)) {
        die("epoll_ctl");
    }
}

static void lose(struct connection *c) {
    tally.lost += c->state == WAITING;
    tally.connects_failed += c->state == CONNECTING;
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->fd = -1;
    c->state = CLOSED;
    c->since_us = clock_us(CLOCK_MONOTONIC) + RETRY_US + random_below(RETRY_US);
}

void open_again(struct connection *c) {
    const int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        die("socket");
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->state = CONNECTING;
    if (connect(c->fd, (const struct sockaddr *)&options.to, sizeof options.to) &&
        errno != EINPROGRESS) {
        lose(c);
        return;
    }
    watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void push(struct connection *c) {
    while (c->out_done < c->out_len) {
        const ssize_t n = send(c->fd, c->out + c->out_done, c->out_len - c->out_done, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return;
        }
        if (n < 0) {
            lose(c);
            return;
        }
        c->out_done += (size_t)n;
    }
}

void send_request(struct connection *c) {
    make_request(c);
    c->state = WAITING;
    c->since_us = clock_us(CLOCK_MONOTONIC);
    push(c);
}

/* ---- answers ---- */

/* Of a batch the first ten refused lines are named; when there are more, nobody can say which:
 * "unsure". */
static void take_batch(struct connection *c, const char *body) {
    static bool refused[LINES_MAX];
    const char *at = strstr(body, "\"rejected\":");
    const unsigned long rejected = at ? strtoul(at + 11, NULL, 10) : LINES_MAX;
    if (rejected > 10) {
        tally.unsure += c->windows;
        return;
    }
    memset(refused, 0, sizeof refused);
    for (at = strstr(body, "\"line\":"); at; at = strstr(at + 1, "\"line\":")) {
        const unsigned long line = strtoul(at + 7, NULL, 10);
        if (line >= 1 && line <= c->windows) {
            refused[line - 1] = true;
        }
    }
    for (uint32_t i = 0; i < c->windows; i++) {
        ledger_take(c->window[i], !refused[i]);
    }
}

static void take_answer(struct connection *c, const char *body) {
    const int status = atoi(c->in + 9);
    phase_note((uint64_t)(clock_us(CLOCK_MONOTONIC) - c->since_us));
    c->state = IDLE;
    if (status == 204 || (status == 422 && !c->batch)) {
        ledger_take(c->window[0], status == 204);
    } else if (status == 200 && c->batch) {
        take_batch(c, body);
    } else {
        tally.other++;
        tally.unsure += c->windows;
    }
    if (strcasestr(c->in, "\r\nConnection: close")) {
        lose(c);
    }
}

static void receive(struct connection *c) {
    const ssize_t n = recv(c->fd, c->in + c->in_len, ANSWER_MAX - c->in_len, 0);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0 || c->state != WAITING) { /* closed, or bytes that nobody asked for */
        lose(c);
        return;
    }
    c->in_len += (size_t)n;
    c->in[c->in_len] = '\0';
    char *body = strstr(c->in, "\r\n\r\n");
    if (!body) {
        return;
    }
    const char *length = strcasestr(c->in, "\r\nContent-Length:");
    const size_t head = (size_t)(body - c->in) + 4;
    if (c->in_len >= head + (length && length < body ? strtoul(length + 17, NULL, 10) : 0)) {
        take_answer(c, body + 4);
    }
}

void handle(struct connection *c, uint32_t events) {
    if (c->state == CONNECTING && events & (EPOLLERR | EPOLLHUP)) {
        lose(c);
        return;
    }
    if (c->state == CONNECTING && events & EPOLLOUT) {
        tally.connects++;
        c->state = IDLE;
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
    } else if (c->state == WAITING && events & EPOLLOUT) {
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
        push(c);
    }
    if (c->state != CLOSED && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        receive(c);
    }
}
