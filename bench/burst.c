/* Many connections ready at once. A server that is stopped (SIGSTOP) gets one request on each
 * connection, is continued, and each answer is timed from then. The number of connections matters:
 * a poll loop that takes events in batches may do something else at exactly a full batch.
 *
 *   burst [ADDRESS:]PORT PID CONNECTIONS BURSTS
 *
 * Ends with one line RESULT {json}; what is not answered within 2 s of its burst is "unanswered"
 * and counts as 2 s. */
#include "bench/client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define EVENTS_MAX 512
#define WAIT_NS (2 * NS_PER_S)
#define PAUSE_US 5000

static int fds[CONNECTIONS_MAX];
static bool waiting[CONNECTIONS_MAX];
static struct latencies latencies;
static uint64_t errors, unanswered;
static int epoll_fd;

static bool is_stopped(pid_t pid) {
    char path[64], stat[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file) {
        client_die(path);
    }
    const size_t n = fread(stat, 1, sizeof stat - 1, file);
    fclose(file);
    const char *state = n ? strrchr(stat, ')') : NULL;
    return state && state[2] == 'T';
}

static void stop(pid_t pid) {
    const int64_t deadline_ns = client_now_ns() + NS_PER_S;
    kill(pid, SIGSTOP);
    while (!is_stopped(pid)) {
        if (client_now_ns() > deadline_ns) {
            client_die("the server does not stop");
        }
        usleep(100);
    }
}

/* Takes answers until all have come; returns how many have not. */
static int collect(int left, int64_t start_ns) {
    struct epoll_event events[EVENTS_MAX];
    while (left && client_now_ns() - start_ns < WAIT_NS) {
        const int n = epoll_wait(epoll_fd, events, EVENTS_MAX, 1);
        for (int i = 0; i < n; i++) {
            const uint32_t c = events[i].data.u32;
            const enum client_answer answer = client_receive(fds[c]);
            if (answer == CLIENT_NOTHING || !waiting[c]) {
                continue;
            }
            latencies_add(&latencies, client_now_ns() - start_ns);
            errors += answer == CLIENT_FAILED;
            waiting[c] = false;
            left--;
        }
    }
    return left;
}

static void burst(pid_t pid, int connections) {
    stop(pid);
    for (int i = 0; i < connections; i++) {
        errors += !client_send(fds[i]);
        waiting[i] = true;
    }
    const int64_t start_ns = client_now_ns();
    kill(pid, SIGCONT);
    for (int left = collect(connections, start_ns); left > 0; left--) {
        latencies_add(&latencies, WAIT_NS);
        unanswered++;
    }
}

static void open_all(int connections) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < connections; i++) {
        fds[i] = client_connect();
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fds[i], &event)) {
            client_die("epoll_ctl");
        }
    }
    usleep(PAUSE_US * 10); /* the server takes them in */
}

int main(int argc, char **argv) {
    const int connections = argc == 5 ? atoi(argv[3]) : 0, bursts = argc == 5 ? atoi(argv[4]) : 0;
    const pid_t pid = argc == 5 ? atoi(argv[2]) : 0;
    if (connections < 1 || connections > CONNECTIONS_MAX || bursts < 1 || pid < 2 ||
        !client_begin(argv[1], false)) {
        fprintf(stderr, "usage: burst [ADDRESS:]PORT PID CONNECTIONS BURSTS\n");
        return 2;
    }
    latencies_begin(&latencies, (size_t)connections * (size_t)bursts);
    open_all(connections);
    for (int i = 0; i < bursts && unanswered == 0;
         i++) { /* a connection that owes an answer cannot be used again */
        burst(pid, connections);
        usleep(PAUSE_US);
    }
    printf("RESULT {");
    latencies_print(&latencies);
    printf(", \"unanswered\": %llu, \"errors\": %llu}\n", (unsigned long long)unanswered,
           (unsigned long long)errors);
    return EXIT_SUCCESS;
}
