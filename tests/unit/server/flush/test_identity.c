/* One node, one name: whose lease it is, what a copy gives away, and what is read back. */
#include "counters/state/state_file.h"
#include "tests/unit/server/flush/flush_fixture.h"

#define DEAD_US (12 * US_PER_S) /* a lease of 10 s, and 2 s more */
#define OTHER "7 another"
#define RENEWED "8 another"

/* ---- the lease ---- */

START_TEST(a_lease_that_is_ours_is_renewed) {
    begin_sending();
    fake_clock_advance(US_PER_S);
    ck_assert(identity_lease(flush));
    ck_assert(flush->identity.held);
    ck_assert_int_eq(flush->identity.renewed_us, fake_steady_us);
    ck_assert_int_eq(flush->state, FLUSH_SENDING);
    ck_assert(!fake.claim_waiting);
    ck_assert_str_eq(fake.claim_dead, "");
    identity_release(flush);
    identity_release(flush); /* it is nobody's by now */
    ck_assert_uint_eq(fake.releases, 1);
}
END_TEST

START_TEST(a_lease_that_was_free_in_between_is_a_reason_to_read_back) {
    fake.lease = STORE_LEASE_TAKEN;
    begin_sending(); /* at the start it is free, and that is no doubt */
    ck_assert(flush->identity.held && flush->identity.read_back);
    fake.lease = STORE_LEASE_TAKEN;
    identity_lease(flush);
    ck_assert(flush->identity.held && !flush->identity.read_back);
    ck_assert_int_eq(flush->state, FLUSH_LEASING);
    ck_assert_int_eq(flush->identity.renewed_us, fake_steady_us);
}
END_TEST

START_TEST(a_store_that_does_not_say_leaves_it_as_it_is) {
    begin_sending();
    fake.lease = STORE_LEASE_FAILED;
    ck_assert(identity_lease(flush)); /* nobody else can take it either */
    ck_assert_uint_eq(flush->status.errors, 1);
    fake.connected = false;
    ck_assert(!identity_lease(flush));
    fake.connected = true;
    flush->identity.held = false;
    ck_assert(!identity_lease(flush));
}
END_TEST

START_TEST(who_finds_it_held_waits) {
    fake.lease = STORE_LEASE_HELD;
    fake.holder = OTHER;
    flush_turn(flush);
    const int64_t since_us = fake_steady_us;
    ck_assert_int_eq(flush->identity.waiting_us, since_us);
    ck_assert_str_eq(flush->status.holder, OTHER);
    ck_assert_int_eq(flush->state, FLUSH_LEASING);
    ck_assert(!fake.claim_waiting); /* the first time it did not know */
    fake_clock_advance(US_PER_S);
    flush_turn(flush);
    ck_assert(fake.claim_waiting);
    ck_assert_int_eq(flush->identity.waiting_us, since_us);
    fake.holder = ""; /* gone, and not given back */
    flush_turn(flush);
    ck_assert(fake.claim_waiting);
    ck_assert(!flush->identity.held);
    ck_assert_int_eq(flush->identity.waiting_us, since_us);
    ck_assert_str_eq(flush->status.holder, OTHER);
    ck_assert_uint_eq(fake.sends + fake.read_backs, 0);
    ck_assert_str_eq(counters_node_id(counters), NODE);
}
END_TEST

START_TEST(another_owner_and_an_older_lease_are_waited_for_anew) {
    static const char *const holders[] = {OTHER, "8 a third", "7 a third", "9 another"};
    fake.lease = STORE_LEASE_HELD;
    for (size_t i = 0; i < sizeof holders / sizeof *holders; i++) {
        fake_clock_advance(US_PER_S);
        fake.holder = holders[i];
        ck_assert(!identity_lease(flush));
        ck_assert_int_eq(flush->identity.waiting_us, fake_steady_us);
        ck_assert_str_eq(flush->identity.holder, holders[i]);
        ck_assert_str_eq(flush->status.holder, holders[i]);
    }
    ck_assert_str_eq(fake.node, ""); /* none of these is a life sign of the one before */
}
END_TEST

START_TEST(dead_by_our_own_clock) {
    fake.lease = STORE_LEASE_HELD;
    fake.holder = OTHER;
    identity_lease(flush);
    fake_clock_advance(DEAD_US);
    identity_lease(flush);
    ck_assert(fake.claim_waiting);
    ck_assert_str_eq(fake.claim_dead, "");
    fake_clock_advance(1);
    identity_lease(flush);
    ck_assert(!fake.claim_waiting);
    ck_assert_str_eq(fake.claim_dead, OTHER);
    fake.lease = STORE_LEASE_TAKEN;
    ck_assert(identity_lease(flush));
    ck_assert_int_eq(flush->identity.waiting_us, 0);
    ck_assert_str_eq(flush->status.holder, "");
    ck_assert_str_eq(fake.node, ""); /* it is our name still */
}
END_TEST

