#include "server/worker.h"

#include "server/access/access.h"
#include "server/http/answers.h"
#include "server/http/connections.h"
#include "server/http/daemon.h"
#include "server/http/turn.h"
#include "server/metrics.h"
#include "server/net/acceptor.h"
#include "server/net/deferral.h"
#include "server/net/framing.h"
#include "server/net/tls.h"
#include "server/process/clock.h"
#include "server/process/log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define QUIET_US (100 * US_PER_MS)
/* how long a new connection has for its first request while the server stops */
#define FIRST_REQUEST_US US_PER_S
#define FINISH_WAIT_MS 20
#define KEPT_LOOK_US (50 * US_PER_MS)
/* The library takes EVENTS_MAX epoll events at a time; if there are exactly as many, it waits again
 * before it handles any. OTHERS_MAX of them are for what else a worker waits for. */
#define EVENTS_MAX 128
#define OTHERS_MAX 8
/* If turns follow each other within BUSY_US, the next event arrives before a wait of BUSY_WAIT_MS
 * ends. That is longer than the kernel's tick: for a shorter wait the kernel sets the clock's next
 * interrupt anew, before it and after it, and on a virtual machine each of these leaves the guest.
 */
#define BUSY_US 500
#define BUSY_WAIT_MS 10
#define BUSY_REQUESTS 32 /* in one turn; after more, the next turn may have EVENTS_MAX */
/* how often the acceptor is asked if every turn has requests */
#define ACCEPT_EVERY_US (10 * US_PER_MS)
/* the same if turns have pieces of batches, each of which takes much longer than a request; asking
 * in vain costs as much as ten events */
#define ACCEPT_EVERY_BATCH_US US_PER_MS
/* when cores are scarce, readers at --admin-listen yield to the workers that count */
#define ADMIN_NICE 10

/* The thread of a worker. It belongs to that thread, except where a member says that it is
 * main's. */
struct worker_thread {
    struct worker *worker;
    pthread_t id;
    bool runs; /* main's own */
    struct MHD_Daemon *daemon[POOLS];
    int daemon_fd[POOLS]; /* each daemon's own epoll descriptor */
    int wake_fd; /* eventfd: main writes it when the thread must look at the server's flags */
    /* steady clock of the last turn, and how long after the previous one it began */
    int64_t began_us;
    int64_t after_us;
    /* requests completed up to the end of the last turn; requests in it */
    unsigned completed, requests;
    int64_t checked_us; /* steady clock of the last once-a-second check */
    int64_t asked_us;   /* steady clock when the acceptor was last asked */
};

static void check_every_second(struct worker_thread *thread, int64_t now_us) {
    if (now_us - thread->checked_us > US_PER_S) {
        thread->checked_us = now_us;
        connections_close_slow(thread->worker, now_us);
        acceptor_check(thread->worker->acceptor, now_us);
    }
}

/* For how many ms the daemon needs no MHD_run, at most `most_ms`. */
static int idle_ms(struct MHD_Daemon *daemon, int most_ms) {
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    return MHD_get_timeout(daemon, &timeout_ms) == MHD_YES &&
                   timeout_ms < (MHD_UNSIGNED_LONG_LONG)most_ms
               ? (int)timeout_ms
               : most_ms;
}

static unsigned count_connections(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info ? info->num_connections : UINT_MAX;
}

/* Whether the next turn will follow at once, with a few requests. */
static bool is_busy(const struct worker_thread *thread) {
    return thread->after_us < BUSY_US && thread->requests <= BUSY_REQUESTS;
}

/* Waits until something is ready, at most wait_ms, and lets the daemon of single events handle its
 * share. Everything that the worker waits for is in that daemon's epoll, so it can wait inside the
 * library, which saves a system call. But with EVENTS_MAX events ready at once, the library would
 * wait a second time. If there may be as many, the wait inside is kept short while turns follow
 * each other closely, and otherwise happens outside. It also happens outside during TLS handshakes:
 * with half a handshake, the library would not wait at all. */
