#include "server/worker.h"

#include "server/access/access.h"
#include "server/http/answers.h"
#include "server/http/connections.h"
#include "server/http/daemon.h"
#include "server/metrics.h"
#include "server/net/acceptor.h"
#include "server/net/framing.h"
#include "server/net/tls.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define QUIET_US (100 * US_PER_MS)
/* how long a new connection has for its first request while the server stops */
#define FIRST_REQUEST_US US_PER_S
#define FINISH_WAIT_MS 20
/* more than this is no slewing; the rings have room for 4 s more than the span */
#define STEP_US (2 * US_PER_S)
/* who reads at --admin-listen waits for those who count, when cores are short */
#define ADMIN_NICE 10

/* The thread of a worker; its own, except for what is main's. */
struct worker_thread {
    struct worker *worker;
    pthread_t id;
    bool runs; /* main's own */
    struct MHD_Daemon *daemon[POOLS];
    int daemon_fd[POOLS]; /* each daemon's own epoll descriptor */
    int wake_fd;        /* eventfd: written by main when the thread is to look at server's flags */
    int64_t checked_us; /* steady clock of what is done once a second */
    bool stuck;         /* it was logged that there is no shard to count in after a clock step */
};

static void log_move(struct worker_thread *thread, enum shard_move move) {
    struct worker *worker = thread->worker;
    if (move == SHARD_MOVED) {
        metric_add_owner(&worker->metrics, METRIC_shards_taken, 1);
        log_line(LOG_WARN,
                 "the clock was set: what was counted keeps its places, and this worker counts in "
                 "another shard",
                 "worker=%u ahead_ms=%lld", worker->index,
                 (long long)(counters_ahead_us(worker->server->counters) / US_PER_MS));
    } else if (move == SHARD_STUCK && !thread->stuck) {
        log_line(
            LOG_ERROR,
            "the clock was set, and there is no place to count beside what was counted: events of "
            "the present that find none are refused as too late, arrivals counted in later windows",
            "worker=%u error=\"%s\" remedy=\"free disk space for the state file, %u shards at the "
            "most\"",
            worker->index, strerror(errno), COUNTERS_SHARDS_MOST);
    }
    thread->stuck = move == SHARD_STUCK;
}

/* Sets the time of this turn. The steady clock tells a wall clock that was set from time that
 * passed. */
static void set_now(struct worker_thread *thread, int64_t now_us, int64_t steady_us) {
    struct worker *worker = thread->worker;
    const int64_t expected_us = worker->now_us + steady_us - worker_woke_us(worker);
    const int64_t step_us = now_us - expected_us;
    worker->now_us = now_us;
    atomic_store_explicit(&worker->woke_us, steady_us, memory_order_relaxed);
    if (!worker->shard) {
        return;
    }
    if (step_us > STEP_US || step_us < -STEP_US) {
        metric_add_owner(&worker->metrics,
                         step_us > 0 ? METRIC_clock_steps_ahead : METRIC_clock_steps_back, 1);
        if (worker->index == 0) { /* all workers see it, and one logs it */
            log_line(LOG_WARN,
                     step_us > 0 ? "the wall clock has stepped ahead"
                                 : "the wall clock was set back",
                     "by_ms=%lld", (long long)(step_us > 0 ? step_us : -step_us) / US_PER_MS);
        }
    }
    const enum shard_move move = step_us > STEP_US
                                     ? shard_step_ahead_owner(worker->shard, expected_us, now_us)
                                     : shard_set_now_owner(worker->shard, now_us);
    if (__builtin_expect(move != SHARD_STAYED || thread->stuck, 0)) {
        log_move(thread, move);
    }
}

static void check_every_second(struct worker_thread *thread, int64_t now_us) {
    if (now_us - thread->checked_us > US_PER_S) {
        thread->checked_us = now_us;
        connections_close_slow(thread->worker, now_us);
        acceptor_check(thread->worker->acceptor, now_us);
    }
}

/* How long the daemon needs no MHD_run, in ms, at most `most_ms`. */
static int idle_ms(struct MHD_Daemon *daemon, int most_ms) {
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    return MHD_get_timeout(daemon, &timeout_ms) == MHD_YES &&
                   timeout_ms < (MHD_UNSIGNED_LONG_LONG)most_ms
               ? (int)timeout_ms
               : most_ms;
}

/* One turn: waits until something is ready, at most wait_ms, then lets the library handle it
 * without blocking. */
