#include "server/http/connections.h"

#include "server/access/throttle.h"
#include "server/http/connection.h"
#include "server/http/turn.h"
#include "server/net/acceptor.h"
#include "server/net/deadlines.h"
#include "server/net/tls.h"
#include "server/process/log.h"

#include <stdlib.h>
#include <sys/socket.h>

/* The library uses edge-triggered epoll: when half a request and the end of the connection arrive
 * in one segment, it sees the first and is not woken again for the second. An end that arrives
 * later is an edge of its own. So we look for the end only while a phase is young: otherwise each
 * of thousands of silent connections would cost a system call every second. */
#define END_LOOK_US (4 * US_PER_S)

/* TCP measures silence in its own ticks, from the bytes that woke us up */
#define CLOCKS_APART_US (100 * US_PER_MS)

static const struct sockaddr *client_address(struct MHD_Connection *mhd) {
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
}

/* ---- open and close ---- */

/* NULL when out of memory. */
static struct connection *open_connection(struct worker *worker, struct MHD_Connection *mhd) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        return NULL;
    }
    connection->worker = worker;
    connection->mhd = mhd;
    connection->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    LIST_INSERT_HEAD(&worker->opened, connection, entry);
    if (worker->server->throttle) {
        connection->client = throttle_find_client(worker->server->throttle, client_address(mhd));
    }
    connection_begin_phase_at_wakeup(connection, PHASE_IDLE);
    if (worker->server->access.identity) {
        tls_handshakes_add(&worker->handshakes, &connection->handshake, mhd,
                           connection->deadline.since_us);
    }
    return connection;
}

/* Whether the client has ended the connection and everything that it sent was read. */
static bool has_ended(const struct connection *connection) {
    char byte;
    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* A guess at why it was closed, when neither this program nor the library's last call said. */
static const char *guess_reason(const struct connection *connection) {
    return has_ended(connection)          ? "the client closed it"
           : connection->worker->draining ? "the server stops"
                                          : "closed after its answer";
}

static void log_closed(const struct connection *connection) {
    if (log_is_on(LOG_DEBUG)) {
        char client[LOG_ADDRESS_MAX];
        log_line(LOG_DEBUG, "connection closed", "worker=%u client=%s why=\"%s\"",
                 connection->worker->index, log_address(client_address(connection->mhd), client),
                 connection->closing ? connection->closing : guess_reason(connection));
    }
}

static void close_connection(struct connection *connection) {
    log_closed(connection);
    tls_handshakes_remove(&connection->worker->handshakes, &connection->handshake);
    LIST_REMOVE(connection, entry);
    gather_free(&connection->query_text);
    gather_free(&connection->gather);
    free(connection);
}

void connections_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                        enum MHD_ConnectionNotificationCode code) {
    struct worker *worker = cls;
    turn_enter(worker);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = open_connection(worker, mhd);
        acceptor_note_started(worker->acceptor);
        return;
    }
    if (*socket_context) {
        close_connection(*socket_context);
    }
    acceptor_count_closed(worker->acceptor, client_address(mhd));
}

bool connections_expect_first(const struct worker *worker, int64_t since_us) {
    const struct connection *connection;
    LIST_FOREACH(connection, &worker->opened, entry) {
        if (!connection->deadline.served && connection->deadline.since_us > since_us) {
            return true;
        }
    }
    return false;
}

/* ---- slow clients ---- */

static void cut_connection(struct connection *connection) {
    static const char *const why[] = {
        [PHASE_IDLE] = "its headers took longer than --header-timeout",
        [PHASE_HEADERS] = "its headers took longer than --header-timeout",
        [PHASE_BODY] = "its body took longer than --body-timeout",
        [PHASE_ANSWER] = "took its answer more slowly than --body-timeout permits"};
    const enum phase phase = connection->deadline.phase;
    deadline_cut(&connection->deadline, connection->fd);
    if (phase != PHASE_FAREWELL) {
        connection->closing = why[phase];
        metric_add_owner(&connection->worker->metrics, METRIC_connections_too_slow, 1);
    }
}

/* Tells the deadline how much of the body has arrived, or how much of the answer was taken. */
static void note_progress(struct connection *connection, int64_t now_us) {
    struct deadline *deadline = &connection->deadline;
    if (deadline->phase == PHASE_ANSWER) {
        deadline_note_taken(deadline, connection->fd, now_us);
    } else if (deadline->phase == PHASE_BODY) {
        deadline->bytes = connection->request.body_bytes;
    }
}

/* Ends the connection; `why` is the reason unless one is already known. */
static void end_connection(struct connection *connection, const char *why) {
    connection->closing = connection->closing ? connection->closing : why;
    shutdown(connection->fd, SHUT_RDWR);
}

/* The library has a time-out for this too, but its price is a clock reading and two locks per
 * request. While an answer is being taken, the client need not send anything. */
static bool is_silent(const struct connection *connection, int64_t age_us) {
    const int64_t silent_us = connection->worker->server->options->idle_timeout;
    return connection->deadline.phase != PHASE_ANSWER && age_us >= silent_us &&
           deadline_is_silent(connection->fd, silent_us - CLOCKS_APART_US);
}

static void close_if_late(struct connection *connection, int64_t now_us) {
    struct deadline *deadline = &connection->deadline;
    if (now_us - deadline->since_us < US_PER_S) {
        return;
    }
    note_progress(connection, now_us);
    const int64_t age_us = now_us - deadline->since_us;
    if (age_us > deadline_limit_us(deadline, connection->worker->server->options)) {
        cut_connection(connection);
        deadline->since_us = now_us; /* not again in the next second */
    } else if (is_silent(connection, age_us)) {
        tls_say_goodbye(connection->mhd);
        end_connection(connection, "silent for --idle-timeout");
    } else if (deadline->phase != PHASE_ANSWER && age_us < END_LOOK_US && has_ended(connection)) {
        end_connection(connection, "the client left");
    }
}

/* When silent and slow clients are ended: see deadlines.h. */
void connections_close_slow(struct worker *worker, int64_t now_us) {
    const uint64_t left_out = log_limit_left_out(&worker->refusals, now_us, US_PER_S);
    if (left_out) {
        log_line(LOG_DEBUG, "more was refused", "worker=%u n=%llu", worker->index,
                 (unsigned long long)left_out);
    }
    struct connection *connection;
    LIST_FOREACH(connection, &worker->opened, entry) {
        close_if_late(connection, now_us);
    }
}
