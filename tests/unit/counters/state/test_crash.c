/* A thread that counts is killed; the file is opened again. Twice: at moments of chance, thousands
 * of events apart, and after every single instruction of a few chosen additions. Both must find:
 * what was acknowledged is counted, nothing is counted that was not begun, and every sum of the
 * file holds. */
#include "counters/state/state_file.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SECONDS 65536 /* event time that the notes below go round in */

/* What the counting process tells before and after each call, in memory that outlives it. */
struct notes {
    _Atomic int64_t second; /* since T0, of the newest event */
    _Atomic bool ready, done;
    _Atomic uint64_t begun[SECONDS], acknowledged[SECONDS];
};

static struct notes *notes;

static struct notes *notes_map(void) {
    void *map =
        mmap(NULL, sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(map != MAP_FAILED);
    return map;
}

static void begin(int64_t t_us, uint64_t n) {
    atomic_fetch_add(&notes->begun[(t_us - T0) / US_PER_S % SECONDS], n);
}

static void acknowledge(int64_t t_us, uint64_t n) {
    atomic_fetch_add(&notes->acknowledged[(t_us - T0) / US_PER_S % SECONDS], n);
}

/* Every second that is still held, in all three resolutions, between what was acknowledged and what
 * was begun. */
static void compare(const struct counters *counters, int64_t newest_second) {
    int64_t oldest, newest;
    if (!counters_span(counters, RESOLUTION_10MS, &oldest, &newest)) {
        ck_assert_uint_eq(notes->acknowledged[newest_second % SECONDS], 0);
        return;
    }
    const int64_t first = T0 / US_PER_S;
    /* The newest event may have been killed while it took its place from a second that was held
     * until then.
     */
    const int64_t taken =
        first + newest_second - counters->header.chunks[RESOLUTION_10MS] + RING_MARGIN;
    oldest = taken > oldest ? taken : oldest;
    for (int64_t s = oldest > first ? oldest : first; s <= newest && s - first <= newest_second;
         s++) {
        uint64_t count[100], sum = 0, second;
        counters_read(counters, RESOLUTION_10MS, s * 100, 100, count);
        for (int i = 0; i < 100; i++) {
            sum += count[i];
        }
        counters_read(counters, RESOLUTION_1S, s, 1, &second);
        const uint64_t least = notes->acknowledged[(s - first) % SECONDS],
                       most = notes->begun[(s - first) % SECONDS];
        DEMAND(least <= sum && sum <= most && second == sum,
               "second %lld of %lld: %llu acknowledged, %llu begun, %llu in 10ms windows, %llu in "
               "the 1s window",
               (long long)(s - first), (long long)newest_second, (unsigned long long)least,
               (unsigned long long)most, (unsigned long long)sum, (unsigned long long)second);
    }
}

/* ---- at moments of chance ---- */

struct pace {
    const char *name;
    int64_t horizon_s;
    int64_t step_us; /* event time goes on by 0 to twice this from event to event */
    int kills;
};

static const struct pace paces[] = {
    {"recycles with every event", 1, US_PER_S, 150},
    {"recycles every tenth event, jumps of minutes", 1, 100000, 100},
    {"seldom recycles", 100, 2000, 50},
};

static struct counters_config pace_config(const struct pace *pace) {
    struct counters_config config = tiny_config(2);
    config.horizon_us = pace->horizon_s * US_PER_S;
    return config;
}

/* Counts until it is killed: single events, batches, arrivals, in two shards. */
static void count_for_ever(const struct pace *pace, uint64_t random) {
    const struct counters_config config = pace_config(pace);
    char why[COUNTERS_WHY_MAX];
    struct counters *counters = counters_open(&config, NULL, why);
    if (!counters) {
        fprintf(stderr, "%s\n", why);
        _exit(EXIT_FAILURE);
    }
    int64_t t_us = T0 + (atomic_load(&notes->second) + 1) * US_PER_S;
    atomic_store(&notes->ready, true);
    while (t_us < T0 + (SECONDS - 200) * US_PER_S) {
        struct shard *shard = counters_worker_shard(counters, (unsigned)(next_random(&random) % 2));
        t_us += (int64_t)(next_random(&random) % (uint64_t)(2 * pace->step_us));
        t_us += next_random(&random) % 1000 == 0 ? 90 * US_PER_S : 0;
        atomic_store(&notes->second, (t_us - T0) / US_PER_S);
        shard_set_now_owner(shard, t_us);
        int64_t us[20];
        enum shard_verdict verdict;
        const uint64_t n = 1 + next_random(&random) % 20;
        switch (next_random(&random) % 4) {
        case 0:
            for (uint64_t i = 0; i < n; i++) {
                us[i] = t_us - (int64_t)i * 300;
                begin(us[i], 1);
            }
            if (shard_add_batch_owner(shard, us, n, &verdict) != n) {
                _exit(EXIT_FAILURE);
            }
            for (uint64_t i = 0; i < n; i++) {
                acknowledge(us[i], 1);
            }
            break;
        case 1:
            begin(t_us, 1);
            shard_add_arrival_owner(shard, t_us);
            acknowledge(t_us, 1);
            break;
        default:
            begin(t_us, 1);
            if (shard_add_owner(shard, t_us) != SHARD_COUNTED) {
                _exit(EXIT_FAILURE);
            }
            acknowledge(t_us, 1);
            shard_tally_counted_owner(shard);
        }
    }
    _exit(EXIT_SUCCESS); /* so far ahead that the notes would come round: the parent begins anew */
}

static void kill_once(const struct pace *pace, uint64_t *random) {
    atomic_store(&notes->ready, false);
    const uint64_t seed = next_random(random);
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        count_for_ever(pace, seed);
    }
    for (int turns = 0; turns < 20000 && !atomic_load(&notes->ready); turns++) {
        usleep(100);
        int status;
        ck_assert_msg(waitpid(pid, &status, WNOHANG) == 0 || atomic_load(&notes->ready),
                      "ended with %d", status);
    }
    usleep((useconds_t)(next_random(random) % 500));
    kill(pid, SIGKILL);
    int status;
    waitpid(pid, &status, 0);
    ck_assert_msg(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0),
                  "status %d", status);
}

