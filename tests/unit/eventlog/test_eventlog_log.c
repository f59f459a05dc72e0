/* The log as a whole: workers append, it is sealed, closed, opened again; what a kill leaves is
 * settled by the counts. */
#include "tests/unit/eventlog/log_lab.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static char dir[PATH_MAX_TEST];
static struct given given;
static uint64_t counted; /* what the count is said to be */

static bool is_counted(void *cls, uint64_t shard, uint64_t window, uint64_t count) {
    (void)cls;
    return shard == 1 && window == 7 && count == counted;
}

static void say(void *cls, enum eventlog_grave grave, const char *text, const char *details) {
    (void)cls;
    if (grave == EVENTLOG_ERROR && getenv("DEV_AFORO_SAY")) {
        fprintf(stderr, "%s %s\n", text, details);
    }
}

static struct eventlog *open_log(unsigned workers) {
    const struct eventlog_config config = {.dir = dir,
                                           .node = "n1",
                                           .workers = workers,
                                           .sync_us = 1000000,
                                           .judge = {is_counted, NULL},
                                           .say = say};
    char why[EVENTLOG_WHY_MAX] = "";
    struct eventlog *log = eventlog_open(&config, why);
    ck_assert_msg(log != NULL, "%s", why);
    return log;
}

static bool take_record(void *cls, const struct eventlog_record *record) {
    struct given *its = cls;
    its->records++;
    its->last = record->sequence;
    if (its->len + record->len < sizeof its->text) {
        memcpy(its->text + its->len, record->text, record->len);
        its->len += record->len;
        its->text[its->len] = '\0';
    }
    return true;
}

static void take_damage(void *cls, const struct eventlog_damage *damage) {
    given_name(cls, damage->first, damage->last);
}

static void read_log(int64_t from_us, int64_t to_us) {
    memset(&given, 0, sizeof given);
    char why[EVENTLOG_READ_WHY_MAX] = "";
    const struct eventlog_question question = {dir, from_us, to_us};
    const struct eventlog_taker taker = {take_record, take_damage, &given};
    ck_assert_msg(eventlog_read(&question, &taker, why), "%s", why);
}

static void put_one(struct eventlog_writer *writer, int64_t us) {
    ck_assert(eventlog_reserve_owner(writer, LINE_TIME_MAX, 1));
    eventlog_put_time_owner(writer, us, us + 5);
}

static void write_events(struct eventlog_writer *writer, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        put_one(writer, T0 + i);
        eventlog_commit_owner(writer);
    }
}

static void set_up(void) {
    state_dir_make();
    state_path("log", dir);
    counted = 0;
}

static int64_t soon_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return ((int64_t)now.tv_sec + 60) * 1000000;
}

START_TEST(what_is_committed_is_read_at_once) {
    struct eventlog *log = open_log(2);
    write_events(eventlog_writer(log, 0), 3);
    write_events(eventlog_writer(log, 1), 2);
    put_one(eventlog_writer(log, 1), T0);
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 5);
    ck_assert_uint_eq(given.damages, 0);
    ck_assert(strstr(given.text, "{\"time\":\"2016-05-28T11:11:11.000002Z\",\"lag_us\":5}\n"));
    eventlog_discard_owner(eventlog_writer(log, 1));
    eventlog_close(log, soon_us());
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 5);
}
END_TEST

START_TEST(numbers_go_on_over_runs) {
    for (unsigned run = 1; run <= 4; run++) {
        struct eventlog *log = open_log(1);
        write_events(eventlog_writer(log, 0), 10);
        eventlog_close(log, run % 2 ? soon_us() : 0);
        read_log(INT64_MIN, INT64_MAX);
        ck_assert_uint_eq(given.records, run * 10);
        ck_assert_uint_eq(given.last, run * 10);
        ck_assert_uint_eq(given.damages, 0);
    }
}
END_TEST

START_TEST(full_tails_are_sealed) {
    struct eventlog *log = open_log(1);
    ck_assert(eventlog_start(log));
    struct eventlog_writer *writer = eventlog_writer(log, 0);
    const unsigned n = 1000000; /* some 52 MB */
    write_events(writer, n);
    struct eventlog_status status;
    for (int i = 0; i < 3000; i++) {
        eventlog_status(log, &status);
        if (status.waiting == 0) {
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    ck_assert_uint_eq(status.waiting, 0);
    ck_assert_uint_ge(status.sealed, 2);
    ck_assert_uint_eq(status.records, n);
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, n);
    ck_assert_uint_eq(given.damages, 0);
    read_log(T0 + 500000, T0 + 500010);
    ck_assert_uint_eq(given.records, 10);
    eventlog_close(log, soon_us());
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, n);
    ck_assert_uint_eq(given.damages, 0);
}
END_TEST

