/* The load of the fault tests: keep-alive connections that post single events and batches, and a
 * ledger of what became of each event, by 10 ms window: sent, acknowledged, refused. A lost
 * connection is opened again; what was in flight on it stays "sent", and is never sent a second
 * time, so that acknowledged <= counted <= sent must hold of any exact counter.
 *
 *   load PORT LEDGER [key=value ...]    commands on standard input, each answered by a line:
 *     pause    no new requests; answered when none is in flight    resume
 *     phase  answered with rate and latencies since the last;  tally   stop  (or end of input) */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 512
#define LINES_MAX 1000
#define LINE_MAX 40
#define REQUEST_MAX (LINES_MAX * LINE_MAX + 256)
#define ANSWER_MAX 8192
#define WINDOW_US 10000
#define LEDGER_S 7200 /* windows from `past` before the start to so long after it */
#define RETRY_US 3000
#define STOP_WAIT_US 10000000
#define BUCKETS 640

enum state { CLOSED, CONNECTING, IDLE, WAITING };

struct connection {
    int fd;
    enum state state;
    int64_t since_us; /* closed: when to open again; waiting: when it was sent (steady clock) */
    bool batch;
    uint32_t windows; /* of the request in flight */
    uint32_t window[LINES_MAX];
    size_t out_len, out_done, in_len;
    char out[REQUEST_MAX];
    char in[ANSWER_MAX + 1];
};

struct entry {
    uint32_t sent, acked, refused;
};

struct tally {
    uint64_t requests, sent, acked, refused, unsure, lost, other, connects, connects_failed;
};

static struct {
    int port, connections;
    uint64_t seed;
    int64_t rate;        /* requests a second, 0: as fast as they are answered */
    int64_t batch_every; /* one request in so many is a batch, 0: none */
    int64_t lines;       /* of the largest batch */
    int64_t past_us, future_us;
    int64_t arrival; /* 1: empty bodies, counted when they arrive; the ledger has sums only */
} options = {.connections = 16,
             .seed = 1,
             .batch_every = 50,
             .lines = 200,
             .past_us = 20000000,
             .future_us = 2000000};

static struct connection *connections;
static struct entry *ledger;
static size_t ledger_size;
static int64_t ledger_first; /* number of its first window */
static struct tally tally;
static uint64_t bucket[BUCKETS];
static uint64_t phase_requests, phase_max_us;
static int64_t phase_start_us;
static bool paused, stopping, pause_asked;
static int epoll_fd;
static double tokens;

