/* The folder reports/ with anything written into its files: it is refused, or opened and whole.
 * Never a crash, never counts that disagree. The input is a list of edits to good files (place,
 * value), and what to do with them: see below. Some edits would only meet a header's checksum; so
 * these are made right again when asked. */
#include "counters/rows/table_file.h"
#include "counters/rows/tables.h"
#include "counters/state/fnv.h"
#include "tests/fuzz/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EDIT_BYTES 6
#define FUZZ_NOW_US INT64_C(1464433871000000)
#define TABLE_NAME "fuzz.0123456789abcdef.aforo"

static char dir[64];
static struct {
    char path[128];
    unsigned char *good;
    size_t bytes;
} file[2]; /* the table's, the undo records' */
static struct counters *counters;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct table_config config(void) {
    const struct table_span span = {1, US_PER_S, 0};
    struct table_config of = {.name = "fuzz",
                              .digest = "0123456789abcdef",
                              .definition = "d",
                              .definition_len = 1,
                              .widths = 1,
                              .width_us = {US_PER_S},
                              .keyed = true,
                              .state_words = 2,
                              .keys_max = 20,
                              .fields = 1,
                              .field_max = {10}};
    of.memory = table_bytes_min(&of, &span);
    return of;
}

static void count(struct tables *tables, const struct table *table, int64_t us, int number) {
    struct undo *undo = tables_undo(tables, 1);
    struct table_section *section = table_section(table, 1, 0);
    char text[300];
    const int len = snprintf(text, sizeof text, "%0*d", 1 + number * 9, number);
    const struct table_key key = {.bytes = text,
                                  .len = (size_t)len,
                                  .hash = table_hash(table, text, (size_t)len),
                                  .fields = 1,
                                  .field_len = {(uint16_t)len}};
    struct table_row row;
    table_set_now_owner(section, us);
    undo_begin_owner(undo);
    if (table_touch_owner(section, undo, table_window(US_PER_S, us), &key, &row)) {
        undo_put_owner(undo, row.file, &row.state[0], atomic_load(&row.state[0]) + 1);
        undo_put_owner(undo, row.file, &row.state[1], atomic_load(&row.state[1]) + 7);
    }
    undo_commit_owner(undo, &(const struct undo_count){0, 0, 0});
}

static void clean_up(void) {
    char command[128];
    counters_close(counters);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    check(system(command) == 0);
}

static void load_file(int i, const char *name) {
    struct stat stat;
    snprintf(file[i].path, sizeof file[i].path, "%s/reports/%s", dir, name);
    const int fd = open(file[i].path, O_RDONLY);
    check(fd >= 0 && fstat(fd, &stat) == 0);
    file[i].bytes = (size_t)stat.st_size;
    file[i].good = malloc(file[i].bytes);
    check(file[i].good && read(fd, file[i].good, file[i].bytes) == (ssize_t)file[i].bytes &&
          close(fd) == 0);
}

