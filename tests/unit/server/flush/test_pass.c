/* What changed is sent, in an order and at a pace that a store can follow; what it answers decides
 * what is sent again. */
#include "tests/unit/server/flush/flush_fixture.h"

#define BATCH 32
#define PASS_CHUNKS 512
#define SLOW_US (200 * US_PER_MS)
#define FAST_US (50 * US_PER_MS)

/* A node that keeps more than a pass can send, with one event in each of n seconds. */
static void make_long(int n) {
    close_node();
    state_dir_remove();
    state_dir_make();
    fake_store_make(&fake);
    char why[COUNTERS_WHY_MAX] = "";
    const struct counters_config config = {
        .dir = state_dir, .node_id = NODE, .workers = 1, .horizon_us = 1800 * US_PER_S};
    counters = open_or_fail(&config);
    flush = flush_new(&(struct flush_config){.counters = counters,
                                             .store = &fake.store,
                                             .interval_us = INTERVAL_US},
                      why);
    ck_assert_msg(flush != NULL, "%s", why);
    begin_sending();
    for (int i = 0; i < n; i++) {
        count(T0 - i * US_PER_S, 1);
    }
    fake.sent = fake.most = 0;
    fake.sends = 0;
}

/* ---- what changed ---- */

START_TEST(what_changed_is_sent_as_it_stands) {
    begin_sent();
    ck_assert(pass_run(flush, false));
    ck_assert_uint_eq(fake.sent, 0);
    ck_assert(!pass_unsent(flush));
    count(T0 - 20 * US_PER_MS, 1);
    count(T0 - 30 * US_PER_MS, 2);
    ck_assert(pass_unsent(flush));
    ck_assert(pass_run(flush, false));
    ck_assert_uint_eq(fake.sent, 3); /* one chunk of each resolution, in one call */
    ck_assert_uint_eq(fake.sends, 1);
    ck_assert_int_eq(fake.last.place.resolution, RESOLUTION_10MS); /* few chunks first */
    ck_assert_uint_eq(fake.last.n, 2);
    ck_assert_uint_eq(fake.last.slot[0], 97);
    ck_assert_uint_eq(fake.last.count[0], 2);
    ck_assert_uint_eq(fake.last.slot[1], 98);
    ck_assert_uint_eq(fake.last.count[1], 1);
    ck_assert_uint_eq(stored(RESOLUTION_1MIN, T0), 6);
    ck_assert(!pass_unsent(flush));
    ck_assert_uint_eq(known_of(RESOLUTION_1MIN, T0)->there, 6);
}
END_TEST

START_TEST(the_newest_comes_first_within_a_resolution) {
    count(T0, 1);
    count(T0 - 3 * US_PER_S, 1);
    begin_sending();
    ck_assert_int_eq(fake.last.place.chunk, T0 / US_PER_S - 3);
}
END_TEST

START_TEST(late_events_wait_for_a_full_pass) {
    begin_sent();
    const int64_t late_us = T0 - 16 * US_PER_S; /* beyond what each pass looks at: 12 s, and 2 */
    count(late_us, 1);
    ck_assert(pass_run(flush, false));
    ck_assert_uint_eq(stored(RESOLUTION_10MS, late_us), 0);
    ck_assert(pass_unsent(flush));
    fake_clock_advance(US_PER_S - 1);
    ck_assert(pass_run(flush, false));
    ck_assert_uint_eq(stored(RESOLUTION_10MS, late_us), 0);
    fake_clock_advance(1);
    ck_assert(pass_run(flush, false));
    ck_assert_uint_eq(stored(RESOLUTION_10MS, late_us), 1);
    count(late_us, 1);
    ck_assert(pass_run(flush, true)); /* or is asked for */
    ck_assert_uint_eq(stored(RESOLUTION_10MS, late_us), 2);
}
END_TEST

static void must_be_sent_at_once(int64_t age_us) {
    begin_sent();
    count(T0 - age_us, 1);
    ck_assert(pass_run(flush, false));
    ck_assert_uint_eq(stored(RESOLUTION_10MS, T0 - age_us), 1);
}