START_TEST(a_lease_that_was_lost_to_another_ends_sending) {
    begin_sending();
    fake.lease = STORE_LEASE_HELD;
    fake.holder = OTHER;
    ck_assert(!identity_lease(flush));
    ck_assert(!flush->identity.held && !flush->identity.read_back);
    ck_assert_int_eq(flush->state, FLUSH_LEASING);
    identity_release(flush);
    ck_assert_uint_eq(fake.releases, 0);
}
END_TEST

/* ---- a copy ---- */

/* Held, and renewed: another lives under this name. */
static void find_another_alive(void) {
    fake.lease = STORE_LEASE_HELD;
    fake.holder = OTHER;
    ck_assert(!identity_lease(flush));
    fake.holder = RENEWED;
    ck_assert(!identity_lease(flush));
}

/* Five events were sent; then the other one lives. What the store has of them is up to the test. */
static void send_five(void) {
    count(T0, 5);
    begin_sending();
    ck_assert_uint_eq(stored(RESOLUTION_1S, T0), 5);
}

static void must_have_given_away(uint64_t expected) {
    ck_assert_str_ne(counters_node_id(counters), NODE);
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(others_of((enum resolution)r, T0), expected);
        ck_assert_uint_eq(ours_of((enum resolution)r, T0), 5 - expected);
        ck_assert_uint_eq(sent_of((enum resolution)r, T0), 0);
    }
}

START_TEST(a_copy_takes_a_new_name) {
    find_another_alive();
    const char *name = counters_node_id(counters);
    ck_assert_uint_eq(strlen(name), strlen(NODE) + 9);
    ck_assert_int_eq(strncmp(name, NODE ".", strlen(NODE) + 1), 0);
    ck_assert_str_eq(fake.node, name);
    ck_assert_str_eq(flush->status.copy_of, NODE);
    ck_assert_str_eq(flush->status.holder, "");
    ck_assert_int_eq(flush->identity.waiting_us, 0);
    ck_assert(flush->identity.read_back && flush->identity.read_back_before);
    ck_assert(!flush->identity.held);
    ck_assert_uint_eq(fake.read_backs, 0); /* nothing was sent under the old name */
    char before[COUNTERS_NODE_MAX];
    snprintf(before, sizeof before, "%s", name);
    find_another_alive(); /* a copy of the copy is called after the first */
    ck_assert_uint_eq(strlen(counters_node_id(counters)), strlen(NODE) + 9);
    ck_assert_int_eq(strncmp(counters_node_id(counters), NODE ".", strlen(NODE) + 1), 0);
    ck_assert_str_ne(counters_node_id(counters), before);
    ck_assert_str_eq(flush->status.copy_of, before);
}
END_TEST

START_TEST(what_the_owner_left_goes_with_the_name) {
    send_five();
    for (int r = 0; r < RESOLUTIONS; r++) {
        struct store_part *part = part_of((enum resolution)r, T0);
        part->ours_known = true;
        part->ours[window_slot((enum resolution)r, window_at((enum resolution)r, T0))] = 3;
        fake_store_raise(&fake, (enum resolution)r, window_at((enum resolution)r, T0), 9);
    }
    find_another_alive();
    must_have_given_away(3);
    restart_node(); /* for good */
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(others_of((enum resolution)r, T0), 3);
        ck_assert_uint_eq(ours_of((enum resolution)r, T0), 2);
        ck_assert_uint_eq(sent_of((enum resolution)r, T0), 2); /* it may have been, since */
    }
}
END_TEST

START_TEST(of_anothers_part_no_more_than_it_holds) {
    send_five();
    fake.parts = 0; /* lost, and begun anew by the other one */
    for (int r = 0; r < RESOLUTIONS; r++) {
        fake_store_raise(&fake, (enum resolution)r, window_at((enum resolution)r, T0), 2);
    }
    find_another_alive();
    must_have_given_away(2);
}
END_TEST

START_TEST(of_anothers_part_no_more_than_was_sent) {
    send_five();
    for (int r = 0; r < RESOLUTIONS; r++) {
        fake_store_raise(&fake, (enum resolution)r, window_at((enum resolution)r, T0), 9);
    }
    find_another_alive();
    must_have_given_away(5);
}
END_TEST

