/* What the bench's own load programs share: the request as Tsung sends it, sockets, and latencies.
 * One thread. */
#ifndef AFORO_BENCH_CLIENT_H
#define AFORO_BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_REQUEST_MAX 256
#define NS_PER_S INT64_C(1000000000)

/* Ends the program with a line that says what failed, and errno. */
__attribute__((noreturn)) void client_die(const char *what);

/* CLOCK_MONOTONIC, in ns. */
int64_t client_now_ns(void);

/* The requests of this run go to `target`, an IPv4 address and a port (192.0.2.1:80) or a port of
 * 127.0.0.1; with_fields: they have three fields beside the time, flight, client and seconds.
 * Before everything else. False when target is neither. */
bool client_begin(const char *target, bool with_fields);

/* A new socket that does not block and is on its way to the server (from one of eight source
 * addresses of the loopback, since each has some 28,000 ports); the caller closes it. */
int client_connect(void);

/* Sends POST / with the present moment as its event. False when the socket does not take all of it
 * at once. */
bool client_send(int fd);

enum client_answer { CLIENT_NOTHING, CLIENT_COUNTED, CLIENT_FAILED };

/* Reads what there is: nothing yet, a whole 204, or something else or the end. */
enum client_answer client_receive(int fd);

/* Latencies in ns; the caller owns them. Sorted by latencies_print. */
struct latencies {
    int64_t *ns;
    size_t n, max;
};

/* Room for max latencies; dies when there is none. */
void latencies_begin(struct latencies *latencies, size_t max);
void latencies_add(struct latencies *latencies, int64_t ns);

/* Prints `"requests": N, "p50_us": ... "max_us": ...` without braces. */
void latencies_print(struct latencies *latencies);

#endif