START_TEST(those_of_the_last_10_s_do_not) {
    must_be_sent_at_once(10 * US_PER_S);
}
END_TEST

START_TEST(recent_ones_do_not_wait) {
    must_be_sent_at_once(7 * US_PER_S);
}
END_TEST

START_TEST(what_a_double_cannot_hold_stays_here) {
    begin_sent();
    const uint64_t most = UINT64_C(1) << 53;
    shard_raise_owner(counters_readback_shard(counters), RESOLUTION_1S,
                      window_at(RESOLUTION_1S, T0) - 1, most - 1);
    shard_raise_owner(counters_readback_shard(counters), RESOLUTION_1S,
                      window_at(RESOLUTION_1S, T0) - 2, most);
    ck_assert(pass_run(flush, true));
    ck_assert_uint_eq(stored(RESOLUTION_1S, T0 - US_PER_S), most - 1);
    ck_assert_uint_eq(stored(RESOLUTION_1S, T0 - 2 * US_PER_S), 0);
    ck_assert(!pass_unsent(flush)); /* and nobody tries it again and again */
}
END_TEST

START_TEST(all_of_it_again_is_what_was_sent_too) {
    begin_sent();
    known_of(RESOLUTION_10MS, T0)->sent[50] = 7; /* the rings have begun to forget it */
    fake.parts = 0;
    flush_resend(flush);
    ck_assert(pass_run(flush, true));
    ck_assert_uint_eq(flush->status.losses, 1);         /* it shows in what was there before */
    ck_assert(flush->watch.tell && !flush->watch.lost); /* and is healed by what was just sent */
    ck_assert_uint_eq(stored(RESOLUTION_10MS, T0), 3);
    ck_assert_uint_eq(stored(RESOLUTION_10MS, T0 + 500 * US_PER_MS), 7);
}
END_TEST

START_TEST(a_status_says_what_was_done) {
    count(T0, 3);
    begin_sending();
    ck_assert_uint_eq(flush->status.passes, 1);
    ck_assert_uint_eq(flush->status.chunks_sent, 3);
    ck_assert_int_eq(flush->status.last_flush_us, fake_steady_us);
    const int64_t complete_us = fake_steady_us;
    fake_clock_advance(US_PER_S);
    count(T0, 1);
    fake.outcome[RESOLUTION_1S] = STORE_FAILED;
    flush->told = true;
    ck_assert(!pass_run(flush, true));
    ck_assert_uint_eq(flush->status.passes, 2);
    ck_assert_int_eq(flush->status.last_flush_us, complete_us);
    ck_assert_int_eq(flush->complete_us, complete_us);
    ck_assert(flush->told);
    fake.outcome[RESOLUTION_1S] = STORE_STORED;
    pass_begin_round(flush);
    ck_assert(pass_run(flush, true));
    ck_assert_int_eq(flush->complete_us, fake_steady_us);
    ck_assert(!flush->told);
}
END_TEST

/* ---- what the store says ---- */

START_TEST(what_failed_is_tried_once_a_round_with_all_of_it) {
    begin_sent();
    count(T0 + 20 * US_PER_MS, 1);
    fake.outcome[RESOLUTION_10MS] = STORE_FAILED;
    ck_assert(!pass_run(flush, true));
    ck_assert(flush->pass.failed);
    ck_assert_uint_eq(fake.sent, 3);
    ck_assert_uint_eq(stored(RESOLUTION_1S, T0), 4); /* the others went on */
    ck_assert_uint_eq(flush->status.errors, 1);
    ck_assert(!pass_run(flush, true)); /* in the same round it is left out */
    ck_assert(!flush->pass.failed && flush->pass.left_out);
    ck_assert(flush->pass.round_is_over);
    ck_assert_uint_eq(fake.sent, 3);
    ck_assert(pass_unsent(flush));
    fake.outcome[RESOLUTION_10MS] = STORE_STORED;
    pass_begin_round(flush);
    ck_assert(!flush->pass.round_is_over);
    ck_assert(pass_run(flush, false)); /* a full one: the round says so */
    ck_assert_uint_eq(fake.sent, 4);
    ck_assert_uint_eq(fake.last.n, 2); /* what was acknowledged before, too */
}
END_TEST

