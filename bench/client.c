#define _GNU_SOURCE
#include "bench/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define STAMP_BYTES 26 /* 2016-05-28 11:11:11.123456 */
#define FIELDS "&flight=AA00&client=100&seconds=100"
#define FIELDS_BYTES (sizeof FIELDS - 1)
#define SOURCES 8

static struct sockaddr_in server;
static bool is_loopback;
static char request[CLIENT_REQUEST_MAX];
static size_t request_len, stamp_at;
static bool has_fields;
static time_t stamped_s = -1;

void client_die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

int64_t client_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

bool client_begin(const char *target, bool with_fields) {
    char address[INET_ADDRSTRLEN] = "127.0.0.1";
    const char *colon = strchr(target, ':');
    if (colon && (size_t)(colon - target) < sizeof address) {
        snprintf(address, sizeof address, "%.*s", (int)(colon - target), target);
    }
    const int port = atoi(colon ? colon + 1 : target);
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (port < 1 || port > UINT16_MAX || inet_pton(AF_INET, address, &server.sin_addr) != 1) {
        return false;
    }
    is_loopback = ntohl(server.sin_addr.s_addr) == INADDR_LOOPBACK;
    has_fields = with_fields;
    const size_t body_len = 6 + STAMP_BYTES + (with_fields ? FIELDS_BYTES : 0);
    request_len =
        (size_t)snprintf(request, sizeof request,
                         "POST / HTTP/1.1\r\nHost: %s:%d\r\nUser-Agent: tsung\r\n"
                         "Content-Type: application/x-www-form-urlencoded\r\n"
                         "Content-Length: %zu\r\n\r\nvalue=%*s%s",
                         address, port, body_len, STAMP_BYTES, "", with_fields ? FIELDS : "");
    stamp_at = request_len - body_len + 6;
    return true;
}

/* 20 flights and 20 clients, each with each. */
static void set_fields(void) {
    static unsigned turn;
    char *text = request + stamp_at + STAMP_BYTES, *flight = strchr(text, 'A') + 2,
         *client = strchr(flight, '=') + 1;
    const unsigned key = turn++ % 400;
    flight[0] = (char)('0' + key / 20 / 10);
    flight[1] = (char)('0' + key / 20 % 10);
    client[1] = (char)('0' + key % 20 / 10);
    client[2] = (char)('0' + key % 20 % 10);
}

/* Day and second are written once a second, the microseconds every time. */
static void stamp(void) {
    struct timespec now;
    char *text = request + stamp_at;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != stamped_s) {
        char second[STAMP_BYTES];
        struct tm tm;
        stamped_s = now.tv_sec;
        memcpy(text, second,
               strftime(second, sizeof second, "%Y-%m-%d %H:%M:%S.", gmtime_r(&now.tv_sec, &tm)));
    }
    long us = now.tv_nsec / 1000;
    for (int i = STAMP_BYTES - 1; i >= STAMP_BYTES - 6; i--, us /= 10) {
        text[i] = (char)('0' + us % 10);
    }
}

int client_connect(void) {
    static uint32_t turn;
    const int on = 1;
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(is_loopback ? INADDR_LOOPBACK + turn++ % SOURCES : INADDR_ANY);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) ||
        bind(fd, (struct sockaddr *)&source, sizeof source) ||
        (connect(fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS)) {
        client_die("cannot connect");
    }
    return fd;
}

bool client_send(int fd) {
    stamp();
    if (has_fields) {
        set_fields();
    }
    return send(fd, request, request_len, MSG_NOSIGNAL) == (ssize_t)request_len;
}

enum client_answer client_receive(int fd) {
    static const char counted[] = "HTTP/1.1 204 ";
    char answer[1024];
    const ssize_t n = recv(fd, answer, sizeof answer, 0);
    if (n < 0 && errno == EAGAIN) {
        return CLIENT_NOTHING;
    }
    /* An answer without a body is one segment on the loopback; in pieces it is taken for a failure,
     * and seen.
     */
    return n > (ssize_t)sizeof counted && memcmp(answer, counted, sizeof counted - 1) == 0 &&
                   memcmp(answer + n - 4, "\r\n\r\n", 4) == 0
               ? CLIENT_COUNTED
               : CLIENT_FAILED;
}

void latencies_begin(struct latencies *latencies, size_t max) {
    *latencies = (struct latencies){.ns = calloc(max, sizeof *latencies->ns), .max = max};
    if (!latencies->ns) {
        client_die("latencies");
    }
}

void latencies_add(struct latencies *latencies, int64_t ns) {
    if (latencies->n < latencies->max) {
        latencies->ns[latencies->n++] = ns;
    }
}

static int by_value(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void latencies_print(struct latencies *latencies) {
    static const struct {
        const char *name;
        double share;
    } shares[] = {{"p50_us", 0.5}, {"p99_us", 0.99}, {"p999_us", 0.999}, {"max_us", 1}};
    qsort(latencies->ns, latencies->n, sizeof *latencies->ns, by_value);
    printf("\"requests\": %zu", latencies->n);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        const size_t rank = (size_t)(shares[i].share * (double)latencies->n);
        const size_t at = rank < latencies->n ? rank : latencies->n - 1;
        printf(", \"%s\": %.1f", shares[i].name,
               latencies->n ? (double)latencies->ns[at] / 1e3 : 0);
    }
}
