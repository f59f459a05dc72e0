/* The load of the fault tests: keep-alive connections that post single events and batches, and a
 * ledger of what became of each event, by 10 ms window: sent, acknowledged, refused. A lost
 * connection is opened again; what was in flight on it stays "sent", and is never sent a second
 * time, so that acknowledged <= counted <= sent must hold of any exact counter. One thread. */
#ifndef AFORO_TESTS_FAULTS_LOAD_H
#define AFORO_TESTS_FAULTS_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define CONNECTIONS_MAX 512
#define LINES_MAX 1000
#define LINE_MAX 40
#define REQUEST_MAX (LINES_MAX * LINE_MAX + 256)
#define ANSWER_MAX 8192
#define WINDOW_US 10000

struct load_options {
    struct sockaddr_in to;
    int connections;
    uint64_t seed;
    int64_t rate;        /* requests a second, 0: as fast as they are answered */
    int64_t batch_every; /* one request in so many is a batch, 0: none */
    int64_t lines;       /* of the largest batch */
    int64_t past_us, future_us;
    int64_t in_turn; /* 1: no connection is left idle as long as others are used */
    int64_t arrival; /* 1: empty bodies, counted when they arrive; the ledger has sums only */
};
extern struct load_options options;
extern int epoll_fd; /* waits for the connections */

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

struct tally {
    uint64_t requests, sent, acked, refused, unsure, lost, other, connects, connects_failed;
};
extern struct tally tally;

int64_t clock_us(clockid_t id);
int64_t random_below(int64_t n);

/* Prints what failed and why (errno), and ends the program. */
__attribute__((noreturn)) void die(const char *what);

/* latency.c: since the last phase_begin. */
void phase_begin(void);
void phase_print(void);
void phase_note(uint64_t us);

/* ledger.c: the windows from `past` before the start to two hours after it, by their number. */
void ledger_open(void);
uint32_t ledger_place(int64_t us);
/* The time of its first window. */
int64_t ledger_start_us(void);
/* Events that were sent of a window, and what became of one of them. */
void ledger_send(uint32_t window);
void ledger_take(uint32_t window, bool acked);
void ledger_write(const char *path);
/* One line of all counts, after the word. */
void tally_print(const char *word);

/* request.c: the next request, in `out`. */
void make_request(struct connection *c);

/* connection.c */
void open_again(struct connection *c);
void send_request(struct connection *c);
/* What epoll says of it. */
void handle(struct connection *c, uint32_t events);

#endif
