/* The state of a connection and of the request under way on it; there is one request at a time.
 * Only the sources of this folder use it, on the worker's thread. */
#ifndef AFORO_SERVER_HTTP_CONNECTION_H
#define AFORO_SERVER_HTTP_CONNECTION_H

#include "ingest/form.h"
#include "ingest/json_items.h"
#include "ingest/lines.h"
#include "server/http/answers.h"
#include "server/http/content.h"
#include "server/http/context.h"
#include "server/http/gather.h"
#include "server/http/routes.h"
#include "server/net/deadlines.h"
#include "server/net/framing.h"
#include "server/net/tls.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* an unwanted body is read and discarded up to this size, to keep the connection; a larger one is
 * answered at once, with a farewell */
#define CONNECTION_DRAIN_MAX 65536

/* batch.c */
struct refused_line;
struct unfit_line;

struct batch {
    struct lines lines;      /* the parser of timestamps, CONTENT_USUAL */
    struct json_items items; /* the parser of an array, CONTENT_JSON */
    uint64_t line;           /* JSON: number of the line or object being read, from 1 */
    enum content content;
    bool broken; /* the array is too malformed to continue: the rest is skipped */
    uint64_t accepted;
    uint64_t rejected;
    struct refused_line *refused; /* the first of them; allocated with the first refusal */
    unsigned unfits;              /* entries in unfit[] */
    struct unfit_line *unfit;     /* the first fields that kept counted events out of reports */
};

struct request {
    enum route route;
    enum method method;
    enum answer answer;
    enum content content;
    bool brings_events; /* decided by route, method and listener */
    bool parsed;        /* the body came in one piece, and `outcome` and `event_us` are set */
    bool gathers;       /* a single event's body is put together in the connection's `gather` */
    bool too_large;     /* the body is larger than --max-body */
    bool last;          /* no more requests are read from this connection */
    bool farewell;      /* answered before the end of its body: the rest of it is discarded */
    enum form_outcome outcome;
    int64_t event_us;
    uint64_t length;      /* Content-Length; 0 without one */
    uint64_t body_bytes;  /* seen so far */
    uint64_t farewell_at; /* body_bytes when it was answered */
    struct form form;
    struct batch batch;
};

/* The query of a request target, read before the library changes it. */
struct request_query {
    bool given;     /* there is a '?' */
    bool has_value; /* one of its fields is `value` */
    bool overfull;  /* it has more arguments than are read: nothing of it is known */
    /* FORM_EMPTY without a `value`; if it is malformed, the connection's `why` says so */
    enum form_outcome outcome;
    int64_t event_us;
};

struct connection {
    LIST_ENTRY(connection) entry; /* in worker->opened */
    struct worker *worker;
    struct MHD_Connection *mhd;
    int fd;
    const char *closing; /* why it ends; NULL until that is known */
    struct deadline deadline;
    struct tls_handshake handshake;
    uint64_t client;  /* for throttle_admit; 0 without --limit-per-client */
    int64_t began_us; /* steady clock of the wake-up at which the current request began */
    struct framing_target target;
    struct request_query query;
    struct gather query_text; /* query of the current request, for reports or the event log */
    struct gather gather;     /* an event or a line cut off by the end of a read */
    struct request request;
    char why[FORM_WHY_MAX];
};

/* Begins the next phase, whose deadline counts from the worker's wake-up. That is up to one turn
 * early, which does not matter to deadlines of seconds, and saves reading the clock. */
static inline void connection_begin_phase_at_wakeup(struct connection *connection,
                                                    enum phase phase) {
    deadline_enter(&connection->deadline, phase, worker_woke_us(connection->worker));
}

/* What the worker's listener is for. */
static inline struct routes_listener worker_routes(const struct worker *worker) {
    const bool admin = worker_is_admin(worker);
    return (struct routes_listener){.counts = !admin && worker->server->counters,
                                    .reads = admin || !worker->server->admin};
}

#endif