static int64_t clock_us(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* splitmix64 (S. Vigna): a seed reproduces the choices. */
static uint64_t random_u64(void) {
    uint64_t z = (options.seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t random_below(int64_t n) {
    return n > 0 ? (int64_t)(random_u64() % (uint64_t)n) : 0;
}

__attribute__((noreturn)) static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* ---- latencies: buckets of 1/16 of a power of two ---- */

static size_t bucket_of(uint64_t us) {
    if (us < 16) {
        return us;
    }
    const unsigned e = 63U - (unsigned)__builtin_clzll(us);
    const size_t i = (size_t)(e - 3) * 16 + ((us >> (e - 4)) & 15);
    return i < BUCKETS ? i : BUCKETS - 1;
}

static uint64_t bucket_floor_us(size_t i) {
    return i < 16 ? i : (UINT64_C(16) + i % 16) << (i / 16 - 1);
}

static uint64_t percentile_us(double share) {
    uint64_t left = (uint64_t)((double)phase_requests * share);
    for (size_t i = 0; i < BUCKETS; i++) {
        if (bucket[i] > left) {
            return bucket_floor_us(i);
        }
        left -= bucket[i];
    }
    return phase_max_us;
}

static void phase_begin(void) {
    memset(bucket, 0, sizeof bucket);
    phase_requests = phase_max_us = 0;
    phase_start_us = clock_us(CLOCK_MONOTONIC);
}

static void phase_print(void) {
    const double seconds = (double)(clock_us(CLOCK_MONOTONIC) - phase_start_us) / 1e6;
    printf("phase seconds=%.3f requests=%" PRIu64 " rate=%.0f p50_us=%" PRIu64 " p99_us=%" PRIu64
           " max_us=%" PRIu64 "\n",
           seconds, phase_requests, (double)phase_requests / seconds, percentile_us(0.50),
           percentile_us(0.99), phase_max_us);
}

static void phase_note(uint64_t us) {
    bucket[bucket_of(us)]++;
    phase_requests++;
    phase_max_us = us > phase_max_us ? us : phase_max_us;
}

/* ---- making a request ---- */

static int64_t event_time_us(void) {
    const int64_t now = clock_us(CLOCK_REALTIME);
    const int64_t kind = random_below(10);
    int64_t t = kind < 6   ? now
                : kind < 9 ? now - random_below(options.past_us)
                           : now + random_below(options.future_us);
    if (random_below(8) == 0) { /* right at a window's edge, on either side of it */
        t = t / WINDOW_US * WINDOW_US - random_below(2);
    }
    return t;
}

static size_t write_time(int64_t us, char *out) {
    const time_t s = (time_t)(us / 1000000);
    struct tm tm;
    switch (random_below(4)) {
    case 0:
        return (size_t)sprintf(out, "%" PRId64, us);
    case 1:
        gmtime_r(&s, &tm);
        return (size_t)sprintf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900,
                               tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                               (int)(us % 1000000));
    default:
        gmtime_r(&s, &tm);
        return (size_t)sprintf(out, "%04d-%02d-%02d %02d:%02d:%02d.%06d", tm.tm_year + 1900,
                               tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                               (int)(us % 1000000));
    }
}

static uint32_t ledger_place(int64_t us) {
    const int64_t place = us / WINDOW_US - ledger_first;
    if (place < 0 || place >= (int64_t)ledger_size) {
        fprintf(stderr, "load: the clock left the ledger\n");
        exit(EXIT_FAILURE);
    }
    return (uint32_t)place;
}

static void make_request(struct connection *c) {
    static char body[LINES_MAX * LINE_MAX];
    size_t len = 0;
    c->batch = !options.arrival && options.batch_every && random_below(options.batch_every) == 0;
    c->windows = c->batch ? 1 + (uint32_t)random_below(options.lines) : 1;
    for (uint32_t i = 0; i < c->windows; i++) {
        const int64_t us = options.arrival ? ledger_first * WINDOW_US : event_time_us();
        c->window[i] = ledger_place(us);
        if (!options.arrival) {
            len += c->batch ? 0 : (size_t)sprintf(body, "value=");
            len += write_time(us, body + len);
            len += c->batch ? (size_t)sprintf(body + len, "\n") : 0;
        }
        ledger[c->window[i]].sent++;
    }
    tally.sent += c->windows;
    tally.requests++;
    c->out_len = (size_t)sprintf(
        c->out, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n\r\n",
        c->batch ? "/events" : "/", len);
    memcpy(c->out + c->out_len, body, len);
    c->out_len += len;
    c->out_done = c->in_len = 0;
}

/* ---- connections ---- */

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

static void open_again(struct connection *c) {
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)options.port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        die("socket");
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->state = CONNECTING;
    if (connect(c->fd, (const struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) {
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

static void send_request(struct connection *c) {
    make_request(c);
    c->state = WAITING;
    c->since_us = clock_us(CLOCK_MONOTONIC);
    push(c);
}

/* ---- answers ---- */

static void take(struct connection *c, uint32_t i, bool acked) {
    struct entry *entry = &ledger[c->window[i]];
    entry->acked += acked;
    entry->refused += !acked;
    tally.acked += acked;
    tally.refused += !acked;
}

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
        take(c, i, !refused[i]);
    }
}

static void take_answer(struct connection *c, const char *body) {
    const int status = atoi(c->in + 9);
    phase_note((uint64_t)(clock_us(CLOCK_MONOTONIC) - c->since_us));
    c->state = IDLE;
    if (status == 204 || (status == 422 && !c->batch)) {
        take(c, 0, status == 204);
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

static void handle(struct connection *c, uint32_t events) {
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

/* ---- commands ---- */

static void tally_print(const char *word) {
    printf("%s requests=%" PRIu64 " sent=%" PRIu64 " acked=%" PRIu64 " refused=%" PRIu64
           " unsure=%" PRIu64 " lost=%" PRIu64 " other=%" PRIu64 " connects=%" PRIu64
           " connects_failed=%" PRIu64 "\n",
           word, tally.requests, tally.sent, tally.acked, tally.refused, tally.unsure, tally.lost,
           tally.other, tally.connects, tally.connects_failed);
}

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
    int waiting = 0;
    for (int i = 0; i < options.connections; i++) {
        struct connection *c = &connections[i];
        if (c->state == CLOSED && !paused && now_us >= c->since_us) {
            open_again(c);
        }
        if (c->state == IDLE && !paused && (options.rate == 0 || tokens >= 1)) {
            tokens -= 1;
            send_request(c);
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
                   {"future_us", &options.future_us}, {"arrival", &options.arrival}};
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

static void write_ledger(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) {
        die(path);
    }
    for (size_t i = 0; i < ledger_size; i++) {
        if (ledger[i].sent) {
            fprintf(file, "%" PRId64 " %u %u %u\n", (ledger_first + (int64_t)i) * WINDOW_US,
                    ledger[i].sent, ledger[i].acked, ledger[i].refused);
        }
    }
    if (fclose(file)) {
        die(path);
    }
}

int main(int argc, char **argv) {
    bool ok = argc >= 3 && (options.port = atoi(argv[1])) > 0;
    for (int i = 3; ok && i < argc; i++) {
        ok = option(argv[i]);
    }
    if (!ok || options.lines < 1 || options.lines > LINES_MAX) {
        fprintf(stderr, "load PORT LEDGER [connections=N rate=N batch_every=N lines=N past_us=N "
                        "future_us=N arrival=1 seed=N]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    ledger_first = (clock_us(CLOCK_REALTIME) - options.past_us) / WINDOW_US - 100;
    ledger_size =
        (size_t)((LEDGER_S * INT64_C(1000000) + options.past_us + options.future_us) / WINDOW_US);
    ledger = calloc(ledger_size, sizeof *ledger);
    connections = calloc((size_t)options.connections, sizeof *connections);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!ledger || !connections || epoll_fd < 0) {
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
    write_ledger(argv[2]);
    tally_print("stopped");
    return EXIT_SUCCESS;
}