START_TEST(a_store_that_is_gone_ends_the_pass) {
    make_long(100);
    fake.outcome[RESOLUTION_1S] = STORE_FAILED;
    fake.loses_connection = true;
    ck_assert(!pass_run(flush, true));
    ck_assert_uint_eq(fake.sends, 1); /* one time-out, not four */
    fake.connected = true;
    fake.loses_connection = false;
    pass_begin_round(flush);
    ck_assert(!pass_run(flush, true));
    ck_assert_uint_gt(fake.sends, 3); /* a part of it failed: the others are served */
}
END_TEST

START_TEST(what_is_closed_is_too_late_once) {
    begin_sent();
    count(T0 - 20 * US_PER_MS, 2);
    for (int r = 0; r < RESOLUTIONS; r++) {
        fake.outcome[r] = STORE_CLOSED;
    }
    ck_assert(pass_run(flush, true));
    ck_assert_uint_eq(flush->status.too_late, 2); /* of three resolutions, the seconds */
    ck_assert_uint_eq(known_of(RESOLUTION_1S, T0)->too_late, 2);
    ck_assert(!pass_unsent(flush));
    flush_resend(flush);
    flush->watch.closed_told = false;
    ck_assert(pass_run(flush, true));
    ck_assert_uint_eq(flush->status.too_late, 2);
    ck_assert(!flush->watch.closed_told);
    count(T0, 5);
    ck_assert(pass_run(flush, true));
    ck_assert_uint_eq(flush->status.too_late, 7);
    ck_assert(flush->watch.closed_told);
}
END_TEST

START_TEST(what_was_written_by_another_is_read_back_first) {
    begin_sent();
    count(T0, 2);
    fake.outcome[RESOLUTION_1S] = STORE_FOREIGN;
    ck_assert(!pass_run(flush, true));
    const struct known_chunk *known = known_of(RESOLUTION_1S, T0);
    ck_assert(known->doubted);
    ck_assert_uint_eq(known->generation, 0);
    ck_assert_uint_eq(sent_of(RESOLUTION_1S, T0), 3); /* what is there would pass for this */
    ck_assert_uint_eq(sent_of(RESOLUTION_1MIN, T0), 5);
    ck_assert_int_eq(flush->state, FLUSH_LEASING);
    ck_assert(!flush->identity.read_back);
}
END_TEST

START_TEST(more_than_was_sent_is_read_back) {
    begin_sent();
    struct known_chunk *known = known_of(RESOLUTION_1S, T0);
    known->adopted = true;
    known->whole = false; /* forgotten: it may be ours */
    fake_store_raise(&fake, RESOLUTION_1S, window_at(RESOLUTION_1S, T0) - 1, 4);
    count(T0, 1);
    ck_assert(pass_run(flush, true));
    ck_assert(!known->doubted && !known->whole && !known->adopted);
    known->whole = true;
    count(T0, 1);
    ck_assert(!pass_run(flush, true));
    ck_assert(known->doubted);
    ck_assert_int_eq(flush->state, FLUSH_LEASING);
}
END_TEST

START_TEST(as_much_as_was_sent_makes_the_memory_whole) {
    begin_sent();
    struct known_chunk *known = known_of(RESOLUTION_1S, T0);
    known->whole = false;
    fake_store_raise(&fake, RESOLUTION_1S, window_at(RESOLUTION_1S, T0), 5);
    count(T0, 2);
    ck_assert(pass_run(flush, true));
    ck_assert(known->whole);
}
END_TEST

START_TEST(less_than_was_there_is_a_loss) {
    begin_sent();
    fake.parts = 0;
    count(T0, 1);
    ck_assert(!pass_run(flush, true));
    ck_assert_uint_eq(flush->status.losses, 1);
    ck_assert(flush->watch.lost && flush->watch.tell);
    ck_assert_uint_eq(known_of(RESOLUTION_1S, T0)->generation, 0);
}
END_TEST