static void wait_and_run(const struct worker_thread *thread, int wait_ms) {
    struct MHD_Daemon *daemon = thread->daemon[POOL_SINGLE];
    const bool handshakes = thread->worker->handshakes.n > 0;
    const bool few = count_connections(daemon) + OTHERS_MAX < EVENTS_MAX;
    if (!handshakes && (few || is_busy(thread))) {
        MHD_run_wait(daemon, few || wait_ms < BUSY_WAIT_MS ? wait_ms : BUSY_WAIT_MS);
        return;
    }
    struct pollfd ready = {.fd = thread->daemon_fd[POOL_SINGLE], .events = POLLIN};
    wait_ms = idle_ms(daemon, wait_ms);
    poll(&ready, 1, handshakes && wait_ms < TLS_TURN_MS ? TLS_TURN_MS : wait_ms);
    MHD_run(daemon);
}

static void note_turn(struct worker_thread *thread, int64_t steady_us) {
    const unsigned completed = thread->worker->completed;
    thread->requests = completed - thread->completed;
    thread->completed = completed;
    thread->after_us = steady_us - thread->began_us;
    thread->began_us = steady_us;
}

/* Runs one turn. What is ready for the acceptor stays ready, so it is asked only if the wake-up was
 * not for a request, and now and then if all wake-ups are. */
static void run_turn(struct worker_thread *thread, int wait_ms) {
    struct worker *worker = thread->worker;
    struct MHD_Daemon *batches = thread->daemon[POOL_BATCH];
    const bool has_batches = count_connections(batches) > 0;
    if (has_batches) {
        wait_ms = idle_ms(batches, wait_ms);
    }
    worker->turn_due = true;
    wait_and_run(thread, wait_ms);
    bool quiet = worker->turn_due;
    int64_t every_us = ACCEPT_EVERY_US;
    turn_enter(worker);
    const int64_t steady_us = worker_woke_us(worker);
    note_turn(thread, steady_us);
    if (worker->handshakes.n) {
        tls_handshakes_check(&worker->handshakes, steady_us);
    }
    check_every_second(thread, steady_us);
    if (has_batches) {
        worker->batch_read = false;
        MHD_run(batches);
        every_us = worker->batch_read ? ACCEPT_EVERY_BATCH_US : every_us;
        quiet = quiet && !worker->batch_read;
    }
    if (quiet || acceptor_is_handed(worker->acceptor) || steady_us - thread->asked_us > every_us) {
        thread->asked_us = steady_us;
        acceptor_run(worker->acceptor, quiet ? ACCEPTOR_QUIET : ACCEPTOR_BUSY);
    }
}

/* Continues until there has been no request for QUIET_US, or until the deadline. It does not wait
 * for connections that are merely open, but gives a new one time to make its first request. */
static void finish_requests(struct worker_thread *thread) {
    const struct worker *worker = thread->worker;
    const int64_t deadline_us = atomic_load(&worker->server->stop_deadline_us);
    uint64_t requests = metric_read(&worker->metrics, METRIC_requests);
    int64_t quiet_since_us = clock_steady_us();
    /* when the last turn began: requests that came after it have not been seen, however late this
     * thread continues */
    int64_t quiet_until_us = quiet_since_us;
    for (int64_t now_us = quiet_since_us; now_us < deadline_us; now_us = clock_steady_us()) {
        const uint64_t seen = metric_read(&worker->metrics, METRIC_requests);
        const int64_t new_us = now_us - FIRST_REQUEST_US;
        if (seen != requests || worker->in_flight || connections_expect_first(worker, new_us) ||
            acceptor_expects_first(worker->acceptor, new_us)) {
            requests = seen;
            quiet_since_us = now_us;
        }
        if (atomic_load_explicit(&worker->connections, memory_order_relaxed) == 0 ||
            quiet_until_us - quiet_since_us > QUIET_US) {
            break;
        }
        quiet_until_us = now_us;
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
        /* on Linux this sets the thread's own priority; if it fails, the thread only yields less */
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

/* All threads: those that count, then the one of --admin-listen, if there is one. */
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

/* Adds what else the thread waits for to the epoll of the daemon of single events. The library
 * ignores events without a connection: its own stop signal has NULL. */
static bool watch_all(const struct worker_thread *thread) {
    const int epoll_fd = thread->daemon_fd[POOL_SINGLE];
    struct epoll_event batches = {.events = EPOLLIN, .data.ptr = NULL};
    struct epoll_event wake = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL}; /* never read */
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, thread->daemon_fd[POOL_BATCH], &batches) == 0 &&
           epoll_ctl(epoll_fd, EPOLL_CTL_ADD, thread->wake_fd, &wake) == 0 &&
           acceptor_watch(thread->worker->acceptor, epoll_fd);
}

