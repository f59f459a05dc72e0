/* Rows of a table: made, found, read, kept over a restart, let go in a circle. */
#include "tests/unit/counters/rows/rows_fixture.h"

#define US "\x1f"

static void count_many(const struct lab *lab, int64_t us, int keys, int times) {
    char text[32];
    for (int n = 0; n < times; n++) {
        for (int i = 0; i < keys; i++) {
            snprintf(text, sizeof text, "AA%d" US "%d", i, i % 7);
            DEMAND(count_event(lab, us, text, (uint64_t)i), "event %d has no window", i);
        }
    }
}

START_TEST(rows_are_found_again) {
    const struct table_config config = lab_config("billing");
    struct lab lab = lab_open(1, &config);
    set_now(&lab, T0);
    count_many(&lab, T0, 100, 3);
    const struct seen all = lab_read(lab.table, 0, T0, &(const struct seen){0});
    ck_assert_uint_eq(all.rows, 100);
    ck_assert_uint_eq(all.count, 300);
    ck_assert_uint_eq(all.sum, 3 * 99 * 50);
    const struct seen one = lab_read(lab.table, 1, T0, &(const struct seen){.key = "AA5" US "5"});
    ck_assert_uint_eq(one.rows, 1);
    ck_assert_uint_eq(one.count, 3);
    ck_assert_uint_eq(one.sum, 15);
    table_must_verify(lab.table);
    lab_close(&lab);
}
END_TEST

START_TEST(rows_outlive_a_restart) {
    const struct table_config config = lab_config("billing");
    struct lab lab = lab_open(1, &config);
    set_now(&lab, T0);
    count_many(&lab, T0, 100, 1);
    lab_close(&lab);
    lab = lab_open(3, &config);
    ck_assert_uint_eq(tables_count(lab.tables), 1);
    table_must_verify(lab.table);
    set_now(&lab, T0);
    count_many(&lab, T0, 100, 1);
    ck_assert_uint_eq(table_workers(lab.table), 4);
    const struct seen all = lab_read(lab.table, 1, T0, &(const struct seen){0});
    ck_assert_uint_eq(all.rows, 100);
    ck_assert_uint_eq(all.count, 200);
    table_must_verify(lab.table);
    lab_close(&lab);
}
END_TEST

START_TEST(base_rows_need_no_keys) {
    struct table_config config = lab_config("all");
    config.keyed = false;
    config.fields = 0;
    struct lab lab = lab_open(1, &config);
    set_now(&lab, T0);
    for (int i = 0; i < 10; i++) {
        ck_assert(count_event(&lab, T0 + i * US_PER_S, NULL, 1));
    }
    const struct seen minute = lab_read(lab.table, 1, T0, &(const struct seen){.base = true});
    ck_assert_uint_eq(minute.rows, 1);
    ck_assert_uint_eq(minute.count, 10);
    table_must_verify(lab.table);
    lab_close(&lab);
}
END_TEST

START_TEST(the_circle_lets_go_of_what_is_over) {
    struct table_config config = lab_config("circle");
    config.memory = 0;
    char why[COUNTERS_WHY_MAX];
    const struct table_span span = {1, LAB_HORIZON_US, 0};
    config.memory = table_bytes_min(&config, &span);
    struct lab lab = lab_open(1, &config);
    uint64_t counted = 0;
    for (int s = 0; s < 600; s++) {
        const int64_t us = T0 + s * US_PER_S;
        set_now(&lab, us);
        for (int i = 0; i < 40; i++) {
            char text[64];
            snprintf(text, sizeof text, "%0*d" US "%d", 3 + i, s, i);
            ck_assert(count_event(&lab, us, text, 1));
            counted++;
        }
        DEMAND(table_verify(lab.table, why), "%s", why);
        const struct seen all = lab_read(lab.table, 0, us, &(const struct seen){0});
        ck_assert_uint_eq(all.count, 40);
    }
    struct table_status status;
    table_status(lab.table, &status);
    ck_assert_uint_gt(status.rows, 0);
    int64_t oldest, newest;
    ck_assert(table_span_windows(lab.table, 0, &oldest, &newest));
    ck_assert_int_eq(newest, T0 / US_PER_S + 599);
    ck_assert_int_gt(oldest, T0 / US_PER_S + 500);
    lab_close(&lab);
}
END_TEST

START_TEST(keys_without_room_are_other) {
    struct table_config config = lab_config("other");
    config.keys_max = 50;
    struct lab lab = lab_open(1, &config);
    set_now(&lab, T0);
    count_many(&lab, T0, 2000, 2);
    const struct seen all = lab_read(lab.table, 1, T0, &(const struct seen){0}),
                      base = lab_read(lab.table, 1, T0, &(const struct seen){.base = true});
    ck_assert_uint_eq(all.count, 4000);
    ck_assert_uint_eq(all.rows, 51);
    ck_assert_uint_eq(base.count, 3900);
    struct table_status status;
    table_status(lab.table, &status);
    ck_assert_uint_eq(status.other, 3900);
    ck_assert_uint_gt(status.keys_wanted, 1800);
    ck_assert_uint_lt(status.keys_wanted, 2200);
    table_must_verify(lab.table);
    lab_close(&lab);
}
END_TEST