static void run_turn(struct worker_thread *thread, int wait_ms) {
    struct worker *worker = thread->worker;
    struct pollfd ready[POOLS + 2];
    for (int pool = 0; pool < POOLS; pool++) {
        ready[pool] = (struct pollfd){.fd = thread->daemon_fd[pool], .events = POLLIN};
        wait_ms = idle_ms(thread->daemon[pool], wait_ms);
    }
    if (worker->handshakes.n && wait_ms < TLS_TURN_MS) {
        wait_ms = TLS_TURN_MS;
    }
    ready[POOLS] = (struct pollfd){.fd = acceptor_fd(worker->acceptor), .events = POLLIN};
    ready[POOLS + 1] = (struct pollfd){.fd = thread->wake_fd, .events = POLLIN};
    if (poll(ready, POOLS + 2, wait_ms) > 0 && ready[POOLS + 1].revents) {
        uint64_t wakes;
        const ssize_t n = read(thread->wake_fd, &wakes, sizeof wakes);
        (void)n; /* what was meant by it is in the server's flags */
    }
    const int64_t steady_us = clock_steady_us();
    set_now(thread, clock_wall_us(), steady_us);
    metric_add_owner(&worker->metrics, METRIC_wakeups, 1);
    access_refresh_owner(&worker->server->access, &worker->access);
    report_sets_refresh_owner(&worker->server->report_sets, &worker->report_view, worker->index);
    if (worker->report_view.adder) {
        adder_set_now_owner(worker->report_view.adder, worker->now_us);
    }
    if (worker->handshakes.n) {
        tls_handshakes_check(&worker->handshakes, steady_us);
    }
    check_every_second(thread, steady_us);
    if (ready[POOLS].revents) {
        acceptor_run(worker->acceptor);
    }
    for (int pool = 0; pool < POOLS; pool++) {
        if (ready[pool].revents || idle_ms(thread->daemon[pool], 1) == 0) {
            MHD_run(thread->daemon[pool]);
        }
    }
}

/* Runs on until there has been no request for QUIET_US, or until the deadline. Connections that are
 * merely open are not waited for; but a new one is given the time to make its first request. */
static void finish_requests(struct worker_thread *thread) {
    const struct worker *worker = thread->worker;
    const int64_t deadline_us = atomic_load(&worker->server->stop_deadline_us);
    uint64_t requests = metric_read(&worker->metrics, METRIC_requests);
    int64_t quiet_since_us = clock_steady_us();
    for (int64_t now_us = quiet_since_us; now_us < deadline_us; now_us = clock_steady_us()) {
        const uint64_t seen = metric_read(&worker->metrics, METRIC_requests);
        const int64_t new_us = now_us - FIRST_REQUEST_US;
        if (seen != requests || worker->in_flight || connections_expect_first(worker, new_us) ||
            acceptor_expects_first(worker->acceptor, new_us)) {
            requests = seen;
            quiet_since_us = now_us;
        }
        if (atomic_load_explicit(&worker->connections, memory_order_relaxed) == 0 ||
            now_us - quiet_since_us > QUIET_US) {
            break;
        }
        run_turn(thread, FINISH_WAIT_MS);
    }
}

static void stop_daemons(struct worker_thread *thread) {
    for (int pool = 0; pool < POOLS; pool++) {
        if (thread->daemon[pool]) {
            MHD_stop_daemon(thread->daemon[pool]);
        }
    }
}

static void *run_thread(void *cls) {
    struct worker_thread *thread = cls;
    struct worker *worker = thread->worker;
    if (worker_is_admin(worker)) {
        /* of this thread, on Linux; without it, it only is less polite */
        setpriority(PRIO_PROCESS, 0, ADMIN_NICE);
    }
    while (!atomic_load_explicit(&worker->server->stopping, memory_order_acquire)) {
        worker->draining = atomic_load_explicit(&worker->server->draining, memory_order_acquire);
        run_turn(thread, worker->server->sign_of_life_ms);
    }
    worker->draining = true;
    acceptor_stop(worker->acceptor);
    finish_requests(thread);
    acceptor_close(worker->acceptor);
    stop_daemons(thread);
    return NULL;
}

/* ---- by main ---- */

