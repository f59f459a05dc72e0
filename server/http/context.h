/* The context in which requests are answered: what all workers share (struct server) and what each
 * has of its own (struct worker). Main fills struct server before the threads start; from then on
 * it is constant, except its atomic members. struct worker belongs to its worker's thread, except
 * where a member says otherwise. */
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

LIST_HEAD(connection_list, connection);

/* What the event log keeps of the current event: see keep.h. */
struct keep {
    struct eventlog_writer *writer; /* NULL without --event-log */
    struct line_event event;
    struct line_header header[LINE_HEADERS_MAX];
};

struct server;

/* One worker is one thread with one shard; the worker of --admin-listen has no shard. */
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
    bool visible_due; /* the next event counted is to be noted for the flush (visible.h) */
    bool turn_due;    /* the thread waits, or has woken up and not yet read the clock (turn.h) */
    bool batch_read;  /* a piece of a batch was read in this turn */
    bool stuck;       /* it was logged that there is no shard to count in after a clock step */
    bool rows_stuck;  /* the same for rows */
    /* the answer being made closes its connection */
    bool answers_last;
    struct access_view access;
    struct report_view report_view;
    struct visible_queue *visible; /* NULL without --redis, and for the worker of --admin-listen */
    unsigned completed;            /* requests; see REQUEST_SAMPLE */
    struct tls_handshakes handshakes;
    struct answers answers;
    struct lines_batch batch;  /* what was last read of the current batch */
    struct log_limit refusals; /* lines of --log-level debug */
    struct record record;      /* the event being read */
    struct record shared;      /* what its request contributes to all of its events */
    struct keep keep;
    char room[GATHER_MAX]; /* memory for the values of `record` */
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
    int64_t started_wall_us; /* the same moment by the wall clock */
    /* the pages of a program other than aforod; NULL: aforod's own */
    const struct pages *pages;
    void *pages_cls;
    int sign_of_life_ms; /* a worker wakes up at least this often, even if nothing happens */
    /* another process also holds the listening socket, and accepts what this one does not */
    bool listen_is_shared;
    /* the server is about to stop: /healthz says so, and answers close their connections */
    _Atomic bool draining;
    /* the state file was deleted or moved: /healthz says so; written by the syncer */
    _Atomic bool state_is_lost;
    _Atomic bool state_is_unwritten;  /* the same */
    bool repaired;                    /* the start completed what a crash had left half done */
    bool had_state;                   /* the state existed when the server started */
    bool rebuilt;                     /* the state was missing; it was rebuilt from the event log */
    _Atomic bool stopping;            /* no new connections; set after draining */
    _Atomic int64_t stop_deadline_us; /* steady clock; set before stopping */
    struct log_digest batches_refused;   /* batches of which no line was counted */
    struct address_limit *address_limit; /* NULL without --max-connections-per-address */
    struct listener listener;            /* of --listen */
    struct listener admin_listener;      /* of --admin-listen */
    unsigned workers;
    struct worker *worker;        /* [workers] */
    struct worker *admin;         /* of --admin-listen, else NULL */
    struct worker_thread *thread; /* threads of these workers; worker.c's own */
    struct access access;
    struct throttle *throttle; /* NULL without --limit-per-client */
    struct fields *no_fields;  /* what is read from an event without reports: its time alone */
    struct report_sets report_sets;
    /* why there is no system call filter although --sandbox is on (an errno); else 0 */
    int sandbox_error;
};

/* When the worker last woke up (steady clock). The clock is read once per wake-up, not per request:
 * everything within a turn happens at this time. By the worker. */
static inline int64_t worker_woke_us(const struct worker *worker) {
    return atomic_load_explicit(&worker->woke_us, memory_order_relaxed);
}

/* Whether this is the worker of --admin-listen, which answers readers and counts nothing. */
static inline bool worker_is_admin(const struct worker *worker) {
    return worker == worker->server->admin;
}

/* Whether this worker only answers readers and counts nothing: at --admin-listen, and in programs
 * without counters. */
static inline bool worker_only_reads(const struct worker *worker) {
    return worker_is_admin(worker) || !worker->server->counters;
}

/* Bytes of headers to accept from a browser with its cookies. */
#define CONTEXT_READER_HEADER 16384

/* The most bytes of a request line with its headers: --max-header, or what browsers send, where
 * pages are read. */
static inline size_t worker_max_header(const struct worker *worker) {
    const int64_t most = worker->server->options->max_header;
    return worker_only_reads(worker) && most < CONTEXT_READER_HEADER ? CONTEXT_READER_HEADER
                                                                     : (size_t)most;
}

#endif
