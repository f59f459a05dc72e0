/* Stretches of a log, and what is counted of it; the state that is made of one again. */
#include "replay/replay.h"

#include "counters/counters.h"
#include "eventlog/line.h"
#include "replay/rebuild.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR REPLAY_HOUR_US
#define NOON (INT64_C(1464393600) * US_PER_S + 12 * HOUR) /* 2016-05-28 12:00 */

static char log_dir[PATH_MAX_TEST + 8], into[PATH_MAX_TEST + 8];
static FILE *tail;
static struct line_clock clock_of_test;

static void open_tail(unsigned shard, unsigned first) {
    char path[PATH_MAX_TEST + 64];
    snprintf(path, sizeof path, "%s/n/%u", log_dir, shard);
    mkdir(path, 0750);
    snprintf(path, sizeof path, "%s/n/%u/%020u.ndjson", log_dir, shard, first);
    tail = fopen(path, "w");
    ck_assert_ptr_nonnull(tail);
}

static void set_up(void) {
    char path[PATH_MAX_TEST + 16];
    state_dir_make();
    snprintf(log_dir, sizeof log_dir, "%s/log", state_dir);
    snprintf(into, sizeof into, "%s/into", state_dir);
    mkdir(log_dir, 0750);
    snprintf(path, sizeof path, "%s/n", log_dir);
    mkdir(path, 0750);
    open_tail(1, 1);
}

static void write_event(int64_t time_us, int64_t lag_us, const char *refused) {
    char line[512];
    const struct line_event event = {
        .timed = true, .time_us = time_us, .arrival_us = time_us + lag_us, .refused = refused};
    const size_t len = line_write(&clock_of_test, &event, line);
    ck_assert_uint_eq(fwrite(line, 1, len, tail), len);
}

static struct replay *open_log(bool late) {
    const char *const dirs[] = {log_dir};
    const struct replay_config config = {.dir = dirs,
                                         .dirs = 1,
                                         .from_us = INT64_MIN,
                                         .to_us = INT64_MAX,
                                         .late = late,
                                         .threads = 2};
    char why[REPLAY_WHY_MAX];
    fflush(tail);
    struct replay *replay = replay_open(&config, why);
    ck_assert_msg(replay != NULL, "%s", why);
    return replay;
}

START_TEST(stretches_are_those_with_events) {
    write_event(NOON, 0, NULL);
    write_event(NOON + HOUR - 1, 0, NULL);
    write_event(NOON + 30 * HOUR, 0, NULL);
    write_event(NOON - 1000 * HOUR, 1000 * HOUR, "too_late");
    write_event(NOON + 5000 * HOUR, 0, "too_far_ahead");
    write_event(-5, 0, "too_late"); /* before 1970 there is no window */
    struct replay_stretch *stretch, span;
    struct replay *replay = open_log(false);
    ck_assert_uint_eq(replay_stretches(replay, HOUR, &stretch), 2);
    ck_assert_int_eq(stretch[0].from_us, NOON);
    ck_assert_int_eq(stretch[1].from_us, NOON + 30 * HOUR);
    ck_assert_int_eq(stretch[1].to_us, NOON + 31 * HOUR);
    free(stretch);
    ck_assert_uint_eq(replay_stretches(replay, 24 * HOUR, &stretch), 2);
    ck_assert_int_eq(stretch[0].from_us, NOON - 12 * HOUR);
    free(stretch);
    ck_assert(replay_span(replay, &span));
    ck_assert_int_eq(span.to_us - span.from_us, 31 * HOUR);
    replay_close(replay);
    replay = open_log(true);
    ck_assert_uint_eq(replay_stretches(replay, HOUR, &stretch), 3);
    ck_assert_int_eq(stretch[0].from_us, NOON - 1000 * HOUR);
    free(stretch);
    ck_assert_str_eq(replay_node(replay), "n");
    replay_close(replay);
}
END_TEST

START_TEST(a_stretch_has_its_events_and_no_others) {
    for (int i = 0; i < 5000; i++) {
        write_event(NOON - 100 * 10000 + i * 10000, 0, NULL); /* a window each, 100 before noon */
    }
    write_event(NOON + 5, 9, "too_late");
    write_event(NOON + 6, 9, "malformed");
    char why[REPLAY_WHY_MAX];
    struct replay *replay = open_log(true);
    const struct replay_stretch stretch = {NOON, NOON + HOUR};
    const struct replay_target target = {.dir = into};
    struct replay_tally tally = {0};
    ck_assert_msg(replay_run(replay, &stretch, &target, &tally, why), "%s", why);
    replay_close(replay);
    ck_assert_uint_eq(tally.counted, 4901);
    ck_assert_uint_eq(tally.late, 1);
    ck_assert_uint_eq(tally.refused, 1);
    ck_assert_uint_eq(tally.unplaced + tally.unread + tally.damages, 0);
    struct counters *counters = counters_open_readonly(into, why);
    ck_assert_msg(counters != NULL, "%s", why);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, NOON), 2);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, NOON + 48990000), 1);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, NOON - 10000), 0);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, NOON), 4901);
    counters_close(counters);
}
END_TEST