static void write_file(int i, const unsigned char *bytes, size_t n) {
    const int fd = open(file[i].path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    check(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0);
}

/* Small files with some rows, closed in order. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    char why[COUNTERS_WHY_MAX];
    snprintf(dir, sizeof dir, "%s/aforo-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    check(mkdtemp(dir) != NULL && atexit(clean_up) == 0);
    const struct counters_config state = {.dir = dir,
                                          .node_id = "n",
                                          .workers = 1,
                                          .horizon_us = US_PER_S,
                                          .keep_us = {US_PER_S, US_PER_S, US_PER_S}};
    counters = counters_open(&state, NULL, why);
    check(counters != NULL);
    struct tables *tables = tables_open(counters, 1, true, NULL, NULL, why);
    check(tables != NULL);
    const struct table_config of = config();
    struct table *table = tables_get(tables, &of, why);
    check(table != NULL);
    for (int i = 0; i < 120; i++) {
        count(tables, table, FUZZ_NOW_US + i / 10 * US_PER_S, i % 13);
    }
    tables_close(tables);
    load_file(0, TABLE_NAME);
    load_file(1, UNDO_FILE_NAME);
    return 0;
}

static bool sum_counts(void *cls, const struct table_copy *copy) {
    *(uint64_t *)cls += copy->state[0] + (copy->key_len > 0 ? (unsigned char)copy->key[0] : 0);
    return true;
}

static void read_all(const struct table *table) {
    int64_t oldest, newest;
    uint64_t sum = 0;
    struct table_status status;
    const struct table_taker taker = {sum_counts, &sum};
    table_status(table, &status);
    if (!table_span_windows(table, 0, &oldest, &newest)) {
        return;
    }
    for (int64_t window = newest; window >= oldest && window > newest - 10; window--) {
        table_touched(table, 1, 0, window);
        table_read(table, 0, window, &taker);
    }
}

static void open_to_read(void) {
    char why[COUNTERS_WHY_MAX] = "";
    bool none = false;
    struct tables *tables = tables_open_readonly(dir, &none, why);
    if (!tables) {
        check(!none && *why && strnlen(why, sizeof why) < sizeof why);
        return;
    }
    for (size_t i = 0; i < tables_count(tables); i++) {
        read_all(tables_at(tables, i));
    }
    tables_close(tables);
}

/* Whatever was mended, afterwards everything agrees, and stays so when it is counted on. */
static void open_to_write(void) {
    char why[COUNTERS_WHY_MAX] = "";
    struct tables *tables = tables_open(counters, 1, true, NULL, NULL, why);
    if (!tables) {
        check(*why && strnlen(why, sizeof why) < sizeof why);
        return;
    }
    check(tables_count(tables) == 1);
    const struct table *table = tables_at(tables, 0);
    if (table->config.state_words >= 2) {
        check(table_verify(table, why));
        read_all(table);
        for (int i = 0; i < 30; i++) {
            count(tables, table, FUZZ_NOW_US + (12 + i / 10) * US_PER_S, i);
        }
        check(table_verify(table, why));
    }
    tables_close(tables);
}

static void edit(unsigned char *const copy[2], const uint8_t *data, size_t size) {
    for (size_t at = 0; at + EDIT_BYTES <= size; at += EDIT_BYTES) {
        const int i = data[at] & 1;
        const size_t place =
            ((size_t)data[at + 1] << 16 | (size_t)data[at + 2] << 8 | data[at + 3]) %
            (i == 0 ? file[0].bytes : 2 * 4096 + UNDO_BYTES);
        unsigned char *byte = copy[i] + place;
        switch (data[at + 4] & 3) {
        case 0:
            *byte = data[at + 5];
            break;
        case 1:
            *byte ^= (unsigned char)(1U << (data[at + 5] & 7));
            break;
        case 2: /* a word: most numbers are */
            memset(copy[i] + place / 8 * 8, data[at + 5], 8);
            break;
        default: /* one more or less */
            copy[i][place / 8 * 8] = (unsigned char)(copy[i][place / 8 * 8] + data[at + 5] - 128);
            break;
        }
    }
}

/* First byte: 1 the table's checksum is made right; 2 not closed in order; 4 of another boot; 8 no
 * undo file; 16 cut short. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    const uint8_t how = data[0];
    unsigned char *copy[2];
    for (int i = 0; i < 2; i++) {
        copy[i] = malloc(file[i].bytes);
        check(copy[i] != NULL);
        memcpy(copy[i], file[i].good, file[i].bytes);
    }
    edit(copy, data + 2, size - 2);
    struct table_header *header = (void *)copy[0];
    struct undo_header *undo = (void *)copy[1];
    undo->clean = !(how & 2);
    if (how & 4) {
        memset(undo->boot, 'x', BOOT_ID_MAX - 1);
    }
    undo->checksum = fnv1a64(FNV1A64_BASIS, undo, offsetof(struct undo_header, checksum));
    if (how & 1) {
        header->checksum = fnv1a64(FNV1A64_BASIS, header, offsetof(struct table_header, checksum));
    }
    write_file(0, copy[0], how & 16 ? file[0].bytes * data[1] / 256 : file[0].bytes);
    write_file(1, copy[1], file[1].bytes);
    if (how & 8) {
        unlink(file[1].path);
    }
    open_to_read();
    open_to_write();
    free(copy[0]);
    free(copy[1]);
    return 0;
}
