#define _GNU_SOURCE /* accept4 */
#include "server/net/acceptor.h"

#include "counters/time/window.h"
#include "server/net/deadlines.h"
#include "server/net/deferral.h"
#include "server/net/pending.h"
#include "server/process/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* If connections come closer together than BURST_US, more than one may be waiting, so up to
 * ACCEPTS_A_TURN are tried. Otherwise a second try would find none. */
#define BURST_US 200
#define ACCEPTS_A_TURN 4
#define EVENTS_A_TURN 64
#define BACKLOG_MAX 8192 /* more than a backlog holds */
/* per worker: 16 MiB of pools; further batches are read in smaller pieces */
#define BATCH_CONNECTIONS_MAX 256

struct acceptor {
    struct acceptor_worker worker;
    struct listener *listener;
    int epoll_fd;   /* of pending connections */
    int watcher_fd; /* the epoll descriptor of acceptor_watch; the caller's */
    int listen_fd;  /* -1 when stopped */
    /* closed for a moment when descriptors run out, to accept a connection and close it instead of
     * leaving it waiting */
    int spare_fd;
    int64_t accepted_us; /* steady clock of the last accepted connection */
    bool paused;         /* not even the spare descriptor helped: acceptor_check tries again */
    uint64_t started;    /* connections that a daemon has taken */
    struct handoff handoff;
    struct pending_list pending;
};

void listener_init(struct listener *listener, const struct options *options, bool admin,
                   struct address_limit *client) {
    listener->options = options;
    listener->fd = -1;
    listener->is_shared = false;
    connection_limits_init(&listener->limits, admin,
                           admin ? CONNECTION_LIMIT_ADMIN : (uint64_t)options->max_connections,
                           client);
    STAILQ_INIT(&listener->handoffs);
}

/* A shared socket is left as its other holder has set it. */
void listener_begin_deferral(struct listener *listener) {
    if (!listener->is_shared) {
        deferral_begin(listener->fd);
    }
}

void listener_end_deferral(struct listener *listener) {
    if (!listener->is_shared) {
        deferral_end(listener->fd);
    }
}

bool listener_keeps_any(const struct listener *listener, int64_t since_end_us) {
    return !listener->is_shared && deferral_keeps_any(listener->fd, since_end_us);
}

