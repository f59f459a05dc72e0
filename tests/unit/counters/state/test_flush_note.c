/* What the flush notes in the file for its next run. */
#include "counters/state/reference.h"
#include "counters/state/state_file.h"
#include "counters/time/civil.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <string.h>

static const struct counters_flush_note NOTE = {
    .wall_us = T0, .steady_us = 77, .left_from = {7, 5, 3}, .left_to = {9, 5, 4}};
static const struct counters_flush_note LEFT = {.left_from = {7, 5, 3}, .left_to = {9, 5, 4}};
static const struct counters_flush_note NONE = {0};

static struct counters *counters;

static void open_one(void) {
    state_dir_make();
    const struct counters_config config = tiny_config(1);
    counters = open_or_fail(&config);
}

static void close_one(void) {
    counters_close(counters);
    state_dir_remove();
}

/* A copy that gives nothing away. */
static bool no_chunk(void *cls, enum resolution *r, int64_t *chunk, uint64_t *count) {
    (void)cls;
    (void)r;
    (void)chunk;
    (void)count;
    return false;
}

static void must_note(const struct counters_flush_note *expected) {
    struct counters_flush_note note;
    counters_find_flush_note_owner(counters, &note);
    ck_assert_int_eq(note.wall_us, expected->wall_us);
    ck_assert_int_eq(note.steady_us, expected->steady_us);
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_int_eq(note.left_from[r], expected->left_from[r]);
        ck_assert_int_eq(note.left_to[r], expected->left_to[r]);
    }
}

START_TEST(a_note_is_there_for_the_next_run) {
    must_note(&NONE);
    counters_note_flush_owner(counters, &NOTE);
    must_note(&NOTE);
    counters_close(counters);
    const struct counters_config config = tiny_config(1);
    counters = open_or_fail(&config);
    must_note(&NOTE);
    counters_note_flush_owner(counters, &NONE);
    must_note(&NONE);
}
END_TEST

START_TEST(clocks_of_another_boot_say_nothing) {
    counters_note_flush_owner(counters, &NOTE);
    counters->header.boot[0] ^= 1;
    must_note(&LEFT);
    counters->header.boot[0] ^= 1;
    must_note(&NOTE);
    memset(counters->header.boot, 0, sizeof counters->header.boot); /* a system that has no id */
    counters_note_flush_owner(counters, &NOTE);
    must_note(&LEFT);
}
END_TEST

START_TEST(what_was_left_under_another_name_is_anothers) {
    char why[COUNTERS_WHY_MAX] = "";
    counters_note_flush_owner(counters, &NOTE);
    ck_assert(counters_become_copy_owner(counters, "another", no_chunk, NULL, why));
    struct counters_flush_note clocks = {.wall_us = NOTE.wall_us, .steady_us = NOTE.steady_us};
    must_note(&clocks);
    counters_note_flush_owner(counters, &NOTE);
    must_note(&NOTE);
}
END_TEST

/* An idle server's pages stay as they are; the clocks matter only by their difference. */
START_TEST(what_is_noted_already_is_not_written) {
    struct counters_flush_note note = NOTE;
    counters_note_flush_owner(counters, &note);
    note.wall_us += 5 * US_PER_S;
    note.steady_us += 5 * US_PER_S + 99 * US_PER_MS;
    counters_note_flush_owner(counters, &note);
    must_note(&NOTE);
    note.steady_us += US_PER_MS;
    counters_note_flush_owner(counters, &note);
    must_note(&note);
    for (int r = 0; r < RESOLUTIONS; r++) {
        note.left_to[r]++;
        counters_note_flush_owner(counters, &note);
        must_note(&note);
        note.left_from[r]--;
        counters_note_flush_owner(counters, &note);
        must_note(&note);
    }
}
END_TEST

START_TEST(a_backup_has_the_note) {
    char why[COUNTERS_WHY_MAX] = "", to[PATH_MAX_TEST];
    struct counters_flush_note note;
    counters_note_flush_owner(counters, &NOTE);
    snprintf(to, sizeof to, "%s/backup", state_dir);
    ck_assert_msg(counters_backup(state_dir, to, why), "%s", why);
    struct counters *backup = counters_open_readonly(to, why);
    ck_assert_msg(backup != NULL, "%s", why);
    counters_find_flush_note_owner(backup, &note);
    ck_assert_int_eq(note.left_to[0], NOTE.left_to[0]);
    ck_assert_int_eq(note.left_from[2], NOTE.left_from[2]);
    ck_assert_int_eq(note.wall_us, NOTE.wall_us);
    counters_close(backup);
}
END_TEST

/* A page may be anything after a power loss; its times are used as they are. */
START_TEST(what_cannot_be_a_time_is_none) {
    const int64_t end = CIVIL_END_US / chunk_width_us(RESOLUTION_1S);
    counters_note_flush_owner(counters, &(struct counters_flush_note){
                                            .wall_us = INT64_MAX,
                                            .steady_us = CIVIL_END_US - 1,
                                            .left_from = {-1, end - 1, 1},
                                            .left_to = {1, end, INT64_MAX},
                                        });
    must_note(&(struct counters_flush_note){
        .steady_us = CIVIL_END_US - 1, .left_from = {0, end - 1, 1}, .left_to = {1, 0, 0}});
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){100, open_one, close_one}), "flush_note",
                a_note_is_there_for_the_next_run, clocks_of_another_boot_say_nothing,
                what_was_left_under_another_name_is_anothers, what_is_noted_already_is_not_written,
                a_backup_has_the_note, what_cannot_be_a_time_is_none)