START_TEST(killed_at_any_moment) {
    const struct pace *pace = &paces[_i];
    const struct counters_config config = pace_config(pace);
    uint64_t random = 20261121 + (uint64_t)_i;
    notes = notes_map();
    state_dir_make();
    for (int i = 0; i < pace->kills; i++) {
        kill_once(pace, &random);
        struct counters *counters = open_or_fail(&config);
        must_verify(counters);
        compare(counters, atomic_load(&notes->second));
        struct shard_tally tally;
        counters_tally(counters, &tally);
        ck_assert_uint_eq(tally.received, tally.counted);
        const bool orderly = next_random(&random) % 2;
        /* what was repaired must also pass the strict check of a file closed in order */
        if (orderly) {
            counters_close(counters);
            counters = open_or_fail(&config);
            compare(counters, atomic_load(&notes->second));
        }
        counters_close(counters);
        if (atomic_load(&notes->second) > SECONDS / 2) {
            state_dir_remove();
            state_dir_make();
            memset(notes, 0, sizeof *notes);
        }
    }
    state_dir_remove();
}
END_TEST

/* ---- after every instruction ---- */

#define STEPS_MAX 400000

/* The chosen additions: into new places, into places that hold something older (in each ring),
 * without recycling, beside what is far ahead. */
static const int64_t chosen_us[] = {0, 10000, US_PER_S, 7 * US_PER_S, 7 * 60 * US_PER_S,
                                    7 * 3600 * US_PER_S,
                                    /* set back: into a shard that the file grows by */
                                    7 * 3600 * US_PER_S - 100 * US_PER_S};

static void count_chosen(void) {
    const struct counters_config config = tiny_config(1);
    char why[COUNTERS_WHY_MAX];
    struct counters *counters = counters_open(&config, NULL, why);
    if (!counters || ptrace(PTRACE_TRACEME, 0, NULL, NULL)) {
        _exit(counters ? 77 : EXIT_FAILURE);
    }
    struct shard *shard = counters_worker_shard(counters, 0);
    raise(SIGSTOP);
    for (size_t i = 0; i < sizeof chosen_us / sizeof chosen_us[0]; i++) {
        const int64_t t_us = T0 + chosen_us[i];
        int64_t batch[3] = {t_us, t_us, t_us + 1};
        enum shard_verdict verdict;
        atomic_store(&notes->second, chosen_us[i] / US_PER_S);
        shard_set_now_owner(shard, t_us + 1);
        begin(t_us, 1);
        shard_add_owner(shard, t_us);
        acknowledge(t_us, 1);
        begin(t_us, 3);
        shard_add_batch_owner(shard, batch, 3, &verdict);
        acknowledge(t_us, 3);
        shard_tally_counted_owner(shard);
    }
    struct shard *back = counters_readback_shard(counters);
    shard_raise_owner(back, RESOLUTION_10MS, window_at(RESOLUTION_10MS, T0 + US_PER_S), 5);
    shard_raise_owner(back, RESOLUTION_10MS, window_at(RESOLUTION_10MS, T0 + 8 * US_PER_S), 5);
    atomic_store(&notes->done, true);
    _exit(EXIT_SUCCESS);
}