static bool watch(int epoll_fd, int fd, uint32_t events, void *what) {
    struct epoll_event event = {.events = events, .data.ptr = what};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* A new connection wakes up one of the waiting workers, not all of them. */
static bool watch_listener(const struct acceptor *acceptor) {
    return watch(acceptor->watcher_fd, acceptor->listen_fd, EPOLLIN | EPOLLEXCLUSIVE, NULL);
}

static bool unwatch_listener(const struct acceptor *acceptor) {
    return epoll_ctl(acceptor->watcher_fd, EPOLL_CTL_DEL, acceptor->listen_fd, NULL) == 0;
}

static int open_spare(void) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void release(struct acceptor *acceptor) {
    const int fds[] = {acceptor->listen_fd, acceptor->spare_fd, acceptor->epoll_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    handoff_close(&acceptor->handoff);
    free(acceptor);
}

struct acceptor *acceptor_new(const struct acceptor_worker *worker, struct listener *listener,
                              int listen_fd) {
    struct acceptor *acceptor = calloc(1, sizeof *acceptor);
    if (!acceptor) {
        return NULL;
    }
    acceptor->worker = *worker;
    acceptor->listener = listener;
    acceptor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    acceptor->watcher_fd = -1;
    acceptor->listen_fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
    acceptor->spare_fd = open_spare();
    deadlines_set_socket(listen_fd, listener->options);
    if (!handoff_open(&acceptor->handoff, worker->connections) || acceptor->epoll_fd < 0 ||
        acceptor->listen_fd < 0) {
        const int error = errno;
        release(acceptor);
        errno = error;
        return NULL;
    }
    if (STAILQ_EMPTY(&listener->handoffs)) {
        listener->fd = acceptor->listen_fd;
    }
    STAILQ_INSERT_TAIL(&listener->handoffs, &acceptor->handoff, entry);
    return acceptor;
}

void acceptor_free(struct acceptor *acceptor) {
    if (acceptor) {
        STAILQ_REMOVE(&acceptor->listener->handoffs, &acceptor->handoff, handoff, entry);
        release(acceptor);
    }
}

bool acceptor_watch(struct acceptor *acceptor, int epoll_fd) {
    acceptor->watcher_fd = epoll_fd;
    return watch(epoll_fd, acceptor->epoll_fd, EPOLLIN, NULL) &&
           /* it wakes the worker up whenever the inbox was empty; it is never read */
           watch(epoll_fd, acceptor->handoff.event_fd, EPOLLIN | EPOLLET, NULL) &&
           watch_listener(acceptor);
}

/* ---- pending connections ---- */

void acceptor_note_started(struct acceptor *acceptor) {
    acceptor->started++;
}

void acceptor_count_closed(struct acceptor *acceptor, const struct sockaddr *address) {
    connection_limits_release(&acceptor->listener->limits, address);
    atomic_fetch_sub_explicit(acceptor->worker.connections, 1, memory_order_relaxed);
    metric_add_owner(acceptor->worker.metrics, METRIC_connections_closed, 1);
}

static int64_t woke_us(const struct acceptor *acceptor) {
    return atomic_load_explicit(acceptor->worker.woke_us, memory_order_relaxed);
}

static void log_closed(const struct acceptor *acceptor, const struct sockaddr *address,
                       const char *why) {
    char client[LOG_ADDRESS_MAX];
    if (log_is_on(LOG_DEBUG)) {
        log_line(LOG_DEBUG, "connection closed", "worker=%u client=%s why=\"%s\"",
                 acceptor->worker.index, log_address(address, client), why);
    }
}

static void free_pending(struct pending *pending) {
    LIST_REMOVE(pending, entry);
    free(pending);
}

static void close_pending(struct acceptor *acceptor, struct pending *pending, const char *why) {
    log_closed(acceptor, &pending->address.any, why);
    close(pending->fd);
    acceptor_count_closed(acceptor, &pending->address.any);
    free_pending(pending);
}

static struct MHD_Daemon *choose_daemon(const struct acceptor *acceptor, enum pending_start start) {
    struct MHD_Daemon *batches = acceptor->worker.daemon[POOL_BATCH];
    if (start == PENDING_BATCH) {
        const union MHD_DaemonInfo *info =
            MHD_get_daemon_info(batches, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
        if (info && info->num_connections < BATCH_CONNECTIONS_MAX) {
            return batches;
        }
    }
    return acceptor->worker.daemon[POOL_SINGLE];
}

static void give_to_daemon(struct acceptor *acceptor, struct pending *pending,
                           struct MHD_Daemon *daemon) {
    const uint64_t started = acceptor->started;
    if (MHD_add_connection(daemon, pending->fd, &pending->address.any, pending->address_len) !=
            MHD_YES &&
        acceptor->started == started) {
        /* The library has closed it without the callback for its start. */
        acceptor_count_closed(acceptor, &pending->address.any);
    }
    free_pending(pending);
}

/* Gives the connection to a daemon if its first bytes have arrived, or closes it if it has ended.
 * False when it is still silent. */
static bool move_on(struct acceptor *acceptor, struct pending *pending) {
    const enum pending_start start = pending_peek(pending->fd);
    if (start == PENDING_SILENT) {
        return false;
    }
    if (start == PENDING_ENDED) {
        close_pending(acceptor, pending, "the client left without a word");
    } else {
        give_to_daemon(acceptor, pending, choose_daemon(acceptor, start));
    }
    return true;
}

/* Makes this worker responsible for a connection that its `connections` already counts. */
static void add_pending(struct acceptor *acceptor, struct pending *pending) {
    LIST_INSERT_HEAD(&acceptor->pending, pending, entry);
    metric_add_owner(acceptor->worker.metrics, METRIC_connections_opened, 1);
    /* One event is enough: then it is given to a daemon or closed, which ends the watch. */
    if (!move_on(acceptor, pending) &&
        !watch(acceptor->epoll_fd, pending->fd, EPOLLIN | EPOLLONESHOT, pending)) {
        close_pending(acceptor, pending, "out of memory");
    }
}

static void add_handed(struct acceptor *acceptor, struct pending *first) {
    for (struct pending *pending = first, *next; pending; pending = next) {
        next = pending->next_handed;
        add_pending(acceptor, pending);
    }
}

/* ---- accepting ---- */

static void close_refused(struct acceptor *acceptor, int fd, enum metric metric) {
    close(fd);
    metric_add_owner(acceptor->worker.metrics, metric, 1);
}

/* No descriptor is left. A connection that no thread accepts keeps the listening socket readable,
 * which would be a busy loop. So one is accepted with the spare descriptor and closed. If that
 * fails, because another thread was faster, the socket is not watched until acceptor_check. */
static void refuse_without_descriptor(struct acceptor *acceptor) {
    if (acceptor->spare_fd >= 0) {
        close(acceptor->spare_fd);
    }
    const int fd = accept4(acceptor->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        close_refused(acceptor, fd, METRIC_connections_refused);
    }
    acceptor->spare_fd = open_spare();
    if (fd < 0 || acceptor->spare_fd < 0) {
        acceptor->paused = unwatch_listener(acceptor);
        log_line(LOG_WARN, "no file descriptor is left for connections", "worker=%u remedy=%s",
                 acceptor->worker.index,
                 "\"raise the limit on open files (ulimit -n, LimitNOFILE), or lower "
                 "--max-connections\"");
    }
}

/* Whether the limits admit the connection; if not, it is closed. */
static bool check_limits(struct acceptor *acceptor, int fd, const struct sockaddr *address) {
    struct connection_limits *limits = &acceptor->listener->limits;
    switch (connection_limits_admit(limits, address)) {
    case CONNECTION_TOO_MANY:
        log_closed(acceptor, address,
                   limits->admin ? "one too many for --admin-listen"
                                 : "one too many for --max-connections");
        close_refused(acceptor, fd, METRIC_connections_refused);
        connection_limits_warn(limits, 1, woke_us(acceptor));
        return false;
    case CONNECTION_TOO_MANY_OF_CLIENT:
        log_closed(acceptor, address, "one too many for --max-connections-per-address");
        close_refused(acceptor, fd, METRIC_connections_refused_of_address);
        return false;
    default:
        return true;
    }
}

static void add_connection(struct acceptor *acceptor, int fd, const struct pending *accepted) {
    if (!check_limits(acceptor, fd, &accepted->address.any)) {
        return;
    }
    struct pending *pending = malloc(sizeof *pending);
    if (!pending) {
        connection_limits_release(&acceptor->listener->limits, &accepted->address.any);
        close_refused(acceptor, fd, METRIC_connections_refused);
        return;
    }
    *pending = *accepted;
    pending->fd = fd;
    pending->since_us = woke_us(acceptor);
    struct handoff *to = handoff_choose(&acceptor->handoff, &acceptor->listener->handoffs);
    if (to == &acceptor->handoff || !handoff_put(to, pending)) {
        atomic_fetch_add_explicit(acceptor->worker.connections, 1, memory_order_relaxed);
        add_pending(acceptor, pending);
    }
}

static void accept_some(struct acceptor *acceptor, int most) {
    for (int i = 0; i < most && acceptor->listen_fd >= 0; i++) {
        struct pending accepted = {.address_len = sizeof accepted.address};
        const int fd = accept4(acceptor->listen_fd, &accepted.address.any, &accepted.address_len,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            acceptor->accepted_us = woke_us(acceptor);
            add_connection(acceptor, fd, &accepted);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            refuse_without_descriptor(acceptor);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

/* ---- the worker's calls ---- */

/* Gives pending connections whose first bytes have arrived to a daemon. False when there was no
 * event. */
static bool move_pending(struct acceptor *acceptor) {
    struct epoll_event events[EVENTS_A_TURN];
    const int n = epoll_wait(acceptor->epoll_fd, events, EVENTS_A_TURN, 0);
    for (int i = 0; i < n; i++) {
        struct pending *pending = events[i].data.ptr;
        if (!move_on(acceptor, pending)) {
            struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = pending};
            epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_MOD, pending->fd, &again);
        }
    }
    return n > 0;
}

void acceptor_run(struct acceptor *acceptor, enum acceptor_turn turn) {
    if (handoff_waits(&acceptor->handoff)) {
        add_handed(acceptor, handoff_take(&acceptor->handoff));
        return; /* who waits to be accepted wakes the worker up again */
    }
    if (!LIST_EMPTY(&acceptor->pending) && move_pending(acceptor)) {
        return; /* who waits to be accepted wakes the worker up again */
    }
    const bool burst = woke_us(acceptor) - acceptor->accepted_us < BURST_US;
    accept_some(acceptor, turn == ACCEPTOR_BUSY ? EVENTS_A_TURN : burst ? ACCEPTS_A_TURN : 1);
}

bool acceptor_is_handed(const struct acceptor *acceptor) {
    return handoff_waits(&acceptor->handoff);
}

void acceptor_check(struct acceptor *acceptor, int64_t now_us) {
    const struct options *options = acceptor->listener->options;
    const int64_t silent_us = options->idle_timeout < options->header_timeout
                                  ? options->idle_timeout
                                  : options->header_timeout;
    struct pending *next;
    for (struct pending *pending = LIST_FIRST(&acceptor->pending); pending; pending = next) {
        next = LIST_NEXT(pending, entry);
        if (now_us - pending->since_us > silent_us) {
            close_pending(acceptor, pending, "said nothing for --header-timeout or --idle-timeout");
        }
    }
    connection_limits_warn(&acceptor->listener->limits, 0, now_us);
    if (acceptor->paused && acceptor->listen_fd >= 0) {
        acceptor->spare_fd = acceptor->spare_fd < 0 ? open_spare() : acceptor->spare_fd;
        acceptor->paused = !watch_listener(acceptor);
    }
}

void acceptor_stop(struct acceptor *acceptor) {
    if (acceptor->listen_fd < 0) {
        return;
    }
    if (!acceptor->listener->is_shared) {
        accept_some(acceptor, BACKLOG_MAX);
    }
    /* Closing it would not end the watch, since duplicates are still open. */
    unwatch_listener(acceptor);
    close(acceptor->listen_fd);
    acceptor->listen_fd = -1;
    add_handed(acceptor, handoff_shut(&acceptor->handoff));
}

bool acceptor_expects_first(const struct acceptor *acceptor, int64_t since_us) {
    const struct pending *pending;
    LIST_FOREACH(pending, &acceptor->pending, entry) {
        if (pending->since_us > since_us) {
            return true;
        }
    }
    return false;
}

void acceptor_close(struct acceptor *acceptor) {
    acceptor_stop(acceptor);
    struct pending *next;
    for (struct pending *pending = LIST_FIRST(&acceptor->pending); pending; pending = next) {
        next = LIST_NEXT(pending, entry);
        close_pending(acceptor, pending, "the server stops");
    }
}
