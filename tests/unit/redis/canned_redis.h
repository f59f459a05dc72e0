/* Servers whose answers are written before anybody asks: hiredis connects to them instead of to the
 * network. What they were sent can be read afterwards. */
#ifndef AFORO_TESTS_UNIT_CANNED_REDIS_H
#define AFORO_TESTS_UNIT_CANNED_REDIS_H

#include "redis/wire.h"

#include "tests/unit/check_main.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CANNED_MAX 32

/* One connection to come: to whom, and all that it will answer. */
struct canned {
    char address[64];
    int ours; /* the other end; -1: nobody has connected yet */
    int theirs;
    bool taken;
};

static struct canned canned[CANNED_MAX];
static unsigned canned_n;

static inline void canned_begin(void) {
    signal(SIGPIPE, SIG_IGN);
    canned_n = 0;
}

static inline void canned_end(void) {
    for (unsigned i = 0; i < canned_n; i++) {
        close(canned[i].ours);
        if (!canned[i].taken) {
            close(canned[i].theirs);
        }
    }
}

/* The next connection to `address` gets these answers, and then, unless it `stays`, its end.
 * Returns its number. */
static inline unsigned canned_add(const char *address, const char *answers, bool stays) {
    ck_assert_uint_lt(canned_n, CANNED_MAX);
    struct canned *one = &canned[canned_n];
    int ends[2];
    snprintf(one->address, sizeof one->address, "%s", address);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    one->theirs = ends[0];
    one->ours = ends[1];
    one->taken = false;
    ck_assert_int_eq(write(one->ours, answers, strlen(answers)), (ssize_t)strlen(answers));
    if (!stays) {
        ck_assert_int_eq(shutdown(one->ours, SHUT_WR), 0);
    }
    return canned_n++;
}

/* What it was sent so far (a command whose answer is there already when it is queued may never be
 * sent), NUL-terminated, with a blank for each line end; valid until the next call. */
static inline const char *canned_sent(unsigned number) {
    static char text[65536];
    const ssize_t n = recv(canned[number].ours, text, sizeof text - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    for (char *at = text; *at; at++) {
        *at = *at == '\r' || *at == '\n' ? ' ' : *at;
    }
    return text;
}

/* In place of hiredis'. NULL, which reads as "out of memory", when nobody is to be there. */
redisContext *redisConnectWithTimeout(const char *ip, int port, const struct timeval tv) {
    char address[64];
    (void)tv;
    snprintf(address, sizeof address, "%s:%d", ip, port);
    for (unsigned i = 0; i < canned_n; i++) {
        if (!canned[i].taken && strcmp(canned[i].address, address) == 0) {
            canned[i].taken = true;
            return redisConnectFd(canned[i].theirs);
        }
    }
    return NULL;
}

int redisEnableKeepAlive(redisContext *c) {
    (void)c;
    return REDIS_OK; /* not for this kind of socket */
}

#endif
