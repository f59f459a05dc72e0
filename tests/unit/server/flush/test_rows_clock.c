/* The flush of rows when the clock is set: what any clock has counted is sent, and once; without a
 * thread, to the fake store. */
#include "tests/unit/server/flush/rows_fixture.h"

#define HOUR_US (3600 * US_PER_S)

static const char billing[] = "fields: {flight: , seconds: {type: int}}\n"
                              "reports:\n"
                              "  - name: billing\n"
                              "    by: [flight]\n"
                              "    windows: [1s, 1min]\n"
                              "    show: [sum(seconds), count]\n";

static void open_all(void) {
    lab = lab_open(billing);
    lab_set_now(lab, fake_wall_us);
    open_flush();
}

static void setup(void) {
    state_dir_make();
    fake_wall_us = T0;
    fake_store_make(&fake);
    open_all();
    flush_turn(flush);
    ck_assert_int_eq(flush->state, FLUSH_SENDING);
}

static void teardown(void) {
    close_all();
    state_dir_remove();
}

/* The clock is set by by_us: both workers see it. */
static void set_clock(int64_t by_us) {
    const int64_t from_us = fake_wall_us;
    fake_wall_us += by_us;
    for (unsigned i = 0; i < LAB_WORKERS; i++) {
        tables_step_owner(lab->tables, i + 1, from_us, fake_wall_us);
        if (by_us > 0)
            shard_step_ahead_owner(lab->shard[i], from_us, fake_wall_us);
    }
    lab_set_now(lab, fake_wall_us);
}

/* An event in each of the last ten seconds. */
static void count_ten(unsigned worker) {
    for (int i = 0; i < 10; i++) {
        uint64_t unfit;
        const struct lab_event event = {fake_wall_us - i * US_PER_S, {"AA1", "3"}};
        ck_assert_int_eq(lab_add(lab, worker, &event, &unfit), SHARD_COUNTED);
    }
}

static void turns(int n) {
    while (n-- > 0) {
        fake_clock_advance(100 * US_PER_MS);
        flush_turn(flush);
    }
}

/* The store has `each` in each of the ten seconds before us. */
static void expect_ten(int64_t us, int64_t each) {
    for (int i = 0; i < 10; i++) {
        const struct rows_place place = {report_name, "1s", US_PER_S, us / US_PER_S - i};
        const int64_t count = fake_store_component(&fake, &place, "AA1", "count");
        ck_assert_msg(count == each, "%d s before: %lld instead of %lld", i, (long long)count,
                      (long long)each);
        ck_assert_int_eq(fake_store_component(&fake, &place, "AA1", "sum(seconds)"), 3 * each);
    }
}

START_TEST(what_a_clock_ahead_has_counted_is_sent_at_once) {
    count_ten(0);
    set_clock(-2 * HOUR_US);
    count_ten(0);
    turns(15);
    expect_ten(T0, 1);
    expect_ten(T0 - 2 * HOUR_US, 1);
    ck_assert(!rows_unsent(flush));
    const unsigned sends = fake.row_sends;
    turns(25); /* all is known, though windows of both have the same places in the memory */
    ck_assert_uint_eq(fake.row_sends, sends);
}
END_TEST

START_TEST(what_a_step_left_behind_is_sent_when_the_store_is_back) {
    fake.away = true;
    fake.connected = false;
    count_ten(0);
    flush_turn(flush);
    set_clock(3 * HOUR_US);
    for (int i = 0; i < 3; i++)
        count_ten(0);
    turns(20);
    const int64_t ahead_us = fake_wall_us - 2 * US_PER_S;
    set_clock(-3 * HOUR_US);
    fake.away = false;
    turns(60);
    ck_assert_int_eq(flush->state, FLUSH_SENDING);
    expect_ten(T0, 1);
    expect_ten(ahead_us, 3);
    ck_assert(!rows_unsent(flush));
}
END_TEST

START_TEST(sections_that_come_are_watched_too) {
    count_ten(1);
    turns(15);
    const struct rows_table *table = &flush->rows.table[0];
    const unsigned before = table->sections;
    set_clock(-2 * HOUR_US);
    const int64_t us = fake_wall_us;
    count_ten(1);
    turns(15);
    ck_assert_uint_gt(table->sections, before);
    count_ten(1); /* 1.5 s later */
    turns(15);
    for (int i = 0; i < 7; i++) {
        const struct rows_place place = {report_name, "1s", US_PER_S, us / US_PER_S - i};
        ck_assert_int_eq(fake_store_component(&fake, &place, "AA1", "count"), 2);
    }
    expect_ten(T0, 1);
}
END_TEST

START_TEST(a_loss_is_healed_in_all_stretches) {
    count_ten(0);
    set_clock(-2 * HOUR_US);
    count_ten(0);
    turns(15);
    fake.rows = 0; /* Redis was emptied */
    turns(30);
    expect_ten(T0, 1);
    expect_ten(T0 - 2 * HOUR_US, 1);
}
END_TEST

START_TEST(a_restart_in_between_counts_nothing_twice) {
    count_ten(0);
    turns(15);
    set_clock(3 * HOUR_US);
    count_ten(0);
    const int64_t ahead_us = fake_wall_us;
    turns(15);
    close_all();
    fake.connected = fake.closed = false;
    open_all();
    count_ten(0);
    turns(15);
    set_clock(-3 * HOUR_US);
    count_ten(0);
    turns(30);
    for (int i = 2; i < 8; i++) {
        const struct rows_place there = {report_name, "1s", US_PER_S, T0 / US_PER_S - i},
                                ahead = {report_name, "1s", US_PER_S, ahead_us / US_PER_S - i};
        ck_assert_int_ge(fake_store_component(&fake, &there, "AA1", "count"), 1);
        ck_assert_int_eq(fake_store_component(&fake, &ahead, "AA1", "count"), 2);
    }
    int64_t sum = 0;
    for (int64_t second = T0 / US_PER_S - 20; second < T0 / US_PER_S + 20; second++) {
        const struct rows_place place = {report_name, "1s", US_PER_S, second};
        const int64_t count = fake_store_component(&fake, &place, "AA1", "count");
        sum += count > 0 ? count : 0;
    }
    ck_assert_int_eq(sum, 20);
}
END_TEST

static const struct check_fixture in_all = {100, setup, teardown};

CHECK_MAIN_WITH(in_all, "rows and the clock", what_a_clock_ahead_has_counted_is_sent_at_once,
                what_a_step_left_behind_is_sent_when_the_store_is_back,
                sections_that_come_are_watched_too, a_loss_is_healed_in_all_stretches,
                a_restart_in_between_counts_nothing_twice)
