/* Files of rows of every format that was ever released are read, and counted on in. */
#include "tests/formats/rows_v1.h"
#include "tests/unit/counters/rows/rows_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#define US "\x1f"

static void put_file(const char *fixture, const char *name) {
    static unsigned char bytes[1 << 20];
    char path[PATH_MAX_TEST];
    int fd = open(fixture, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    const ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    state_path(name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert(n > 0 && fd >= 0 && write(fd, bytes, (size_t)n) == n);
    close(fd);
}

static void must_hold(const struct table *table) {
    static const struct {
        unsigned width;
        int64_t us;
        struct seen is;
    } rows[] = {
        {0, ROWS_V1_US, {.key = "AA1" US "x", .count = 2, .sum = 11}},
        {0, ROWS_V1_US, {.key = "AA1" US "y", .count = 1, .sum = 7}},
        {0, ROWS_V1_US, {.key = "AA1" US "(other)", .count = 1, .sum = 8}},
        {0, ROWS_V1_US, {.key = "BB2" US "(other)", .count = 1, .sum = 9}},
        {0, ROWS_V1_US, {.base = true, .count = 1, .sum = 10}},
        {0, ROWS_V1_US + US_PER_S, {.key = "AA1" US "x", .count = 1, .sum = 11}},
        {1, ROWS_V1_US, {.key = "AA1" US "x", .count = 3, .sum = 22}},
        {1, ROWS_V1_US, {.base = true, .count = 1, .sum = 10}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct seen which = {.key = rows[i].is.key, .base = rows[i].is.base};
        const struct seen seen = lab_read(table, rows[i].width, rows[i].us, &which);
        ck_assert_uint_eq(seen.rows, 1);
        ck_assert_uint_eq(seen.count, rows[i].is.count);
        ck_assert_uint_eq(seen.sum, rows[i].is.sum);
    }
}

START_TEST(format_version_1_is_read) {
    struct counters_config config = tiny_config(1);
    char path[PATH_MAX_TEST];
    state_path("reports", path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    put_file(AFORO_TESTS_FORMATS "/rows_v1.aforo", "reports/fixture.00112233aabbccdd.aforo");
    put_file(AFORO_TESTS_FORMATS "/undo_v1.aforo", "reports/" UNDO_FILE_NAME);
    config.node_id = "fixture";
    struct lab lab = {.counters = open_or_fail(&config)};
    uint64_t repaired = 0;
    lab.tables = tables_or_fail(lab.counters, 1, &repaired);
    ck_assert_uint_eq(repaired, 0);
    ck_assert_uint_eq(tables_count(lab.tables), 1);
    lab.table = tables_at(lab.tables, 0);
    must_hold(lab.table);
    const struct table_config of = rows_v1_config();
    ck_assert_ptr_eq(table_or_fail(lab.tables, &of), lab.table);
    struct table_status status;
    table_status(lab.table, &status);
    ck_assert_uint_eq(status.rows, 4 + 1 + 4);
    ck_assert_uint_eq(status.other, 3);
    set_now(&lab, ROWS_V1_US + US_PER_S);
    ck_assert(count_event(&lab, ROWS_V1_US + US_PER_S, "AA1" US "x", 1));
    table_must_verify(lab.table);
    lab_close(&lab);
}
END_TEST

CHECK_MAIN_WITH(in_state_dir, "rows_format", format_version_1_is_read)
