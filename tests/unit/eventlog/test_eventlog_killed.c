/* A worker that counts and keeps events is killed after every single instruction (DEV_AFORO_LONG;
 * else every eleventh): what the log has and what the windows have is the same, each time. */
#include "tests/unit/eventlog/log_lab.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define AFRESH 40 /* rounds after which state and log are begun anew, so that rounds stay short */
#define STEPS_MAX 6000
#define RUN 3

static char dir[PATH_MAX_TEST];

static bool is_counted(void *cls, uint64_t shard, uint64_t window, uint64_t count) {
    return counters_shard_count(cls, shard, (int64_t)window) == count;
}

static void say(void *cls, enum eventlog_grave grave, const char *text, const char *details) {
    (void)cls;
    (void)grave;
    (void)text;
    (void)details;
}

struct pair {
    struct counters *counters;
    struct eventlog *log;
};

static struct pair open_pair(void) {
    const struct counters_config state = tiny_config(1);
    struct pair pair = {.counters = counters_open(&state, NULL, (char[COUNTERS_WHY_MAX]){""})};
    DEMAND(pair.counters, "no counters");
    const struct eventlog_config config = {.dir = dir,
                                           .node = "n",
                                           .workers = 1,
                                           .tail_bytes = 65536,
                                           .judge = {is_counted, pair.counters},
                                           .say = say};
    char why[EVENTLOG_WHY_MAX] = "";
    pair.log = eventlog_open(&config, why);
    DEMAND(pair.log, "%s", why);
    return pair;
}

static void close_pair(const struct pair *pair) {
    eventlog_close(pair->log, 0);
    counters_close(pair->counters);
}

/* n events of one window, as one transaction. */
static void add(const struct pair *pair, int64_t us, unsigned n) {
    struct shard *shard = counters_worker_shard(pair->counters, 0);
    struct eventlog_writer *writer = eventlog_writer(pair->log, 0);
    struct shard_next next;
    int64_t times[RUN];
    enum shard_verdict verdict;
    if (shard_look_owner(shard, us, &next) != SHARD_COUNTED ||
        !eventlog_reserve_owner(writer, n * LINE_TIME_MAX, n)) {
        _exit(3);
    }
    for (unsigned i = 0; i < n; i++) {
        times[i] = us;
        eventlog_put_time_owner(writer, us, us);
    }
    eventlog_note_owner(
        writer, &(const struct eventlog_place){next.shard, next.window, next.count + n - 1});
    if (shard_add_batch_owner(shard, times, n, &verdict) != n) {
        _exit(3);
    }
    eventlog_commit_owner(writer);
}

static void refuse(const struct pair *pair) {
    struct eventlog_writer *writer = eventlog_writer(pair->log, 0);
    const struct line_event event = {.arrival_us = T0, .refused = "malformed"};
    if (!eventlog_reserve_owner(writer, line_max(&event), 1)) {
        _exit(3);
    }
    eventlog_put_owner(writer, &event);
    eventlog_commit_owner(writer);
}

static void be_killed(void) {
    const struct pair pair = open_pair();
    shard_set_now_owner(counters_worker_shard(pair.counters, 0), T0);
    add(&pair, T0 - 1, 1); /* its tail is made, its second found */
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) {
        _exit(2);
    }
    raise(SIGSTOP);
    add(&pair, T0, 1);
    refuse(&pair);
    add(&pair, T0, RUN);
    _exit(0);
}

/* Kills the child after that many instructions. False: it had ended by then. */
static bool kill_after(long steps) {
    int status;
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        be_killed();
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    DEMAND(WIFSTOPPED(status), "did not begin: %x", (unsigned)status);
    for (long i = 0; i < steps && WIFSTOPPED(status); i++) {
        ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
    }
    if (!WIFSTOPPED(status)) {
        ck_assert_int_eq(status, 0);
        return false;
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return true;
}

struct kept {
    uint64_t events, refused;
};

static bool take_record(void *cls, const struct eventlog_record *record) {
    struct kept *kept = cls;
    kept->refused += record->info.refused;
    kept->events += !record->info.refused;
    return true;
}

static void take_damage(void *cls, const struct eventlog_damage *damage) {
    (void)cls;
    ck_abort_msg("%s", damage->why);
}

/* Opens both again, and returns what they have. */
static struct kept compare(long steps) {
    const struct pair pair = open_pair();
    struct kept kept = {0, 0};
    char why[EVENTLOG_READ_WHY_MAX] = "";
    const struct eventlog_question question = {dir, INT64_MIN, INT64_MAX};
    const struct eventlog_taker taker = {take_record, take_damage, &kept};
    ck_assert_msg(eventlog_read(&question, &taker, why), "%s", why);
    const uint64_t counted =
        read_one(pair.counters, RESOLUTION_1S, T0 - 1) + read_one(pair.counters, RESOLUTION_1S, T0);
    DEMAND(kept.events == counted, "killed after %ld instructions: %llu counted, %llu kept", steps,
           (unsigned long long)counted, (unsigned long long)kept.events);
    close_pair(&pair);
    return kept;
}

START_TEST(after_every_instruction) {
    struct kept before = {0, 0};
    bool seen[2 + RUN + 1] = {false};
    uint64_t completed = 0;
    long steps = 0;
    const long stride = getenv("DEV_AFORO_LONG") ? 1 : 11;
    for (; steps < STEPS_MAX; steps += stride) {
        if (steps / stride % AFRESH == 0) {
            if (steps > 0) {
                state_dir_remove();
            }
            state_dir_make();
            state_path("log", dir);
            before = (struct kept){0, 0};
        }
        const bool killed = kill_after(steps);
        const struct kept after = compare(steps);
        const uint64_t events = after.events - before.events;
        DEMAND(events == 1 || events == 2 || events == 2 + RUN, "%llu new events",
               (unsigned long long)events);
        seen[events] = true;
        completed += after.refused - before.refused;
        before = after;
        if (!killed) {
            break;
        }
    }
    ck_assert_int_lt(steps, STEPS_MAX);
    ck_assert(seen[1] && seen[2] && seen[2 + RUN]); /* each stage was met */
    ck_assert_uint_gt(completed, 0);
    state_dir_remove();
}
END_TEST

#define FIXTURE                                                                                    \
    { .timeout_s = 600, .set_up = NULL, .tear_down = NULL }

CHECK_MAIN_WITH(FIXTURE, "eventlog_killed", after_every_instruction)
