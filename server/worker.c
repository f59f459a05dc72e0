#include "server/worker.h"

#include "server/access/access.h"
#include "server/http/http.h"
#include "server/net/door.h"
#include "server/net/framing.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define QUIET_US (100 * US_PER_MS)
/* so long a connection that has just been accepted is waited for */
#define FIRST_REQUEST_US US_PER_S
#define FINISH_WAIT_MS 20
/* more than this is no slewing; the rings have places for 4 s more than the span */
#define STEP_US (2 * US_PER_S)
/* who reads at --admin-listen waits for those who count, when cores are short */
#define ADMIN_NICE 10

__attribute__((format(printf, 2, 0))) static void log_library(void *cls, const char *format,
                                                              va_list args) {
    (void)cls;
    char text[256], quoted[300];
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = '\0';
    log_line(LOG_DEBUG, "libmicrohttpd", "text=%s", log_quote(text, quoted, sizeof quoted));
}

/* A daemon with no listen socket of its own: the door hands it connections. Where framing.h sees
 * more than the library's strict mode, it refuses more, and says so: the library closes without a
 * word, or answers twice. */
static struct MHD_Daemon *daemon_start(struct worker *worker, enum pool pool) {
    const struct options *options = worker->server->options;
    const bool tls = worker->server->access.identity;
    static struct MHD_OptionItem no_tls[] = {{MHD_OPTION_END, 0, NULL}};
    static const size_t least[POOLS] = {
        [POOL_SINGLE] = HTTP_POOL_SINGLE, [POOL_BATCH] = HTTP_POOL_BATCH};
    const size_t headers = (size_t)(options->max_header + options->max_header / 3);
    const size_t pool_bytes = headers > least[pool] ? headers : least[pool];
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_SUPPRESS_DATE_NO_CLOCK |
            MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0U),
        0, NULL, NULL, http_handle, worker, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_CONNECTION_LIMIT, UINT_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(options->idle_timeout / US_PER_S), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        pool_bytes, MHD_OPTION_NOTIFY_CONNECTION, http_connection, worker,
        MHD_OPTION_NOTIFY_COMPLETED, http_completed, worker, MHD_OPTION_URI_LOG_CALLBACK,
        http_target, worker, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_STRICT_FOR_CLIENT,
        framing_sees_lines() ? 0 : 1, MHD_OPTION_ARRAY, tls ? tls_options : no_tls, MHD_OPTION_END);
}

static void tell_move(struct worker *worker, enum shard_move move) {
    if (move == SHARD_MOVED) {
        metric_add_owner(&worker->metrics, METRIC_shards_taken, 1);
        log_line(LOG_WARN,
                 "the clock was set: what was counted keeps its places, and this worker counts in "
                 "another shard",
                 "worker=%u ahead_ms=%lld", worker->index,
                 (long long)(counters_ahead_us(worker->server->counters) / US_PER_MS));
    } else if (move == SHARD_STUCK && !worker->stuck) {
        log_line(
            LOG_ERROR,
            "the clock was set, and there is no place to count beside what was counted: events of "
            "the present that find none are refused as too late, arrivals counted in later windows",
            "worker=%u error=\"%s\" remedy=\"free disk space for the state file, %u shards at the "
            "most\"",
            worker->index, strerror(errno), COUNTERS_SHARDS_MOST);
    }
    worker->stuck = move == SHARD_STUCK;
}

/* What is now, for the events of this turn. The steady clock tells a wall clock that was set from
 * time that passed. */
