#include "server/worker.h"

#include "server/access.h"
#include "server/clock.h"
#include "server/http.h"
#include "server/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DRAIN_QUIET_US (100 * US_PER_MS)
#define DRAIN_WAIT_MS 20
#define ADMIN_CONNECTIONS_MAX 256 /* of --admin-listen, apart from --max-connections: neither takes the other's */

__attribute__((format(printf, 2, 0))) static void log_library(void *cls, const char *format, va_list args) {
    (void)cls;
    char text[256], quoted[300];
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = '\0';
    log_line(LOG_DEBUG, "libmicrohttpd", "text=%s", log_quote(text, quoted, sizeof quoted));
}

/* A connection too many is closed at the door and counted. The library's own limit would leave it waiting in the backlog
 * for an answer that never comes, and is per daemon; ours is for all threads together. */
static enum MHD_Result admit(void *cls, const struct sockaddr *address, socklen_t address_len) {
    (void)address;
    (void)address_len;
    struct worker *worker = cls;
    const struct server *server = worker->server;
    uint64_t open = 0;
    if (worker == server->admin) {
        open = atomic_load_explicit(&worker->connections, memory_order_relaxed);
        return open < ADMIN_CONNECTIONS_MAX ? MHD_YES : MHD_NO;
    }
    for (unsigned i = 0; i < server->workers; i++) {
        open += atomic_load_explicit(&server->worker[i].connections, memory_order_relaxed);
    }
    if (open < (uint64_t)server->options->max_connections) {
        return MHD_YES;
    }
    metric_add_owner(&worker->metrics, METRIC_connections_refused, 1);
    return MHD_NO;
}

