/* A store that lost something is noticed, the other nodes hear of it, and all is sent again. */
#include "tests/unit/server/flush/flush_fixture.h"

#define RENEW_US (10 * US_PER_S / 3 / US_PER_MS * US_PER_MS)
#define LOOK_US US_PER_S
#define MINUTE_US (60 * US_PER_S)

/* Three events, acknowledged, and all of a look over. */
static void begin(void) {
    count(T0, 3);
    begin_sending();
    ck_assert_uint_eq(stored(RESOLUTION_10MS, T0), 3);
    ck_assert_uint_eq(flush->status.losses, 0);
}

/* One look, one second after the last. */
static void look(void) {
    fake_clock_advance(LOOK_US);
    flush_turn(flush);
}

static void lose_all(void) {
    fake.parts = 0;
}

/* ---- losses ---- */

START_TEST(a_store_that_has_all_is_left_alone) {
    begin();
    const size_t sent = fake.sent;
    for (int i = 0; i < 10; i++) {
        look();
        ck_assert_uint_gt(fake.asked_n, 0);
    }
    ck_assert_uint_eq(fake.sent, sent);
    ck_assert_uint_eq(fake.tells + flush->status.losses + flush->status.errors, 0);
    ck_assert_uint_eq(flush->status.resends, 1); /* that of the start */
}
END_TEST

START_TEST(a_loss_is_told_once_and_healed) {
    begin();
    lose_all();
    look();
    ck_assert_uint_eq(flush->status.losses, 1);
    ck_assert_uint_eq(fake.tells, 1);
    ck_assert_uint_eq(fake.losses, 1);
    ck_assert_uint_eq(flush->status.resends, 2);
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_uint_eq(stored((enum resolution)r, T0), 3);
    }
    for (int i = 0; i < 5; i++) {
        look();
    }
    ck_assert_uint_eq(flush->status.losses, 1);
    ck_assert_uint_eq(fake.tells, 1);
    ck_assert_uint_eq(flush->status.resends, 2); /* its own word is not heard as another's */
}
END_TEST

START_TEST(a_second_loss_after_a_complete_pass_is_told_again) {
    begin();
    for (unsigned i = 1; i <= 3; i++) {
        lose_all();
        look();
        ck_assert_uint_eq(flush->status.losses, i);
        ck_assert_uint_eq(fake.tells, i);
        ck_assert_uint_eq(fake.losses, i);
        ck_assert_uint_eq(stored(RESOLUTION_1S, T0), 3);
    }
}
END_TEST

START_TEST(what_is_missing_before_the_resend_is_complete_is_the_same_loss) {
    begin();
    lose_all();
    for (int r = 0; r < RESOLUTIONS; r++) {
        fake.outcome[r] = STORE_FAILED;
    }
    look();
    for (int i = 0; i < 5; i++) {
        lose_all();
        look();
    }
    ck_assert_uint_eq(flush->status.losses, 1);
    ck_assert_uint_eq(fake.tells, 1);
}
END_TEST

START_TEST(what_was_acknowledged_since_all_was_sent_again_is_another_loss) {
    begin();
    lose_all();
    fake.outcome[RESOLUTION_10MS] = STORE_FAILED; /* so that no pass is complete */
    look();
    ck_assert_uint_eq(flush->status.losses, 1);
    ck_assert_uint_eq(stored(RESOLUTION_1S, T0), 3);
    lose_all();
    look();
    ck_assert_uint_eq(flush->status.losses, 2); /* for two chunks, one */
    ck_assert_uint_eq(fake.tells, 2);
}
END_TEST

START_TEST(a_loss_of_what_has_just_been_sent_again_needs_no_resend) {
    begin();
    const uint32_t generation = flush->known.generation;
    watch_lost(flush, NULL);
    ck_assert(!flush->watch.lost && flush->watch.tell);
    look();
    ck_assert_uint_eq(flush->known.generation, generation);
    ck_assert_uint_eq(fake.tells, 1);
    watch_lost(flush, known_of(RESOLUTION_1S, T0));
    ck_assert(flush->watch.lost);
    ck_assert_uint_eq(known_of(RESOLUTION_1S, T0)->generation, 0);
    ck_assert_uint_eq(known_of(RESOLUTION_1S, T0)->there, 0);
    watch_lost(flush, NULL);
    ck_assert(flush->watch.lost); /* stays */
}
END_TEST

