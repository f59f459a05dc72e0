/* The workers' turns by a clock of the test's own: which steps of the wall clock they notice and
 * tell of, and when they woke up last. Of worker.c; what they do with connections is the
 * integration tests' matter. */
#include "server/worker.h"

#include "server/options.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define STEADY0_US (1000 * US_PER_S)
#define TURNS_MS_MAX 30000

/* Time that passed, for both clocks, and by how much the wall clock was set. */
static _Atomic int64_t passed_us, set_us;

static struct options options;
static struct server server;
static int listen_fd, log_ends[2], stderr_before;
static char logged[8192];

/* In place of libc's. */
int clock_gettime(clockid_t id, struct timespec *now) {
    const int64_t now_us =
        atomic_load(&passed_us) + (id == CLOCK_REALTIME ? T0 + atomic_load(&set_us) : STEADY0_US);
    *now = (struct timespec){now_us / US_PER_S, now_us % US_PER_S * 1000};
    return 0;
}

static void begin(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct options_said said;
    char *words[] = {(char[]){"aforod"}, NULL};
    ck_assert_msg(options_read(1, words, &options, &said) == OPTIONS_RUN, "%s", said.why);
    atomic_store(&passed_us, 0);
    atomic_store(&set_us, 0);
    memset(&server, 0, sizeof server);
    state_dir_make();
    const struct counters_config config = tiny_config(2);
    server.options = &options;
    server.counters = open_or_fail(&config);
    server.sign_of_life_ms = 2;
    server.workers = 2;
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listen_fd, 8), 0);
    ck_assert_int_eq(pipe(log_ends), 0);
    stderr_before = dup(STDERR_FILENO);
    dup2(log_ends[1], STDERR_FILENO);
}

static void end(void) {
    dup2(stderr_before, STDERR_FILENO);
    free(server.worker);
    close(listen_fd);
    counters_close(server.counters);
    state_dir_remove();
}

/* Ends the workers and gives what was logged. */
static const char *stop(void) {
    workers_stop(&server, INT64_MAX);
    fflush(stderr);
    dup2(stderr_before, STDERR_FILENO);
    close(log_ends[1]);
    const ssize_t n = read(log_ends[0], logged, sizeof logged - 1);
    logged[n > 0 ? n : 0] = '\0';
    close(log_ends[0]);
    return logged;
}

static uint64_t read_metric(unsigned worker, enum metric metric) {
    const struct worker *of = worker < server.workers ? &server.worker[worker] : server.admin;
    return metric_read(&of->metrics, metric);
}

/* Two whole turns of each worker: what the clock says now was seen. */
static void wait_turns(void) {
    const unsigned n = server.workers + (server.admin != NULL);
    for (unsigned i = 0; i < n; i++) {
        const uint64_t before = read_metric(i, METRIC_wakeups);
        for (int ms = 0; read_metric(i, METRIC_wakeups) < before + 2; ms++) {
            ck_assert_int_lt(ms, TURNS_MS_MAX);
            poll(NULL, 0, 1);
        }
    }
}

/* A second at a time: a worker that reads one of its clocks before and one after must not take it
 * for a step. */
static void pass(int64_t us) {
    for (int64_t part = 0; us > 0; us -= part) {
        part = us < US_PER_S ? us : US_PER_S;
        atomic_fetch_add(&passed_us, part);
        wait_turns();
    }
}

static void set_clock(int64_t by_us) {
    atomic_fetch_add(&set_us, by_us);
    wait_turns();
}

static void must_have_seen(uint64_t ahead, uint64_t back) {
    for (unsigned i = 0; i < server.workers; i++) {
        ck_assert_uint_eq(read_metric(i, METRIC_clock_steps_ahead), ahead);
        ck_assert_uint_eq(read_metric(i, METRIC_clock_steps_back), back);
    }
}

static unsigned count_lines(const char *words) {
    unsigned n = 0;
    for (const char *at = logged; (at = strstr(at, words)) != NULL; at++) {
        n++;
    }
    return n;
}

START_TEST(time_that_passes_is_no_step) {
    ck_assert(workers_start(&server, listen_fd, -1));
    wait_turns();
    for (int i = 0; i < 3; i++) {
        pass(10 * US_PER_S);
    }
    must_have_seen(0, 0);
    ck_assert_str_eq(stop(), "");
    ck_assert_int_eq(server.worker[1].now_us, T0 + 30 * US_PER_S);
}
END_TEST

