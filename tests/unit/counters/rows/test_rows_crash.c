/* A worker that counts in two tables and in the dense rings is killed, and the files are opened
 * again as they stood. Twice: at moments of chance, again and again in one state, two workers; and
 * after every single instruction of chosen events; of the states that this makes, a third is opened
 * (DEV_AFORO_LONG: all), other ones each time. Rows, windows and the dense rings must agree
 * about which events were counted: all of the acknowledged ones, and at the most the one that was
 * begun. So they must when the clock is set, and the worker goes on as another writer. */
#include "tests/unit/counters/rows/rows_fixture.h"
#include "tests/unit/counters/rows/watched_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STEPS_MAX 2000000
#define US "\x1f"
#define FIRST_US (T0 + 100000)
#define LATE_MAX_S 4 /* an event is so late at the most */

/* What the counting process tells, in memory that outlives it. */
struct notes {
    _Atomic bool done;
    _Atomic int64_t now_us;
    _Atomic int64_t ahead_us;             /* of a clock that was set back; 0: it was not */
    _Atomic uint64_t begun, acknowledged; /* of all seconds */
    _Atomic uint64_t repaired;
};

static struct notes *notes;

/* ---- who counts ---- */

struct counting {
    struct counters *counters;
    struct tables *tables;
    struct table *keyed, *plain;
};

static struct table_config small_config(const char *name, bool keyed, unsigned workers) {
    struct table_config config = lab_config(name);
    const struct table_span span = {workers, LAB_HORIZON_US, 0};
    config.keyed = keyed;
    config.fields = keyed ? 2 : 0;
    config.field_max[1] = keyed ? 4 : 0;
    config.keys_max = 12;
    config.memory = table_bytes_min(&config, &span);
    return config;
}

static struct counting open_counting(const char *dir, unsigned workers, uint64_t *repaired) {
    struct counters_config config = lab_counters(workers);
    config.dir = dir;
    char why[COUNTERS_WHY_MAX] = "";
    struct counting counting = {.counters = counters_open(&config, NULL, why)};
    DEMAND(counting.counters != NULL, "%s", why);
    counting.tables = tables_open(counting.counters, workers, true, NULL, repaired, why);
    DEMAND(counting.tables != NULL, "%s", why);
    const struct table_config keyed = small_config("keyed", true, workers),
                              plain = small_config("plain", false, workers);
    counting.keyed = tables_get(counting.tables, &keyed, why);
    DEMAND(counting.keyed != NULL, "%s", why);
    counting.plain = tables_get(counting.tables, &plain, why);
    DEMAND(counting.plain != NULL, "%s", why);
    return counting;
}

static void close_counting(struct counting *counting) {
    tables_close(counting->tables);
    counters_close(counting->counters);
}

/* An event that turns out not to be one for the report: its rows are touched, and put back. */
static void change_mind(const struct table *table, unsigned worker, struct undo *undo, int64_t us) {
    const uint32_t entries = undo->entries;
    const struct table_key key = lab_key(table, "never" US "6");
    for (unsigned width = 0; width < 2; width++) {
        struct table_section *section = table_section(table, worker, width);
        struct table_row row;
        table_touch_owner(section, undo, table_window(table->config.width_us[width], us), &key,
                          &row);
    }
    for (unsigned width = 0; width < 2; width++) {
        table_put_back_owner(table_section(table, worker, width), undo, entries);
    }
}

/* The way of an event, as the server goes it. */
static bool count_one(const struct counting *counting, unsigned worker, int64_t us,
                      const char *text) {
    struct shard *shard = counters_worker_shard(counting->counters, worker - 1);
    const unsigned writer = tables_writer(counting->tables, worker);
    struct undo *undo = tables_undo(counting->tables, writer);
    struct shard_next next;
    if (shard_look_owner(shard, us, &next) != SHARD_COUNTED) {
        return false;
    }
    undo_begin_owner(undo);
    if (text[0] == 'M') {
        change_mind(counting->keyed, writer, undo, us);
    }
    if (!change_widths(counting->keyed, writer, undo, us, text)) {
        return false;
    }
    for (unsigned width = 0; width < 2; width++) {
        if (!touch_width(table_section(counting->plain, writer, width), undo, us, NULL, 7)) {
            return false;
        }
    }
    undo_commit_owner(undo, &(const struct undo_count){next.shard, next.window, next.count});
    return shard_add_owner(shard, us) == SHARD_COUNTED;
}