/* A process that is killed with a note ahead of the length; the next start looks at the count. */
static void die_with_note(uint64_t note_count, unsigned before) {
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct eventlog_writer *writer = eventlog_writer(open_log(1), 0);
        write_events(writer, before);
        put_one(writer, T0 + 70000);
        put_one(writer, T0 + 70001);
        eventlog_note_owner(writer, &(const struct eventlog_place){1, 7, note_count});
        kill(getpid(), SIGKILL);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
}

START_TEST(a_note_whose_events_were_counted_is_followed) {
    die_with_note(4, 3);
    counted = 4;
    struct eventlog *log = open_log(1);
    eventlog_close(log, soon_us());
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 5);
}
END_TEST

START_TEST(a_note_whose_events_were_not_counted_is_not) {
    die_with_note(4, 3);
    counted = 2;
    struct eventlog *log = open_log(1);
    write_events(eventlog_writer(log, 0), 1);
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 4);
    ck_assert_uint_eq(given.last, 4);
    ck_assert_uint_eq(given.damages, 0);
    eventlog_close(log, 0);
}
END_TEST

START_TEST(a_sealing_that_was_cut_short_is_no_harm) {
    char path[PATH_MAX_TEST + 64];
    struct eventlog *log = open_log(1);
    write_events(eventlog_writer(log, 0), 10);
    eventlog_close(log, soon_us());
    /* Killed before the tail was removed, and while the next file was being written. */
    snprintf(path, sizeof path, "%s/n1/1", dir);
    const int dir_fd = open(path, O_RDONLY | O_DIRECTORY);
    lab_write_tail(dir_fd, 1, 10, 0);
    close(openat(dir_fd, FILES_SEALING, O_WRONLY | O_CREAT, 0640));
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 10);
    ck_assert_uint_eq(given.damages, 0);
    eventlog_close(open_log(1), soon_us());
    ck_assert_int_ne(faccessat(dir_fd, "00000000000000000001.ndjson", F_OK, 0), 0);
    ck_assert_int_ne(faccessat(dir_fd, FILES_SEALING, F_OK, 0), 0);
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 10);
    close(dir_fd);
}
END_TEST

START_TEST(a_file_that_cannot_be_sealed_waits) {
    char path[PATH_MAX_TEST + 64];
    struct eventlog *log = open_log(1);
    write_events(eventlog_writer(log, 0), 10);
    snprintf(path, sizeof path, "%s/n1/1/" FILES_SEALING, dir);
    ck_assert_int_eq(mkdir(path, 0700), 0); /* in its way */
    eventlog_close(log, soon_us());
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 10);
    ck_assert_uint_eq(given.damages, 0);
    ck_assert_int_eq(rmdir(path), 0);
    eventlog_close(open_log(1), soon_us());
    snprintf(path, sizeof path, "%s/n1/1/00000000000000000001.ndjson.zst", dir);
    ck_assert_int_eq(access(path, F_OK), 0);
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 10);
}
END_TEST

START_TEST(a_line_longer_than_a_block) {
    char path[PATH_MAX_TEST + 64];
    eventlog_close(open_log(1), 0); /* makes the folder */
    snprintf(path, sizeof path, "%s/n1/1", dir);
    const int dir_fd = open(path, O_RDONLY | O_DIRECTORY);
    const int fd = openat(dir_fd, "00000000000000000001.ndjson", O_WRONLY | O_CREAT, 0640);
    static char text[2 * SEAL_BLOCK_BYTES], line[sizeof text + 1024];
    struct line_clock clock = {0};
    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < 3; i++) {
        const struct line_event event = {.timed = true, .line = {text, i == 1 ? sizeof text : 3}};
        const size_t len = line_write(&clock, &event, line);
        ck_assert_int_eq(write(fd, line, len), (ssize_t)len);
    }
    close(fd);
    close(dir_fd);
    eventlog_close(open_log(1), soon_us());
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 3);
    ck_assert_uint_eq(given.damages, 0);
}
END_TEST

START_TEST(a_second_writer_is_refused) {
    struct eventlog *log = open_log(1);
    const struct eventlog_config config = {.dir = dir, .node = "n1", .workers = 1, .say = say};
    char why[EVENTLOG_WHY_MAX] = "";
    ck_assert_ptr_null(eventlog_open(&config, why));
    ck_assert_msg(strstr(why, "another process"), "%s", why);
    eventlog_close(log, 0);
}
END_TEST

