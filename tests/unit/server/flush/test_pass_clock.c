/* A clock that is set: what was the present until then is looked at until it is sent. */
#include "tests/unit/server/flush/flush_fixture.h"

#define LEFT_US (3 * US_PER_S)

START_TEST(what_was_the_present_is_looked_at_until_it_is_sent) {
    begin_sent();
    const int64_t before_us = T0 - 8 * US_PER_S;
    count(before_us, 1);
    fake_wall_us += 3600 * US_PER_S; /* ahead by more than is looked back */
    count(fake_wall_us, 1);
    struct known_ring *ring = &flush->known.ring[RESOLUTION_10MS];
    ck_assert(pass_run(flush, false));
    ck_assert_int_eq(ring->left_behind, (T0 + FUTURE_US) / US_PER_S + 1);
    ck_assert_int_eq(ring->left_from, T0 / US_PER_S - ring->back);
    ck_assert_uint_eq(stored(RESOLUTION_10MS, before_us), 1);
    fake_clock_advance(LEFT_US);
    ck_assert(pass_run(flush, true));
    ck_assert_int_ne(ring->left_behind, 0); /* a worker may still count there */
    fake_clock_advance(1);
    fake.outcome[RESOLUTION_10MS] = STORE_FAILED;
    count(fake_wall_us, 1);
    ck_assert(!pass_run(flush, true));
    ck_assert_int_ne(ring->left_behind, 0);
    fake.outcome[RESOLUTION_10MS] = STORE_STORED;
    ck_assert(!pass_run(flush, true));
    ck_assert_int_ne(ring->left_behind, 0); /* left out in this round */
    pass_begin_round(flush);
    ck_assert(pass_run(flush, true));
    ck_assert_int_eq(ring->left_behind, 0);
}
END_TEST

START_TEST(a_step_of_what_is_looked_back_leaves_nothing_behind) {
    begin_sent();
    struct known_ring *ring = &flush->known.ring[RESOLUTION_10MS];
    fake_clock_advance(ring->back * US_PER_S);
    count(fake_wall_us, 1);
    ck_assert(pass_run(flush, true));
    ck_assert_int_eq(ring->left_behind, 0);
    fake_clock_advance((ring->back + 1) * US_PER_S);
    count(fake_wall_us, 1);
    ck_assert(pass_run(flush, true));
    ck_assert_int_ne(ring->left_behind, 0);
}
END_TEST

START_TEST(what_is_ahead_when_the_clock_goes_back_is_sent) {
    begin_sent();
    const int64_t ahead_us = T0 + 3600 * US_PER_S;
    fake_wall_us = ahead_us;
    count(ahead_us, 2);
    fake_wall_us = T0;
    count(T0, 1);
    struct known_ring *ring = &flush->known.ring[RESOLUTION_10MS];
    ck_assert(pass_run(flush, true));
    ck_assert_uint_eq(stored(RESOLUTION_10MS, ahead_us), 2);
    ck_assert_uint_eq(stored(RESOLUTION_10MS, T0), 4);
    ck_assert_int_eq(ring->left_behind, ahead_us / US_PER_S);
    ck_assert_uint_eq(ring->ahead, 2);
    fake_clock_advance(LEFT_US + 1);
    ck_assert(pass_run(flush, true));
    ck_assert_int_eq(ring->left_behind, 0); /* nothing more has come */
}
END_TEST

/* A store that hangs holds up the first pass. */
START_TEST(a_clock_that_is_set_before_the_first_pass_is_noticed) {
    count(T0, 3);
    fake_wall_us += 2 * 3600 * US_PER_S;
    count(fake_wall_us, 4);
    begin_sending();
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(stored((enum resolution)r, T0), 3);
        ck_assert_uint_eq(stored((enum resolution)r, fake_wall_us), 4);
    }
}
END_TEST

