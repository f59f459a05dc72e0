/* Requests at a fixed rate, whether the server keeps up or not. Request i is due at start + i /
 * rate, and its latency counts from then, also when it had to wait for a free connection or for
 * this program: nothing that the server delays is left out of the figures (no coordinated
 * omission). Every latency is kept, percentiles are exact.
 *
 *   openloop [ADDRESS:]PORT seconds=N rate=N [connections=64] [per_connection=0] [fields=0]
 * [spin=1] per_connection    requests after which a connection is closed and opened anew; 0: never
 *     fields            1: three fields beside the time
 *     spin              0: it sleeps until a request is due, which is then sent a moment late
 *
 * Unless told not to spin, it keeps its core busy when requests are due sooner than a timer could
 * wake it. Ends with one line RESULT {json}; "waited_ms" is how long others kept this program from
 * its core: then its figures are not the server's alone. */
#define _GNU_SOURCE /* epoll_pwait2 */
#include "bench/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX 512
#define CONNECTIONS_MAX 16384
#define SPIN_NS 150000         /* a timer may be late by about as much */
#define WAIT_NS (2 * NS_PER_S) /* for answers, after the last request */

enum state { CLOSED, CONNECTING, IDLE, WAITING };

struct connection {
    int fd;
    enum state state;
    int64_t due_ns;
    int64_t sent; /* requests since it was opened */
};

static struct {
    int64_t seconds, rate, connections, per_connection, fields, spin;
} options = {.connections = 64, .spin = 1};

static struct connection connections[CONNECTIONS_MAX];
/* idle or closed, the one used longest ago first */
static struct connection *free_ring[CONNECTIONS_MAX];
static size_t free_first, free_n;
static struct latencies latencies;
static uint64_t errors, opened;
static int epoll_fd;

static void free_push(struct connection *c) {
    free_ring[(free_first + free_n++) % CONNECTIONS_MAX] = c;
}

static struct connection *free_pop(void) {
    struct connection *c = free_ring[free_first];
    free_first = (free_first + 1) % CONNECTIONS_MAX;
    free_n--;
    return c;
}

static void close_and_free(struct connection *c) {
    close(c->fd);
    c->state = CLOSED;
    free_push(c);
}

static void send_on(struct connection *c) {
    if (!client_send(c->fd)) {
        errors++;
        close_and_free(c);
        return;
    }
    c->state = WAITING;
    c->sent++;
}

static void open_on(struct connection *c) {
    c->fd = client_connect();
    c->state = CONNECTING;
    c->sent = 0;
    opened++;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event)) {
        client_die("epoll_ctl");
    }
}

static void answered(struct connection *c, bool well) {
    if (well) {
        latencies_add(&latencies, client_now_ns() - c->due_ns);
    } else {
        errors++;
    }
    if (!well || c->sent == options.per_connection) {
        close_and_free(c);
    } else {
        c->state = IDLE;
        free_push(c);
    }
}

static void handle(struct connection *c, uint32_t events) {
    if (c->state == CONNECTING) {
        if (events & (EPOLLERR | EPOLLHUP)) {
            errors++;
            close_and_free(c);
        } else if (events & EPOLLOUT) {
            send_on(c);
        }
    } else if (c->state == WAITING && events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        const enum client_answer answer = client_receive(c->fd);
        if (answer != CLIENT_NOTHING) {
            answered(c, answer == CLIENT_COUNTED);
        }
    } else if (c->state == IDLE && events & (EPOLLERR | EPOLLHUP)) {
        /* by the server; it stays in the ring and is opened again when its turn comes */
        close(c->fd);
        c->state = CLOSED;
    }
}

static void wait_for_events(int64_t ns) {
    struct epoll_event events[EVENTS_MAX];
    const int64_t spin_ns = options.spin ? SPIN_NS : 0;
    const int64_t sleep_ns = ns > spin_ns ? ns - spin_ns : 0;
    const struct timespec timeout = {.tv_sec = sleep_ns / NS_PER_S, .tv_nsec = sleep_ns % NS_PER_S};
    const int n = epoll_pwait2(epoll_fd, events, EVENTS_MAX, &timeout, NULL);
    for (int i = 0; i < n; i++) {
        handle(events[i].data.ptr, events[i].events);
    }
}

/* When request i is due, from the start of the run. */
static int64_t due_ns(int64_t i) {
    return i / options.rate * NS_PER_S + i % options.rate * NS_PER_S / options.rate;
}

static void wait_for_answers(void) {
    const int64_t deadline_ns = client_now_ns() + WAIT_NS;
    while (free_n < (size_t)options.connections && client_now_ns() < deadline_ns) {
        wait_for_events(0);
    }
    errors += (uint64_t)options.connections - free_n;
}

/* How long this program has been ready to run without a core to run on. */
static double waited_ms(void) {
    unsigned long long ran_ns, waited_ns = 0;
    FILE *file = fopen("/proc/self/schedstat", "r");
    if (!file || fscanf(file, "%llu %llu", &ran_ns, &waited_ns) != 2) {
        client_die("/proc/self/schedstat");
    }
    fclose(file);
    return (double)waited_ns / 1e6;
}

static void run(void) {
    const int64_t total = options.rate * options.seconds, start_ns = client_now_ns();
    for (int64_t next = 0; next < total;) {
        int64_t now_ns = client_now_ns() - start_ns;
        for (; next < total && due_ns(next) <= now_ns && free_n;
             next++, now_ns = client_now_ns() - start_ns) {
            struct connection *c = free_pop();
            c->due_ns = start_ns + due_ns(next);
            if (c->state == CLOSED) {
                open_on(c);
            } else {
                send_on(c);
            }
        }
        wait_for_events(due_ns(next) - now_ns);
    }
    const double seconds = (double)(client_now_ns() - start_ns) / 1e9;
    wait_for_answers();
    printf("RESULT {");
    latencies_print(&latencies);
    printf(", \"seconds\": %.6f, \"waited_ms\": %.3f, \"opened\": %llu, \"errors\": %llu}\n",
           seconds, waited_ms(), (unsigned long long)opened, (unsigned long long)errors);
}

static bool option(const char *word) {
    static const struct {
        const char *name;
        int64_t *value;
    } numbers[] = {
        {"seconds=", &options.seconds},         {"rate=", &options.rate},
        {"connections=", &options.connections}, {"per_connection=", &options.per_connection},
        {"fields=", &options.fields},           {"spin=", &options.spin}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strncmp(numbers[i].name, word, strlen(numbers[i].name)) == 0) {
            *numbers[i].value = atoll(word + strlen(numbers[i].name));
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv) {
    bool ok = argc > 1;
    for (int i = 2; ok && i < argc; i++) {
        ok = option(argv[i]);
    }
    ok = ok && client_begin(argv[1], options.fields != 0);
    if (!ok || options.seconds < 1 || options.rate < 1 || options.connections < 1 ||
        options.connections > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: openloop [ADDRESS:]PORT seconds=N rate=N [connections=64] "
                        "[per_connection=0] [fields=0] [spin=1]\n");
        return 2;
    }
    latencies_begin(&latencies, (size_t)(options.rate * options.seconds));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int64_t i = 0; i < options.connections; i++) {
        free_push(&connections[i]);
    }
    run();
    return EXIT_SUCCESS;
}