/* The disk is full until the end of the run, and nothing comes after it. */
START_TEST(what_was_dropped_at_the_end_is_named) {
    struct eventlog *log = open_log(1);
    write_events(eventlog_writer(log, 0), 10);
    writer_is_without(eventlog_writer(log, 0), 7);
    eventlog_close(log, soon_us());
    for (int run = 0; run < 2; run++) { /* also when the next run has no event */
        read_log(INT64_MIN, INT64_MAX);
        ck_assert_uint_eq(given.records, 10);
        ck_assert_uint_eq(given.named, 7);
        log = open_log(1);
        ck_assert(eventlog_start(log));
        ck_assert_uint_eq(eventlog_writer(log, 0)->next, 18);
        eventlog_close(log, soon_us());
    }
    log = open_log(1);
    write_events(eventlog_writer(log, 0), 5);
    eventlog_close(log, soon_us());
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 15);
    ck_assert_uint_eq(given.named, 7);
    ck_assert_uint_eq(given.last, 22);
}
END_TEST

START_TEST(what_is_lost_is_named) {
    char path[PATH_MAX_TEST + 64];
    for (int run = 0; run < 3; run++) {
        struct eventlog *log = open_log(1);
        write_events(eventlog_writer(log, 0), 100);
        eventlog_close(log, soon_us());
    }
    snprintf(path, sizeof path, "%s/n1/1/%020d.ndjson.zst", dir, 101);
    ck_assert_int_eq(unlink(path), 0);
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 200);
    ck_assert_uint_eq(given.damages, 1);
    ck_assert_uint_eq(given.named, 100);
    ck_assert_uint_eq(given.seen[101] & given.seen[200], 2);
}
END_TEST

/* A tail of 50 lines, closed, and a whole file behind it. */
START_TEST(a_tail_cut_at_every_byte) {
    char path[PATH_MAX_TEST + 64], name[FILES_NAME_MAX];
    eventlog_close(open_log(1), 0); /* makes the folder */
    snprintf(path, sizeof path, "%s/n1/1", dir);
    const int dir_fd = open(path, O_RDONLY | O_DIRECTORY);
    files_name(&(const struct log_file){.first = 1}, name);
    lab_write_tail(dir_fd, 51, 10, 0);
    lab_write_tail(dir_fd, 1, 50, 0);
    struct stat st;
    ck_assert_int_eq(fstatat(dir_fd, name, &st, 0), 0);
    for (off_t cut = st.st_size - 1; cut >= 0; cut--) {
        const int fd = openat(dir_fd, name, O_WRONLY);
        ck_assert_int_eq(ftruncate(fd, cut), 0);
        close(fd);
        read_log(INT64_MIN, INT64_MAX);
        ck_assert_uint_eq(given.damages, 1);
        ck_assert_uint_eq(given.records + given.named, 60);
        ck_assert_uint_eq(given.last, 60);
    }
    ck_assert_uint_eq(given.named, 50);
    close(dir_fd);
}
END_TEST

/* Bytes of a line that no reader takes for one are named; those around it are read. */
START_TEST(a_tail_with_a_line_that_is_none) {
    char path[PATH_MAX_TEST + 64], name[FILES_NAME_MAX];
    eventlog_close(open_log(1), 0);
    snprintf(path, sizeof path, "%s/n1/1", dir);
    const int dir_fd = open(path, O_RDONLY | O_DIRECTORY);
    files_name(&(const struct log_file){.first = 1}, name);
    for (off_t at = 0; at < 36; at++) { /* the beginning of a line, with its time */
        lab_write_tail(dir_fd, 1, 50, 0);
        const int fd = openat(dir_fd, name, O_WRONLY);
        ck_assert_int_eq(pwrite(fd, "\x01", 1, at), 1);
        close(fd);
        read_log(INT64_MIN, INT64_MAX);
        ck_assert_uint_eq(given.records, 49);
        ck_assert_uint_eq(given.named, 1);
        ck_assert_uint_eq(given.seen[1], 2);
    }
    close(dir_fd);
}
END_TEST

