/* The clocks, behind functions so that a test can substitute its own where time matters. */
#ifndef AFORO_SERVER_PROCESS_CLOCK_H
#define AFORO_SERVER_PROCESS_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read_us(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* The wall clock, with which event times are compared, in microseconds since 1970. It may step. Any
 * thread. */
static inline int64_t clock_wall_us(void) {
    return clock_read_us(CLOCK_REALTIME);
}

/* The steady clock, for intervals and deadlines, in microseconds. It never steps. Any thread. */
static inline int64_t clock_steady_us(void) {
    return clock_read_us(CLOCK_MONOTONIC);
}

#endif