static void set_now_everywhere(const struct counting *counting, unsigned workers, int64_t now_us) {
    atomic_store(&notes->now_us, now_us);
    for (unsigned worker = 1; worker <= workers; worker++) {
        shard_set_now_owner(counters_worker_shard(counting->counters, worker - 1), now_us);
        tables_set_now_owner(counting->tables, worker, now_us);
        const unsigned writer = tables_writer(counting->tables, worker);
        for (unsigned width = 0; width < 2; width++) {
            table_set_now_owner(table_section(counting->keyed, writer, width), now_us);
            table_set_now_owner(table_section(counting->plain, writer, width), now_us);
        }
    }
}

static void count_or_exit(const struct counting *counting, unsigned worker, int64_t us,
                          const char *text) {
    atomic_fetch_add(&notes->begun, 1);
    if (!count_one(counting, worker, us, text)) {
        _exit(EXIT_FAILURE);
    }
    atomic_fetch_add(&notes->acknowledged, 1);
}

#define LONG_KEY 1500 /* bytes: a few of them go round the circle */
#define VALUES 6
#define KEYS 8
#define LONG_KEYS 10

/* Made before a step is counted: a third of all instructions were snprintf's. */
struct texts {
    char values[VALUES][16], keys[KEYS][16], long_keys[LONG_KEYS][LONG_KEY + 16];
};

static void make_texts(struct texts *texts) {
    for (int i = 0; i < VALUES; i++) {
        snprintf(texts->values[i], sizeof texts->values[i], "AA%d" US "%d", i, i);
    }
    for (int i = 0; i < KEYS; i++) {
        snprintf(texts->keys[i], sizeof texts->keys[i], "BB%d" US "1", i);
    }
    for (int i = 0; i < LONG_KEYS; i++) {
        const int second = (i / 2 + 1) * 15;
        snprintf(texts->long_keys[i], sizeof texts->long_keys[i], "%0*d" US "v", LONG_KEY,
                 second + i % 2);
    }
}

/* The clock is set by by_us, as the server's loop sees it. */
static void set_clock(const struct counting *counting, int64_t by_us) {
    struct shard *shard = counters_worker_shard(counting->counters, 0);
    const int64_t from_us = atomic_load(&notes->now_us);
    atomic_store(&notes->ahead_us, by_us < 0 ? from_us : 0);
    tables_step_owner(counting->tables, 1, from_us, from_us + by_us);
    if (by_us > 0) {
        shard_step_ahead_owner(shard, from_us, from_us + by_us);
    }
    set_now_everywhere(counting, 1, from_us + by_us);
}

/* Set back, with other sections made for it, and right again, where it was before. */
static void count_by_clocks(const struct counting *counting) {
    static const int64_t by_us[] = {-300 * US_PER_S, 300 * US_PER_S, -300 * US_PER_S};
    for (size_t i = 0; i < sizeof by_us / sizeof by_us[0]; i++) {
        const unsigned before = tables_writer(counting->tables, 1);
        set_clock(counting, by_us[i]);
        if (tables_writer(counting->tables, 1) == before) {
            _exit(EXIT_FAILURE);
        }
        count_or_exit(counting, 1, atomic_load(&notes->now_us), "AA1" US "1");
        count_or_exit(counting, 1, atomic_load(&notes->now_us), "AA2" US "2");
    }
}

/* The chosen events: keys that are new, and known, and too many; values that are too many; windows
 * that are new, and take the place of older ones; a circle that goes round. */
static void count_chosen(void) {
    struct counting counting = open_counting(state_dir, 1, NULL);
    struct texts texts;
    make_texts(&texts);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) {
        _exit(77);
    }
    set_now_everywhere(&counting, 1, FIRST_US);
    raise(SIGSTOP);
    for (int i = 0; i < 3; i++) {
        count_or_exit(&counting, 1, T0 + i, "AA1" US "1");
    }
    count_or_exit(&counting, 1, T0 - US_PER_S, "AA1" US "1");
    for (int i = 0; i < VALUES; i++) { /* values, then keys beyond the most */
        count_or_exit(&counting, 1, T0 + 10000, texts.values[i]);
    }
    for (int i = 0; i < KEYS; i++) {
        count_or_exit(&counting, 1, T0 + 20000, texts.keys[i]);
    }
    count_or_exit(&counting, 1, T0 + 30000, "M" US "1");
    for (int i = 0; i < LONG_KEYS; i++) {
        const int64_t us = T0 + (i / 2 + 1) * 15 * US_PER_S;
        if (i % 2 == 0) {
            set_now_everywhere(&counting, 1, us);
        }
        count_or_exit(&counting, 1, us, texts.long_keys[i]);
    }
    count_by_clocks(&counting);
    atomic_store(&notes->done, true);
    _exit(EXIT_SUCCESS);
}

