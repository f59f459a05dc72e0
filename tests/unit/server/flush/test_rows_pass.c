/* The flush of rows: what is sent when, and what is read back; without a thread, to the fake store.
 */
#include "tests/unit/server/flush/rows_fixture.h"

#include <unistd.h>

#define US "\x1f"

static const char billing[] = "fields: {flight: , client: {type: int}, seconds: {type: int}}\n"
                              "reports:\n"
                              "  - name: billing\n"
                              "    by: [flight, client]\n"
                              "    windows: [1min]\n"
                              "    show: [sum(seconds), first, last, count]\n";

static struct rows_place minute; /* that of T0 */

static void open_lab(void) {
    lab = lab_open(billing);
    open_flush();
    minute = (struct rows_place){report_name, "1min", 60 * US_PER_S, T0 / (60 * US_PER_S)};
}

static void setup(void) {
    state_dir_make();
    fake_wall_us = T0;
    fake_store_make(&fake);
    open_lab();
}

static void teardown(void) {
    close_all();
    state_dir_remove();
}

static void restart(void) {
    close_all();
    fake.connected = fake.closed = false;
    open_lab();
}

static void count_at(int64_t us, const char *flight, const char *seconds) {
    uint64_t unfit;
    const struct lab_event event = {us, {flight, "7", seconds}};
    ck_assert_int_eq(lab_add(lab, 0, &event, &unfit), SHARD_COUNTED);
    ck_assert_uint_eq(unfit, 0);
}

static void turn(void) {
    fake_clock_advance(100 * US_PER_MS);
    flush_turn(flush);
}

static void begin_sending(void) {
    flush_turn(flush);
    ck_assert_int_eq(flush->state, FLUSH_SENDING);
}

static int64_t stored(const char *key, const char *component) {
    return fake_store_component(&fake, &minute, key, component);
}

/* What the node itself has of a row: its count and the sum of seconds. */
static void expect_row(size_t i, const char *count, const char *sum) {
    struct report_rows rows = lab_read(lab, 0, 0, T0);
    ck_assert_uint_lt(i, rows.n);
    ck_assert_str_eq(lab_figure(lab, 0, 0, &rows.row[i], 3), count);
    ck_assert_str_eq(lab_figure(lab, 0, 0, &rows.row[i], 0), sum);
    report_rows_free(&rows);
}

/* ---- what is sent ---- */

START_TEST(rows_that_changed_are_sent_as_absolute_values) {
    count_at(T0, "AA1", "30");
    count_at(T0 + 1, "AA1", "8");
    count_at(T0, "AA2", "1");
    begin_sending();
    ck_assert_int_eq(stored("AA1" US "7", "count"), 2);
    ck_assert_int_eq(stored("AA1" US "7", "sum(seconds)"), 38);
    ck_assert_int_eq(stored("AA1" US "7", "first"), T0);
    ck_assert_int_eq(stored("AA1" US "7", "last"), T0 + 1);
    ck_assert_int_eq(stored("AA2" US "7", "count"), 1);
    ck_assert_uint_eq(fake.rows_sent, 2);
    ck_assert_uint_eq(fake.told_reports, 1);
    ck_assert_ptr_nonnull(strstr(fake.last_definition, "billing"));
    ck_assert_str_eq(fake.last_windows, "1min 60000000 86400\n");
    turn();
    ck_assert_uint_eq(fake.rows_sent, 2); /* nothing changed */
    count_at(T0, "AA2", "5");
    ck_assert(rows_unsent(flush));
    turn();
    ck_assert_uint_eq(fake.rows_sent, 3); /* the row that did */
    ck_assert_int_eq(stored("AA2" US "7", "sum(seconds)"), 6);
    ck_assert(!rows_unsent(flush));
}
END_TEST

START_TEST(all_is_sent_again_after_a_reconnect) {
    count_at(T0, "AA1", "30");
    count_at(T0, "AA2", "1");
    begin_sending();
    fake.connected = false;
    fake.rows = 0;
    turn();
    turn();
    ck_assert_int_eq(stored("AA1" US "7", "count"), 1);
    ck_assert_int_eq(stored("AA2" US "7", "count"), 1);
    ck_assert_uint_eq(fake.told_reports, 2);
}
END_TEST

START_TEST(a_loss_that_an_answer_shows_is_healed) {
    count_at(T0, "AA1", "30");
    count_at(T0, "AA2", "1");
    begin_sending();
    fake.rows = 0; /* behind an open connection */
    count_at(T0, "AA2", "1");
    turn();
    for (int i = 0; i < 10; i++) {
        turn();
    }
    ck_assert_int_eq(stored("AA1" US "7", "count"), 1);
    ck_assert_int_eq(stored("AA2" US "7", "count"), 2);
    ck_assert_uint_ge(fake.tells, 1); /* the other nodes hear of it */
}
END_TEST