/* Counts so many keys in each window for twice as long as the table keeps them. */
static uint64_t count_other(const struct table_config *config, int64_t keys) {
    struct table_status status;
    struct lab lab = lab_open(1, config);
    for (int64_t us = T0; us < T0 + 2 * LAB_HORIZON_US; us += US_PER_S) {
        set_now(&lab, us);
        for (int64_t i = 0; i < keys; i++) {
            char text[32];
            snprintf(text, sizeof text, "%07lld" US "%08lld", (long long)i,
                     (long long)(us / US_PER_S % 100000000));
            ck_assert_uint_eq(strlen(text), 16);
            ck_assert(count_event(&lab, us, text, 1));
        }
    }
    table_status(lab.table, &status);
    lab_close(&lab);
    state_dir_remove();
    state_dir_make();
    return status.other;
}

START_TEST(so_many_keys_have_room_in_each_window) {
    struct table_config config = lab_config("room");
    const struct table_span span = {1, LAB_HORIZON_US, 0};
    config.widths = 1;
    config.memory = table_bytes_min(&config, &span) + (64 << 10);
    const int64_t keys = table_window_rows(&config, &span, 0, 16);
    ck_assert_int_gt(keys, 10);
    ck_assert_uint_eq(count_other(&config, keys), 0);
    ck_assert_uint_gt(count_other(&config, 2 * keys), 0);
}
END_TEST

START_TEST(values_beyond_a_fields_most_are_other) {
    struct table_config config = lab_config("fields");
    config.field_max[1] = 3;
    struct lab lab = lab_open(1, &config);
    set_now(&lab, T0);
    count_many(&lab, T0, 70, 2);
    const struct seen all = lab_read(lab.table, 1, T0, &(const struct seen){0});
    ck_assert_uint_eq(all.count, 140);
    ck_assert_uint_eq(all.rows, 70); /* the first field still tells them apart */
    const struct seen other =
        lab_read(lab.table, 1, T0, &(const struct seen){.key = "AA3" US "(other)"});
    ck_assert_uint_eq(other.count, 2);
    const struct seen kept = lab_read(lab.table, 1, T0, &(const struct seen){.key = "AA2" US "2"});
    ck_assert_uint_eq(kept.count, 2);
    table_must_verify(lab.table);
    lab_close(&lab);
}
END_TEST

/* One event in the row of a key in width 0, in the row that was kept when it still is the key's. */
static bool count_at(const struct lab *lab, int64_t us, const struct table_key *key,
                     struct table_row *kept) {
    struct undo *undo = tables_undo(lab->tables, 1);
    struct table_section *section = table_section(lab->table, 1, 0);
    struct table_row found;
    const struct table_row *row = kept;
    undo_begin_owner(undo);
    const bool again = table_find_again_owner(section, undo, kept, key->hash);
    if (!again) {
        const int64_t window = table_window(lab->table->config.width_us[0], us);
        ck_assert(table_find_owner(section, undo, window, key, &found));
        row = &found;
    }
    struct undo_change change = {&row->state[0], atomic_load(&row->state[0]) + 1};
    lab_change(undo, &row, 1, &(const struct undo_changes){&change, 1});
    undo_commit_owner(undo, &(const struct undo_count){0, 0, 0});
    if (!again) {
        table_keep_row(&found, kept);
        ck_assert(kept->other == !kept->touched && !kept->made);
    }
    return again;
}

static void expect_count(const struct lab *lab, int64_t us, const char *key, uint64_t count) {
    ck_assert_uint_eq(lab_read(lab->table, 0, us, &(const struct seen){.key = key}).count, count);
}

START_TEST(a_place_leads_to_its_row) {
    struct table_config config = lab_config("places");
    config.field_max[1] = 1;
    config.keys_max = 3;
    struct lab lab = lab_open(1, &config);
    set_now(&lab, T0);
    const char *const text[] = {"AA1" US "1", "AA1" US "2", "AA2" US "1", "AA3" US "1"};
    const char *const row[] = {"AA1" US "1", "AA1" US "(other)", "AA2" US "1", NULL};
    struct table_row place[4] = {0};
    for (unsigned i = 0; i < 4; i++) {
        const struct table_key key = lab_key(lab.table, text[i]);
        ck_assert(!count_at(&lab, T0, &key, &place[i]));
        ck_assert_int_eq(place[i].refused, i % 2);
    }
    for (unsigned i = 0; i < 4; i++) {
        const struct table_key key = lab_key(lab.table, text[i]);
        ck_assert(count_at(&lab, T0, &key, &place[i]));
        if (row[i])
            expect_count(&lab, T0, row[i], 2);
    }
    ck_assert_uint_eq(lab_read(lab.table, 0, T0, &(const struct seen){0}).count, 8);
    struct table_status status;
    table_status(lab.table, &status);
    ck_assert_uint_eq(status.other, 4);
    /* another window is made ready: all is looked for once more */
    const struct table_key first = lab_key(lab.table, text[0]);
    struct table_row next = {0};
    ck_assert(!count_at(&lab, T0 + US_PER_S, &first, &next));
    ck_assert(!count_at(&lab, T0, &first, &place[0]));
    ck_assert(count_at(&lab, T0, &first, &place[0]));
    expect_count(&lab, T0, row[0], 4);
    table_must_verify(lab.table);
    lab_close(&lab);
}
END_TEST

CHECK_MAIN_WITH(in_state_dir, "table", a_place_leads_to_its_row, rows_are_found_again,
                rows_outlive_a_restart, base_rows_need_no_keys, the_circle_lets_go_of_what_is_over,
                keys_without_room_are_other, so_many_keys_have_room_in_each_window,
                values_beyond_a_fields_most_are_other)
