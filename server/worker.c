#include "server/worker.h"

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

#define QUIET_US (100 * US_PER_MS)
#define FIRST_REQUEST_US US_PER_S /* so long a connection that has just been accepted is waited for */
#define FINISH_WAIT_MS 20
#define TAKE_IN_TURNS 512 /* the library accepts some ten connections a turn; this is more than the backlog */

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
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_USE_ERROR_LOG, 0, admit, worker, http_handle,
        worker, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, UINT_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(options->idle_timeout / US_PER_S), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_CONNECTION_MEMORY, MHD_OPTION_NOTIFY_CONNECTION, http_connection, worker,
        MHD_OPTION_NOTIFY_COMPLETED, http_completed, worker, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

/* Waits for the daemon's own epoll descriptor, then lets the library handle what is ready without blocking. */
static void turn(struct worker *worker, int epoll_fd, int wait_ms) {
    MHD_UNSIGNED_LONG_LONG timeout;
    if (MHD_get_timeout(worker->daemon, &timeout) == MHD_YES && timeout < (MHD_UNSIGNED_LONG_LONG)wait_ms) {
        wait_ms = (int)timeout;
    }
    struct pollfd ready[2] = {{.fd = epoll_fd, .events = POLLIN}, {.fd = worker->wake_fd, .events = POLLIN}};
    if (poll(ready, 2, wait_ms) > 0 && ready[1].revents) {
        uint64_t wakes;
        const ssize_t n = read(worker->wake_fd, &wakes, sizeof wakes);
        (void)n; /* what was meant by it is in the server's flags */
    }
    worker->now_us = clock_wall_us();
    shard_set_now_owner(worker->shard, worker->now_us);
    const int64_t steady_us = clock_steady_us();
    atomic_store_explicit(&worker->alive_us, steady_us, memory_order_relaxed);
    if (steady_us - worker->slow_closed_us > US_PER_S) {
        worker->slow_closed_us = steady_us;
        http_close_slow(worker, steady_us);
    }
    metric_add_owner(&worker->metrics, METRIC_wakeups, 1);
    MHD_run(worker->daemon);
}

static void drain(struct worker *worker) {
    if (!worker->draining) {
        worker->draining = true;
        http_close_after_answers(worker);
    }
}

/* No new connections. What had been connected before is taken in, for the kernel would reset it when the last listening
 * socket is closed; but when that is not ours, whoever still waits is left to the next server. */
static void stop_accepting(struct worker *worker, int epoll_fd) {
    struct pollfd listening = {.fd = MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_LISTEN_FD)->listen_fd,
                               .events = POLLIN};
    turn(worker, epoll_fd, 0);
    for (int i = 0; i < TAKE_IN_TURNS && !worker->server->listen_is_shared && poll(&listening, 1, 0) > 0; i++) {
        turn(worker, epoll_fd, 0);
    }
    const MHD_socket fd = MHD_quiesce_daemon(worker->daemon);
    if (fd != MHD_INVALID_SOCKET) {
        close(fd);
    }
}

/* Until nothing has been going on for a while, or the deadline. A connection that is merely open has no request in flight,
 * and is closed; but a new one is given the time to make its first request. */
static void finish(struct worker *worker, int epoll_fd) {
    const int64_t deadline_us = atomic_load(&worker->server->stop_deadline_us);
    uint64_t requests = metric_read(&worker->metrics, METRIC_requests);
    int64_t quiet_since_us = clock_steady_us();
    for (int64_t now_us = quiet_since_us; now_us < deadline_us; now_us = clock_steady_us()) {
        const uint64_t seen = metric_read(&worker->metrics, METRIC_requests);
        if (seen != requests || worker->in_flight || http_expects_first(worker, now_us - FIRST_REQUEST_US)) {
            requests = seen;
            quiet_since_us = now_us;
        }
        if (atomic_load_explicit(&worker->connections, memory_order_relaxed) == 0 ||
            now_us - quiet_since_us > QUIET_US) {
            break;
        }
        turn(worker, epoll_fd, FINISH_WAIT_MS);
    }
}

static void *worker_main(void *cls) {
    struct worker *worker = cls;
    const int epoll_fd = MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    while (!atomic_load_explicit(&worker->server->stopping, memory_order_acquire)) {
        if (atomic_load_explicit(&worker->server->draining, memory_order_acquire)) {
            drain(worker);
        }
        turn(worker, epoll_fd, worker->server->sign_of_life_ms);
    }
    drain(worker);
    stop_accepting(worker, epoll_fd);
    finish(worker, epoll_fd);
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
    shard_set_now_owner(worker->shard, worker->now_us);
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

bool workers_start(struct server *server, int listen_fd) {
    const unsigned wanted = server->workers;
    server->worker = aligned_alloc(64, wanted * sizeof *server->worker);
    if (!server->worker) {
        log_line(LOG_ERROR, "out of memory", "workers=%u", wanted);
        return false;
    }
    memset(server->worker, 0, wanted * sizeof *server->worker);
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
    return true;
}

static void wake(struct server *server) {
    for (unsigned i = 0; server->worker && i < server->workers; i++) {
        const uint64_t one = 1;
        const ssize_t written = write(server->worker[i].wake_fd, &one, sizeof one);
        (void)written; /* it cannot fail but when the counter is full, and then the worker is awake */
    }
}

void workers_drain(struct server *server) {
    atomic_store_explicit(&server->draining, true, memory_order_release);
    wake(server);
}

void workers_stop(struct server *server, int64_t deadline_us) {
    atomic_store(&server->stop_deadline_us, deadline_us);
    atomic_store_explicit(&server->draining, true, memory_order_release);
    atomic_store_explicit(&server->stopping, true, memory_order_release);
    wake(server);
    for (unsigned i = 0; server->worker && i < server->workers; i++) {
        pthread_join(server->worker[i].thread, NULL);
        worker_release(&server->worker[i]);
    }
}

int64_t workers_alive_us(const struct server *server) {
    int64_t oldest_us = INT64_MAX;
    for (unsigned i = 0; i < server->workers; i++) {
        const int64_t at_us = atomic_load_explicit(&server->worker[i].alive_us, memory_order_relaxed);
        oldest_us = at_us < oldest_us ? at_us : oldest_us;
    }
    return oldest_us;
}