START_TEST(the_watch_hears_what_each_server_acknowledged_last) {
    fake.by_resolution = true;
    begin_sent();
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_int_eq(flush->watch.last[r].resolution, (enum resolution)r);
        ck_assert_int_eq(flush->watch.last[r].chunk,
                         window_chunk((enum resolution)r, window_at((enum resolution)r, T0)));
    }
    ck_assert_uint_eq(flush->watch.end_count, 1);
    ck_assert_int_eq(flush->watch.ends[0].resolution, RESOLUTION_10MS);
    flush->watch.end_count = 0;
    count(T0, 1);
    fake.outcome[RESOLUTION_10MS] = STORE_CLOSED;
    ck_assert(pass_run(flush, true));
    ck_assert_uint_eq(flush->watch.end_count, 0); /* it did not take the last one */
}
END_TEST

/* ---- the pace ---- */

START_TEST(a_pass_sends_so_many_chunks_at_the_most) {
    make_long(600);
    ck_assert(!pass_run(flush, true));
    ck_assert_uint_eq(fake.sent, PASS_CHUNKS);
    ck_assert_uint_eq(fake.most, BATCH);
    ck_assert_int_eq(flush->pass.full_us, 0); /* the next is a full one, too */
    ck_assert(!flush->pass.round_is_over);
    ck_assert(pass_run(flush, false));
    ck_assert_uint_eq(fake.sent, 600 + 11 + 1); /* seconds, minutes, an hour */
    ck_assert(flush->pass.round_is_over);
    ck_assert(!pass_unsent(flush));
}
END_TEST

START_TEST(a_pass_lasts_a_second_at_the_most) {
    make_long(300);
    fake.took_us = 500 * US_PER_MS;
    ck_assert(!pass_run(flush, true));
    ck_assert_uint_eq(fake.sends, 2);
}
END_TEST

START_TEST(a_slow_store_gets_few_at_a_time) {
    make_long(0);
    static const struct {
        int64_t took_us;
        size_t most; /* after it */
    } rows[] = {{SLOW_US, 32},     {SLOW_US + 1, 16}, {SLOW_US + 1, 8}, {FAST_US, 8},
                {SLOW_US + 1, 4},  {SLOW_US + 1, 2},  {SLOW_US + 1, 1}, {SLOW_US + 1, 1},
                {FAST_US - 1, 2},  {FAST_US - 1, 4},  {FAST_US - 1, 8}, {FAST_US - 1, 16},
                {FAST_US - 1, 32}, {FAST_US - 1, 32}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake.took_us = rows[i].took_us;
        fake.sends = 0;
        /* of this resolution only: one chunk, one call */
        shard_raise_owner(counters_readback_shard(counters), RESOLUTION_10MS,
                          window_at(RESOLUTION_10MS, T0), 1);
        pass_run(flush, false);
        ck_assert_uint_eq(fake.sends, 1);
        ck_assert_uint_eq(flush->pass.batch_most, rows[i].most);
    }
}
END_TEST

CHECK_MAIN_OF_NODE("pass", what_changed_is_sent_as_it_stands,
                   the_newest_comes_first_within_a_resolution, late_events_wait_for_a_full_pass,
                   those_of_the_last_10_s_do_not, recent_ones_do_not_wait,
                   what_a_double_cannot_hold_stays_here, all_of_it_again_is_what_was_sent_too,
                   a_status_says_what_was_done, what_failed_is_tried_once_a_round_with_all_of_it,
                   a_store_that_is_gone_ends_the_pass, what_is_closed_is_too_late_once,
                   what_was_written_by_another_is_read_back_first, more_than_was_sent_is_read_back,
                   as_much_as_was_sent_makes_the_memory_whole, less_than_was_there_is_a_loss,
                   the_watch_hears_what_each_server_acknowledged_last,
                   a_pass_sends_so_many_chunks_at_the_most, a_pass_lasts_a_second_at_the_most,
                   a_slow_store_gets_few_at_a_time)
