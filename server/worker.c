#include "server/worker.h"

#include "server/clock.h"
#include "server/door.h"
#include "server/framing.h"
#include "server/http.h"
#include "server/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DRAIN_QUIET_US (100 * US_PER_MS)
#define DRAIN_WAIT_MS 20

__attribute__((format(printf, 2, 0))) static void log_library(void *cls, const char *format, va_list args) {
    (void)cls;
    char text[256], quoted[300];
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = '\0';
    log_line(LOG_DEBUG, "libmicrohttpd", "text=%s", log_quote(text, quoted, sizeof quoted));
}

/* A daemon with no listen socket of its own: the door hands it connections. Where framing.h sees more than the library's
 * strict mode, it refuses more, and says so: the library closes without a word, or answers twice. */
static struct MHD_Daemon *daemon_start(struct worker *worker, enum pool pool) {
    const struct options *options = worker->server->options;
    static const size_t least[POOLS] = {[POOL_SINGLE] = HTTP_POOL_SINGLE, [POOL_BATCH] = HTTP_POOL_BATCH};
    const size_t headers = (size_t)(options->max_header + options->max_header / 3);
    const size_t pool_bytes = headers > least[pool] ? headers : least[pool];
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_USE_ERROR_LOG, 0,
        NULL, NULL, http_handle, worker, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_CONNECTION_LIMIT,
        UINT_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(options->idle_timeout / US_PER_S),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool_bytes, MHD_OPTION_NOTIFY_CONNECTION, http_connection, worker,
        MHD_OPTION_NOTIFY_COMPLETED, http_completed, worker, MHD_OPTION_URI_LOG_CALLBACK, http_target, worker, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_STRICT_FOR_CLIENT, framing_sees_lines() ? 0 : 1, MHD_OPTION_END);
}

static void tick(struct worker *worker, int64_t now_us) {
    if (now_us - worker->ticked_us > US_PER_S) {
        worker->ticked_us = now_us;
        http_close_slow(worker, now_us);
        door_tick(worker->door, now_us);
    }
}

/* How long the daemon may be left alone, in ms, at most `most_ms`. */
static int rest_ms(struct MHD_Daemon *daemon, int most_ms) {
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    return MHD_get_timeout(daemon, &timeout_ms) == MHD_YES && timeout_ms < (MHD_UNSIGNED_LONG_LONG)most_ms ? (int)timeout_ms
                                                                                                            : most_ms;
}

/* Waits for the daemons' own epoll descriptors, then lets the library handle what is ready without blocking. */
static void turn(struct worker *worker, int wait_ms) {
    struct pollfd ready[POOLS + 2];
    for (int pool = 0; pool < POOLS; pool++) {
        ready[pool] = (struct pollfd){.fd = worker->daemon_fd[pool], .events = POLLIN};
        wait_ms = rest_ms(worker->daemon[pool], wait_ms);
    }
    ready[POOLS] = (struct pollfd){.fd = door_fd(worker->door), .events = POLLIN};
    ready[POOLS + 1] = (struct pollfd){.fd = worker->draining ? -1 : worker->wake_fd, .events = POLLIN};
    poll(ready, POOLS + 2, wait_ms);
    worker->now_us = clock_wall_us();
    shard_set_now_owner(worker->shard, worker->now_us);
    const int64_t steady_us = clock_steady_us();
    atomic_store_explicit(&worker->alive_us, steady_us, memory_order_relaxed);
    metric_add_owner(&worker->metrics, METRIC_wakeups, 1);
    tick(worker, steady_us);
    if (ready[POOLS].revents) {
        door_turn(worker->door);
    }
    for (int pool = 0; pool < POOLS; pool++) {
        if (ready[pool].revents || rest_ms(worker->daemon[pool], 1) == 0) {
            MHD_run(worker->daemon[pool]);
        }
    }
}

/* No new connections; answers say "close"; until nothing has been going on for a while, or the deadline. A connection that
 * is merely open has no request in flight, and is closed. */