/* When a file was sealed, as if it had been so many seconds ago. */
static void make_older(uint64_t first, time_t seconds) {
    char path[PATH_MAX_TEST + 64];
    snprintf(path, sizeof path, "%s/n1/1/%020" PRIu64 ".ndjson.zst", dir, first);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const struct timespec times[2] = {{.tv_sec = now.tv_sec - seconds},
                                      {.tv_sec = now.tv_sec - seconds}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool has_file(uint64_t first, const char *ending) {
    char path[PATH_MAX_TEST + 64];
    snprintf(path, sizeof path, "%s/n1/1/%020" PRIu64 "%s", dir, first, ending);
    return access(path, F_OK) == 0;
}

START_TEST(files_go_when_they_were_sealed_so_long_ago) {
    struct eventlog_config config = {.dir = dir,
                                     .node = "n1",
                                     .workers = 1,
                                     .sync_us = 1000000,
                                     .keep_us = INT64_C(100) * 1000000,
                                     .judge = {is_counted, NULL},
                                     .say = say};
    char why[EVENTLOG_WHY_MAX] = "", blocked[PATH_MAX_TEST + 64];
    struct eventlog *log = NULL;
    for (int run = 0; run < 4; run++) {
        log = open_log(1);
        write_events(eventlog_writer(log, 0), 10);
        eventlog_close(log, soon_us());
    }
    make_older(1, 1000);
    make_older(11, 1000);
    make_older(21, 50);
    make_older(31, 1000); /* the newest one */
    log = open_log(1);
    write_events(eventlog_writer(log, 0), 10); /* 41 .. 50, which cannot be sealed */
    eventlog_close(log, 0);
    snprintf(blocked, sizeof blocked, "%s/n1/1/" FILES_SEALING, dir);
    ck_assert_int_eq(mkdir(blocked, 0700), 0);
    ck_assert_ptr_nonnull(log = eventlog_open(&config, why));
    ck_assert(eventlog_start(log));
    struct eventlog_status status = {0};
    for (int i = 0; i < 500 && status.removed < 2; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        eventlog_status(log, &status);
    }
    ck_assert_uint_eq(status.removed, 2);
    ck_assert_uint_gt(status.removed_bytes, 0);
    ck_assert(!has_file(1, ".ndjson.zst") && !has_file(11, ".ndjson.zst"));
    ck_assert(has_file(21, ".ndjson.zst") && has_file(31, ".ndjson.zst") &&
              has_file(41, ".ndjson"));
    eventlog_close(log, soon_us());
    ck_assert_int_eq(rmdir(blocked), 0);
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 30);
    ck_assert_uint_eq(given.damages, 0);
}
END_TEST

/* Killed between a tail's name and its first record: the next tail gets the same name, and is not
 * taken for the one that waits to be sealed. */
START_TEST(an_empty_tail_is_not_sealed_in_place_of_the_next) {
    char path[PATH_MAX_TEST + 64];
    struct eventlog *log = open_log(1);
    eventlog_close(log, soon_us());
    snprintf(path, sizeof path, "%s/n1/1/%020u.ndjson", dir, 1u);
    FILE *empty = fopen(path, "w");
    ck_assert_ptr_nonnull(empty);
    fclose(empty);
    log = open_log(1);
    write_events(eventlog_writer(log, 0), 10);
    ck_assert(eventlog_start(log));
    struct eventlog_status status = {.waiting = 1};
    for (int i = 0; i < 500 && status.waiting > 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        eventlog_status(log, &status);
    }
    write_events(eventlog_writer(log, 0), 10);
    read_log(INT64_MIN, INT64_MAX);
    ck_assert_uint_eq(given.records, 20);
    ck_assert_uint_eq(given.damages, 0);
    ck_assert(has_file(1, ".ndjson"));
    eventlog_close(log, soon_us());
}
END_TEST

#define FIXTURE                                                                                    \
    { .timeout_s = 120, .set_up = set_up, .tear_down = state_dir_remove }

CHECK_MAIN_WITH(FIXTURE, "eventlog_log", what_is_committed_is_read_at_once, numbers_go_on_over_runs,
                full_tails_are_sealed, a_note_whose_events_were_counted_is_followed,
                a_note_whose_events_were_not_counted_is_not,
                a_sealing_that_was_cut_short_is_no_harm, a_file_that_cannot_be_sealed_waits,
                a_line_longer_than_a_block, a_second_writer_is_refused,
                what_was_dropped_at_the_end_is_named, what_is_lost_is_named,
                a_tail_cut_at_every_byte, a_tail_with_a_line_that_is_none,
                files_go_when_they_were_sealed_so_long_ago,
                an_empty_tail_is_not_sealed_in_place_of_the_next)
