/* A log that is followed while it is written, sealed, cut and removed: each record once, in order,
 * from any position on; what is missing is named. */
#include "tests/unit/eventlog/log_lab.h"

#include "eventlog/follow.h"

#include <time.h>

static char dir[PATH_MAX_TEST];
static struct given given;
static struct eventlog_follower *follower;
static char why[EVENTLOG_READ_WHY_MAX];
static char last_why[256];
static uint64_t wanted; /* records after which the taker wants no more; 0: all */

static bool is_counted(void *cls, uint64_t shard, uint64_t window, uint64_t count) {
    (void)cls;
    (void)shard;
    (void)window;
    (void)count;
    return false;
}

static void say(void *cls, enum eventlog_grave grave, const char *text, const char *details) {
    (void)cls;
    (void)grave;
    (void)text;
    (void)details;
}

static struct eventlog *open_log_of(const char *node, unsigned workers) {
    const struct eventlog_config config = {.dir = dir,
                                           .node = node,
                                           .workers = workers,
                                           .tail_bytes = 65536,
                                           .sync_us = 1000000,
                                           .judge = {is_counted, NULL},
                                           .say = say};
    char reason[EVENTLOG_WHY_MAX] = "";
    struct eventlog *log = eventlog_open(&config, reason);
    ck_assert_msg(log != NULL, "%s", reason);
    return log;
}

static struct eventlog *open_log(void) {
    return open_log_of("n1", 1);
}

static int64_t soon_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return ((int64_t)now.tv_sec + 60) * 1000000;
}

static void write_events(struct eventlog_writer *writer, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        ck_assert(eventlog_reserve_owner(writer, LINE_TIME_MAX, 1));
        eventlog_put_time_owner(writer, T0 + i, T0 + i + 5);
        eventlog_commit_owner(writer);
    }
}

static bool take_record(void *cls, const struct eventlog_record *record) {
    struct given *its = cls;
    if (wanted > 0 && its->records == wanted) {
        return false;
    }
    if (record->where->shard == 1 && strcmp(record->where->node, "n1") == 0) {
        ck_assert_uint_gt(record->sequence, its->last);
        its->last = record->sequence;
    }
    its->records++;
    return true;
}

static void take_damage(void *cls, const struct eventlog_damage *damage) {
    snprintf(last_why, sizeof last_why, "%s", damage->why);
    given_name(cls, damage->first, damage->last);
}

static void follow_from(const struct eventlog_position *position, size_t positions) {
    const struct eventlog_following following = {
        {dir, INT64_MIN, INT64_MAX}, position, positions, true};
    const struct eventlog_taker taker = {take_record, take_damage, &given};
    follower = eventlog_follow(&following, &taker, why);
    ck_assert_msg(follower != NULL, "%s", why);
}

/* Rounds until nothing is new. There is an end to them. */
static enum eventlog_round follow_all(void) {
    for (int i = 0; i < 1000; i++) {
        const enum eventlog_round round = eventlog_follow_round(follower, why);
        if (round != EVENTLOG_GIVEN) {
            return round;
        }
    }
    ck_abort_msg("there is no end to the rounds");
    return EVENTLOG_FAILED;
}

/* The kernel's clock of files goes on, and new shards are looked for again. */
static void let_time_pass(void) {
    nanosleep(&(struct timespec){.tv_nsec = 60000000}, NULL);
}

/* Rounds until so many records were given. */
static void must_give(uint64_t records) {
    for (int i = 0; i < 100 && given.records < records; i++) {
        ck_assert_int_ne(follow_all(), EVENTLOG_FAILED);
        let_time_pass();
    }
    ck_assert_int_eq(follow_all(), EVENTLOG_IDLE);
    ck_assert_uint_eq(given.records, records);
}

static struct eventlog_position position_of(size_t i) {
    struct eventlog_position position;
    ck_assert(eventlog_follow_position(follower, i, &position));
    return position;
}

static void remove_file(uint64_t first, const char *ending) {
    char path[PATH_MAX_TEST + 64];
    snprintf(path, sizeof path, "%s/n1/1/%020" PRIu64 "%s", dir, first, ending);
    ck_assert_int_eq(unlink(path), 0);
}

/* Sealed files of 100 records each, which are as many runs. */
static void make_files(unsigned files) {
    for (unsigned i = 0; i < files; i++) {
        struct eventlog *log = open_log();
        write_events(eventlog_writer(log, 0), 100);
        eventlog_close(log, soon_us());
    }
}

static void set_up(void) {
    state_dir_make();
    state_path("log", dir);
    memset(&given, 0, sizeof given);
    *last_why = '\0';
    wanted = 0;
}