START_TEST(a_clock_that_is_set_is_noticed_while_nothing_can_be_sent) {
    struct known_ring *ring = &flush->known.ring[RESOLUTION_10MS];
    fake.away = true;
    flush_turn(flush);
    static const struct {
        int64_t set_us;
        bool noticed;
    } rows[] = {{2 * US_PER_S, false},
                {2 * US_PER_S + 1, true},
                {-2 * US_PER_S, false},
                {-2 * US_PER_S - 1, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake_clock_advance(5 * US_PER_S);
        const int64_t before_us = fake_wall_us;
        flush_turn(flush);
        ck_assert_int_eq(ring->left_behind, 0);
        fake_clock_advance(5 * US_PER_S);
        fake_wall_us += rows[i].set_us;
        flush_turn(flush);
        ck_assert_int_eq(ring->left_behind != 0, rows[i].noticed);
        if (rows[i].noticed) {
            const int64_t last_us = before_us + 5 * US_PER_S;
            ck_assert_int_eq(ring->left_from, last_us / US_PER_S - ring->back);
            ck_assert_int_eq(ring->left_behind, (last_us + FUTURE_US) / US_PER_S + 1);
            ck_assert_int_eq(ring->left_us, fake_steady_us);
        }
        ring->left_behind = 0;
    }
}
END_TEST

START_TEST(the_first_chunk_beyond_the_present_is_ahead) {
    begin_sent();
    /* workers may be two seconds apart: what is later than that is not of the present */
    const int64_t ahead_us = T0 + FUTURE_US + 3 * US_PER_S;
    fake_wall_us = ahead_us;
    count(ahead_us, 2);
    fake_wall_us = T0;
    count(T0, 1);
    ck_assert(pass_run(flush, true));
    ck_assert_uint_eq(flush->known.ring[RESOLUTION_10MS].ahead, 2);
    ck_assert_int_eq(flush->known.ring[RESOLUTION_10MS].left_from, ahead_us / US_PER_S);
    ck_assert_uint_eq(stored(RESOLUTION_10MS, ahead_us), 2);
}
END_TEST

/* ---- over restarts ---- */

/* The server is killed before it has sent what it counted until the clock was set. */
START_TEST(what_was_left_unsent_is_sent_by_the_next_run) {
    static const int64_t steps_us[] = {2 * 3600 * US_PER_S, -2 * 3600 * US_PER_S};
    for (size_t i = 0; i < sizeof steps_us / sizeof *steps_us; i++) {
        fake_wall_us = T0;
        begin_sent();
        const int64_t before_us = fake_wall_us;
        fake.outcome[RESOLUTION_10MS] = fake.outcome[RESOLUTION_1S] = STORE_FAILED;
        count(before_us, 4);
        flush_turn(flush);
        fake_wall_us += steps_us[i];
        count(fake_wall_us, 1);
        flush_turn(flush);
        fake.outcome[RESOLUTION_10MS] = fake.outcome[RESOLUTION_1S] = STORE_STORED;
        restart_node();
        count(fake_wall_us, 1);
        for (int turn = 0; turn < 5; turn++) {
            flush_turn(flush);
            fake_clock_advance(US_PER_S);
        }
        for (int r = 0; r < RESOLUTIONS; r++) {
            ck_assert_uint_ge(stored((enum resolution)r, before_us), 4);
            ck_assert_int_eq(flush->known.ring[r].left_behind, 0);
        }
        ck_assert_uint_eq(stored(RESOLUTION_10MS, before_us), 7);
        flush_turn(flush);
        restart_node();
        ck_assert_int_eq(flush->known.ring[RESOLUTION_10MS].left_behind, 0); /* nothing is left */
        remove_node();
        make_node();
    }
}
END_TEST

/* The machine boots: at the store, what was left is another owner's now. In the memory it shares
 * its place with a chunk of the present. */
START_TEST(what_was_left_is_sent_after_a_reboot) {
    fake.knows_owners = true;
    begin_sent();
    fake.outcome[RESOLUTION_10MS] = STORE_FAILED;
    count(T0, 1);
    flush_turn(flush);
    fake_wall_us += 100 * flush->known.ring[RESOLUTION_10MS].places * US_PER_S;
    const int64_t ahead_us = fake_wall_us;
    count(ahead_us, 1);
    flush_turn(flush);
    fake.outcome[RESOLUTION_10MS] = STORE_STORED;
    restart_node();
    for (size_t i = 0; i < fake.parts; i++) {
        fake.part[i].ours_only = false;
    }
    count(ahead_us, 1);
    for (int turn = 0; turn < 8; turn++) {
        flush_turn(flush);
        fake_clock_advance(US_PER_S);
    }
    ck_assert_uint_eq(stored(RESOLUTION_10MS, T0), 4);
    ck_assert_uint_eq(stored(RESOLUTION_10MS, ahead_us), 2);
    ck_assert_int_eq(flush->known.ring[RESOLUTION_10MS].left_behind, 0);
    ck_assert_uint_le(flush->status.resends, 4); /* one for each resolution, and the first */
}
END_TEST

/* It waits for the lease, counts, and its clock is set: that is its own, and what the file's
 * earlier runs left is not. */
START_TEST(a_copy_sends_what_itself_has_left) {
    char why[COUNTERS_WHY_MAX] = "";
    fake.away = true;
    struct counters_flush_note note = {.wall_us = T0};
    for (int r = 0; r < RESOLUTIONS; r++) {
        note.left_from[r] = note.left_to[r] = T0 / chunk_width_us((enum resolution)r) - 1000;
    }
    counters_note_flush_owner(counters, &note);
    restart_node();
    count(T0, 4);
    fake_wall_us += 7200 * US_PER_S;
    flush_turn(flush);
    ck_assert(known_become_copy(&flush->known, counters, NODE ".00000002", why));
    for (int r = 0; r < RESOLUTIONS; r++) {
        const struct known_ring *ring = &flush->known.ring[r];
        const int64_t now = T0 / chunk_width_us((enum resolution)r);
        ck_assert_int_eq(ring->left_from, now - ring->back);
        ck_assert_int_ge(ring->left_behind, now);
    }
    counters_find_flush_note_owner(counters, &note); /* that of the name before */
    ck_assert_int_eq(note.left_to[0] + note.left_to[1] + note.left_to[2], 0);
    pass_note_clock(flush);
    counters_find_flush_note_owner(counters, &note);
    ck_assert_int_eq(note.left_to[0], flush->known.ring[0].left_behind);
    restart_node();
    ck_assert_int_eq(flush->known.ring[0].left_behind, note.left_to[0]);
}
END_TEST

START_TEST(a_clock_that_is_set_between_two_runs_is_noticed) {
    flush_turn(flush);
    const int64_t down_us = 3 * 3600 * US_PER_S;
    for (int set = 0; set < 2; set++) {
        const int64_t before_us = fake_wall_us;
        fake_clock_advance(down_us);
        fake_wall_us += set ? 3600 * US_PER_S : 0;
        restart_node();
        const struct known_ring *ring = &flush->known.ring[RESOLUTION_10MS];
        ck_assert_int_eq(ring->left_behind != 0, set);
        if (set) { /* what would be within the horizon, had it not been set */
            const int64_t last_us = before_us + down_us;
            ck_assert_int_eq(ring->left_from, last_us / US_PER_S - ring->back);
            ck_assert_int_eq(ring->left_behind, (last_us + FUTURE_US) / US_PER_S + 1);
        }
    }
}
END_TEST

/* A clock that starts in 1970 and is set: half a century without counts is not walked through. */
START_TEST(decades_without_counts_cost_no_time) {
    begin_sent();
    struct known_ring *ring = &flush->known.ring[RESOLUTION_10MS];
    fake_clock_advance(5 * US_PER_S);
    count(T0, 2);
    count(fake_wall_us, 1);
    known_leave_behind(ring, 0, (INT64_C(1) << 40), fake_steady_us);
    ck_assert(pass_run(flush, true));
    ck_assert_int_eq(ring->left_next, 0); /* got through all of them */
    ck_assert_uint_eq(stored(RESOLUTION_10MS, T0), 5);
}
END_TEST

CHECK_MAIN_OF_NODE("pass_clock", what_was_the_present_is_looked_at_until_it_is_sent,
                   a_step_of_what_is_looked_back_leaves_nothing_behind,
                   what_is_ahead_when_the_clock_goes_back_is_sent,
                   the_first_chunk_beyond_the_present_is_ahead,
                   a_clock_that_is_set_before_the_first_pass_is_noticed,
                   a_clock_that_is_set_is_noticed_while_nothing_can_be_sent,
                   what_was_left_unsent_is_sent_by_the_next_run,
                   what_was_left_is_sent_after_a_reboot, a_copy_sends_what_itself_has_left,
                   a_clock_that_is_set_between_two_runs_is_noticed,
                   decades_without_counts_cost_no_time)
