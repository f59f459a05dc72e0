/* One thread counts in a table whose circle goes round all the time; others read it. Whatever they
 * are given was true at some moment: a row's three words are of one transaction, its key is the one
 * its state says, and nothing that is not committed is seen. */
#include "tests/unit/counters/rows/rows_fixture.h"

#include <pthread.h>

#define READERS 2
#define SECONDS 400
#define EVENTS_A_SECOND 300
#define KEYS 23

static struct lab lab;
static _Atomic bool done;
static _Atomic int64_t now_us;

/* word 0 counts, word 1 is the sum of key numbers, word 2 is count * key number + second */
static void touch_one(struct undo *undo, unsigned width, int64_t us, int number) {
    char text[80];
    struct table_section *section = table_section(lab.table, 1, width);
    struct table_row row;
    snprintf(text, sizeof text, "%0*d\x1f%d", 20 + number, number, number);
    const struct table_key key = lab_key(lab.table, text);
    const int64_t window = table_window(lab.table->config.width_us[width], us);
    const bool together = number % 2 == 0; /* as reports do it; else word by word */
    ck_assert((together ? table_find_owner : table_touch_owner)(section, undo, window, &key, &row));
    DEMAND(!row.other, "key %d found no room", number);
    const uint64_t count = atomic_load_explicit(&row.state[0], memory_order_relaxed) + 1;
    const uint64_t value[] = {count, count * (uint64_t)number,
                              count * (uint64_t)number + (uint64_t)window};
    struct undo_change change[3];
    for (size_t i = 0; i < 3; i++) {
        change[i] = (struct undo_change){&row.state[i], value[i]};
        if (!together) {
            undo_put_owner(undo, row.file, change[i].at, change[i].value);
        }
    }
    if (together) {
        lab_change(undo, &(const struct table_row *){&row}, 1,
                   &(const struct undo_changes){change, 3});
    }
}

/* Makes a row of a key that nobody may ever see, and takes it back. */
static void change_mind(struct undo *undo, int64_t us) {
    struct table_section *section = table_section(lab.table, 1, 0);
    struct table_row row;
    const uint32_t entries = undo->entries;
    const struct table_key key = lab_key(lab.table, "99\x1f"
                                                    "99");
    table_touch_owner(section, undo, table_window(US_PER_S, us), &key, &row);
    table_put_back_owner(section, undo, entries);
}

static void *write_rows(void *cls) {
    (void)cls;
    struct undo *undo = tables_undo(lab.tables, 1);
    uint64_t random = 1;
    for (int s = 0; s < SECONDS; s++) {
        const int64_t us = T0 + s * US_PER_S;
        set_now(&lab, us);
        for (int i = 0; i < EVENTS_A_SECOND; i++) {
            const int number = 1 + (int)(next_random(&random) % KEYS);
            const int64_t late_us = (int64_t)(next_random(&random) % 3) * US_PER_S;
            undo_begin_owner(undo);
            if (i % 3 == 0) {
                change_mind(undo, us - late_us);
            }
            touch_one(undo, 0, us - late_us, number);
            touch_one(undo, 1, us - late_us, number);
            undo_commit_owner(undo, &(const struct undo_count){0, 0, 0});
        }
        atomic_store(&now_us, us);
    }
    atomic_store(&done, true);
    return NULL;
}

struct looked {
    int64_t window;
    uint64_t rows, count;
};

static bool check_copy(void *cls, const struct table_copy *copy) {
    struct looked *looked = cls;
    const uint64_t number = copy->key ? strtoull(copy->key, NULL, 10) : 0;
    DEMAND(copy->key && number >= 1 && number <= KEYS, "a key that nobody made");
    DEMAND(copy->key_len == 21 + number + (number > 9 ? 2 : 1), "key %llu has %zu bytes",
           (unsigned long long)number, copy->key_len);
    DEMAND(copy->state[1] == copy->state[0] * number, "row of %llu: %llu, %llu",
           (unsigned long long)number, (unsigned long long)copy->state[0],
           (unsigned long long)copy->state[1]);
    DEMAND(copy->state[2] == copy->state[1] + (uint64_t)looked->window,
           "row of %llu in window %lld: %llu, %llu", (unsigned long long)number,
           (long long)looked->window, (unsigned long long)copy->state[1],
           (unsigned long long)copy->state[2]);
    looked->rows++;
    looked->count += copy->state[0];
    return true;
}

static struct looked look(unsigned width, int64_t window) {
    struct looked looked = {.window = window};
    const struct table_taker taker = {check_copy, &looked};
    ck_assert(table_read(lab.table, width, window, &taker));
    return looked;
}

/* What the flush relies on: a window whose `touched` stays the same stays the same. True when it
 * could be seen. */
static bool look_twice(unsigned width, int64_t window, uint64_t *rows) {
    const uint64_t first = table_touched(lab.table, 1, width, window);
    const struct looked one = look(width, window);
    const uint64_t second = table_touched(lab.table, 1, width, window);
    const struct looked other = look(width, window);
    const uint64_t third = table_touched(lab.table, 1, width, window);
    *rows += one.rows;
    if (first == 0 || first != second || second != third) {
        return false;
    }
    DEMAND(one.rows == other.rows && one.count == other.count,
           "window %lld, touched %llu: %llu events in %llu rows, then %llu in %llu",
           (long long)window, (unsigned long long)first, (unsigned long long)one.count,
           (unsigned long long)one.rows, (unsigned long long)other.count,
           (unsigned long long)other.rows);
    return true;
}

struct reader {
    pthread_t thread;
    uint64_t rows, alike;
};

static void *read_rows(void *cls) {
    struct reader *reader = cls;
    while (!atomic_load(&done)) {
        for (unsigned width = 0; width < 2; width++) {
            int64_t oldest, newest;
            if (!table_span_windows(lab.table, width, &oldest, &newest)) {
                continue;
            }
            for (int64_t window = oldest; window <= newest; window++) {
                reader->alike += look_twice(width, window, &reader->rows);
            }
        }
    }
    return NULL;
}

START_TEST(readers_see_only_what_was) {
    struct table_config config = lab_config("threads");
    const struct table_span span = {1, LAB_HORIZON_US, 0};
    config.memory = table_bytes_min(&config, &span) + (120 << 10);
    lab = lab_open(1, &config);
    pthread_t writer;
    struct reader reader[READERS] = {0};
    atomic_store(&now_us, T0);
    for (int i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_create(&reader[i].thread, NULL, read_rows, &reader[i]), 0);
    }
    ck_assert_int_eq(pthread_create(&writer, NULL, write_rows, NULL), 0);
    pthread_join(writer, NULL);
    for (int i = 0; i < READERS; i++) {
        pthread_join(reader[i].thread, NULL);
        ck_assert_uint_gt(reader[i].rows, 100);
        ck_assert_uint_gt(reader[i].alike, 10);
    }
    const struct section_page *page = table_section(lab.table, 1, 0)->page;
    ck_assert_uint_gt(atomic_load(&page->retired), 3000); /* it did go round */
    table_must_verify(lab.table);
    lab_close(&lab);
}
END_TEST

CHECK_MAIN_WITH(in_state_dir, "rows_threads", readers_see_only_what_was)