START_TEST(of_what_was_never_acknowledged_nothing) {
    send_five();
    for (int r = 0; r < RESOLUTIONS; r++) {
        known_of((enum resolution)r, T0)->there = 0;
    }
    find_another_alive(); /* the five that are there are of another */
    must_have_given_away(0);
}
END_TEST

START_TEST(of_what_is_not_there_nothing) {
    send_five();
    fake.parts = 0;
    find_another_alive();
    must_have_given_away(0);
}
END_TEST

START_TEST(of_what_is_not_there_all_that_the_other_has_read_back) {
    send_five();
    fake.parts = 0;
    fake.read_back_by_other = true;
    find_another_alive();
    must_have_given_away(5);
}
END_TEST

START_TEST(of_what_is_not_there_all_that_the_file_held) {
    send_five();
    restart_node();
    fake.lease = STORE_LEASE_KEPT;
    begin_sending();
    fake.parts = 0;
    find_another_alive();
    must_have_given_away(5);
}
END_TEST

START_TEST(it_waits_until_the_store_says_what_is_there) {
    send_five();
    fake.read_back_fails = true;
    find_another_alive();
    ck_assert_str_eq(counters_node_id(counters), NODE);
    ck_assert_str_eq(fake.node, "");
    ck_assert_uint_eq(flush->status.errors, 1);
    ck_assert_uint_eq(sent_of(RESOLUTION_1S, T0), 5);
    fake.read_back_fails = false;
    ck_assert(!identity_lease(flush)); /* it reads as it did: still larger than the first */
    must_have_given_away(5);
}
END_TEST

/* ---- the read-back ---- */

/* The store's part of T0's windows is another's, of which `ours` is what this one had written. */
static void let_another_write(uint64_t ours, uint64_t all) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        struct store_part *part = part_of((enum resolution)r, T0);
        part->ours_known = true;
        part->ours[window_slot((enum resolution)r, window_at((enum resolution)r, T0))] = ours;
        fake_store_raise(&fake, (enum resolution)r, window_at((enum resolution)r, T0), all);
    }
}

static void must_count(uint64_t expected) {
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(read_one(counters, (enum resolution)r, T0), expected);
    }
}

START_TEST(what_the_store_has_more_is_raised_to_once) {
    send_five();
    for (int r = 0; r < RESOLUTIONS; r++) {
        fake_store_raise(&fake, (enum resolution)r, window_at((enum resolution)r, T0), 9);
    }
    for (int times = 0; times < 3; times++) {
        flush->identity.renewed_us = 1;
        ck_assert(identity_read_back(flush));
        must_count(9);
        ck_assert_uint_eq(sent_of(RESOLUTION_1S, T0), 9);
        ck_assert_uint_eq(known_of(RESOLUTION_1S, T0)->there, 9);
        ck_assert_int_eq(flush->identity.renewed_us, 0); /* the lease is to say so at once */
    }
    ck_assert_uint_ne(counters->header.read_back, 0);
}
END_TEST

START_TEST(what_another_left_of_ours_is_made_use_of_once) {
    send_five();
    let_another_write(2, 6); /* three of ours never arrived, four of his did */
    for (int times = 0; times < 3; times++) {
        ck_assert(identity_read_back(flush));
        must_count(9);
        ck_assert_uint_eq(sent_of(RESOLUTION_10MS, T0), 6);
        ck_assert(known_of(RESOLUTION_10MS, T0)->adopted);
    }
    flush_resend(flush);
    flush_set_state(flush, FLUSH_SENDING);
    ck_assert(pass_run(flush, true));
    ck_assert(!known_of(RESOLUTION_10MS, T0)->adopted);
    ck_assert_uint_eq(stored(RESOLUTION_10MS, T0), 9);
}
END_TEST

START_TEST(all_of_it_ours_is_nobody_elses) {
    send_five();
    let_another_write(2, 6);
    for (int r = 0; r < RESOLUTIONS; r++) {
        part_of((enum resolution)r, T0)->ours_only = true;
    }
    ck_assert(identity_read_back(flush));
    must_count(6);
    ck_assert(!known_of(RESOLUTION_1S, T0)->adopted);
}
END_TEST

START_TEST(an_earlier_run_that_was_raised_is_not_raised_again) {
    send_five();
    let_another_write(2, 6);
    ck_assert(identity_read_back(flush));
    must_count(9);
    restart_node();
    begin_sending();
    must_count(9);
    ck_assert_uint_eq(stored(RESOLUTION_1S, T0), 9);
}
END_TEST

START_TEST(an_earlier_run_that_was_not_raised_is) {
    send_five();
    let_another_write(2, 6);
    restart_node();
    begin_sending();
    must_count(9);
    ck_assert_uint_eq(stored(RESOLUTION_1S, T0), 9);
}
END_TEST