START_TEST(a_loss_that_could_not_be_told_is_told_later) {
    begin();
    lose_all();
    fake.tell_fails = true;
    look();
    look();
    ck_assert_uint_eq(fake.tells, 2);
    ck_assert_uint_eq(fake.losses, 0);
    ck_assert_uint_eq(flush->status.errors, 2);
    fake.tell_fails = false;
    look();
    look();
    ck_assert_uint_eq(fake.tells, 3);
    ck_assert_uint_eq(fake.losses, 1);
}
END_TEST

START_TEST(a_quiet_node_that_hears_of_a_loss_sends_again) {
    begin();
    lose_all();
    for (int r = 0; r < RESOLUTIONS; r++) {
        known_of((enum resolution)r, T0)->there = 0; /* does not compare it */
    }
    fake.losses = 7;
    look();
    ck_assert_uint_eq(flush->status.losses, 0); /* not found here */
    ck_assert_uint_eq(fake.tells, 0);           /* everybody knows */
    ck_assert_uint_eq(fake.losses, 7);
    ck_assert_uint_eq(flush->status.resends, 2);
    ck_assert_uint_eq(stored(RESOLUTION_1MIN, T0), 3);
    look();
    ck_assert_uint_eq(flush->status.resends, 2);
}
END_TEST

START_TEST(a_number_that_went_back_is_told_anew) {
    fake.losses = 7;
    begin();
    ck_assert_uint_eq(flush->watch.number, 7);
    fake.losses = 6;
    look();
    ck_assert_uint_eq(fake.tells, 1);
    ck_assert_uint_eq(fake.losses, 7);
    ck_assert_uint_eq(flush->watch.number, 7);
    ck_assert_uint_eq(flush->status.resends, 2);
    look();
    ck_assert_uint_eq(fake.tells, 1);
    ck_assert_uint_eq(flush->status.resends, 2);
}
END_TEST

START_TEST(connected_anew_the_number_is_as_it_is) {
    begin();
    fake.connected = false;
    fake.losses = 9;
    flush->watch.lost = true;
    look();
    ck_assert_int_eq(flush->state, FLUSH_SENDING);
    ck_assert_uint_eq(flush->watch.number, 9);
    ck_assert_uint_eq(flush->status.resends, 2); /* for the connection; none for the losses */
    fake.sums_fail = true;
    watch_begin(flush);
    ck_assert_uint_eq(flush->status.errors, 1);
    ck_assert_uint_eq(flush->watch.end_count, 0);
    ck_assert_int_eq(flush->watch.last[0].chunk, 0);
}
END_TEST

/* ---- comparing ---- */

START_TEST(what_nobody_could_read_is_not_lost) {
    begin();
    lose_all();
    fake.sums_unknown = true;
    ck_assert(!watch_compare(flush));
    ck_assert_uint_eq(flush->status.errors, 1);
    ck_assert_uint_eq(flush->status.losses, 0);
    ck_assert(!flush->watch.lost && flush->identity.read_back);
    fake.sums_unknown = false;
    ck_assert(!watch_compare(flush));
    ck_assert_uint_eq(flush->status.losses, 1);
}
END_TEST

START_TEST(more_than_was_sent_is_anothers) {
    begin();
    ck_assert(watch_compare(flush));
    fake_store_raise(&fake, RESOLUTION_10MS, window_at(RESOLUTION_10MS, T0), 4);
    known_of(RESOLUTION_10MS, T0)->whole = false; /* then it may be ours, and forgotten */
    ck_assert(watch_compare(flush));
    known_of(RESOLUTION_10MS, T0)->whole = true;
    ck_assert(!watch_compare(flush));
    ck_assert(!flush->identity.read_back);
    ck_assert(known_of(RESOLUTION_10MS, T0)->doubted);
    ck_assert_int_eq(flush->state, FLUSH_LEASING);
    ck_assert_uint_eq(flush->status.losses, 0);
}
END_TEST

START_TEST(what_may_have_expired_is_not_compared) {
    begin();
    ck_assert(watch_compare(flush));
    ck_assert_uint_gt(fake.asked_n, 0);
    known_of(RESOLUTION_10MS, T0)->generation = 0; /* not acknowledged now */
    known_of(RESOLUTION_1S, T0)->there = 0;        /* never */
    ck_assert(watch_compare(flush));
    for (size_t i = 0; i < fake.asked_n; i++) {
        ck_assert_int_eq(fake.asked[i].resolution, RESOLUTION_1MIN);
    }
    known_of(RESOLUTION_10MS, T0)->generation = flush->known.generation;
    /* the second of T0 is over a horizon after its end */
    fake_clock_advance(HORIZON_US + US_PER_S);
    known_of(RESOLUTION_1MIN, T0)->there = 0;
    ck_assert(watch_compare(flush));
    ck_assert_uint_gt(fake.asked_n, 0);
    ck_assert_int_eq(fake.asked[0].resolution, RESOLUTION_10MS);
    fake_clock_advance(1);
    ck_assert(watch_compare(flush));
    ck_assert_uint_eq(fake.asked_n, 0);
}
END_TEST