static bool start_daemons(struct worker_thread *thread) {
    for (int pool = 0; pool < POOLS; pool++) {
        thread->daemon[pool] = daemon_start(thread->worker, (enum pool)pool);
        if (!thread->daemon[pool]) {
            return false;
        }
        thread->daemon_fd[pool] =
            MHD_get_daemon_info(thread->daemon[pool], MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    }
    return true;
}

/* All of them: those that count, then the one of --admin-listen, if there is one. */
static unsigned count_threads(const struct server *server) {
    return server->thread ? server->workers + (server->admin != NULL) : 0;
}

static bool make_acceptor(struct worker_thread *thread, int listen_fd) {
    struct worker *worker = thread->worker;
    struct server *server = worker->server;
    const struct acceptor_worker accepts_for = {.index = worker->index,
                                                .metrics = &worker->metrics,
                                                .connections = &worker->connections,
                                                .woke_us = &worker->woke_us,
                                                .daemon = thread->daemon};
    worker->acceptor = acceptor_new(
        &accepts_for, worker_is_admin(worker) ? &server->admin_listener : &server->listener,
        listen_fd);
    return worker->acceptor != NULL;
}

static bool make_worker(struct worker_thread *thread, struct server *server, unsigned index,
                        int listen_fd) {
    struct worker *worker = thread->worker;
    assert(worker);
    worker->server = server;
    worker->index = index;
    worker->shard = worker_is_admin(worker) ? NULL : counters_worker_shard(server->counters, index);
    LIST_INIT(&worker->opened);
    tls_handshakes_init(&worker->handshakes);
    access_join(&server->access, &worker->access);
    report_sets_join(&server->report_sets, &worker->report_view);
    if (server->event_log && worker->shard) {
        worker->keep.writer = eventlog_writer(server->event_log, index);
    }
    worker->record.room = worker->room;
    worker->record.room_len = sizeof worker->room;
    worker->shared.room = worker->shared_room;
    worker->shared.room_len = sizeof worker->shared_room;
    const int64_t steady_us = clock_steady_us();
    atomic_store(&worker->woke_us, steady_us);
    worker->now_us = clock_wall_us();
    set_now(thread, worker->now_us, steady_us);
    thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return thread->wake_fd >= 0 && make_acceptor(thread, listen_fd) &&
           answers_make(&worker->answers) && start_daemons(thread);
}

static void release_worker(struct worker_thread *thread) {
    answers_free(&thread->worker->answers);
    acceptor_free(thread->worker->acceptor);
    if (thread->wake_fd >= 0) {
        close(thread->wake_fd);
    }
}

static struct worker *allocate_workers(unsigned n) {
    struct worker *workers = aligned_alloc(64, n * sizeof *workers);
    if (workers) {
        memset(workers, 0, n * sizeof *workers);
    }
    return workers;
}

static bool allocate(struct server *server, bool admin) {
    server->worker = allocate_workers(server->workers);
    server->admin = admin ? allocate_workers(1) : NULL;
    if (!server->worker || (admin && !server->admin)) {
        return false;
    }
    const unsigned n = server->workers + admin;
    server->thread = calloc(n, sizeof *server->thread);
    for (unsigned i = 0; server->thread && i < n; i++) {
        server->thread[i].wake_fd = -1;
        server->thread[i].worker = i < server->workers ? &server->worker[i] : server->admin;
    }
    return server->thread != NULL;
}

/* All are made before the first one runs: they hand off connections to each other. */
static bool make_workers(struct server *server, int listen_fd, int admin_fd) {
    listener_init(&server->listener, server->options, false, server->address_limit);
    listener_init(&server->admin_listener, server->options, true, server->address_limit);
    server->listener.is_shared = server->listen_is_shared;
    if (!allocate(server, admin_fd >= 0)) {
        return false;
    }
    for (unsigned i = 0; i < count_threads(server); i++) {
        if (!make_worker(&server->thread[i], server, i,
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
    bool ok = make_workers(server, listen_fd, admin_fd);
    for (unsigned i = 0; ok && i < count_threads(server); i++) {
        struct worker_thread *thread = &server->thread[i];
        thread->runs = ok = pthread_create(&thread->id, NULL, run_thread, thread) == 0;
    }
    if (!ok) {
        log_line(LOG_ERROR, "cannot start the workers", "threads=%u error=\"%s\"", server->workers,
                 strerror(errno));
    }
    return ok;
}

static void wake_workers(struct server *server) {
    for (unsigned i = 0; i < count_threads(server); i++) {
        const uint64_t one = 1;
        const ssize_t written = write(server->thread[i].wake_fd, &one, sizeof one);
        (void)written; /* it fails only when the counter is full, and then the worker is awake */
    }
}

void workers_drain(struct server *server) {
    atomic_store_explicit(&server->draining, true, memory_order_release);
    wake_workers(server);
}

void workers_stop(struct server *server, int64_t deadline_us) {
    atomic_store(&server->stop_deadline_us, deadline_us);
    atomic_store_explicit(&server->draining, true, memory_order_release);
    atomic_store_explicit(&server->stopping, true, memory_order_release);
    wake_workers(server);
    const unsigned n = count_threads(server);
    for (unsigned i = 0; i < n; i++) {
        if (server->thread[i].runs) {
            pthread_join(server->thread[i].id, NULL);
        } else {
            stop_daemons(&server->thread[i]);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        release_worker(&server->thread[i]);
    }
    free(server->thread);
    free(server->admin);
    server->thread = NULL;
    server->admin = NULL;
}

int64_t workers_alive_us(const struct server *server) {
    int64_t oldest_us = INT64_MAX;
    for (unsigned i = 0; i < count_threads(server); i++) {
        const int64_t woke_us = worker_woke_us(server->thread[i].worker);
        oldest_us = woke_us < oldest_us ? woke_us : oldest_us;
    }
    return oldest_us;
}