START_TEST(what_is_no_record_is_named) {
    write_event(NOON, 0, NULL);
    fputs("nonsense\n", tail);
    write_event(NOON, 0, NULL);
    char why[REPLAY_WHY_MAX];
    struct replay *replay = open_log(true);
    const struct replay_stretch stretch = {NOON, NOON + HOUR};
    struct replay_tally tally = {0};
    ck_assert(
        replay_run(replay, &stretch, &(const struct replay_target){.dir = into}, &tally, why));
    replay_close(replay);
    ck_assert_uint_eq(tally.counted, 2);
    ck_assert_uint_eq(tally.damages, 1);
}
END_TEST

/* An empty file of that number: what was in it, nobody can tell. */
static void lose_file(unsigned shard, unsigned first) {
    char path[PATH_MAX_TEST + 64];
    snprintf(path, sizeof path, "%s/n/%u/%020u.ndjson.zst", log_dir, shard, first);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
}

START_TEST(what_cannot_be_read_is_named_whatever_is_counted) {
    write_event(NOON, 0, NULL);
    lose_file(1, 2);
    fclose(tail);
    open_tail(1, 12);
    write_event(NOON + 30 * HOUR, 0, NULL);
    char why[REPLAY_WHY_MAX];
    struct replay *replay = open_log(true);
    struct replay_stretch stretch = {NOON, NOON + HOUR};
    const struct replay_target target = {.dir = into};
    struct replay_tally tally = {0};
    ck_assert(replay_run(replay, &stretch, &target, &tally, why));
    ck_assert_uint_eq(tally.counted, 1);
    ck_assert_uint_eq(tally.damages, 1);
    replay_name_damages(replay, &target, &tally);
    ck_assert_uint_eq(tally.damages, 1); /* once */
    replay_close(replay);
}
END_TEST

/* Records 2 to 11 may have been of the hour that is asked for; the file before it is of another. */
START_TEST(what_no_file_has_is_named_whatever_is_counted) {
    write_event(NOON, 0, NULL);
    fclose(tail);
    open_tail(1, 12);
    write_event(NOON + 30 * HOUR, 0, NULL);
    char why[REPLAY_WHY_MAX];
    struct replay *replay = open_log(true);
    struct replay_stretch stretch = {NOON + 30 * HOUR, NOON + 31 * HOUR};
    struct replay_tally tally = {0};
    ck_assert(
        replay_run(replay, &stretch, &(const struct replay_target){.dir = into}, &tally, why));
    ck_assert_uint_eq(tally.counted, 1);
    ck_assert_uint_eq(tally.damages, 1);
    replay_close(replay);
}
END_TEST

START_TEST(a_log_of_which_nothing_can_be_read_is_named) {
    lose_file(1, 1);
    struct replay_stretch *stretch;
    struct replay_tally tally = {0};
    struct replay *replay = open_log(true);
    ck_assert_uint_eq(replay_stretches(replay, HOUR, &stretch), 0);
    replay_name_damages(replay, &(const struct replay_target){.dir = into}, &tally);
    ck_assert_uint_eq(tally.damages, 1);
    free(stretch);
    replay_close(replay);
}
END_TEST

static struct rebuild rebuild_config(int64_t now_us) {
    return (struct rebuild){.log_dir = log_dir,
                            .node = "n",
                            .dir = into,
                            .workers = 2,
                            .horizon_us = HOUR,
                            .future_us = 10 * US_PER_S,
                            .now_us = now_us};
}

/* Each shard's count of each window is that of the run that was lost: the event log's notes are
 * compared with it. */
START_TEST(a_lost_state_has_the_same_shards) {
    for (int i = 0; i < 3000; i++) {
        write_event(NOON - HOUR / 2 + i * 1000, i % 7 * 100000, NULL);
    }
    write_event(NOON - 5 * HOUR, 10, NULL); /* long final */
    write_event(NOON - 30 * US_PER_S, 0, "malformed");
    fclose(tail);
    open_tail(2, 1);
    write_event(NOON - HOUR, HOUR, NULL); /* it arrived at the very end of its time */
    write_event(NOON + 10 * US_PER_S, -10 * US_PER_S, NULL);
    write_event(NOON, 0, NULL);
    fflush(tail);
    char why[REPLAY_WHY_MAX];
    struct rebuilt rebuilt;
    const struct rebuild config = rebuild_config(NOON + 20 * US_PER_S);
    ck_assert(rebuild_finds(log_dir, "n") && !rebuild_finds(log_dir, "m"));
    ck_assert_msg(rebuild_state(&config, &rebuilt, why), "%s", why);
    ck_assert_uint_eq(rebuilt.events, 3003);
    struct counters *counters = counters_open_readonly(into, why);
    ck_assert_msg(counters != NULL, "%s", why);
    ck_assert_str_eq(counters_node_id(counters), "n");
    ck_assert_uint_eq(
        counters_shard_count(counters, 1, window_at(RESOLUTION_10MS, NOON - HOUR / 2)), 10);
    ck_assert_uint_eq(counters_shard_count(counters, 2, window_at(RESOLUTION_10MS, NOON)), 1);
    ck_assert_uint_eq(counters_shard_count(counters, 1, window_at(RESOLUTION_10MS, NOON)), 0);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, NOON - HOUR), 1);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, NOON + 10 * US_PER_S), 1);
    counters_close(counters);
}
END_TEST