static void set_now(struct worker *worker, int64_t now_us, int64_t steady_us) {
    const int64_t expected_us =
        worker->now_us + steady_us - atomic_load_explicit(&worker->alive_us, memory_order_relaxed);
    const int64_t step_us = now_us - expected_us;
    worker->now_us = now_us;
    atomic_store_explicit(&worker->alive_us, steady_us, memory_order_relaxed);
    if (!worker->shard) {
        return;
    }
    if (step_us > STEP_US || step_us < -STEP_US) {
        metric_add_owner(&worker->metrics,
                         step_us > 0 ? METRIC_clock_steps_ahead : METRIC_clock_steps_back, 1);
        if (worker->index == 0) { /* one tells of it; all see it */
            log_line(LOG_WARN,
                     step_us > 0 ? "the wall clock has stepped ahead"
                                 : "the wall clock was set back",
                     "by_ms=%lld", (long long)(step_us > 0 ? step_us : -step_us) / US_PER_MS);
        }
    }
    const enum shard_move move = step_us > STEP_US
                                     ? shard_step_ahead_owner(worker->shard, expected_us, now_us)
                                     : shard_set_now_owner(worker->shard, now_us);
    if (__builtin_expect(move != SHARD_STAYED || worker->stuck, 0)) {
        tell_move(worker, move);
    }
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
    return MHD_get_timeout(daemon, &timeout_ms) == MHD_YES &&
                   timeout_ms < (MHD_UNSIGNED_LONG_LONG)most_ms
               ? (int)timeout_ms
               : most_ms;
}

/* Waits for the daemons' own epoll descriptors, then lets the library handle what is ready without
 * blocking. */
