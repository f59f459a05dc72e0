#define _GNU_SOURCE
#include "tests/faults/load/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* splitmix64 (S. Vigna): a seed reproduces the choices. */
static uint64_t random_u64(void) {
    uint64_t z = (options.seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t random_below(int64_t n) {
    return n > 0 ? (int64_t)(random_u64() % (uint64_t)n) : 0;
}

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

void make_request(struct connection *c) {
    static char body[LINES_MAX * LINE_MAX];
    size_t len = 0;
    c->batch = !options.arrival && options.batch_every && random_below(options.batch_every) == 0;
    c->windows = c->batch ? 1 + (uint32_t)random_below(options.lines) : 1;
    for (uint32_t i = 0; i < c->windows; i++) {
        const int64_t us = options.arrival ? ledger_start_us() : event_time_us();
        c->window[i] = ledger_place(us);
        if (!options.arrival) {
            len += c->batch ? 0 : (size_t)sprintf(body, "value=");
            len += write_time(us, body + len);
            len += c->batch ? (size_t)sprintf(body + len, "\n") : 0;
        }
        ledger_send(c->window[i]);
    }
    tally.requests++;
    c->out_len = (size_t)sprintf(
        c->out, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n\r\n",
        c->batch ? "/events" : "/", len);
    memcpy(c->out + c->out_len, body, len);
    c->out_len += len;
    c->out_done = c->in_len = 0;
}