static struct MHD_Daemon *daemon_start(struct worker *worker, int listen_fd) {
    const struct options *options = worker->server->options;
    const bool tls = worker->server->access.identity;
    static struct MHD_OptionItem no_tls[] = {{MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(
        (tls ? MHD_USE_TLS : 0U) | MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_USE_ERROR_LOG, 0, admit, worker, http_handle,
        worker, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, UINT_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(options->idle_timeout / US_PER_S), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_CONNECTION_MEMORY, MHD_OPTION_NOTIFY_CONNECTION, http_connection, worker,
        MHD_OPTION_NOTIFY_COMPLETED, http_completed, worker, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls ? tls_options : no_tls, MHD_OPTION_END);
}

/* Waits for the daemon's own epoll descriptor, then lets the library handle what is ready without blocking. */
static void turn(struct worker *worker, int epoll_fd, int wait_ms) {
    MHD_UNSIGNED_LONG_LONG timeout;
    if (MHD_get_timeout(worker->daemon, &timeout) == MHD_YES && timeout < (MHD_UNSIGNED_LONG_LONG)wait_ms) {
        wait_ms = (int)timeout;
    }
    if (worker->handshakes.n && wait_ms < TLS_TURN_MS) {
        wait_ms = TLS_TURN_MS;
    }
    struct pollfd ready[2] = {{.fd = epoll_fd, .events = POLLIN},
                              {.fd = worker->draining ? -1 : worker->wake_fd, .events = POLLIN}};
    poll(ready, 2, wait_ms);
    worker->now_us = clock_wall_us();
    if (worker->shard) {
        shard_set_now_owner(worker->shard, worker->now_us);
    }
    const int64_t steady_us = clock_steady_us();
    atomic_store_explicit(&worker->alive_us, steady_us, memory_order_relaxed);
    if (steady_us - worker->slow_closed_us > US_PER_S) {
        worker->slow_closed_us = steady_us;
        http_close_slow(worker, steady_us);
    }
    metric_add_owner(&worker->metrics, METRIC_wakeups, 1);
    access_look_owner(worker);
    tls_handshakes_look(&worker->handshakes, steady_us);
    MHD_run(worker->daemon);
}

/* No new connections; answers say "close"; until nothing has been going on for a while, or the deadline. A connection that
 * is merely open has no request in flight, and is closed. */
static void drain(struct worker *worker, int epoll_fd) {
    const struct server *server = worker->server;
    const int64_t deadline_us = atomic_load(&server->drain_deadline_us);
    worker->draining = true;
    http_close_after_answers(worker);
    turn(worker, epoll_fd, 0); /* what had been connected before the stop is taken in */
    const MHD_socket fd = MHD_quiesce_daemon(worker->daemon);
    if (fd != MHD_INVALID_SOCKET) {
        close(fd);
    }
    uint64_t requests = metric_read(&worker->metrics, METRIC_requests);
    int64_t quiet_since_us = clock_steady_us();
    for (int64_t now_us = quiet_since_us; now_us < deadline_us; now_us = clock_steady_us()) {
        const uint64_t seen = metric_read(&worker->metrics, METRIC_requests);
        if (seen != requests || worker->in_flight) {
            requests = seen;
            quiet_since_us = now_us;
        }
        if (atomic_load_explicit(&worker->connections, memory_order_relaxed) == 0 ||
            now_us - quiet_since_us > DRAIN_QUIET_US) {
            break;
        }
        turn(worker, epoll_fd, DRAIN_WAIT_MS);
    }
}

static void *worker_main(void *cls) {
    struct worker *worker = cls;
    const int epoll_fd = MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    while (!atomic_load_explicit(&worker->server->stopping, memory_order_acquire)) {
        turn(worker, epoll_fd, worker->server->sign_of_life_ms);
    }
    drain(worker, epoll_fd);
    MHD_stop_daemon(worker->daemon);
    return NULL;
}

static void worker_release(struct worker *worker) {
    http_responses_free(worker);
    if (worker->wake_fd >= 0) {
        close(worker->wake_fd);
    }
}

static bool worker_start(struct worker *worker, int listen_fd) {
    atomic_store(&worker->alive_us, clock_steady_us());
    worker->now_us = clock_wall_us();
    if (worker->shard) {
        shard_set_now_owner(worker->shard, worker->now_us);
    }
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const int fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
    if (worker->wake_fd < 0 || fd < 0 || !http_responses_make(worker)) {
        log_line(LOG_ERROR, "cannot start a worker", "worker=%u error=\"%s\"", worker->index, strerror(errno));
        worker_release(worker);
        return false;
    }
    worker->daemon = daemon_start(worker, fd);
    if (!worker->daemon || pthread_create(&worker->thread, NULL, worker_main, worker)) {
        log_line(LOG_ERROR, "cannot start libmicrohttpd", "worker=%u error=\"%s\"", worker->index, strerror(errno));
        if (worker->daemon) {
            MHD_stop_daemon(worker->daemon);
        }
        worker_release(worker);
        return false;
    }
    return true;
}

static struct worker *workers_make(unsigned n) {
    struct worker *workers = aligned_alloc(64, n * sizeof *workers);
    if (workers) {
        memset(workers, 0, n * sizeof *workers);
    } else {
        log_line(LOG_ERROR, "out of memory", "workers=%u", n);
    }
    return workers;
}

/* It reads what the other workers write: they are all there when it starts. */
static bool admin_start(struct server *server, int listen_fd) {
    server->admin->server = server;
    server->admin->index = server->workers;
    server->admin_runs = worker_start(server->admin, listen_fd);
    return server->admin_runs;
}

bool workers_start(struct server *server, int listen_fd, int admin_fd) {
    const unsigned wanted = server->workers;
    server->workers = 0; /* those that run, for who stops them */
    server->worker = workers_make(wanted);
    server->admin = admin_fd >= 0 ? workers_make(1) : NULL;
    if (!server->worker || (admin_fd >= 0 && !server->admin)) {
        return false;
    }
    server->workers = wanted;
    for (unsigned i = 0; i < wanted; i++) {
        struct worker *worker = &server->worker[i];
        worker->server = server;
        worker->index = i;
        worker->shard = counters_worker_shard(server->counters, i);
        if (!worker_start(worker, listen_fd)) {
            server->workers = i;
            return false;
        }
    }
    return admin_fd < 0 || admin_start(server, admin_fd);
}

static void wake(const struct worker *worker) {
    const uint64_t one = 1;
    const ssize_t written = write(worker->wake_fd, &one, sizeof one);
    (void)written; /* it cannot fail but when the counter is full, and then the worker is awake */
}

void workers_stop(struct server *server, int64_t deadline_us) {
    atomic_store(&server->drain_deadline_us, deadline_us);
    atomic_store_explicit(&server->stopping, true, memory_order_release);
    for (unsigned i = 0; server->worker && i < server->workers; i++) {
        wake(&server->worker[i]);
    }
    if (server->admin_runs) {
        wake(server->admin);
        pthread_join(server->admin->thread, NULL);
        worker_release(server->admin);
    }
    for (unsigned i = 0; server->worker && i < server->workers; i++) {
        pthread_join(server->worker[i].thread, NULL);
        worker_release(&server->worker[i]);
    }
    free(server->admin); /* not before: each worker looks whether there is one */
    server->admin = NULL;
}

int64_t workers_alive_us(const struct server *server) {
    int64_t oldest_us = INT64_MAX;
    for (unsigned i = 0; i < server->workers; i++) {
        const int64_t at_us = atomic_load_explicit(&server->worker[i].alive_us, memory_order_relaxed);
        oldest_us = at_us < oldest_us ? at_us : oldest_us;
    }
    if (server->admin) {
        const int64_t at_us = atomic_load_explicit(&server->admin->alive_us, memory_order_relaxed);
        oldest_us = at_us < oldest_us ? at_us : oldest_us;
    }
    return oldest_us;
}