START_TEST(a_chunk_whose_memory_was_needed_counts_as_sent) {
    send_five();
    for (int r = 0; r < RESOLUTIONS; r++) {
        struct known_chunk *known = known_of((enum resolution)r, T0);
        memset(known->sent, 0, resolution_table[r].slots * sizeof known->sent[0]);
        known->whole = false;
    }
    ck_assert(identity_read_back(flush));
    must_count(5);
    ck_assert_uint_eq(sent_of(RESOLUTION_1MIN, T0), 5);
    ck_assert(known_of(RESOLUTION_1MIN, T0)->whole);
}
END_TEST

START_TEST(coarser_windows_have_what_their_parts_have) {
    fake_store_raise(&fake, RESOLUTION_10MS, window_at(RESOLUTION_10MS, T0), 4);
    fake_store_raise(&fake, RESOLUTION_10MS, window_at(RESOLUTION_10MS, T0) + 1, 3);
    begin_sending();
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0), 4);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1S, T0), 7);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_1MIN, T0), 7);
    ck_assert_uint_eq(stored(RESOLUTION_1MIN, T0), 7);
}
END_TEST

START_TEST(all_that_a_pass_looks_at_is_read_back) {
    begin_sending();
    ck_assert_uint_eq(fake.read_backs, RESOLUTIONS);
    for (int r = 0; r < RESOLUTIONS; r++) {
        const int64_t width_us = chunk_width_us((enum resolution)r);
        const struct chunk_range *range = &fake.range[r];
        ck_assert_int_eq(range->first + range->n - 1, (fake_wall_us + FUTURE_US) / width_us);
        ck_assert_int_eq(range->n, (HORIZON_US + FUTURE_US) / width_us + 9);
    }
}
END_TEST

START_TEST(what_is_doubted_is_read_back_however_old) {
    send_five();
    fake_clock_advance(100 * HORIZON_US);
    struct known_chunk *known = known_of(RESOLUTION_10MS, T0);
    identity_doubt(flush, known);
    ck_assert(known->doubted && !flush->identity.read_back);
    fake_store_raise(&fake, RESOLUTION_10MS, window_at(RESOLUTION_10MS, T0), 6);
    fake.read_back_fails = true;
    ck_assert(!identity_read_back(flush));
    ck_assert(flush->identity.doubted_n == 1 && !flush->identity.read_back); /* still to be read */
    ck_assert_uint_eq(flush->status.errors, 1);
    fake.read_back_fails = false;
    ck_assert(identity_read_back(flush));
    ck_assert(!known->doubted && flush->identity.read_back);
    ck_assert_uint_eq(known->there, 6);
    ck_assert_uint_eq(read_one(counters, RESOLUTION_10MS, T0), 6);
    known->doubted = true;
    fake.parts = 0;
    ck_assert(identity_read_back(flush));
    ck_assert_uint_eq(known->there, 0);
    const struct known_chunk *hour = known_of(RESOLUTION_1MIN, T0);
    identity_doubt(flush, known_of(RESOLUTION_1MIN, T0));
    ck_assert(identity_read_back(flush));
    ck_assert_int_eq(fake.last_range.first, hour->chunk); /* this one, and no other */
    ck_assert_uint_eq(fake.last_range.n, 1);
}
END_TEST

CHECK_MAIN_OF_NODE(
    "identity", a_lease_that_is_ours_is_renewed,
    a_lease_that_was_free_in_between_is_a_reason_to_read_back,
    a_store_that_does_not_say_leaves_it_as_it_is, who_finds_it_held_waits,
    another_owner_and_an_older_lease_are_waited_for_anew, dead_by_our_own_clock,
    a_lease_that_was_lost_to_another_ends_sending, a_copy_takes_a_new_name,
    what_the_owner_left_goes_with_the_name, of_anothers_part_no_more_than_it_holds,
    of_anothers_part_no_more_than_was_sent, of_what_was_never_acknowledged_nothing,
    of_what_is_not_there_nothing, of_what_is_not_there_all_that_the_other_has_read_back,
    of_what_is_not_there_all_that_the_file_held, it_waits_until_the_store_says_what_is_there,
    what_the_store_has_more_is_raised_to_once, what_another_left_of_ours_is_made_use_of_once,
    all_of_it_ours_is_nobody_elses, an_earlier_run_that_was_raised_is_not_raised_again,
    an_earlier_run_that_was_not_raised_is, a_chunk_whose_memory_was_needed_counts_as_sent,
    coarser_windows_have_what_their_parts_have, all_that_a_pass_looks_at_is_read_back,
    what_is_doubted_is_read_back_however_old)