static void turn(struct worker *worker, int wait_ms) {
    struct pollfd ready[POOLS + 2];
    for (int pool = 0; pool < POOLS; pool++) {
        ready[pool] = (struct pollfd){.fd = worker->daemon_fd[pool], .events = POLLIN};
        wait_ms = rest_ms(worker->daemon[pool], wait_ms);
    }
    if (worker->handshakes.n && wait_ms < TLS_TURN_MS) {
        wait_ms = TLS_TURN_MS;
    }
    ready[POOLS] = (struct pollfd){.fd = door_fd(worker->door), .events = POLLIN};
    ready[POOLS + 1] = (struct pollfd){.fd = worker->wake_fd, .events = POLLIN};
    if (poll(ready, POOLS + 2, wait_ms) > 0 && ready[POOLS + 1].revents) {
        uint64_t wakes;
        const ssize_t n = read(worker->wake_fd, &wakes, sizeof wakes);
        (void)n; /* what was meant by it is in the server's flags */
    }
    const int64_t steady_us = clock_steady_us();
    set_now(worker, clock_wall_us(), steady_us);
    metric_add_owner(&worker->metrics, METRIC_wakeups, 1);
    access_look_owner(worker);
    tls_handshakes_look(&worker->handshakes, steady_us);
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

/* Until nothing has been going on for a while, or the deadline. A connection that is merely open
 * has no request in flight, and is closed; but a new one is given the time to make its first
 * request. */
static void finish(struct worker *worker) {
    const int64_t deadline_us = atomic_load(&worker->server->stop_deadline_us);
    uint64_t requests = metric_read(&worker->metrics, METRIC_requests);
    int64_t quiet_since_us = clock_steady_us();
    for (int64_t now_us = quiet_since_us; now_us < deadline_us; now_us = clock_steady_us()) {
        const uint64_t seen = metric_read(&worker->metrics, METRIC_requests);
        const int64_t new_us = now_us - FIRST_REQUEST_US;
        if (seen != requests || worker->in_flight || http_expects_first(worker, new_us) ||
            door_expects_first(worker->door, new_us)) {
            requests = seen;
            quiet_since_us = now_us;
        }
        if (atomic_load_explicit(&worker->connections, memory_order_relaxed) == 0 ||
            now_us - quiet_since_us > QUIET_US) {
            break;
        }
        turn(worker, FINISH_WAIT_MS);
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
    if (worker == worker->server->admin) {
        /* of this thread, on Linux; without it, it only is less polite */
        setpriority(PRIO_PROCESS, 0, ADMIN_NICE);
    }
    while (!atomic_load_explicit(&worker->server->stopping, memory_order_acquire)) {
        worker->draining = atomic_load_explicit(&worker->server->draining, memory_order_acquire);
        turn(worker, worker->server->sign_of_life_ms);
    }
    worker->draining = true;
    door_shut(worker->door);
    finish(worker);
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
        worker->daemon_fd[pool] =
            MHD_get_daemon_info(worker->daemon[pool], MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    }
    return true;
}

/* All of them: those that count, then the one of --admin-listen, if there is one. */
static unsigned workers_n(const struct server *server) {
    return server->worker ? server->workers + (server->admin != NULL) : 0;
}

static struct worker *worker_at(const struct server *server, unsigned index) {
    struct worker *worker = index < server->workers ? &server->worker[index] : server->admin;
    assert(worker);
    return worker;
}

static bool worker_make(struct worker *worker, struct server *server, unsigned index,
                        int listen_fd) {
    worker->server = server;
    worker->index = index;
    worker->shard = worker == server->admin ? NULL : counters_worker_shard(server->counters, index);
    const int64_t steady_us = clock_steady_us();
    atomic_store(&worker->alive_us, steady_us);
    worker->now_us = clock_wall_us();
    set_now(worker, worker->now_us, steady_us);
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->door = door_open(worker, listen_fd);
    return worker->wake_fd >= 0 && worker->door && http_responses_make(worker) &&
           daemons_start(worker);
}

static struct worker *workers_new(unsigned n) {
    struct worker *workers = aligned_alloc(64, n * sizeof *workers);
    if (workers) {
        memset(workers, 0, n * sizeof *workers);
    }
    for (unsigned i = 0; workers && i < n; i++) {
        workers[i].wake_fd = -1;
    }
    return workers;
}

/* All are made before the first one runs: they know each other's doors. */
static bool workers_make(struct server *server, int listen_fd, int admin_fd) {
    server->worker = workers_new(server->workers);
    server->admin = admin_fd >= 0 ? workers_new(1) : NULL;
    if (!server->worker || (admin_fd >= 0 && !server->admin)) {
        return false;
    }
    for (unsigned i = 0; i < workers_n(server); i++) {
        if (!worker_make(worker_at(server, i), server, i,
                         i < server->workers ? listen_fd : admin_fd)) {
            return false;
        }
    }
    return true;
}

bool workers_start(struct server *server, int listen_fd, int admin_fd) {
    /* from 1.0 on its own parser is strict */
    if (!framing_sees_lines() && MHD_get_version()[0] == '0') {
        log_line(LOG_WARN, "this libmicrohttpd is not one whose line ends we can see",
                 "version=%s remedy=\"put a proxy in front that refuses bare line feeds\"",
                 MHD_get_version());
    }
    bool ok = workers_make(server, listen_fd, admin_fd);
    for (unsigned i = 0; ok && i < workers_n(server); i++) {
        struct worker *worker = worker_at(server, i);
        worker->runs = ok = pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
    }
    if (!ok) {
        log_line(LOG_ERROR, "cannot start the workers", "threads=%u error=\"%s\"", server->workers,
                 strerror(errno));
    }
    return ok;
}

static void wake(struct server *server) {
    for (unsigned i = 0; i < workers_n(server); i++) {
        const uint64_t one = 1;
        const ssize_t written = write(worker_at(server, i)->wake_fd, &one, sizeof one);
        /* it cannot fail but when the counter is full, and then the worker is awake */
        (void)written;
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
    for (unsigned i = 0; i < workers_n(server); i++) {
        if (worker_at(server, i)->runs) {
            pthread_join(worker_at(server, i)->thread, NULL);
        } else {
            daemons_stop(worker_at(server, i));
        }
    }
    for (unsigned i = 0; i < workers_n(server); i++) {
        worker_release(worker_at(server, i));
    }
    free(server->admin);
    server->admin = NULL;
}

int64_t workers_alive_us(const struct server *server) {
    int64_t oldest_us = INT64_MAX;
    for (unsigned i = 0; i < workers_n(server); i++) {
        const int64_t at_us =
            atomic_load_explicit(&worker_at(server, i)->alive_us, memory_order_relaxed);
        oldest_us = at_us < oldest_us ? at_us : oldest_us;
    }
    return oldest_us;
}