static void drain(struct worker *worker) {
    const struct server *server = worker->server;
    const int64_t deadline_us = atomic_load(&server->drain_deadline_us);
    worker->draining = true;
    turn(worker, 0); /* what had been connected before the stop is taken in */
    door_shut(worker->door);
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
        turn(worker, DRAIN_WAIT_MS);
    }
}

static void daemons_stop(struct worker *worker) {
    for (int pool = 0; pool < POOLS; pool++) {
        if (worker->daemon[pool]) {
            MHD_stop_daemon(worker->daemon[pool]);
        }
    }
}

static void *worker_main(void *cls) {
    struct worker *worker = cls;
    while (!atomic_load_explicit(&worker->server->stopping, memory_order_acquire)) {
        turn(worker, worker->server->sign_of_life_ms);
    }
    drain(worker);
    door_close(worker->door);
    daemons_stop(worker);
    return NULL;
}

static void worker_release(struct worker *worker) {
    http_responses_free(worker);
    door_free(worker->door);
    if (worker->wake_fd >= 0) {
        close(worker->wake_fd);
    }
}

static bool daemons_start(struct worker *worker) {
    for (int pool = 0; pool < POOLS; pool++) {
        worker->daemon[pool] = daemon_start(worker, (enum pool)pool);
        if (!worker->daemon[pool]) {
            return false;
        }
        worker->daemon_fd[pool] = MHD_get_daemon_info(worker->daemon[pool], MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    }
    return true;
}

static bool worker_make(struct worker *worker, struct server *server, unsigned index, int listen_fd) {
    worker->server = server;
    worker->index = index;
    worker->shard = counters_worker_shard(server->counters, index);
    atomic_store(&worker->alive_us, clock_steady_us());
    worker->now_us = clock_wall_us();
    shard_set_now_owner(worker->shard, worker->now_us);
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->door = door_open(worker, listen_fd);
    return worker->wake_fd >= 0 && worker->door && http_responses_make(worker) && daemons_start(worker);
}

/* All are made before the first one runs: they know each other's doors. */
static bool workers_make(struct server *server, int listen_fd) {
    server->worker = aligned_alloc(64, server->workers * sizeof *server->worker);
    if (!server->worker) {
        return false;
    }
    memset(server->worker, 0, server->workers * sizeof *server->worker);
    for (unsigned i = 0; i < server->workers; i++) {
        server->worker[i].wake_fd = -1;
    }
    for (unsigned i = 0; i < server->workers; i++) {
        if (!worker_make(&server->worker[i], server, i, listen_fd)) {
            return false;
        }
    }
    return true;
}

bool workers_start(struct server *server, int listen_fd) {
    if (!framing_sees_lines() && MHD_get_version()[0] == '0') { /* from 1.0 on its own parser is strict */
        log_line(LOG_WARN, "this libmicrohttpd is not one whose line ends we can see",
                 "version=%s remedy=\"put a proxy in front that refuses bare line feeds\"", MHD_get_version());
    }
    bool ok = workers_make(server, listen_fd);
    for (unsigned i = 0; ok && i < server->workers; i++) {
        struct worker *worker = &server->worker[i];
        worker->runs = ok = pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
    }
    if (!ok) {
        log_line(LOG_ERROR, "cannot start the workers", "threads=%u error=\"%s\"", server->workers, strerror(errno));
    }
    return ok;
}

void workers_stop(struct server *server, int64_t deadline_us) {
    atomic_store(&server->drain_deadline_us, deadline_us);
    atomic_store_explicit(&server->stopping, true, memory_order_release);
    for (unsigned i = 0; server->worker && i < server->workers; i++) {
        const uint64_t one = 1;
        const ssize_t written = write(server->worker[i].wake_fd, &one, sizeof one);
        (void)written; /* it cannot fail but when the counter is full, and then the worker is awake */
    }
    for (unsigned i = 0; server->worker && i < server->workers; i++) {
        if (server->worker[i].runs) {
            pthread_join(server->worker[i].thread, NULL);
        } else {
            daemons_stop(&server->worker[i]);
        }
    }
    for (unsigned i = 0; server->worker && i < server->workers; i++) {
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
