/* A server on loopback whose answers are written before anybody asks: one a connection, in their
 * order. What it was asked can be read afterwards. */
#ifndef AFORO_TESTS_UNIT_CANNED_HTTP_H
#define AFORO_TESTS_UNIT_CANNED_HTTP_H

#include "tests/unit/check_main.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CANNED_ANSWERS_MAX 32
#define CANNED_REQUEST_MAX 2048

/* All that goes out: the head is the test's, too. */
#define CANNED_OK "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

static struct {
    int listen_fd;
    pthread_t thread;
    char place[64];                         /* its URL, without a slash at the end */
    const char *answer[CANNED_ANSWERS_MAX]; /* NULL: none, the connection stays open */
    unsigned answers, asked;
    char request[CANNED_ANSWERS_MAX][CANNED_REQUEST_MAX]; /* heads, NUL-terminated */
} canned_http;

/* Reads a head into request[CANNED_REQUEST_MAX]. */
static inline void canned_http_read(int fd, char *request) {
    size_t len = 0;
    ssize_t n;
    request[0] = '\0';
    while (!strstr(request, "\r\n\r\n") && len + 1 < CANNED_REQUEST_MAX &&
           (n = read(fd, request + len, CANNED_REQUEST_MAX - 1 - len)) > 0) {
        len += (size_t)n;
        request[len] = '\0';
    }
}

static inline void *canned_http_run(void *cls) {
    int kept[CANNED_ANSWERS_MAX], held = 0, fd;
    while (canned_http.asked < CANNED_ANSWERS_MAX &&
           (fd = accept(canned_http.listen_fd, NULL, NULL)) >= 0) {
        const unsigned number = canned_http.asked;
        canned_http_read(fd, canned_http.request[number]);
        canned_http.asked++;
        const char *answer = number < canned_http.answers ? canned_http.answer[number] : NULL;
        if (answer == NULL) {
            kept[held++] = fd;
            continue;
        }
        const ssize_t written = write(fd, answer, strlen(answer));
        (void)written; /* whoever asked may have seen enough */
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    while (held > 0)
        close(kept[--held]);
    return cls;
}

static inline void canned_http_begin(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    signal(SIGPIPE, SIG_IGN);
    memset(&canned_http, 0, sizeof canned_http);
    canned_http.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(canned_http.listen_fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(canned_http.listen_fd, CANNED_ANSWERS_MAX), 0);
    ck_assert_int_eq(getsockname(canned_http.listen_fd, (struct sockaddr *)&at, &len), 0);
    snprintf(canned_http.place, sizeof canned_http.place, "http://127.0.0.1:%d",
             ntohs(at.sin_port));
    ck_assert_int_eq(pthread_create(&canned_http.thread, NULL, canned_http_run, NULL), 0);
}

static inline void canned_http_end(void) {
    shutdown(canned_http.listen_fd, SHUT_RDWR); /* accept(2) fails then */
    pthread_join(canned_http.thread, NULL);
    close(canned_http.listen_fd);
}

/* The answer to the next connection; before it is made. The text stays the caller's,
 * and valid until canned_http_end: who asked may have seen enough before it is written. */
static inline void canned_http_add(const char *answer) {
    ck_assert_uint_lt(canned_http.answers, CANNED_ANSWERS_MAX);
    canned_http.answer[canned_http.answers++] = answer;
}

/* What was asked last; after its answer has come. */
static inline const char *canned_http_asked(void) {
    ck_assert_uint_gt(canned_http.asked, 0);
    return canned_http.request[canned_http.asked - 1];
}

#endif