START_TEST(all_that_is_remembered_has_its_turn) {
    for (int i = 0; i < 8; i++) {
        count(T0 - i * US_PER_S, 1);
    }
    begin_sending();
    memset(flush->watch.last, 0, sizeof flush->watch.last);
    flush->watch.end_count = 0;
    unsigned asked[8] = {0};
    for (int looks = 0; looks < 8; looks++) { /* 8 + 1 + 1 chunks: four looks a round */
        watch_compare(flush);
        ck_assert_uint_le(fake.asked_n, 3);
        for (size_t i = 0; i < fake.asked_n; i++) {
            if (fake.asked[i].resolution == RESOLUTION_10MS) {
                asked[T0 / US_PER_S - fake.asked[i].chunk]++;
            }
        }
    }
    for (int i = 0; i < 8; i++) {
        ck_assert_uint_ge(asked[i], 2);
    }
}
END_TEST

START_TEST(of_each_server_the_last_is_compared) {
    fake.by_resolution = true;
    begin();
    flush->watch.end_count = 0;
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_int_eq(flush->watch.last[r].resolution, (enum resolution)r);
    }
    ck_assert(watch_compare(flush));
    ck_assert_uint_eq(fake.asked_n, 3 + 3); /* three in turn, and each server's last */
    for (int r = 0; r < RESOLUTIONS; r++) {
        ck_assert_int_eq(fake.asked[3 + r].resolution, (enum resolution)r);
    }
    memset(flush->watch.last, 0, sizeof flush->watch.last);
    const struct store_place end = {RESOLUTION_1S, window_chunk(RESOLUTION_1S, T0 / US_PER_S)};
    watch_end(flush, &end);
    ck_assert(watch_compare(flush));
    ck_assert_uint_eq(fake.asked_n, 3 + 1); /* and what a pipeline has ended with */
    ck_assert_int_eq(fake.asked[3].chunk, end.chunk);
    flush->watch.end_count = 0;
    ck_assert(watch_compare(flush));
    ck_assert_uint_eq(fake.asked_n, 3);
}
END_TEST

START_TEST(the_end_of_each_pipeline_is_compared_once) {
    begin();
    struct watch *watch = &flush->watch;
    watch->end_count = 0;
    watch->due_us = INT64_MAX;
    for (int64_t i = 0; i < FLUSH_ENDS; i++) {
        watch_end(flush, &(struct store_place){RESOLUTION_10MS, 100 + i});
        watch_end(flush, &(struct store_place){RESOLUTION_10MS, 100 + i});
        ck_assert_uint_eq(watch->end_count, (size_t)i + 1);
    }
    ck_assert_int_eq(watch->due_us, INT64_MAX);
    watch_end(flush, &(struct store_place){RESOLUTION_1S, 100});
    ck_assert_int_eq(watch->due_us, 0); /* before one is forgotten */
    ck_assert_uint_eq(watch->end_count, FLUSH_ENDS + 1);
    watch_end(flush, &(struct store_place){RESOLUTION_1S, 200});
    ck_assert_uint_eq(watch->end_count, FLUSH_ENDS + 1);
    fake.sums_fail = true;
    watch_compare(flush);
    ck_assert_uint_eq(watch->end_count, FLUSH_ENDS + 1);
    fake.sums_fail = false;
    watch_compare(flush);
    ck_assert_uint_eq(watch->end_count, 1);
    ck_assert_int_eq(watch->ends[0].resolution, RESOLUTION_1S);
    ck_assert_int_eq(watch->ends[0].chunk, 100);
}
END_TEST

/* ---- once a second ---- */