/* ---- what must hold ---- */

static uint64_t rows_count(const struct table *table, unsigned width, int64_t us) {
    return lab_read(table, width, us, &(const struct seen){0}).count;
}

/* Of the seconds of the horizon before now_us. */
static void check_seconds(const struct counting *counting, int64_t now_us) {
    for (int64_t us = now_us - LAB_HORIZON_US + US_PER_S; us <= now_us; us += US_PER_S) {
        const uint64_t dense = read_one(counting->counters, RESOLUTION_1S, us),
                       plain = rows_count(counting->plain, 0, us),
                       keyed = rows_count(counting->keyed, 0, us);
        DEMAND(dense == plain && dense == keyed,
               "second %lld: %llu dense, %llu without keys, %llu with keys",
               (long long)((us - T0) / US_PER_S), (unsigned long long)dense,
               (unsigned long long)plain, (unsigned long long)keyed);
    }
}

/* `more`: events that were counted after the copy was opened. */
static void check_agreement(const struct counting *counting, uint64_t more) {
    const int64_t now_us = atomic_load(&notes->now_us), ahead_us = atomic_load(&notes->ahead_us);
    uint64_t minutes[2] = {0};
    check_seconds(counting, now_us);
    if (ahead_us) {
        check_seconds(counting, ahead_us);
        DEMAND(rows_count(counting->plain, 0, ahead_us) > 0, "what was ahead is lost");
    }
    minutes[0] = rows_count(counting->plain, 1, now_us);
    minutes[1] = rows_count(counting->keyed, 1, now_us);
    DEMAND(minutes[0] == minutes[1], "minute: %llu without keys, %llu with",
           (unsigned long long)minutes[0], (unsigned long long)minutes[1]);
    DEMAND(minutes[0] == read_one(counting->counters, RESOLUTION_1MIN, now_us), "minute: %llu rows",
           (unsigned long long)minutes[0]);
    uint64_t all = 0;
    for (int64_t us = T0 - LATE_MAX_S * US_PER_S; us <= now_us; us += US_PER_S) {
        all += read_one(counting->counters, RESOLUTION_1S, us);
    }
    const uint64_t least = atomic_load(&notes->acknowledged) + more,
                   most = atomic_load(&notes->begun) + more;
    DEMAND(now_us != FIRST_US || (least <= all && all <= most),
           "%llu events, %llu to %llu expected", (unsigned long long)all, (unsigned long long)least,
           (unsigned long long)most);
}

/* Who only reads does not mend: he sees the rows as they were before what is open. */
static void check_readonly(const char *copy_dir) {
    bool none;
    char why[COUNTERS_WHY_MAX] = "";
    struct tables *tables = tables_open_readonly(copy_dir, &none, why);
    DEMAND(tables != NULL, "%s", why);
    DEMAND(tables_count(tables) == 2, "%zu tables", tables_count(tables));
    const int64_t now_us = atomic_load(&notes->now_us);
    for (unsigned width = 0; width < 2; width++) {
        const uint64_t one = rows_count(tables_at(tables, 0), width, now_us),
                       other = rows_count(tables_at(tables, 1), width, now_us);
        DEMAND(one == other, "width %u: %llu and %llu", width, (unsigned long long)one,
               (unsigned long long)other);
    }
    tables_close(tables);
}

static uint64_t check_copy(const char *copy_dir, bool readonly) {
    uint64_t repaired = 0;
    write_copies(copy_dir);
    if (readonly) {
        check_readonly(copy_dir);
    }
    struct counting counting = open_counting(copy_dir, 1, &repaired);
    must_verify(counting.counters);
    table_must_verify(counting.keyed);
    table_must_verify(counting.plain);
    check_agreement(&counting, 0);
    /* and it goes on from there */
    set_now_everywhere(&counting, 1, atomic_load(&notes->now_us));
    DEMAND(count_one(&counting, 1, atomic_load(&notes->now_us), "AA1" US "1"), "no place any more");
    table_must_verify(counting.keyed);
    check_agreement(&counting, 1);
    close_counting(&counting);
    return repaired;
}

