/* What a request is answered with: what all workers share (struct server) and what each has of its
 * own (struct worker). Main makes the first before the threads start; from then on it is constant,
 * except for what is atomic. The second belongs to its worker's thread, except for what says
 * otherwise. */
#ifndef AFORO_SERVER_HTTP_CONTEXT_H
#define AFORO_SERVER_HTTP_CONTEXT_H

#include "counters/counters.h"
#include "eventlog/log.h"
#include "ingest/fields.h"
#include "ingest/lines.h"
#include "server/access/access.h"
#include "server/access/throttle.h"
#include "server/flush/flush.h"
#include "server/flush/visible.h"
#include "server/http/answers.h"
#include "server/http/gather.h"
#include "server/http/live_answers.h"
#include "server/http/live_pace.h"
#include "server/metrics.h"
#include "server/net/acceptor.h"
#include "server/net/address_limit.h"
#include "server/net/tls.h"
#include "server/options.h"
#include "server/process/log.h"
#include "server/reports/report_sets.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define SHARED_ROOM 8192 /* bytes of decoded values of a query */

#define KEEP_HEADERS_MAX 64

LIST_HEAD(connection_list, connection);

/* What the event log keeps of the event under way: keep.h. */
struct keep {
    struct eventlog_writer *writer; /* NULL without --event-log */
    struct line_event event;
    struct line_header header[KEEP_HEADERS_MAX];
};

struct server;

/* One worker is one thread and one shard; the worker of --admin-listen has no shard. */
struct worker {
    struct server *server;
    unsigned index;
    struct shard *shard;          /* NULL: the worker of --admin-listen, which counts nothing */
    struct metrics metrics;       /* read by any thread */
    _Atomic uint64_t connections; /* open now; read by any thread, written by all acceptors */
    _Atomic int64_t woke_us;      /* steady clock of the last wake-up; read by any thread */
    int64_t now_us;               /* wall clock of the last wake-up */
    uint64_t in_flight;           /* requests begun and not completed */
    struct connection_list opened;
    struct acceptor *acceptor;
    bool draining;    /* every answer closes its connection */
    bool visible_due; /* the next event that is counted is noted for the flush (visible.h) */
    bool turn_due;    /* the thread waits, or has woken up and nobody has read the clock (turn.h) */
    bool batch_read;  /* a piece of a batch, in this turn */
    bool stuck;       /* it was logged that there is no shard to count in after a clock step */
    bool rows_stuck;  /* the same of rows */
    /* the answer being made closes its connection */
    bool answers_last;
    struct access_view access;
    struct report_view report_view;
    struct visible_queue *visible; /* NULL without --redis, and for the worker of --admin-listen */
    unsigned completed;            /* requests; see REQUEST_SAMPLE */
    struct tls_handshakes handshakes;
    struct answers answers;
    struct lines_batch batch;  /* what was read last of the batch request being handled */
    struct log_limit refusals; /* lines of --log-level debug */
    struct record record;      /* the event being read */
    struct record shared;      /* what its request gives to all of its events */
    struct keep keep;
    char room[GATHER_MAX]; /* of `record` */
    char shared_room[SHARED_ROOM];
    struct live_answers live;
    struct live_pace live_pace;
};

struct server {
    const struct options *options;
    struct counters *counters;
    struct flush *flush;           /* NULL without --redis */
    struct visible_queue *visible; /* [workers], of the flush; NULL without --redis */
    struct eventlog *event_log;    /* NULL without --event-log */
    bool clock_is_arrival;
    int64_t started_us;      /* steady clock */
    int64_t started_wall_us; /* the same by the wall clock */
    /* what another program than aforod answers with; NULL: aforod's own pages */
    const struct pages *pages;
    void *pages_cls;
    int sign_of_life_ms; /* a worker wakes up at least so often, whether anything happens or not */
    /* another process holds the listening socket, too, and accepts what this one does not */
    bool listen_is_shared;
    /* the server is about to stop: /healthz says so, and answers close their connections */
    _Atomic bool draining;
    /* the state file was deleted or moved: /healthz says so; written by the syncer */
    _Atomic bool state_is_lost;
    _Atomic bool state_is_unwritten;     /* the same */
    bool repaired;                       /* the start completed what a crash had left half done */
    bool had_state;                      /* there was one when the server started */
    bool rebuilt;                        /* the state was gone, and made anew from the event log */
    _Atomic bool stopping;               /* no new connections; set after draining */
    _Atomic int64_t stop_deadline_us;    /* steady clock; set before stopping */
    struct log_digest batches_refused;   /* batches of which no line was counted */
    struct address_limit *address_limit; /* NULL without --max-connections-per-address */
    struct listener listener;            /* of --listen */
    struct listener admin_listener;      /* of --admin-listen */
    unsigned workers;
    struct worker *worker;        /* [workers] */
    struct worker *admin;         /* of --admin-listen, else NULL */
    struct worker_thread *thread; /* of these workers: worker.c's own */
    struct access access;
    struct throttle *throttle; /* NULL without --limit-per-client */
    struct fields *no_fields;  /* what is looked for in an event without reports: its time alone */
    struct report_sets report_sets;
    /* errno: why there is no filter of system calls, though --sandbox is on; else 0 */
    int sandbox_error;
};

/* When the worker last woke up (steady clock). The clock is read once a wake-up, not once a
 * request: what happens within a turn happens at this time. By the worker. */
static inline int64_t worker_woke_us(const struct worker *worker) {
    return atomic_load_explicit(&worker->woke_us, memory_order_relaxed);
}

/* Whether this is the worker of --admin-listen, which answers readers and counts nothing. */
static inline bool worker_is_admin(const struct worker *worker) {
    return worker == worker->server->admin;
}

/* Whether all that this worker answers is read, never counted: at --admin-listen, and in programs
 * without counters. */
static inline bool worker_only_reads(const struct worker *worker) {
    return worker_is_admin(worker) || !worker->server->counters;
}

/* What browsers send with their cookies. */
#define CONTEXT_READER_HEADER 16384

/* The largest request line with its headers: where pages are read, as browsers send them. */
static inline size_t worker_max_header(const struct worker *worker) {
    const int64_t most = worker->server->options->max_header;
    return worker_only_reads(worker) && most < CONTEXT_READER_HEADER ? CONTEXT_READER_HEADER
                                                                     : (size_t)most;
}

#endif