static bool make_worker(struct worker_thread *thread, struct server *server, unsigned index,
                        int listen_fd) {
    struct worker *worker = thread->worker;
    assert(worker);
    worker->server = server;
    worker->index = index;
    worker->shard = worker_is_admin(worker) || !server->counters
                        ? NULL
                        : counters_worker_shard(server->counters, index);
    LIST_INIT(&worker->opened);
    tls_handshakes_init(&worker->handshakes);
    access_join(&server->access, &worker->access);
    report_sets_join(&server->report_sets, &worker->report_view);
    worker->visible = server->visible && worker->shard ? &server->visible[index] : NULL;
    if (server->event_log && worker->shard) {
        worker->keep.writer = eventlog_writer(server->event_log, index);
    }
    worker->record.room = worker->room;
    worker->record.room_len = sizeof worker->room;
    worker->shared.room = worker->shared_room;
    worker->shared.room_len = sizeof worker->shared_room;
    turn_init(worker);
    thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return thread->wake_fd >= 0 && make_acceptor(thread, listen_fd) &&
           answers_make(&worker->answers) && start_daemons(thread) && watch_all(thread);
}

static void release_worker(struct worker_thread *thread) {
    answers_free(&thread->worker->answers);
    live_answers_free(&thread->worker->live);
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

/* All are made before the first one runs, since they hand off connections to each other. */
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
    if (!framing_knows_buffer()) {
        log_line(LOG_WARN, "this libmicrohttpd is not one whose line ends we can see",
                 "version=%s remedy=\"put a proxy in front that refuses bare line feeds and blanks "
                 "behind values\"",
                 MHD_get_version());
    }
    bool ok = make_workers(server, listen_fd, admin_fd);
    if (ok) {
        listener_begin_deferral(&server->listener);
    }
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
        (void)written; /* it fails only if the counter is full, and then the worker is awake */
    }
}

void workers_drain(struct server *server) {
    atomic_store_explicit(&server->draining, true, memory_order_release);
    listener_end_deferral(&server->listener);
    wake_workers(server);
}

/* While the workers still accept: waits for connections that the kernel holds back, since their
 * clients are connected. */
static void wait_for_deferred(struct server *server, int64_t deadline_us) {
    const struct timespec pause = {.tv_nsec = KEPT_LOOK_US * 1000};
    const int64_t begin_us = clock_steady_us(), most_us = begin_us + DEFERRAL_MOST_US;
    const int64_t until_us = most_us < deadline_us ? most_us : deadline_us;
    int64_t now_us = begin_us;
    while (now_us < until_us && listener_keeps_any(&server->listener, now_us - begin_us)) {
        nanosleep(&pause, NULL);
        now_us = clock_steady_us();
    }
}

void workers_stop(struct server *server, int64_t deadline_us) {
    atomic_store(&server->stop_deadline_us, deadline_us);
    workers_drain(server);
    wait_for_deferred(server, deadline_us);
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
