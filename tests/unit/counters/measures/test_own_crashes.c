/* Which measure ended the program: kept over runs, each of them a process of its own. */
#include "counters/measures/own_crashes.h"

#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIGEST UINT64_C(0x0123456789abcdef)

/* One run, in a child; what it ends with. */
static int run(void (*body)(void)) {
    fflush(NULL);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        own_crashes_keep_in(".");
        body();
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static uint32_t load(const char *name) {
    const struct own_crash *crash = own_crashes_find(DIGEST);
    if (!crash) {
        _exit(99);
    }
    own_crashes_name(crash, name);
    return own_crashes_number(crash);
}

static void end_within(void) {
    own_enter(load("mine"));
    abort();
}

static void end_outside(void) {
    own_enter(load("mine"));
    own_leave();
    abort();
}

static _Atomic bool is_within;

static void *wait_within(void *number) {
    own_enter(*(uint32_t *)number);
    atomic_store(&is_within, true);
    pause();
    return NULL;
}

/* Another thread's fault, while one is within. */
static void end_beside(void) {
    uint32_t number = load("mine");
    pthread_t thread;
    pthread_create(&thread, NULL, wait_within, &number);
    while (!atomic_load(&is_within)) {
        usleep(1000);
    }
    abort();
}

static void be_killed_within(void) {
    own_enter(load("mine"));
    raise(SIGKILL);
}

/* Somebody else sends it, who was there before the file was open: its lock is not his. */
static void be_told_to_end_within(void) {
    const pid_t me = getpid();
    char byte;
    int ends[2];
    if (pipe(ends)) {
        _exit(95);
    }
    if (fork() == 0) {
        kill(me, read(ends[0], &byte, 1) == 1 ? SIGABRT : SIGKILL);
        _exit(0);
    }
    own_enter(load("mine"));
    if (write(ends[1], "", 1) != 1) {
        _exit(95);
    }
    for (;;) {
        pause();
    }
}

static void exit_within(void) {
    own_enter(load("mine"));
    exit(3);
}

static struct own_crash seen;
static unsigned last, killed;

/* What a start finds, for the parent to read. */
static void look(void) {
    const struct own_crash *crash = own_crashes_find(DIGEST);
    const int fd = open("seen", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    unsigned numbers[2] = {0, own_crashes_killed()};
    while (own_crashes_last(numbers[0])) {
        numbers[0]++;
    }
    if (!crash || write(fd, crash, sizeof *crash) != (ssize_t)sizeof *crash ||
        write(fd, numbers, sizeof numbers) != (ssize_t)sizeof numbers) {
        _exit(98);
    }
    close(fd);
}

static void find_seen(void) {
    unsigned numbers[2];
    ck_assert_int_eq(run(look), 0);
    const int fd = open("seen", O_RDONLY);
    ck_assert_int_eq(read(fd, &seen, sizeof seen), sizeof seen);
    ck_assert_int_eq(read(fd, numbers, sizeof numbers), sizeof numbers);
    close(fd);
    last = numbers[0];
    killed = numbers[1];
}

static void expect(uint32_t crashes, unsigned in_last, unsigned from_outside) {
    find_seen();
    ck_assert_uint_eq(seen.crashes, crashes);
    ck_assert_uint_eq(last, in_last);
    ck_assert_uint_eq(killed, from_outside);
}

START_TEST(a_fault_within_is_counted_once) {
    expect(0, 0, 0);
    ck_assert_int_eq(WTERMSIG(run(end_within)), SIGABRT);
    expect(1, 1, 0);
    ck_assert_str_eq(seen.name, "mine");
    ck_assert_str_eq(own_crashes_cause(&seen), "SIGABRT");
    expect(1, 0, 0);
    ck_assert_int_eq(WTERMSIG(run(end_within)), SIGABRT);
    expect(2, 1, 0);
}
END_TEST

START_TEST(an_exit_within_is_counted) {
    ck_assert_int_eq(WEXITSTATUS(run(exit_within)), 3);
    expect(1, 1, 0);
    ck_assert_str_eq(own_crashes_cause(&seen), "exit");
}
END_TEST

START_TEST(what_is_not_its_fault_is_not_counted) {
    ck_assert_int_eq(WTERMSIG(run(end_outside)), SIGABRT);
    expect(0, 0, 0);
    ck_assert_int_eq(WTERMSIG(run(end_beside)), SIGABRT);
    expect(0, 0, 1);
    ck_assert_int_eq(WTERMSIG(run(be_killed_within)), SIGKILL);
    expect(0, 0, 1);
    ck_assert_int_eq(WTERMSIG(run(be_told_to_end_within)), SIGABRT);
    expect(0, 0, 1);
    expect(0, 0, 0);
}
END_TEST

/* More files than are remembered: those that crashed stay. */
static void load_many(void) {
    for (uint64_t i = 1; i <= 4; i++) {
        if (!own_crashes_find(i)) {
            _exit(97);
        }
    }
}

static uint64_t first_digest;
static void load_more(void) {
    for (uint64_t i = 0; i < 10; i++) {
        const struct own_crash *crash = own_crashes_find(first_digest + i);
        if (!crash || crash->digest != first_digest + i) {
            _exit(97);
        }
    }
}

START_TEST(the_list_has_an_end) {
    ck_assert_int_eq(WTERMSIG(run(end_within)), SIGABRT);
    ck_assert_int_eq(run(load_many), 0);
    for (first_digest = 100; first_digest < 300; first_digest += 10) {
        ck_assert_int_eq(run(load_more), 0);
    }
    find_seen();
    ck_assert_uint_eq(seen.crashes, 1);
    ck_assert_str_eq(seen.name, "mine");
}
END_TEST

/* Left by a server whose measure `crashing` wrote to address 0. */
START_TEST(a_file_of_version_1) {
    ck_assert_int_eq(system("cp " AFORO_TESTS_FORMATS "/measures_v1.aforo " OWN_CRASHES_FILE), 0);
    own_crashes_keep_in(".");
    const struct own_crash *crash = own_crashes_find(UINT64_C(0x2e1c7ceb4419078a));
    ck_assert_ptr_nonnull(crash);
    ck_assert_ptr_eq(own_crashes_last(0), crash);
    ck_assert_ptr_null(own_crashes_last(1));
    ck_assert_uint_eq(crash->crashes, 1);
    ck_assert_str_eq(crash->name, "crashing");
    ck_assert_str_eq(own_crashes_cause(crash), "SIGSEGV");
    ck_assert_uint_eq(own_crashes_killed(), 0);
}
END_TEST

START_TEST(without_a_directory_nothing_is_kept) {
    ck_assert_ptr_null(own_crashes_find(DIGEST));
    own_enter(0);
    own_leave();
    ck_assert_ptr_null(own_crashes_why());
    ck_assert_int_eq(access(OWN_CRASHES_FILE, F_OK), -1);
}
END_TEST

static void be_refused(void) {
    if (own_crashes_find(DIGEST) || !own_crashes_why() ||
        !strstr(own_crashes_why(), "another server uses this state directory")) {
        _exit(96);
    }
}

START_TEST(one_process_at_a_time) {
    const int fd = open(OWN_CRASHES_FILE, O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(run(be_refused), 0);
    close(fd);
    expect(0, 0, 0);
}
END_TEST

static void set_up(void) {
    state_dir_make();
    ck_assert_int_eq(chdir(state_dir), 0);
}

#define IN_STATE_DIR                                                                               \
    { .timeout_s = 100, .set_up = set_up, .tear_down = state_dir_remove }

CHECK_MAIN_WITH(IN_STATE_DIR, "own_crashes", a_fault_within_is_counted_once,
                an_exit_within_is_counted, what_is_not_its_fault_is_not_counted,
                the_list_has_an_end, a_file_of_version_1, without_a_directory_nothing_is_kept,
                one_process_at_a_time)