START_TEST(a_loss_that_nothing_shows_is_found_within_a_second) {
    count_at(T0, "AA1", "30");
    begin_sending();
    fake.rows = 0;
    for (int i = 0; i < 20; i++) {
        turn();
    }
    ck_assert_int_eq(stored("AA1" US "7", "count"), 1);
    ck_assert_uint_ge(fake.tells, 1);
}
END_TEST

START_TEST(what_the_store_would_not_take_is_sent_later) {
    fake.rows_outcome = STORE_FAILED;
    count_at(T0, "AA1", "30");
    flush_turn(flush);
    ck_assert_int_eq(stored("AA1" US "7", "count"), -1);
    fake.rows_outcome = STORE_STORED;
    for (int i = 0; i < 30; i++) {
        turn();
    }
    ck_assert_int_eq(stored("AA1" US "7", "count"), 1);
    ck_assert(!rows_unsent(flush));
}
END_TEST

START_TEST(a_closed_window_is_not_sent_again) {
    fake.rows_outcome = STORE_CLOSED;
    count_at(T0, "AA1", "30");
    begin_sending();
    const unsigned sends = fake.row_sends;
    turn();
    turn();
    ck_assert_uint_eq(fake.row_sends, sends);
    ck_assert(!rows_unsent(flush));
}
END_TEST

START_TEST(late_rows_are_found_by_the_pass_over_all) {
    begin_sending();
    count_at(T0 - 50 * US_PER_S, "AA1", "3");
    for (int i = 0; i < 12; i++) {
        turn();
    }
    const struct rows_place before = {report_name, "1min", 60 * US_PER_S,
                                      (T0 - 50 * US_PER_S) / (60 * US_PER_S)};
    ck_assert_int_eq(fake_store_component(&fake, &before, "AA1" US "7", "count"), 1);
}
END_TEST

START_TEST(a_row_that_is_too_large_holds_up_no_other) {
    uint64_t unfit;
    for (unsigned worker = 0; worker < LAB_WORKERS; worker++) { /* each alone is below 2^53 */
        const struct lab_event most = {T0, {"AA1", "7", "9007199254740991"}};
        ck_assert_int_eq(lab_add(lab, worker, &most, &unfit), SHARD_COUNTED);
    }
    count_at(T0, "AA2", "5");
    begin_sending();
    ck_assert_int_eq(stored("AA1" US "7", "count"), -1);
    ck_assert_int_eq(stored("AA2" US "7", "sum(seconds)"), 5);
    ck_assert(!rows_unsent(flush));
}
END_TEST

/* ---- what is read back ---- */

static void put(const char *key, int64_t count, int64_t seconds, int64_t first) {
    const struct rows_component component[] = {{"count", ROWS_ADD, count, NULL, 0},
                                               {"sum(seconds)", ROWS_ADD, seconds, NULL, 0},
                                               {"first", ROWS_MIN, first, NULL, 0},
                                               {"last", ROWS_MAX, T0 + 9, NULL, 0}};
    fake_store_put_row(&fake, &minute,
                       &(struct rows_row){key, strlen(key), (uint64_t)count, 4, component});
}

START_TEST(a_lost_state_is_read_back) {
    put("AA1" US "7", 10, 100, T0 - 5);
    put("(other)", 3, 9, T0);
    count_at(T0, "AA1", "30"); /* before the store could be reached */
    begin_sending();
    expect_row(0, "11", "130");
    expect_row(1, "3", "9");
    turn();
    ck_assert_int_eq(stored("AA1" US "7", "count"), 11);
    ck_assert_int_eq(stored("AA1" US "7", "sum(seconds)"), 130);
    ck_assert_int_eq(stored("AA1" US "7", "first"), T0 - 5);
    restart();
    begin_sending();
    turn();
    expect_row(0, "11", "130");
    ck_assert_int_eq(stored("AA1" US "7", "count"), 11);
    restart();
    count_at(T0, "AA1", "1");
    begin_sending();
    turn();
    ck_assert_int_eq(stored("AA1" US "7", "count"), 12);
}
END_TEST

START_TEST(the_first_of_several_starts_is_the_reference) {
    count_at(T0, "AA1", "30"); /* what both have */
    begin_sending();
    put("AA1" US "7", 5, 100, T0); /* an older copy of the file came back: 4 were lost */
    restart();
    count_at(T0, "AA1", "1"); /* and one more, while the store is away */
    fake.away = true;
    flush_turn(flush);
    restart();
    count_at(T0, "AA1", "1");
    fake.away = false;
    begin_sending();
    turn();
    expect_row(0, "7", "102");
    ck_assert_int_eq(stored("AA1" US "7", "count"), 7);
    ck_assert_int_eq(stored("AA1" US "7", "sum(seconds)"), 102);
}
END_TEST

