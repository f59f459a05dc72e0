/* What the flush notes in the file for its next run. */
#include "counters/state/state_file.h"
#include "counters/time/civil.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <string.h>

static const struct counters_flush_note NOTE = {
    .wall_us = T0, .steady_us = 77, .left_from_us = T0 - 9, .left_to_us = T0 + 5};

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

static void must_note(const struct counters_flush_note *expected) {
    struct counters_flush_note note;
    counters_find_flush_note_owner(counters, &note);
    ck_assert_int_eq(note.wall_us, expected->wall_us);
    ck_assert_int_eq(note.steady_us, expected->steady_us);
    ck_assert_int_eq(note.left_from_us, expected->left_from_us);
    ck_assert_int_eq(note.left_to_us, expected->left_to_us);
}

START_TEST(a_note_is_there_for_the_next_run) {
    const struct counters_flush_note none = {0};
    must_note(&none);
    counters_note_flush_owner(counters, &NOTE);
    must_note(&NOTE);
    counters_close(counters);
    const struct counters_config config = tiny_config(1);
    counters = open_or_fail(&config);
    must_note(&NOTE);
    counters_note_flush_owner(counters, &none);
    must_note(&none);
}
END_TEST

START_TEST(clocks_of_another_boot_say_nothing) {
    const struct counters_flush_note left = {.left_from_us = NOTE.left_from_us,
                                             .left_to_us = NOTE.left_to_us};
    counters_note_flush_owner(counters, &NOTE);
    counters->header.boot[0] ^= 1;
    must_note(&left);
    counters->header.boot[0] ^= 1;
    must_note(&NOTE);
    memset(counters->header.boot, 0, sizeof counters->header.boot); /* a system that has no id */
    counters_note_flush_owner(counters, &NOTE);
    must_note(&left);
}
END_TEST

/* A page may be anything after a power loss; its times are used as they are. */
START_TEST(what_cannot_be_a_time_is_none) {
    counters_note_flush_owner(counters, &(struct counters_flush_note){
                                            .wall_us = INT64_MAX,
                                            .steady_us = CIVIL_END_US - 1,
                                            .left_from_us = -1,
                                            .left_to_us = CIVIL_END_US,
                                        });
    must_note(&(struct counters_flush_note){.steady_us = CIVIL_END_US - 1});
}
END_TEST

CHECK_MAIN_WITH(((struct check_fixture){100, open_one, close_one}), "flush_note",
                a_note_is_there_for_the_next_run, clocks_of_another_boot_say_nothing,
                what_cannot_be_a_time_is_none)
