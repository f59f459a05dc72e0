/* What the parts of aforod share. Made by main before the threads start; constant from then on, but
 * for what is named below. */
#ifndef AFORO_SERVER_SERVER_H
#define AFORO_SERVER_SERVER_H

#include "counters/counters.h"
#include "ingest/lines.h"
#include "server/flush/flush.h"
#include "server/metrics.h"
#include "server/net/address_places.h"
#include "server/options.h"
#include "server/process/log.h"

#include "common/tokens.h"
#include "server/access/throttle.h"
#include "server/net/tls.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

/* Answers that never change: one response object a worker, so that no two threads share one. */
enum answer {
    ANSWER_NONE, /* not decided yet, or made for this request */
    ANSWER_COUNTED,
    ANSWER_TOO_LARGE,
    ANSWER_LENGTH_REQUIRED,
    ANSWER_BAD_FRAMING,
    ANSWER_HEADERS_TOO_LARGE,
    ANSWER_NOT_FOUND,
    ANSWER_NOT_ALLOWED_ROOT,
    ANSWER_NOT_ALLOWED_EVENTS,
    ANSWER_NOT_ALLOWED_READ,
    ANSWER_NOT_ALLOWED_VALUE,
    ANSWER_VALUE_OF_EVENTS,
    ANSWER_ENCODED,
    ANSWER_ROOT_PAGE,
    ANSWER_UNAUTHORISED,
    ANSWER_AUTHORISED_TWICE,
    ANSWER_THROTTLED,
    ANSWERS
};

/* How much memory a connection has to read into: the library's pool, one size a daemon. */
enum pool { POOL_SINGLE, POOL_BATCH, POOLS };

struct server;
struct door;

/* What may be changed while the workers run: see access.h. */
struct access {
    _Atomic(struct tokens *) ingest;         /* NULL: everybody may */
    _Atomic(struct tokens *) read;           /* the same */
    _Atomic(struct tls_identity *) identity; /* NULL: no TLS */
    _Atomic uint64_t generation;             /* raised after each change of the three */
};

/* One worker = one thread = one shard = a daemon in external mode for each size of pool; the one of
 * --admin-listen has no shard. Everything here is the worker thread's own, but for what says
 * otherwise. */
struct worker {
    struct server *server;
    unsigned index;
    pthread_t thread;
    bool runs; /* the thread is there: main's own */
    struct door *door;
    struct MHD_Daemon *daemon[POOLS];
    int daemon_fd[POOLS];         /* each daemon's own epoll descriptor */
    uint64_t handed_on;           /* connections that a daemon has taken */
    struct shard *shard;          /* NULL: the worker of --admin-listen, which counts nothing */
    struct metrics metrics;       /* read by any */
    _Atomic uint64_t connections; /* open now; read by any, written by all doors */
    _Atomic int64_t alive_us;     /* steady clock of the last wake-up; read by the watchdog */
    int wake_fd;                  /* eventfd: written by main to stop */
    int64_t now_us;               /* wall clock of this wake-up */
    /* told that there is no shard to count in beside what lies ahead */
    bool stuck;
    uint64_t in_flight; /* requests begun and not completed */
    struct connection *first_connection;
    int64_t ticked_us;                  /* steady clock of what is done once a second */
    bool draining;                      /* every answer closes its connection */
    const struct tokens *ingest_tokens; /* in force in this turn; NULL: everybody may */
    const struct tokens *read_tokens;
    struct tls_handshakes handshakes;
    _Atomic uint64_t access_seen; /* the generation they are of; read by main */
    struct MHD_Response *response[ANSWERS];
    struct MHD_Response *last_response[ANSWERS]; /* the same, and the connection ends */
    /* the answer being made is to be the last one of its connection */
    bool answers_last;
    struct lines_batch batch;  /* scratch of the batch request being read */
    struct log_limit refusals; /* lines of --log-level debug */
};

struct server {
    const struct options *options;
    struct counters *counters;
    struct flush *flush; /* NULL without --redis */
    bool clock_is_arrival;
    int64_t started_us;  /* steady clock */
    int sign_of_life_ms; /* a worker wakes up at least so often, whether anything happens or not */
    /* another process holds the listening socket, too: who is not accepted waits for the next
     * server */
    bool listen_is_shared;
    /* we are about to stop: /healthz says so, answers close their connections */
    _Atomic bool draining;
    /* its file was deleted or moved: /healthz says so; written by the syncer */
    _Atomic bool state_is_lost;
    _Atomic bool stopping;            /* no new connections; set after draining */
    _Atomic int64_t stop_deadline_us; /* steady clock; set before stopping */
    _Atomic uint64_t places_taken;    /* connections of all workers, against --max-connections */
    struct log_gate places_full;      /* how many found no place */
    struct log_gate batches_refused;  /* of which no line was counted */
    struct address_places *address_places; /* NULL without --max-connections-per-address */
    unsigned workers;
    struct worker *worker; /* [workers] */
    struct worker *admin;  /* of --admin-listen, else NULL */
    /* its connections: neither listener takes the other's places */
    _Atomic uint64_t admin_places_taken;
    struct log_gate admin_places_full;
    struct access access;
    struct throttle *throttle; /* NULL without --limit-per-client */
    /* errno: why there is no filter of system calls, though --sandbox is on; else 0 */
    int sandbox_error;
};

#endif