/* The clock was three hours ahead, and set right; and behind for a while. */
START_TEST(a_clock_that_was_set_is_followed) {
    for (int i = 0; i < 100; i++) {
        write_event(NOON + 3 * HOUR + i * 1000, 5, NULL);
    }
    for (int i = 0; i < 100; i++) {
        write_event(NOON + i * 1000, 5, NULL);
    }
    for (int i = 0; i < 100; i++) {
        write_event(NOON - HOUR / 2 + i * 1000, 5, NULL);
    }
    fflush(tail);
    char why[REPLAY_WHY_MAX];
    struct rebuilt rebuilt;
    const struct rebuild config = rebuild_config(NOON + 20 * US_PER_S);
    ck_assert_msg(rebuild_state(&config, &rebuilt, why), "%s", why);
    ck_assert_uint_eq(rebuilt.events, 300);
    struct counters *counters = counters_open_readonly(into, why);
    ck_assert_msg(counters != NULL, "%s", why);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, NOON), 100);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, NOON - HOUR / 2), 100);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, NOON + 3 * HOUR), 100);
    counters_close(counters);
}
END_TEST

START_TEST(what_retention_took_is_missed) {
    fclose(tail);
    open_tail(2, 5);
    write_event(NOON - HOUR / 2, 0, NULL);
    fflush(tail);
    char why[REPLAY_WHY_MAX];
    struct rebuilt rebuilt;
    const struct rebuild config = rebuild_config(NOON);
    ck_assert(!rebuild_state(&config, &rebuilt, why));
    ck_assert_ptr_nonnull(strstr(why, "begins with record 5"));
    fclose(tail);
    open_tail(2, 4);
    write_event(NOON - 5 * HOUR, 0, NULL); /* older than what may change: nothing that matters */
    fflush(tail);
    ck_assert_msg(rebuild_state(&config, &rebuilt, why), "%s", why);
}
END_TEST

START_TEST(what_cannot_be_read_is_missed) {
    write_event(NOON - HOUR / 2, 0, NULL);
    fclose(tail);
    lose_file(1, 2);
    open_tail(1, 12);
    write_event(NOON - HOUR / 4, 0, NULL);
    fflush(tail);
    char why[REPLAY_WHY_MAX];
    struct rebuilt rebuilt;
    const struct rebuild config = rebuild_config(NOON);
    ck_assert(!rebuild_state(&config, &rebuilt, why));
    ck_assert_ptr_nonnull(strstr(why, "records from 2 on cannot be read"));
}
END_TEST

/* What came after it arrived too long ago to matter, so it did, too. */
START_TEST(what_could_not_matter_is_not_missed) {
    write_event(NOON - 9 * HOUR, 0, NULL);
    fclose(tail);
    lose_file(1, 2);
    open_tail(1, 12);
    write_event(NOON - 5 * HOUR, 0, NULL);
    write_event(NOON - HOUR / 4, 0, NULL);
    fflush(tail);
    char why[REPLAY_WHY_MAX];
    struct rebuilt rebuilt;
    const struct rebuild config = rebuild_config(NOON);
    ck_assert_msg(rebuild_state(&config, &rebuilt, why), "%s", why);
    ck_assert_uint_eq(rebuilt.events, 1);
}
END_TEST

/* The disk was full to the end: no file has a line, and the number of the last tells it. */
START_TEST(what_was_dropped_is_missed) {
    fclose(tail);
    char path[PATH_MAX_TEST + 64];
    snprintf(path, sizeof path, "%s/n/1/%020u.ndjson", log_dir, 1);
    ck_assert_int_eq(unlink(path), 0);
    open_tail(1, 8);
    char why[REPLAY_WHY_MAX];
    struct rebuilt rebuilt;
    const struct rebuild config = rebuild_config(NOON);
    ck_assert(rebuild_finds(log_dir, "n"));
    ck_assert(!rebuild_state(&config, &rebuilt, why));
    ck_assert_ptr_nonnull(strstr(why, "begins with record 8"));
}
END_TEST

static const struct check_fixture fixture = {60, set_up, state_dir_remove};
CHECK_MAIN_WITH(fixture, "replay", stretches_are_those_with_events,
                a_stretch_has_its_events_and_no_others, what_is_no_record_is_named,
                a_lost_state_has_the_same_shards, a_clock_that_was_set_is_followed,
                what_retention_took_is_missed, what_cannot_be_read_is_named_whatever_is_counted,
                what_no_file_has_is_named_whatever_is_counted,
                a_log_of_which_nothing_can_be_read_is_named, what_cannot_be_read_is_missed,
                what_could_not_matter_is_not_missed, what_was_dropped_is_missed)
