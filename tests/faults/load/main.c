/* load [ADDRESS:]PORT LEDGER [key=value ...]    commands on standard input, each has one line:
 *   pause    no new requests; answered when none is in flight    resume
 *   phase  answered with rate and latencies since the last;  tally   stop  (or end of input) */
#define _GNU_SOURCE
#include "tests/faults/load/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define STOP_WAIT_US 10000000

struct load_options options = {.connections = 16,
                               .seed = 1,
                               .batch_every = 50,
                               .lines = 200,
                               .past_us = 20000000,
                               .future_us = 2000000};
int epoll_fd;
static struct connection *connections;
static bool paused, stopping, pause_asked;
static double tokens;

int64_t clock_us(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

__attribute__((noreturn)) void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* ---- commands ---- */

static void command(const char *line) {
    if (strcmp(line, "pause") == 0) {
        paused = pause_asked = true;
    } else if (strcmp(line, "resume") == 0) {
        paused = pause_asked = false;
        tally_print("resumed");
    } else if (strcmp(line, "phase") == 0) {
        phase_print();
        phase_begin();
    } else if (strcmp(line, "tally") == 0) {
        tally_print("tally");
    } else if (strcmp(line, "stop") == 0) {
        stopping = paused = true;
    }
}

static void read_commands(void) {
    static char text[256];
    static size_t len;
    const ssize_t n = read(STDIN_FILENO, text + len, sizeof text - 1 - len);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            stopping = paused = true;
            epoll_ctl(epoll_fd, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
        }
        return;
    }
    len += (size_t)n;
    text[len] = '\0';
    for (char *end; (end = strchr(text, '\n'));
         len -= (size_t)(end + 1 - text), memmove(text, end + 1, len + 1)) {
        *end = '\0';
        command(text);
    }
}

/* ---- the loop ---- */

/* Opens and sends what is due; returns how many requests are in flight. */
static int drive(int64_t now_us) {
    static int first; /* with in_turn: the one that has not been used for longest, nearly */
    int waiting = 0;
    const int begin = first;
    for (int i = 0; i < options.connections; i++) {
        const int at = (begin + i) % options.connections;
        struct connection *c = &connections[at];
        if (c->state == CLOSED && !paused && now_us >= c->since_us) {
            open_again(c);
        }
        if (c->state == IDLE && !paused && (options.rate == 0 || tokens >= 1)) {
            tokens -= 1;
            send_request(c);
            first = options.in_turn ? (at + 1) % options.connections : 0;
        }
        waiting += c->state == WAITING;
    }
    return waiting;
}

static void run(void) {
    int64_t last_us = clock_us(CLOCK_MONOTONIC), stop_us = 0;
    for (;;) {
        struct epoll_event events[CONNECTIONS_MAX + 1];
        const int n = epoll_wait(epoll_fd, events, CONNECTIONS_MAX + 1, 1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                read_commands();
            } else {
                handle(events[i].data.ptr, events[i].events);
            }
        }
        const int64_t now_us = clock_us(CLOCK_MONOTONIC);
        tokens += (double)(now_us - last_us) * (double)options.rate / 1e6;
        /* what was missed is not made up for */
        tokens = tokens < options.connections ? tokens : options.connections;
        last_us = now_us;
        const int waiting = drive(now_us);
        if (pause_asked && waiting == 0) {
            pause_asked = false;
            tally_print("paused");
        }
        stop_us = stopping && stop_us == 0 ? now_us + STOP_WAIT_US : stop_us;
        if (stopping && (waiting == 0 || now_us > stop_us)) {
            return;
        }
    }
}

static bool option(const char *word) {
    static const struct {
        const char *name;
        int64_t *value;
    } numbers[] = {{"rate", &options.rate},           {"batch_every", &options.batch_every},
                   {"lines", &options.lines},         {"past_us", &options.past_us},
                   {"future_us", &options.future_us}, {"arrival", &options.arrival},
                   {"in_turn", &options.in_turn}};
    const char *value = strchr(word, '=');
    if (!value) {
        return false;
    }
    const size_t n = (size_t)(value++ - word);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strlen(numbers[i].name) == n && memcmp(numbers[i].name, word, n) == 0) {
            *numbers[i].value = atoll(value);
            return true;
        }
    }
    if (strncmp(word, "connections=", 12) == 0) {
        options.connections = atoi(value);
        return options.connections >= 1 && options.connections <= CONNECTIONS_MAX;
    }
    options.seed = strtoull(value, NULL, 10);
    return strncmp(word, "seed=", 5) == 0;
}

/* Where to: a port of the loopback, or of another IPv4 address. */
static bool target(const char *word) {
    const char *colon = strchr(word, ':');
    char address[INET_ADDRSTRLEN] = "127.0.0.1";
    if (colon && (size_t)(colon - word) < sizeof address) {
        snprintf(address, sizeof address, "%.*s", (int)(colon - word), word);
    }
    options.to = (struct sockaddr_in){.sin_family = AF_INET};
    const int port = atoi(colon ? colon + 1 : word);
    options.to.sin_port = htons((uint16_t)port);
    return port > 0 && port <= 65535 && inet_pton(AF_INET, address, &options.to.sin_addr) == 1;
}

int main(int argc, char **argv) {
    bool ok = argc >= 3 && target(argv[1]);
    for (int i = 3; ok && i < argc; i++) {
        ok = option(argv[i]);
    }
    if (!ok || options.lines < 1 || options.lines > LINES_MAX) {
        fprintf(stderr, "load [ADDRESS:]PORT LEDGER [connections=N rate=N batch_every=N lines=N "
                        "past_us=N future_us=N arrival=1 in_turn=1 seed=N]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    ledger_open();
    connections = calloc((size_t)options.connections, sizeof *connections);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!connections || epoll_fd < 0) {
        die("starting");
    }
    for (int i = 0; i < options.connections; i++) {
        connections[i].fd = -1;
    }
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    struct epoll_event commands = {.events = EPOLLIN};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &commands)) {
        die("standard input");
    }
    phase_begin();
    run();
    ledger_write(argv[2]);
    tally_print("stopped");
    return EXIT_SUCCESS;
}