START_TEST(a_look_a_second_and_a_lease_every_third_of_it) {
    begin();
    const unsigned looks = fake.compares, leases = fake.leases;
    ck_assert(watch_run(flush));
    fake_clock_advance(LOOK_US - 1);
    ck_assert(watch_run(flush));
    ck_assert_uint_eq(fake.compares, looks);
    fake_clock_advance(1);
    ck_assert(watch_run(flush));
    ck_assert_uint_eq(fake.compares, looks + 1);
    fake_clock_advance(RENEW_US - LOOK_US - 1);
    ck_assert(watch_run(flush));
    ck_assert_uint_eq(fake.leases, leases);
    fake_clock_advance(1);
    ck_assert(watch_run(flush));
    ck_assert_uint_eq(fake.leases, leases + 1);
    fake.connected = false;
    ck_assert(!watch_run(flush));
    fake.connected = true;
    ck_assert(watch_run(flush));
    fake_clock_advance(RENEW_US);
    fake.lease = STORE_LEASE_HELD;
    fake.holder = "1 another";
    const unsigned before = fake.compares;
    ck_assert(!watch_run(flush));
    ck_assert_uint_eq(fake.compares, before); /* nothing is done under a name that is not ours */
}
END_TEST

START_TEST(what_is_over_is_closed_once_a_minute) {
    begin();
    ck_assert_uint_eq(fake.closes, 1);
    fake_clock_advance(MINUTE_US - 1);
    watch_run(flush);
    ck_assert_uint_eq(fake.closes, 1);
    fake_clock_advance(LOOK_US);
    fake.close_fails = true;
    watch_run(flush);
    ck_assert_uint_eq(fake.closes, 2);
    ck_assert_uint_eq(flush->status.errors, 1);
    fake.close_fails = false;
    static const struct {
        int64_t ahead_us;
        bool told;
    } rows[] = {{3600 * US_PER_S, false},  {3600 * US_PER_S + 1, true},  {0, false},
                {-3600 * US_PER_S, false}, {-3600 * US_PER_S - 1, true}, {-1, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fake.ahead_us = rows[i].ahead_us;
        fake_clock_advance(MINUTE_US);
        watch_run(flush);
        ck_assert_uint_eq(fake.closes, i + 3);
        ck_assert_int_eq(flush->watch.clock_told, rows[i].told);
    }
}
END_TEST

/* How long after a resend the next one comes, when things are lost all the time. */
static int64_t time_to_heal(void) {
    const uint64_t resends = flush->status.resends;
    const int64_t since_us = flush->watch.resent_us;
    while (flush->status.resends == resends) {
        fake_clock_advance(100 * US_PER_MS);
        flush->watch.lost = true;
        watch_run(flush);
    }
    return fake_steady_us - since_us;
}

START_TEST(a_store_that_evicts_is_not_flooded) {
    begin();
    flush->watch.lost = true;
    watch_run(flush); /* the first is healed at once */
    ck_assert_uint_eq(flush->status.resends, 2);
    for (unsigned i = 2; i <= 8; i++) {
        ck_assert_int_eq(time_to_heal(), US_PER_S / 2);
        ck_assert_uint_eq(flush->watch.recent, i);
    }
    static const int64_t waits_ms[] = {500, 1000, 2000, 4000, 8000, 10000, 10000};
    for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
        ck_assert_int_eq(time_to_heal(), waits_ms[i] * US_PER_MS);
    }
    fake_clock_advance(MINUTE_US + 1);
    flush->watch.lost = true;
    watch_run(flush);
    ck_assert_uint_eq(flush->watch.recent, 1);
    ck_assert_int_eq(time_to_heal(), US_PER_S / 2);
}
END_TEST

CHECK_MAIN_OF_NODE("watch", a_store_that_has_all_is_left_alone, a_loss_is_told_once_and_healed,
                   a_second_loss_after_a_complete_pass_is_told_again,
                   what_is_missing_before_the_resend_is_complete_is_the_same_loss,
                   what_was_acknowledged_since_all_was_sent_again_is_another_loss,
                   a_loss_of_what_has_just_been_sent_again_needs_no_resend,
                   a_loss_that_could_not_be_told_is_told_later,
                   a_quiet_node_that_hears_of_a_loss_sends_again,
                   a_number_that_went_back_is_told_anew, connected_anew_the_number_is_as_it_is,
                   what_nobody_could_read_is_not_lost, more_than_was_sent_is_anothers,
                   what_may_have_expired_is_not_compared, all_that_is_remembered_has_its_turn,
                   of_each_server_the_last_is_compared, the_end_of_each_pipeline_is_compared_once,
                   a_look_a_second_and_a_lease_every_third_of_it,
                   what_is_over_is_closed_once_a_minute, a_store_that_evicts_is_not_flooded)