static void tear_down(void) {
    eventlog_follow_end(follower);
    follower = NULL;
    state_dir_remove();
}

START_TEST(what_is_committed_is_given_once) {
    struct eventlog *log = open_log();
    struct eventlog_writer *writer = eventlog_writer(log, 0);
    write_events(writer, 3);
    follow_from(NULL, 0);
    must_give(3);
    ck_assert(eventlog_reserve_owner(writer, LINE_TIME_MAX, 1));
    eventlog_put_time_owner(writer, T0, T0);
    must_give(3);
    eventlog_commit_owner(writer);
    must_give(4);
    write_events(writer, 10);
    must_give(14);
    ck_assert_uint_eq(position_of(0).next, 15);
    eventlog_close(log, 0);
}
END_TEST

START_TEST(a_tail_that_is_sealed_is_read_on) {
    struct eventlog *log = open_log();
    ck_assert(eventlog_start(log));
    struct eventlog_writer *writer = eventlog_writer(log, 0);
    write_events(writer, 10);
    follow_from(NULL, 0);
    must_give(10);
    for (unsigned i = 1; i <= 20; i++) { /* some three tails each */
        write_events(writer, 4000);
        must_give(10 + i * 4000);
    }
    write_events(writer, 5);
    eventlog_close(log, soon_us());
    must_give(10 + 80000 + 5);
    log = open_log();
    write_events(eventlog_writer(log, 0), 7);
    must_give(10 + 80000 + 5 + 7);
    ck_assert_uint_eq(given.damages, 0);
    ck_assert_uint_eq(given.last, given.records);
    eventlog_close(log, 0);
}
END_TEST

START_TEST(it_goes_on_from_any_position) {
    make_files(2);
    struct eventlog *log = open_log();
    write_events(eventlog_writer(log, 0), 50);
    for (uint64_t next = 1; next <= 251; next += 25) {
        memset(&given, 0, sizeof given);
        const struct eventlog_position position = {"n1", 1, next};
        follow_from(&position, 1);
        must_give(251 - next);
        ck_assert_uint_eq(given.last, given.records > 0 ? 250 : 0);
        ck_assert_uint_eq(given.damages, 0);
        ck_assert_uint_eq(position_of(0).next, 251);
        eventlog_follow_end(follower);
    }
    follower = NULL;
    eventlog_close(log, 0);
}
END_TEST

START_TEST(a_taker_that_wants_no_more_gets_the_same_again) {
    make_files(1);
    for (unsigned open = 0; open < 2; open++) { /* a sealed file, and a tail */
        struct eventlog *log = open ? open_log() : NULL;
        if (log) {
            write_events(eventlog_writer(log, 0), 100);
        }
        memset(&given, 0, sizeof given);
        follow_from(NULL, 0);
        wanted = open ? 137 : 37;
        ck_assert_int_eq(follow_all(), EVENTLOG_STOPPED);
        const struct eventlog_position position = position_of(0);
        ck_assert_uint_eq(position.next, wanted + 1);
        eventlog_follow_end(follower);
        wanted = 0;
        follow_from(&position, 1);
        must_give(open ? 200 : 100);
        eventlog_follow_end(follower);
        follower = NULL;
        eventlog_close(log, 0);
    }
}
END_TEST

START_TEST(nodes_and_shards_that_come_later_are_found) {
    struct eventlog *one = open_log(), *two = NULL;
    write_events(eventlog_writer(one, 0), 5);
    follow_from(NULL, 0);
    must_give(5);
    two = open_log_of("n2", 2);
    write_events(eventlog_writer(two, 0), 6);
    write_events(eventlog_writer(two, 1), 7);
    must_give(18);
    ck_assert_uint_eq(given.damages, 0);
    eventlog_close(one, 0);
    eventlog_close(two, 0);
}
END_TEST

START_TEST(files_that_are_removed_unread_are_named) {
    make_files(3);
    const struct eventlog_position position = {"n1", 1, 51};
    remove_file(1, ".ndjson.zst");
    remove_file(101, ".ndjson.zst");
    follow_from(&position, 1);
    must_give(100);
    ck_assert_uint_eq(given.damages, 1);
    ck_assert_uint_eq(given.named, 150);
    ck_assert_uint_eq(given.seen[51] & given.seen[200], 2);
    ck_assert_msg(strstr(last_why, "removed before they were read"), "%s", last_why);
    make_files(2); /* 301 .. 500 */
    remove_file(201, ".ndjson.zst");
    remove_file(301, ".ndjson.zst");
    must_give(200);
    ck_assert_uint_eq(given.damages, 2);
    ck_assert_uint_eq(given.named, 250);
}
END_TEST