START_TEST(killed_after_every_instruction) {
    notes = mmap(NULL, sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char copy_dir[PATH_MAX_TEST], path[2 * PATH_MAX_TEST];
    state_path("copy", copy_dir);
    snprintf(path, sizeof path, "%s/reports", copy_dir);
    ck_assert(mkdir(copy_dir, 0700) == 0 && mkdir(path, 0700) == 0);
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        count_chosen();
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        fprintf(stderr, "this machine does not let a process be traced: left out\n");
        return;
    }
    ck_assert(WIFSTOPPED(status));
    add_file(STATE_FILE_NAME);
    add_file("reports/" UNDO_FILE_NAME);
    add_file("reports/keyed.0123456789abcdef.aforo");
    add_file("reports/plain.0123456789abcdef.aforo");
    const int stride = getenv("DEV_AFORO_LONG") ? 1 : 3, first = (int)(time(NULL) % stride);
    int steps = 0, states = 0;
    uint64_t repaired = 0;
    for (; steps < STEPS_MAX && !atomic_load(&notes->done); steps++) {
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid ||
            !WIFSTOPPED(status)) {
            break;
        }
        if (have_changed()) {
            if (states % stride == first) {
                repaired += check_copy(copy_dir, states / stride % 40 == 0);
            }
            states++;
        }
    }
    ck_assert_msg(atomic_load(&notes->done), "ended early: %d steps, status %d", steps, status);
    ck_assert_int_gt(states, 1000);
    ck_assert_uint_gt(repaired,
                      500 / (unsigned)stride); /* some were open, some had to be completed */
    printf("%d steps, %d states from %d on, %llu mended\n", steps, states, first,
           (unsigned long long)repaired);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}
END_TEST

/* ---- at moments of chance ---- */

#define KILLS 120
#define WORKERS 2

/* Counts until it is killed. */
static void count_for_ever(uint64_t random) {
    struct counting counting = open_counting(state_dir, WORKERS, NULL);
    int64_t now_us = atomic_load(&notes->now_us);
    char text[2048];
    set_now_everywhere(&counting, WORKERS, now_us);
    atomic_store(&notes->done, true);
    for (;;) {
        const uint64_t n = next_random(&random) % 30,
                       late_s = next_random(&random) % (LATE_MAX_S + 1);
        if (next_random(&random) % 50 == 0) {
            now_us += (int64_t)(next_random(&random) % 3000) * US_PER_MS;
            set_now_everywhere(&counting, WORKERS, now_us);
        }
        snprintf(text, sizeof text, "%s%0*d" US "%d", n % 4 ? "" : "M", 1 + (int)n * 20, (int)n,
                 (int)n % 6);
        count_or_exit(&counting, 1 + (unsigned)(next_random(&random) % WORKERS),
                      now_us - (int64_t)late_s * US_PER_S, text);
    }
}

static void kill_once(uint64_t *random) {
    atomic_store(&notes->done, false);
    const uint64_t seed = next_random(random);
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        count_for_ever(seed);
    }
    int status = 0;
    for (int turns = 0; turns < 100000 && !atomic_load(&notes->done); turns++) {
        usleep(100);
        DEMAND(waitpid(pid, &status, WNOHANG) == 0, "ended with %d", status);
    }
    usleep((useconds_t)(next_random(random) % 3000));
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    DEMAND(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "ended with %d", status);
}

/* Opens what was left and checks all of it; `orderly`: closes it. Else it is as if it had been
 * killed again. */
static void check_left(bool orderly, _Atomic uint64_t *repaired) {
    uint64_t mended = 0;
    check_readonly(state_dir);
    struct counting counting = open_counting(state_dir, WORKERS, &mended);
    must_verify(counting.counters);
    table_must_verify(counting.keyed);
    table_must_verify(counting.plain);
    check_agreement(&counting, 0);
    *repaired += mended;
    if (orderly) {
        close_counting(&counting);
    }
}

START_TEST(killed_at_any_moment) {
    uint64_t random = 20261121;
    notes = mmap(NULL, sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    atomic_store(&notes->now_us, FIRST_US);
    for (int i = 0; i < KILLS; i++) {
        kill_once(&random);
        const bool orderly = next_random(&random) % 2;
        const pid_t pid = fork();
        int status;
        if (pid == 0) {
            check_left(orderly, &notes->repaired);
            _exit(EXIT_SUCCESS);
        }
        DEMAND(waitpid(pid, &status, 0) == pid && status == 0, "kill %d: status %d", i, status);
    }
    ck_assert_uint_gt(atomic_load(&notes->repaired), 20);
}
END_TEST

/* A sanitizer's own instructions are millions: there, stepping through them is left out. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define STEPS_THROUGH false
#else
#define STEPS_THROUGH true
#endif

int main(void) {
    Suite *suite = suite_create("rows_crash");
    TCase *tcase = tcase_create("rows_crash");
    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, state_dir_make, state_dir_remove);
    tcase_add_test(tcase, killed_at_any_moment);
    if (STEPS_THROUGH) {
        tcase_add_test(tcase, killed_after_every_instruction);
    }
    suite_add_tcase(suite, tcase);
    return check_run(suite);
}
