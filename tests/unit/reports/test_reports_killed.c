/* kill -9 while events are added: each is in the rows of all its reports and in the windows, or
 * nowhere; also while one of the reports is being put back. */
#include "tests/unit/reports/reports_fixture.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 25
#define SECONDS 20 /* that events are scattered over */

static const char text[] =
    "fields: {key: , small: {type: int}, large: {type: int}}\n"
    "reports:\n"
    "  - {name: tight, by: key, windows: [1s, 1min], show: [count, sum(large)]}\n"
    "  - {name: safe, by: [key, small], windows: [1s, 10s], show: [count, sum(small), first],\n"
    "     keys: {max: 300}}\n"
    "  - {name: all, windows: [1s], show: [count, digest]}\n";
enum { TIGHT, SAFE, ALL };

/* What the one that is killed has told of: events that were counted. */
static _Atomic uint64_t *told;

static void add_until_killed(uint64_t seed, int ready) {
    struct lab *lab = lab_open(text);
    uint64_t random = seed;
    for (bool begun = false;; begun = true) {
        char key[16], small[16];
        uint64_t unfit;
        const uint64_t drawn = next_random(&random);
        snprintf(key, sizeof key, "k%u", (unsigned)(drawn % 50));
        snprintf(small, sizeof small, "%u", (unsigned)(drawn >> 8 & 15));
        /* A few of these fill a row's sum: from then on the report is put back. */
        const struct lab_event event = {
            .us = T0 - (int64_t)(drawn >> 16) % (SECONDS * US_PER_S),
            .text = {key, small, drawn & 64 ? "4503599627370496" : "1"}};
        /* Nothing of check's: it would be killed while it writes to the parent. */
        DEMAND(lab_add(lab, (unsigned)(drawn >> 60) % LAB_WORKERS, &event, &unfit) == SHARD_COUNTED,
               "refused");
        atomic_fetch_add(told, 1);
        /* Not before: on an emulator nothing would be counted until the end. */
        DEMAND(begun || write(ready, "!", 1) == 1, "nobody waits");
    }
}

static void kill_one(uint64_t *random) {
    int ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    const uint64_t seed = next_random(random);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        add_until_killed(seed, ready[1]);
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    nanosleep(&(struct timespec){.tv_nsec = (long)(next_random(random) % 8000000)}, NULL);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

static uint64_t count_rows(const struct lab *lab, unsigned report, int64_t us) {
    struct report_rows rows = lab_read(lab, report, 0, us);
    uint64_t n = 0;
    for (size_t i = 0; i < rows.n; i++)
        n += rows.row[i].state[0];
    report_rows_free(&rows);
    return n;
}

/* Everything agrees; returns how many events there are. */
static uint64_t compare(void) {
    struct lab *lab = lab_open(text); /* mends what was left */
    uint64_t all = 0;
    for (int i = -1; i <= SECONDS; i++) {
        const int64_t us = T0 - i * US_PER_S;
        const uint64_t in_window = read_one(lab->counters, RESOLUTION_1S, us);
        DEMAND(count_rows(lab, ALL, us) == in_window, "report all, %d s ago", i);
        DEMAND(count_rows(lab, SAFE, us) == in_window, "report safe, %d s ago", i);
        DEMAND(count_rows(lab, TIGHT, us) <= in_window, "report tight, %d s ago", i);
        all += in_window;
    }
    lab_close(lab); /* verifies tables and windows */
    return all;
}

START_TEST(reports_and_windows_agree_after_each_kill) {
    uint64_t random = 20261122, known = 0;
    told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(told, MAP_FAILED);
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t before = atomic_load(told);
        kill_one(&random);
        const uint64_t counted = atomic_load(told) - before, found = compare() - known;
        DEMAND(found == counted || found == counted + 1, "round %d: %llu told of, %llu found",
               round, (unsigned long long)counted, (unsigned long long)found);
        known += found;
    }
    ck_assert_uint_ge(known, ROUNDS);
    munmap(told, 4096);
}
END_TEST

CHECK_MAIN_WITH(in_state_dir, "reports under kill -9", reports_and_windows_agree_after_each_kill)