START_TEST(records_that_were_never_kept_are_named) {
    make_files(3);
    remove_file(101, ".ndjson.zst");
    follow_from(NULL, 0);
    must_give(200);
    ck_assert_uint_eq(given.damages, 1);
    ck_assert_uint_eq(given.named, 100);
    ck_assert_str_eq(last_why, "no file has them");
}
END_TEST

START_TEST(what_is_removed_before_it_is_followed_is_no_harm) {
    make_files(2);
    remove_file(1, ".ndjson.zst");
    follow_from(NULL, 0);
    must_give(100);
    ck_assert_uint_eq(given.damages, 0);
}
END_TEST

START_TEST(a_damaged_file_is_named_once_and_passed_over) {
    char path[PATH_MAX_TEST + 64];
    make_files(2);
    snprintf(path, sizeof path, "%s/n1/1/%020d.ndjson.zst", dir, 101);
    size_t len;
    unsigned char *bytes = lab_slurp(path, &len);
    bytes[BLOCK_HEAD_BYTES + 9] ^= 1;
    const int fd = open(path, O_WRONLY | O_TRUNC);
    ck_assert_int_eq(write(fd, bytes, len - 3), (ssize_t)len - 3); /* and its end is damaged */
    close(fd);
    free(bytes);
    follow_from(NULL, 0);
    must_give(100);
    const uint64_t damages = given.damages;
    ck_assert_uint_gt(damages, 0);
    ck_assert_uint_eq(given.seen[101] & given.seen[200], 2);
    for (int i = 0; i < 3; i++) {
        let_time_pass();
        ck_assert_int_eq(follow_all(), EVENTLOG_IDLE);
    }
    ck_assert_uint_eq(given.damages, damages);
    make_files(1); /* its numbers are far behind */
    must_give(200);
}
END_TEST

START_TEST(a_position_of_another_log_is_refused) {
    const struct eventlog_position position = {"n1", 1, 500};
    make_files(1);
    follow_from(&position, 1);
    ck_assert_int_eq(follow_all(), EVENTLOG_FAILED);
    ck_assert_msg(strstr(why, "record 500 is to be read next"), "%s", why);
    eventlog_follow_end(follower);
    struct eventlog *log = open_log(); /* and with an open tail behind it */
    write_events(eventlog_writer(log, 0), 10);
    follow_from(&position, 1);
    ck_assert_int_eq(follow_all(), EVENTLOG_FAILED);
    eventlog_close(log, 0);
}
END_TEST

START_TEST(a_tail_without_a_line_makes_way_for_one_of_its_number) {
    make_files(1);
    struct eventlog *log = open_log();
    struct eventlog_writer *writer = eventlog_writer(log, 0);
    ck_assert(eventlog_reserve_owner(writer, LINE_TIME_MAX, 1)); /* its tail is made */
    follow_from(NULL, 0);
    must_give(100);
    eventlog_close(log, soon_us());
    log = open_log();
    write_events(eventlog_writer(log, 0), 3);
    must_give(103);
    ck_assert_uint_eq(given.damages, 0);
    eventlog_close(log, 0);
}
END_TEST

START_TEST(no_folder_is_refused_and_an_empty_one_is_waited_for) {
    const struct eventlog_following following = {{dir, INT64_MIN, INT64_MAX}, NULL, 0, false};
    const struct eventlog_taker taker = {take_record, take_damage, &given};
    ck_assert_ptr_null(eventlog_follow(&following, &taker, why));
    ck_assert_msg(strstr(why, "cannot read the event log"), "%s", why);
    ck_assert_int_eq(mkdir(dir, 0750), 0);
    follow_from(NULL, 0);
    must_give(0);
    struct eventlog *log = open_log();
    write_events(eventlog_writer(log, 0), 4);
    must_give(4);
    eventlog_close(log, 0);
}
END_TEST

#define FIXTURE                                                                                    \
    { .timeout_s = 120, .set_up = set_up, .tear_down = tear_down }

CHECK_MAIN_WITH(FIXTURE, "eventlog_follow", what_is_committed_is_given_once,
                a_tail_that_is_sealed_is_read_on, it_goes_on_from_any_position,
                a_taker_that_wants_no_more_gets_the_same_again,
                nodes_and_shards_that_come_later_are_found, files_that_are_removed_unread_are_named,
                records_that_were_never_kept_are_named,
                what_is_removed_before_it_is_followed_is_no_harm,
                a_damaged_file_is_named_once_and_passed_over, a_position_of_another_log_is_refused,
                a_tail_without_a_line_makes_way_for_one_of_its_number,
                no_folder_is_refused_and_an_empty_one_is_waited_for)