/* What a daemon that slews the clock does is none; all workers see a step, and one tells of it. */
START_TEST(steps_of_more_than_two_seconds) {
    ck_assert(workers_start(&server, listen_fd, -1));
    wait_turns();
    set_clock(2 * US_PER_S);
    set_clock(-2 * US_PER_S);
    must_have_seen(0, 0);
    set_clock(2 * US_PER_S + 1);
    must_have_seen(1, 0);
    set_clock(-2 * US_PER_S - 1);
    must_have_seen(1, 1);
    set_clock(-7 * US_PER_S);
    must_have_seen(1, 2);
    pass(US_PER_S);
    must_have_seen(1, 2);
    stop();
    ck_assert_uint_eq(count_lines("the wall clock has stepped ahead"), 1);
    ck_assert_uint_eq(count_lines("the wall clock was set back"), 2);
    ck_assert_uint_eq(count_lines("by_ms=2000"), 2);
    ck_assert_uint_eq(count_lines("by_ms=7000"), 1);
}
END_TEST

/* What was counted lies ahead after it: the worker that has counted goes on in another shard, and
 * what was counted stays. */
START_TEST(a_clock_set_back_behind_what_was_counted) {
    ck_assert(workers_start(&server, listen_fd, -1));
    wait_turns();
    workers_stop(&server, INT64_MAX); /* this thread is the shards' owner now */
    free(server.worker);
    server.worker = NULL;
    atomic_store(&server.stopping, false);
    atomic_store(&server.draining, false);
    struct shard *shard = counters_worker_shard(server.counters, 1);
    shard_set_now_owner(shard, T0);
    ck_assert_int_eq(shard_add_owner(shard, T0), SHARD_COUNTED);
    ck_assert(workers_start(&server, listen_fd, -1));
    wait_turns();
    set_clock(-3600 * US_PER_S);
    must_have_seen(0, 1);
    ck_assert_uint_eq(read_metric(0, METRIC_shards_taken), 0);
    ck_assert_uint_eq(read_metric(1, METRIC_shards_taken), 1);
    stop();
    ck_assert_uint_eq(count_lines("this worker counts in another shard"), 1);
    ck_assert_uint_eq(count_lines("worker=1 ahead_ms="), 1);
    ck_assert_uint_eq(read_one(server.counters, RESOLUTION_1S, T0), 1);
}
END_TEST

static unsigned count_files(void) {
    unsigned n = 0;
    for (int fd = 0; fd < 1024; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

/* All that the workers opened is closed with them. */
START_TEST(the_worker_that_reads_counts_no_steps) {
    const unsigned files = count_files();
    ck_assert(workers_start(&server, listen_fd, listen_fd));
    wait_turns();
    set_clock(5 * US_PER_S);
    must_have_seen(1, 0);
    ck_assert_ptr_nonnull(server.admin);
    ck_assert_ptr_null(server.admin->shard);
    ck_assert_uint_eq(server.admin->index, 2);
    ck_assert_uint_eq(read_metric(2, METRIC_clock_steps_ahead), 0);
    stop(); /* which closes the two ends of the log */
    ck_assert_uint_eq(count_files(), files - 2);
    ck_assert_ptr_null(server.admin);
    ck_assert_ptr_null(server.thread);
}
END_TEST

START_TEST(when_the_oldest_woke_up) {
    ck_assert_int_eq(workers_alive_us(&server), INT64_MAX);
    ck_assert(workers_start(&server, listen_fd, -1));
    pass(5 * US_PER_S);
    ck_assert_int_eq(workers_alive_us(&server), STEADY0_US + 5 * US_PER_S);
    stop();
    ck_assert_int_eq(workers_alive_us(&server), INT64_MAX);
}
END_TEST

START_TEST(a_drain_reaches_all) {
    server.sign_of_life_ms = TURNS_MS_MAX; /* they are woken up */
    ck_assert(workers_start(&server, listen_fd, -1));
    const uint64_t before[] = {read_metric(0, METRIC_wakeups), read_metric(1, METRIC_wakeups)};
    workers_drain(&server);
    ck_assert(atomic_load(&server.draining) && !atomic_load(&server.stopping));
    for (unsigned i = 0; i < server.workers; i++) {
        for (int ms = 0; read_metric(i, METRIC_wakeups) == before[i]; ms++) {
            ck_assert_int_lt(ms, TURNS_MS_MAX / 2);
            poll(NULL, 0, 1);
        }
    }
    stop();
    ck_assert(atomic_load(&server.stopping));
    ck_assert(server.worker[0].draining && server.worker[1].draining);
}
END_TEST

START_TEST(workers_that_cannot_start) {
    ck_assert(!workers_start(&server, -1, -1));
    stop();
    ck_assert_uint_eq(count_lines("cannot start the workers"), 1);
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){60, begin, end}), "worker", time_that_passes_is_no_step,
                steps_of_more_than_two_seconds, a_clock_set_back_behind_what_was_counted,
                the_worker_that_reads_counts_no_steps, when_the_oldest_woke_up, a_drain_reaches_all,
                workers_that_cannot_start)
