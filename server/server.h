/* What the parts of aforod share. Made by main before the threads start; constant from then on, but for what is named
 * below. */
#ifndef AFORO_SERVER_SERVER_H
#define AFORO_SERVER_SERVER_H

#include "counters/counters.h"
#include "server/address_places.h"
#include "server/flush.h"
#include "server/ingest_lines.h"
#include "server/metrics.h"
#include "server/options.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

/* Answers that never change: one response object a worker, so that no two threads share one. */
enum answer {
    ANSWER_NONE, /* not decided yet, or made for this request */
    ANSWER_COUNTED,
    ANSWER_TOO_LATE,
    ANSWER_TOO_FAR_AHEAD,
    ANSWER_TOO_LARGE,
    ANSWER_LENGTH_REQUIRED,
    ANSWER_BAD_FRAMING,
    ANSWER_HEADERS_TOO_LARGE,
    ANSWER_NOT_FOUND,
    ANSWER_NOT_ALLOWED_ROOT,
    ANSWER_NOT_ALLOWED_EVENTS,
    ANSWER_NOT_ALLOWED_READ,
    ANSWER_ROOT_PAGE,
    ANSWERS
};

/* How much memory a connection has to read into: the library's pool, one size a daemon. */
enum pool { POOL_SINGLE, POOL_BATCH, POOLS };

struct server;
struct door;

/* One worker = one thread = one shard = a daemon in external mode for each size of pool. Everything here is the worker thread's own, but
 * for what says otherwise. */
struct worker {
    struct server *server;
    unsigned index;
    pthread_t thread;
    bool runs;                       /* the thread is there: main's own */
    struct door *door;
    struct MHD_Daemon *daemon[POOLS];
    int daemon_fd[POOLS];            /* each daemon's own epoll descriptor */
    uint64_t handed_on;              /* connections that a daemon has taken */
    struct shard *shard;
    struct metrics metrics;          /* read by any */
    _Atomic uint64_t connections;    /* open now; read by any, written by all doors */
    _Atomic int64_t alive_us;        /* steady clock of the last wake-up; read by the watchdog */
    int wake_fd;                     /* eventfd: written by main to stop */
    int64_t now_us;                  /* wall clock of this wake-up */
    uint64_t in_flight;              /* requests begun and not completed */
    struct connection *first_connection;
    int64_t ticked_us;               /* steady clock of what is done once a second */
    bool draining;
    struct MHD_Response *response[ANSWERS];
    struct MHD_Response *last_response[ANSWERS]; /* the same, and the connection ends */
    bool answers_last;               /* the answer being made is to be the last one of its connection */
    struct lines_batch batch;        /* scratch of the batch request being read */
};

struct server {
    const struct options *options;
    struct counters *counters;
    struct flush *flush; /* NULL without --redis */
    bool clock_is_arrival;
    int64_t started_us; /* steady clock */
    int sign_of_life_ms; /* a worker wakes up at least so often, whether anything happens or not */
    _Atomic bool stopping;
    _Atomic int64_t drain_deadline_us; /* steady clock; set before stopping */
    _Atomic uint64_t places_taken;     /* connections of all workers, against --max-connections */
    struct address_places *address_places; /* NULL without --max-connections-per-address */
    unsigned workers;
    struct worker *worker; /* [workers] */
};

#endif