START_TEST(what_was_sent_is_not_read_back_twice) {
    count_at(T0, "AA1", "30");
    begin_sending();
    count_at(T0, "AA1", "1");
    fake.connected = false;
    identity_doubt(flush, NULL);
    turn();
    turn();
    expect_row(0, "2", "31");
    put("AA1" US "7", 9, 90, T0); /* somebody else wrote under this name */
    identity_doubt(flush, NULL);
    turn();
    turn();
    expect_row(0, "9", "90");
    ck_assert_int_eq(stored("AA1" US "7", "count"), 9);
}
END_TEST

START_TEST(another_owners_part_is_read_back_before_it_is_gone_on_with) {
    begin_sending();
    fake.rows_outcome = STORE_FOREIGN;
    put("AA1" US "7", 4, 40, T0);
    count_at(T0, "AA1", "1");
    turn();
    ck_assert_int_ne(flush->state, FLUSH_SENDING);
    fake.rows_outcome = STORE_STORED;
    turn();
    turn();
    ck_assert_int_eq(flush->state, FLUSH_SENDING);
    ck_assert_uint_eq(fake.last_rows.there, 4);
}
END_TEST

/* ---- a copy ---- */

/* Another has the name, and lives: this one takes a name of its own. */
static void become_copy(void) {
    fake.lease = STORE_LEASE_HELD;
    fake.holder = "1 other";
    flush->identity.renewed_us = INT64_MIN / 2;
    turn();
    fake.holder = "2 other";
    fake_clock_advance(US_PER_S);
    turn();
    ck_assert_str_ne(fake.node, "");
    fake.lease = STORE_LEASE_KEPT;
    fake.rows = 0; /* of that name there is nothing */
    for (int i = 0; i < 10; i++) {
        turn();
    }
    ck_assert_int_eq(flush->state, FLUSH_SENDING);
}

START_TEST(a_copy_reports_what_it_counted_since_it_was_opened) {
    count_at(T0, "AA1", "30");
    count_at(T0, "AA1", "30");
    count_at(T0, "AA2", "30");
    begin_sending();
    restart();
    count_at(T0, "AA1", "5"); /* before it knows */
    become_copy();
    ck_assert_int_eq(stored("AA1" US "7", "count"), 1);
    ck_assert_int_eq(stored("AA1" US "7", "sum(seconds)"), 5);
    ck_assert_int_eq(stored("AA2" US "7", "count"), -1);
    count_at(T0, "AA1", "6"); /* and after */
    count_at(T0, "AA3", "7");
    turn();
    ck_assert_int_eq(stored("AA1" US "7", "sum(seconds)"), 11);
    ck_assert_int_eq(stored("AA3" US "7", "sum(seconds)"), 7);
    expect_row(0, "4", "71"); /* what it shows itself is all that it holds */
    restart();                /* it is one still, and its part is its own */
    fake.rows = 0;
    begin_sending();
    turn();
    ck_assert_int_eq(stored("AA1" US "7", "sum(seconds)"), 11);
    ck_assert_int_eq(stored("AA2" US "7", "count"), -1);
    put("AA1" US "7", 4, 40, T0); /* an older copy of its file came back: two more are its own */
    restart();
    begin_sending();
    turn();
    expect_row(0, "6", "100");
    ck_assert_int_eq(stored("AA1" US "7", "sum(seconds)"), 40);
}
END_TEST

START_TEST(a_copy_that_has_sent_leaves_what_the_store_has_to_the_other) {
    count_at(T0, "AA1", "30");
    begin_sending();
    fake.rows_outcome = STORE_FAILED;
    count_at(T0, "AA1", "5");
    count_at(T0, "AA2", "6");
    turn();
    fake.rows_outcome = STORE_STORED;
    become_copy();
    ck_assert_int_eq(stored("AA1" US "7", "count"), 1);
    ck_assert_int_eq(stored("AA1" US "7", "sum(seconds)"), 5);
    ck_assert_int_eq(stored("AA2" US "7", "sum(seconds)"), 6);
}
END_TEST

static const struct check_fixture in_sending_node = {100, setup, teardown};

CHECK_MAIN_WITH(in_sending_node, "rows_pass", rows_that_changed_are_sent_as_absolute_values,
                all_is_sent_again_after_a_reconnect, a_loss_that_an_answer_shows_is_healed,
                a_loss_that_nothing_shows_is_found_within_a_second,
                what_the_store_would_not_take_is_sent_later, a_closed_window_is_not_sent_again,
                late_rows_are_found_by_the_pass_over_all, a_row_that_is_too_large_holds_up_no_other,
                a_lost_state_is_read_back, the_first_of_several_starts_is_the_reference,
                what_was_sent_is_not_read_back_twice,
                another_owners_part_is_read_back_before_it_is_gone_on_with,
                a_copy_reports_what_it_counted_since_it_was_opened,
                a_copy_that_has_sent_leaves_what_the_store_has_to_the_other)
