/* What rows held at one moment, in a file: written, found again, and refused when it is damaged. */
#include "server/flush/rows_reference.h"
#include "tests/unit/check_main.h"
#include "tests/unit/state_dir.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define NAME "billing.0123456789abcdef.reference"
#define ROWS 200

static int dir;
static char why[ROWS_REFERENCE_WHY_MAX];

static void setup(void) {
    state_dir_make();
    dir = open(state_dir, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(dir, 0);
}

static void teardown(void) {
    close(dir);
    state_dir_remove();
}

static void add(struct rows_reference *reference, int64_t width_us, int64_t window, const char *key,
                int64_t count) {
    const struct rows_component component[] = {{"count", ROWS_ADD, count, NULL, 0},
                                               {"min(ms)", ROWS_MIN, -4, NULL, 0},
                                               {"digest:0", ROWS_WRAP, 7 * count, NULL, 0}};
    const struct rows_place place = {"r", "w", width_us, window};
    rows_reference_add(reference, &place,
                       &(struct rows_row){key, strlen(key), (uint64_t)count, 3, component});
}

static const char *find(const struct rows_reference *reference, int64_t width_us, int64_t window,
                        const char *key) {
    return rows_reference_find(reference,
                               &(struct rows_reference_key){width_us, window, key, strlen(key)});
}

/* Rows of two widths, in no order. */
static void fill(struct rows_reference *reference) {
    for (int i = 0; i < ROWS; i++) {
        const int j = i * 37 % ROWS;
        char key[16];
        snprintf(key, sizeof key, "k%d", j / 4);
        add(reference, j % 2 ? 60 : 1, 1000 + j / 2 % 2, key, j + 1);
    }
}

START_TEST(what_was_written_is_found_again) {
    struct rows_reference made = {0}, found;
    bool there = false;
    fill(&made);
    ck_assert_msg(rows_reference_save(&made, dir, NAME, why), "%s", why);
    ck_assert_msg(rows_reference_load(&found, dir, NAME, &there, why), "%s", why);
    ck_assert(there);
    ck_assert_uint_eq(found.n, ROWS);
    for (int j = 0; j < ROWS; j++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", j / 4);
        const char *record = find(&found, j % 2 ? 60 : 1, 1000 + j / 2 % 2, key);
        ck_assert_ptr_nonnull(record);
        ck_assert_uint_eq(rows_reference_events(record), (uint64_t)j + 1);
        ck_assert_int_eq(rows_reference_value(record, "count"), j + 1);
        ck_assert_int_eq(rows_reference_value(record, "digest:0"), 7 * (j + 1));
        ck_assert_int_eq(rows_reference_value(record, "min(ms)"), 0); /* joins need none */
        ck_assert_int_eq(rows_reference_value(record, "coun"), 0);
    }
    ck_assert_ptr_null(find(&found, 60, 1000, "k"));
    ck_assert_ptr_null(find(&found, 60, 1002, "k0"));
    ck_assert_ptr_null(find(&found, 61, 1000, "k0"));
    ck_assert_ptr_null(find(&found, 60, 1000, ""));
    ck_assert_uint_eq(rows_reference_events(NULL), 0);
    ck_assert_int_eq(rows_reference_value(NULL, "count"), 0);
    rows_reference_free(&found);
    rows_reference_free(&made);
    ck_assert(rows_reference_remove(dir, NAME));
    ck_assert(rows_reference_remove(dir, NAME)); /* gone is gone */
    ck_assert(rows_reference_load(&found, dir, NAME, &there, why) && !there && found.n == 0);
}
END_TEST

START_TEST(an_empty_one_is_one) {
    struct rows_reference made = {0}, found;
    bool there = false;
    ck_assert(rows_reference_save(&made, dir, NAME, why));
    ck_assert(rows_reference_load(&found, dir, NAME, &there, why));
    ck_assert(there && found.n == 0);
    ck_assert_ptr_null(find(&found, 60, 1000, "k0"));
    rows_reference_free(&found);
}
END_TEST

START_TEST(a_damaged_one_is_refused_by_its_name) {
    struct rows_reference made = {0}, found;
    unsigned char bytes[4096];
    bool there;
    for (int i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        add(&made, 60, 1000, key, i + 1);
    }
    ck_assert(rows_reference_save(&made, dir, NAME, why));
    rows_reference_free(&made);
    int fd = openat(dir, NAME, O_RDWR);
    const ssize_t size = read(fd, bytes, sizeof bytes);
    ck_assert_int_gt(size, 100);
    for (ssize_t at = 0; at < size; at++) {
        bytes[at] ^= 0x10;
        ck_assert_int_eq(pwrite(fd, &bytes[at], 1, at), 1);
        ck_assert_msg(!rows_reference_load(&found, dir, NAME, &there, why), "byte %zd", at);
        ck_assert(there);
        ck_assert_ptr_nonnull(strstr(why, NAME));
        bytes[at] ^= 0x10;
        ck_assert_int_eq(pwrite(fd, &bytes[at], 1, at), 1);
    }
    ck_assert(rows_reference_load(&found, dir, NAME, &there, why));
    rows_reference_free(&found);
    for (ssize_t cut = size - 1; cut >= 0; cut -= 7) {
        ck_assert_int_eq(ftruncate(fd, cut), 0);
        ck_assert(!rows_reference_load(&found, dir, NAME, &there, why));
    }
    close(fd);
}
END_TEST

START_TEST(what_cannot_be_written_says_why) {
    struct rows_reference made = {0};
    add(&made, 60, 1000, "k", 1);
    ck_assert(!rows_reference_save(&made, -1, NAME, why));
    ck_assert_ptr_nonnull(strstr(why, "Bad file descriptor"));
    made.failed = true;
    ck_assert(!rows_reference_save(&made, dir, NAME, why));
    ck_assert_ptr_nonnull(strstr(why, "out of memory"));
    rows_reference_free(&made);
}
END_TEST

static const struct check_fixture in_directory = {100, setup, teardown};

CHECK_MAIN_WITH(in_directory, "rows_reference", what_was_written_is_found_again,
                an_empty_one_is_one, a_damaged_one_is_refused_by_its_name,
                what_cannot_be_written_says_why)
