/* The line that tells how far a replay is. */
#include "tools/console/progress.h"

#include "counters/time/window.h"
#include "tests/unit/check_main.h"

#include <string.h>

static void must_read(uint64_t bytes, uint64_t events, const char *expected) {
    struct progress progress = {.whole = 1000, .started_us = 5 * US_PER_S};
    char text[PROGRESS_LINE_MAX];
    progress.bytes = bytes;
    progress.events = events;
    progress_format(&progress, 15 * US_PER_S, text);
    ck_assert_str_eq(text, expected);
}

START_TEST(it_says_how_far_how_fast_and_how_long) {
    must_read(250, 52000000,
              "replay  25 %  [######..................]  5.20 M events/s  30 s left");
    must_read(1000, 10, "replay 100 %  [########################]  0.00 M events/s  0 s left");
    must_read(2000, 10, "replay 100 %  [########################]  0.00 M events/s  0 s left");
    must_read(0, 0, "replay   0 %  [........................]  0.00 M events/s");
}
END_TEST

START_TEST(nothing_is_written_but_to_a_terminal) {
    struct progress progress;
    progress_begin(&progress, 10);
    ck_assert(!progress.on || progress.due_us > progress.started_us);
    progress.on = false;
    progress_add(&progress, 3, 4);
    ck_assert_uint_eq(progress.events, 3);
    ck_assert_uint_eq(progress.bytes, 4);
    ck_assert(!progress.written);
}
END_TEST

CHECK_MAIN("progress", it_says_how_far_how_fast_and_how_long, nothing_is_written_but_to_a_terminal)