/* Opens a copy of the bytes as they stand and checks all of it. */
static void check_copy(const unsigned char *bytes, size_t n, const char *copy_dir) {
    char path[2 * PATH_MAX_TEST], why[COUNTERS_WHY_MAX] = "";
    snprintf(path, sizeof path, "%s/" STATE_FILE_NAME, copy_dir);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, bytes, n, 0), (ssize_t)n);
    close(fd);
    struct counters_config config = tiny_config(1);
    config.dir = copy_dir;
    struct counters *counters = counters_open(&config, NULL, why);
    DEMAND(counters != NULL, "%s", why);
    counters_set_now(counters, T0 + (atomic_load(&notes->second) + 1) * US_PER_S);
    compare(counters, atomic_load(&notes->second));
    uint64_t back = 0;
    /* what was read back for one resolution never shows in another */
    for (int64_t s = 0; s < 9; s++) {
        uint64_t window;
        counters_read_back_shard(counters, RESOLUTION_1S, T0 / US_PER_S + s, 1, &window);
        back += window;
    }
    DEMAND(back == 0, "%llu read back appeared in 1s windows", (unsigned long long)back);
    must_verify(counters);
    counters_close(counters);
}

START_TEST(killed_after_every_instruction) {
    notes = notes_map();
    state_dir_make();
    char path[PATH_MAX_TEST], copy_dir[PATH_MAX_TEST];
    state_path(STATE_FILE_NAME, path);
    state_path("copy", copy_dir);
    ck_assert_int_eq(mkdir(copy_dir, 0700), 0);
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        count_chosen();
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        fprintf(stderr, "this machine does not let a process be traced: left out\n");
        state_dir_remove();
        return;
    }
    ck_assert(WIFSTOPPED(status));
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    ck_assert_int_eq(fstat(fd, &st), 0);
    const size_t most = 2 * (size_t)st.st_size; /* it grows, too */
    const unsigned char *now = mmap(NULL, most, PROT_READ, MAP_SHARED, fd, 0);
    unsigned char *before = calloc(1, most);
    ck_assert(now != MAP_FAILED && before != NULL);
    int steps = 0, states = 0;
    for (; steps < STEPS_MAX && !atomic_load(&notes->done); steps++) {
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid ||
            !WIFSTOPPED(status)) {
            break;
        }
        ck_assert_int_eq(fstat(fd, &st), 0);
        const size_t n = (size_t)st.st_size;
        ck_assert_uint_le(n, most);
        if (memcmp(before, now, n) != 0) {
            memcpy(before, now, n);
            check_copy(before, n, copy_dir);
            states++;
        }
    }
    ck_assert_msg(atomic_load(&notes->done), "ended early: %d steps, status %d", steps, status);
    ck_assert_int_gt(states, 150); /* of zeroes and counts: each was a moment to be killed at */
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    ck_assert_int_gt(st.st_size, (off_t)(most / 2)); /* it did grow */
    munmap((void *)(uintptr_t)now, most);
    close(fd);
    free(before);
    state_dir_remove();
}
END_TEST

/* A sanitizer's own instructions are millions: there, stepping through them is left out. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define STEPS_THROUGH false
#else
#define STEPS_THROUGH true
#endif

int main(void) {
    Suite *suite = suite_create("crash");
    TCase *tcase = tcase_create("crash");
    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, killed_at_any_moment, 0, (int)(sizeof paces / sizeof paces[0]));
    if (STEPS_THROUGH) {
        tcase_add_test(tcase, killed_after_every_instruction);
    }
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
