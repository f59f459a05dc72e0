/* The folder reports/: made, opened again, refused, read beside a server, mended after a power
 * loss, and tables removed from it. */
#include "tests/unit/counters/rows/rows_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define US "\x1f"
#define TABLE_FILE "reports/billing.0123456789abcdef.aforo"
#define BYTES_MAX (8 << 20)

static struct table_config billing(void) {
    struct table_config config = lab_config("billing");
    const struct table_span span = {1, LAB_HORIZON_US, 0};
    config.memory = table_bytes_min(&config, &span) + (256 << 10);
    return config;
}

static void count_some(const struct lab *lab, int64_t us, int n) {
    char text[32];
    set_now(lab, us);
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "AA%d" US "%d", i % 97, i % 7);
        DEMAND(count_event(lab, us - i % 5 * US_PER_S, text, 1), "event %d has no window", i);
    }
}

static void make_billing(int events) {
    const struct table_config config = billing();
    struct lab lab = lab_open(1, &config);
    count_some(&lab, T0, events);
    lab_close(&lab);
}

static size_t load_file(const char *name, unsigned char *bytes) {
    char path[PATH_MAX_TEST];
    state_path(name, path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    const ssize_t n = read(fd, bytes, BYTES_MAX);
    ck_assert_int_gt(n, 0);
    close(fd);
    return (size_t)n;
}

static void store_file(const char *name, const unsigned char *bytes, size_t n) {
    char path[PATH_MAX_TEST];
    state_path(name, path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
}

/* Opens the folder; it must be refused in a sentence with these words. */
static void must_refuse(const char *what, const char *another) {
    char why[COUNTERS_WHY_MAX] = "";
    const struct counters_config config = lab_counters(1);
    struct counters *counters = open_or_fail(&config);
    struct tables *tables = tables_open(counters, 1, true, NULL, NULL, why);
    DEMAND(tables == NULL, "it was taken");
    DEMAND(strstr(why, what) && strstr(why, another) && strstr(why, state_dir),
           "\"%s\" does not say %s, %s", why, what, another);
    counters_close(counters);
}

START_TEST(no_folder_is_no_mistake) {
    const struct counters_config config = lab_counters(1);
    struct counters *counters = open_or_fail(&config);
    char why[COUNTERS_WHY_MAX] = "";
    bool none = false;
    ck_assert_ptr_null(tables_open(counters, 1, false, &none, NULL, why));
    ck_assert(none);
    ck_assert_ptr_null(tables_open(counters, 1, false, NULL, NULL, why));
    ck_assert_ptr_nonnull(strstr(why, "no such folder"));
    none = false;
    ck_assert_ptr_null(tables_open_readonly(state_dir, &none, why));
    ck_assert(none);
    ck_assert_ptr_null(tables_open_readonly("/nowhere/at/all", &none, why));
    ck_assert(!none);
    counters_close(counters);
}
END_TEST

START_TEST(it_is_read_while_a_server_counts) {
    const struct table_config config = billing();
    struct lab lab = lab_open(1, &config);
    count_some(&lab, T0, 1000);
    bool none;
    char why[COUNTERS_WHY_MAX] = "";
    struct tables *reader = tables_open_readonly(state_dir, &none, why);
    ck_assert_msg(reader != NULL, "%s", why);
    ck_assert_uint_eq(tables_count(reader), 1);
    const struct table *table = tables_at(reader, 0);
    ck_assert_str_eq(table_config(table)->name, "billing");
    ck_assert_str_eq(table_config(table)->definition, "name: lab");
    ck_assert_uint_eq(lab_read(table, 1, T0, &(const struct seen){0}).count, 1000);
    count_some(&lab, T0, 500);
    ck_assert_uint_eq(lab_read(table, 1, T0, &(const struct seen){0}).count, 1500);
    tables_close(reader);
    lab_close(&lab);
}
END_TEST

/* An open transaction is not seen by readers, and a killed server's neither. */
START_TEST(what_is_open_is_not_seen) {
    const struct table_config config = billing();
    struct lab lab = lab_open(1, &config);
    count_some(&lab, T0, 1000);
    struct undo *undo = tables_undo(lab.tables, 1);
    undo_begin_owner(undo);
    ck_assert(touch_width(table_section(lab.table, 1, 1), undo, T0, "AA1" US "1", 5));
    ck_assert(touch_width(table_section(lab.table, 1, 1), undo, T0, "new" US "key", 5));
    bool none;
    char why[COUNTERS_WHY_MAX] = "";
    struct tables *reader = tables_open_readonly(state_dir, &none, why);
    ck_assert_msg(reader != NULL, "%s", why);
    const struct seen all = lab_read(tables_at(reader, 0), 1, T0, &(const struct seen){0});
    ck_assert_uint_eq(all.count, 1000);
    ck_assert_uint_eq(all.sum, 1000);
    tables_close(reader);
    const uint64_t before = table_touched(lab.table, 1, 1, T0 / (60 * US_PER_S));
    undo_commit_owner(undo, &(const struct undo_count){0, 0, 0});
    ck_assert_uint_gt(table_touched(lab.table, 1, 1, T0 / (60 * US_PER_S)), before);
    ck_assert_uint_eq(lab_read(lab.table, 1, T0, &(const struct seen){0}).count, 1002);
    lab_close(&lab);
}
END_TEST

START_TEST(another_definition_is_refused) {
    make_billing(10);
    struct table_config config = billing();
    const struct counters_config counters = lab_counters(1);
    struct lab lab = {.counters = open_or_fail(&counters)};
    lab.tables = tables_or_fail(lab.counters, 1, NULL);
    char why[COUNTERS_WHY_MAX] = "";
    config.keys_max++;
    ck_assert_ptr_null(tables_get(lab.tables, &config, why));
    ck_assert_ptr_nonnull(strstr(why, "was made for other"));
    snprintf(config.digest, sizeof config.digest, "fedcba9876543210");
    ck_assert_ptr_nonnull(tables_get(lab.tables, &config, why));
    ck_assert_uint_eq(tables_count(lab.tables), 2);
    config.memory = 1000;
    snprintf(config.digest, sizeof config.digest, "fedcba9876543211");
    ck_assert_ptr_null(tables_get(lab.tables, &config, why));
    ck_assert_msg(strstr(why, "needs memory of"), "%s", why);
    lab_close(&lab);
}
END_TEST

/* The default memory depends on the number of workers, and that may change with each start. */
START_TEST(a_file_keeps_the_memory_it_was_made_with) {
    static const unsigned workers[] = {2, 3, 1, 4};
    struct table_config config = billing();
    const int64_t made = config.memory;
    for (unsigned i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        const struct counters_config counters = lab_counters(workers[i]);
        struct lab lab = {.counters = open_or_fail(&counters)};
        char why[COUNTERS_WHY_MAX] = "";
        lab.tables = tables_or_fail(lab.counters, workers[i], NULL);
        config.memory = made + ((int64_t)i << 20);
        lab.table = tables_get(lab.tables, &config, why);
        ck_assert_msg(lab.table != NULL, "%s", why);
        ck_assert_uint_eq(tables_count(lab.tables), 1);
        ck_assert_int_eq(table_config(lab.table)->memory, made);
        ck_assert_uint_ge(table_workers(lab.table), workers[i] + 1);
        struct undo *undo = tables_undo(lab.tables, workers[i]); /* the last one's section */
        undo_begin_owner(undo);
        ck_assert(touch_width(table_section(lab.table, workers[i], 1), undo, T0, "AA1" US "1", 5));
        undo_commit_owner(undo, &(const struct undo_count){0, 0, 0});
        ck_assert_uint_eq(lab_read(lab.table, 1, T0, &(const struct seen){0}).count, i + 1);
        ck_assert_msg(table_verify(lab.table, why), "%s", why);
        lab_close(&lab);
    }
}
END_TEST

START_TEST(damage_is_refused) {
    static unsigned char bytes[BYTES_MAX];
    make_billing(1000);
    const size_t n = load_file(TABLE_FILE, bytes);
    const struct {
        size_t at;
        const char *says;
    } flips[] = {{0, "is not a file of rows"},
                 {8, "format version"},
                 {24, "header is damaged"},
                 {TABLE_PAGE + 3, "definition is damaged"}};
    for (size_t i = 0; i < sizeof flips / sizeof flips[0]; i++) {
        bytes[flips[i].at] ^= 4;
        store_file(TABLE_FILE, bytes, n);
        bytes[flips[i].at] ^= 4;
        must_refuse(TABLE_FILE, flips[i].says);
    }
    store_file(TABLE_FILE, bytes, n / 2);
    must_refuse(TABLE_FILE, "is truncated");
    store_file(TABLE_FILE, bytes, 5);
    must_refuse(TABLE_FILE, "is not a file of rows");
    store_file("reports/copy.0123456789abcdef.aforo", bytes, n);
    store_file(TABLE_FILE, bytes, n);
    must_refuse("has the number of", "move one of them away");
}
END_TEST

/* Flips one bit in each word that is not zero: each is found, or changes nothing that is read but
 * that row's own figures (which nothing says twice). */
START_TEST(flipped_bits_in_rows_are_refused) {
    static unsigned char bytes[BYTES_MAX];
    make_billing(300);
    const size_t n = load_file(TABLE_FILE, bytes);
    const struct table_header *header = (const void *)bytes;
    const size_t first = table_header_bytes(header) + table_writer_bytes(header);
    uint64_t flipped = 0, refused = 0;
    const struct counters_config config = lab_counters(1);
    struct counters *counters = open_or_fail(&config);
    for (size_t at = first / 8; at < n / 8; at++) {
        uint64_t value;
        memcpy(&value, bytes + at * 8, 8);
        if (value == 0 || flipped > CHECK_TURNS(20000)) {
            continue;
        }
        value ^= 1;
        memcpy(bytes + at * 8, &value, 8);
        store_file(TABLE_FILE, bytes, n);
        value ^= 1;
        memcpy(bytes + at * 8, &value, 8);
        char why[COUNTERS_WHY_MAX] = "";
        struct tables *tables = tables_open(counters, 1, true, NULL, NULL, why);
        flipped++;
        refused += tables == NULL;
        if (tables) {
            ck_assert_uint_eq(lab_read(tables_at(tables, 0), 1, T0, &(const struct seen){0}).count,
                              300);
        }
        tables_close(tables);
    }
    counters_close(counters);
    ck_assert_uint_gt(flipped, 1000);
    ck_assert_uint_gt(refused, flipped / 2);
}
END_TEST

START_TEST(a_file_too_long_for_the_limit_is_refused) {
    const struct counters_config config = lab_counters(1);
    struct lab lab = {.counters = open_or_fail(&config)};
    lab.tables = tables_or_fail(lab.counters, 1, NULL);
    const struct rlimit limit = {1 << 20, 1 << 20};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    char why[COUNTERS_WHY_MAX] = "";
    const struct table_config big = lab_config("big");
    ck_assert_ptr_null(tables_get(lab.tables, &big, why));
    ck_assert_msg(strstr(why, "cannot reserve") && strstr(why, "less memory"), "%s", why);
    char path[PATH_MAX_TEST];
    state_path("reports/big.0123456789abcdef.aforo.new", path);
    ck_assert_int_ne(access(path, F_OK), 0);
    lab_close(&lab);
}
END_TEST

START_TEST(a_table_is_removed_when_it_is_over) {
    const struct table_config config = billing();
    struct lab lab = lab_open(1, &config);
    char path[PATH_MAX_TEST];
    state_path(TABLE_FILE, path);
    count_some(&lab, T0, 10);
    ck_assert(!tables_remove(lab.tables, lab.table, T0 + LAB_HORIZON_US));
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert(tables_remove(lab.tables, lab.table, T0 + 60 * US_PER_S + 2 * LAB_HORIZON_US));
    ck_assert(table_is_removed(lab.table));
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_uint_eq(lab_read(lab.table, 1, T0, &(const struct seen){0}).count, 10);
    struct table *again = table_or_fail(lab.tables, &config);
    ck_assert_ptr_ne(again, lab.table);
    ck_assert_uint_eq(lab_read(again, 1, T0, &(const struct seen){0}).count, 0);
    ck_assert(tables_sync(lab.tables));
    lab_close(&lab);
}
END_TEST

/* ---- power loss ---- */

/* Makes the folder look as if the machine had gone down. */
static void lose_power(void) {
    static unsigned char bytes[BYTES_MAX];
    const size_t n = load_file("reports/" UNDO_FILE_NAME, bytes);
    struct undo_map undo = {.header = *(const struct undo_header *)(const void *)bytes};
    char path[PATH_MAX_TEST], why[COUNTERS_WHY_MAX];
    memset(undo.header.boot, 'x', BOOT_ID_MAX - 1);
    undo.header.clean = 0;
    store_file("reports/" UNDO_FILE_NAME, bytes, n);
    state_path("reports/" UNDO_FILE_NAME, path);
    undo.fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert(undo_write_header(&undo, why));
    close(undo.fd);
}

START_TEST(after_a_power_loss_all_that_is_whole_is_there) {
    make_billing(1000);
    lose_power();
    const struct table_config config = billing();
    struct lab lab = lab_open(1, &config);
    ck_assert_uint_eq(lab_read(lab.table, 1, T0, &(const struct seen){0}).count, 1000);
    for (int i = 0; i < 5; i++) {
        ck_assert_uint_eq(lab_read(lab.table, 0, T0 - i * US_PER_S, &(const struct seen){0}).count,
                          200);
    }
    table_must_verify(lab.table);
    ck_assert_uint_gt(tables_undo(lab.tables, 1)->sequence, UINT64_C(1) << 20);
    count_some(&lab, T0, 1000);
    ck_assert_uint_eq(lab_read(lab.table, 1, T0, &(const struct seen){0}).count, 2000);
    table_must_verify(lab.table);
    lab_close(&lab);
}
END_TEST

/* Each page of the file is as it was at one of three moments. */
START_TEST(after_a_power_loss_pages_are_of_different_moments) {
    static unsigned char moment[3][BYTES_MAX], torn[BYTES_MAX];
    const struct table_config config = billing();
    uint64_t random = 20261121, whole = 0;
    size_t n = 0;
    for (int i = 0; i < 3; i++) {
        struct lab lab = lab_open(1, &config);
        for (int s = 40 * i - 39; i > 0 && s < 40 * i; s++) {
            count_some(&lab, T0 + s * US_PER_S, 1000);
        }
        count_some(&lab, T0 + 40 * i * US_PER_S, 200 * i);
        lab_close(&lab);
        n = load_file(TABLE_FILE, moment[i]);
    }
    for (int round = 0; round < CHECK_TURNS(300); round++) {
        memcpy(torn, moment[2], n);
        for (size_t page = TABLE_PAGE * 2; page < n; page += TABLE_PAGE) {
            const uint64_t which = next_random(&random) % 16;
            if (which < 3) {
                memcpy(torn + page, moment[which] + page, TABLE_PAGE);
            } else if (which == 3) {
                memset(torn + page, 0, TABLE_PAGE);
            }
        }
        store_file(TABLE_FILE, torn, n);
        lose_power();
        struct lab lab = lab_open(1, &config); /* verifies, or refuses */
        const struct seen seen =
            lab_read(lab.table, 0, T0 + 80 * US_PER_S, &(const struct seen){0});
        ck_assert_uint_le(seen.count, 2000);
        whole += seen.count;
        count_some(&lab, T0 + 80 * US_PER_S, 100);
        table_must_verify(lab.table);
        lab_close(&lab);
    }
    ck_assert_uint_gt(whole, 0);
}
END_TEST

START_TEST(without_its_undo_file_it_is_as_after_a_power_loss) {
    make_billing(1000);
    char path[PATH_MAX_TEST];
    state_path("reports/" UNDO_FILE_NAME, path);
    ck_assert_int_eq(unlink(path), 0);
    const struct table_config config = billing();
    struct lab lab = lab_open(1, &config);
    ck_assert_uint_eq(lab_read(lab.table, 1, T0, &(const struct seen){0}).count, 1000);
    lab_close(&lab);
}
END_TEST

/* ---- backup ---- */

static void must_be_alike(const struct table *one, const struct table *other, unsigned width,
                          int64_t us) {
    char text[32];
    for (int i = 0; i < 97; i++) {
        for (int n = 0; n < 7; n++) {
            snprintf(text, sizeof text, "AA%d" US "%d", i, n);
            const struct seen wanted = {.key = text};
            const struct seen a = lab_read(one, width, us, &wanted),
                              b = lab_read(other, width, us, &wanted);
            DEMAND(a.rows == b.rows && a.count == b.count && a.sum == b.sum, "%s: %llu and %llu",
                   text, (unsigned long long)a.count, (unsigned long long)b.count);
        }
    }
    const struct seen a = lab_read(one, width, us, &(const struct seen){0}),
                      b = lab_read(other, width, us, &(const struct seen){0});
    ck_assert(a.rows == b.rows && a.count == b.count);
    ck_assert_uint_gt(a.count, 0);
}

START_TEST(a_backup_has_every_row) {
    struct table_config config = billing();
    config.field_max[1] = 5;
    config.keys_max = 300;
    struct lab lab = lab_open(1, &config);
    for (int s = 0; s < 30; s++) {
        count_some(&lab, T0 + s * US_PER_S, 1000);
    }
    char to[PATH_MAX_TEST], why[COUNTERS_WHY_MAX] = "";
    state_path("copy", to);
    store_file("reports/billing.0123456789abcdef.others-n1", (const unsigned char *)"others", 6);
    store_file("reports/billing.0123456789abcdef.others-n2.new", (const unsigned char *)"half", 4);
    ck_assert_msg(counters_backup(state_dir, to, why) && tables_backup(state_dir, to, why), "%s",
                  why);
    ck_assert(!tables_backup(state_dir, to, why));
    ck_assert_msg(strstr(why, "copy/reports"), "%s", why);
    static unsigned char bytes[BYTES_MAX];
    ck_assert_uint_eq(load_file("copy/reports/billing.0123456789abcdef.others-n1", bytes), 6);
    char path[PATH_MAX_TEST];
    state_path("copy/reports/billing.0123456789abcdef.others-n2.new", path);
    ck_assert_int_ne(access(path, F_OK), 0);
    struct counters_config counters = lab_counters(1);
    counters.dir = to;
    struct lab copy = {.counters = open_or_fail(&counters)};
    copy.tables = tables_or_fail(copy.counters, 1, NULL);
    copy.table = table_or_fail(copy.tables, &config);
    for (int s = 29; s > 20; s--) {
        must_be_alike(lab.table, copy.table, 0, T0 + s * US_PER_S);
    }
    must_be_alike(lab.table, copy.table, 1, T0 + 29 * US_PER_S);
    count_some(&lab, T0 + 30 * US_PER_S, 1000);
    count_some(&copy, T0 + 30 * US_PER_S, 1000);
    must_be_alike(lab.table, copy.table, 1, T0 + 29 * US_PER_S);
    table_must_verify(copy.table);
    lab_close(&copy);
    lab_close(&lab);
}
END_TEST

START_TEST(a_backup_without_reports_has_none) {
    const struct counters_config config = lab_counters(1);
    counters_close(open_or_fail(&config));
    char to[PATH_MAX_TEST], why[COUNTERS_WHY_MAX] = "";
    state_path("copy", to);
    ck_assert(counters_backup(state_dir, to, why) && tables_backup(state_dir, to, why));
    state_path("copy/reports", to);
    ck_assert_int_ne(access(to, F_OK), 0);
}
END_TEST

CHECK_MAIN_WITH(in_state_dir, "tables", a_backup_has_every_row, a_backup_without_reports_has_none,
                no_folder_is_no_mistake, it_is_read_while_a_server_counts, what_is_open_is_not_seen,
                another_definition_is_refused, a_file_keeps_the_memory_it_was_made_with,
                damage_is_refused, flipped_bits_in_rows_are_refused,
                a_file_too_long_for_the_limit_is_refused, a_table_is_removed_when_it_is_over,
                after_a_power_loss_all_that_is_whole_is_there,
                after_a_power_loss_pages_are_of_different_moments,
                without_its_undo_file_it_is_as_after_a_power_loss)
