/* The clocks, behind functions so that a test can put its own in their place where time matters. */
#ifndef AFORO_SERVER_PROCESS_CLOCK_H
#define AFORO_SERVER_PROCESS_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_read_us(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Wall clock: what event times are compared with. May step. Any thread. */
static inline int64_t clock_wall_us(void) {
    return clock_read_us(CLOCK_REALTIME);
}

/* For intervals and deadlines: never steps. Any thread. */
static inline int64_t clock_steady_us(void) {
    return clock_read_us(CLOCK_MONOTONIC);
}

#endif
