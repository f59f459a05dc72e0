/* When an event is visible: once the store has acknowledged all three of its windows, not before;
 * whatever happens to the store meanwhile. */
#include "server/flush/visible.h"

#include "tests/unit/server/flush/flush_fixture.h"

static struct visible_queue queue;

static void make_noting_node(void) {
    memset(&queue, 0, sizeof queue);
    flush->visible.queue = &queue;
    flush->visible.queues = 1;
    begin_sending();
}

static uint64_t seen(void) {
    struct flush_status status;
    uint64_t n = 0;
    flush_status(flush, &status);
    for (int i = 0; i <= DURATIONS_BOUNDS; i++) {
        n += status.visible.bucket[i];
    }
    return n;
}

/* An event that arrives now, and is counted at that time. */
static void note(int64_t us) {
    count(us, 1);
    visible_add_owner(&queue, fake_steady_us, us);
}

START_TEST(an_event_is_seen_after_its_pass) {
    struct flush_status status;
    make_noting_node();
    note(T0 - 20 * US_PER_MS);
    ck_assert_uint_eq(seen(), 0);
    fake_clock_advance(70 * US_PER_MS);
    flush_turn(flush);
    ck_assert_uint_eq(seen(), 1);
    flush_status(flush, &status);
    ck_assert_uint_eq(status.visible.sum_us, 70 * US_PER_MS);
    ck_assert_uint_eq(flush->visible.waiting, 0);
}
END_TEST

START_TEST(what_the_store_refuses_is_not_seen) {
    make_noting_node();
    fake.outcome[RESOLUTION_1MIN] = STORE_FAILED;
    note(T0 - 20 * US_PER_MS);
    flush_turn(flush);
    flush_turn(flush);
    ck_assert_uint_eq(seen(), 0);
    ck_assert_uint_eq(flush->visible.waiting, 1);
    fake.outcome[RESOLUTION_1MIN] = STORE_STORED;
    for (int i = 0; i < 100 && seen() == 0; i++) {
        fake_clock_advance(US_PER_S);
        flush_turn(flush);
    }
    ck_assert_uint_eq(seen(), 1);
}
END_TEST

/* They are thinned out rather than lost, and what is beyond the horizon is not waited for. */
START_TEST(while_the_store_is_away) {
    make_noting_node();
    fake.away = true;
    fake.connected = false;
    for (int i = 0; i < 2 * VISIBLE_WAITING_MAX; i++) {
        note(T0 - 20 * US_PER_MS);
        if (i % VISIBLE_SLOTS == VISIBLE_SLOTS - 1) {
            flush_turn(flush);
        }
    }
    ck_assert_uint_eq(seen(), 0);
    ck_assert_uint_gt(flush->visible.waiting, VISIBLE_WAITING_MAX / 4);
    ck_assert_uint_le(flush->visible.waiting, VISIBLE_WAITING_MAX);
    const unsigned waiting = flush->visible.waiting;
    fake.away = false;
    for (int i = 0; i < 10 && flush->visible.waiting > 0; i++) {
        flush_turn(flush);
    }
    ck_assert_uint_eq(seen(), waiting);
    fake.outcome[RESOLUTION_10MS] = STORE_FAILED;
    note(T0 - 20 * US_PER_MS);
    fake_clock_advance(2 * HORIZON_US);
    flush_turn(flush);
    ck_assert_uint_eq(flush->visible.waiting, 0);
    ck_assert_uint_eq(seen(), waiting);
}
END_TEST

START_TEST(many_are_noted_less_often) {
    make_noting_node();
    unsigned due = 0;
    for (int i = 0; i < 8; i++) {
        due += visible_is_due_owner(&queue);
    }
    ck_assert_uint_eq(due, 8);
    for (int i = 0; i < 1000; i++) {
        note(T0 - 20 * US_PER_MS);
    }
    ck_assert_uint_eq(atomic_load(&queue.head), VISIBLE_SLOTS); /* what has no room is left out */
    visible_take(flush);
    ck_assert_uint_eq(atomic_load(&queue.mask), 1);
    due = 0;
    for (int i = 0; i < 8; i++) {
        due += visible_is_due_owner(&queue);
    }
    ck_assert_uint_eq(due, 4);
    visible_take(flush); /* none came */
    ck_assert_uint_eq(atomic_load(&queue.mask), 0);
}
END_TEST

static uint64_t p99(void) {
    struct flush_status status;
    flush_status(flush, &status);
    return status.visible_p99_us;
}

START_TEST(what_was_seen_a_minute_ago_is_no_longer_told) {
    make_noting_node();
    flush_turn(flush);
    ck_assert_uint_eq(p99(), 0);
    note(T0 - 20 * US_PER_MS);
    fake_clock_advance(70 * US_PER_MS);
    flush_turn(flush);
    ck_assert_uint_eq(p99(), 100 * US_PER_MS);
    int seconds = 0;
    while (p99() > 0 && seconds < 100) {
        fake_clock_advance(US_PER_S);
        flush_turn(flush);
        seconds++;
    }
    ck_assert_int_ge(seconds, 30);
    ck_assert_int_le(seconds, 60);
}
END_TEST

CHECK_MAIN_OF_NODE("visible", an_event_is_seen_after_its_pass, what_the_store_refuses_is_not_seen,
                   while_the_store_is_away, many_are_noted_less_often,
                   what_was_seen_a_minute_ago_is_no_longer_told)
