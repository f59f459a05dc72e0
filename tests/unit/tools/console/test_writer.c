/* Rows on a stream: what stands around them is written once, and errors are kept. */
#include "tools/console/writer.h"

#include "tests/unit/check_main.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct row row = {0, 7, WINDOW_FINAL};

/* All that is written when `n` rows are. */
static char *written(enum rows_format format, int n) {
    char *text = NULL;
    size_t len;
    struct writer writer = {.out = open_memstream(&text, &len),
                            .form = {format, RESOLUTION_1S, NULL}};
    ck_assert_ptr_nonnull(writer.out);
    for (int i = 0; i < n; i++)
        ck_assert(writer_row(&writer, &row));
    ck_assert(writer_end(&writer));
    ck_assert_int_eq(writer.error, 0);
    fclose(writer.out);
    return text;
}

static void must_write(enum rows_format format, int n, const char *expected) {
    char *text = written(format, n);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(what_stands_around_rows) {
    must_write(ROWS_TEXT, 0, "");
    must_write(ROWS_TEXT, 2, "1970-01-01 00:00:00.000, 7\n1970-01-01 00:00:00.000, 7\n");
    must_write(ROWS_CSV, 0, "start (UTC),count,state\n");
    must_write(ROWS_CSV, 1, "start (UTC),count,state\n1970-01-01T00:00:00.000Z,7,final\n");
    must_write(ROWS_JSON, 0, "{\"resolution\":\"1s\",\"zone\":\"UTC\",\"windows\":[\n]}\n");
    must_write(ROWS_JSON, 2,
               "{\"resolution\":\"1s\",\"zone\":\"UTC\",\"windows\":[\n"
               "{\"start\":\"1970-01-01T00:00:00.000Z\",\"count\":7,\"state\":\"final\"},\n"
               "{\"start\":\"1970-01-01T00:00:00.000Z\",\"count\":7,\"state\":\"final\"}\n]}\n");
}
END_TEST

START_TEST(a_beginning_is_written_once) {
    char *text = NULL;
    size_t len;
    struct writer writer = {.out = open_memstream(&text, &len),
                            .form = {ROWS_CSV, RESOLUTION_1S, NULL}};
    ck_assert(writer_begin(&writer) && writer_begin(&writer) && writer_flush(&writer));
    ck_assert_str_eq(text, "start (UTC),count,state\n");
    fclose(writer.out);
    free(text);
}
END_TEST

START_TEST(the_first_error_stays) {
    struct writer writer = {.out = fopen("/dev/full", "w"),
                            .form = {ROWS_CSV, RESOLUTION_1S, NULL}};
    ck_assert_ptr_nonnull(writer.out);
    ck_assert(writer_row(&writer, &row));
    ck_assert(!writer_flush(&writer));
    ck_assert_int_eq(writer.error, ENOSPC);
    ck_assert(!writer_row(&writer, &row) && !writer_flush(&writer) && !writer_end(&writer));
    ck_assert_int_eq(writer.error, ENOSPC);
    fclose(writer.out);
}
END_TEST

CHECK_MAIN("writer", what_stands_around_rows, a_beginning_is_written_once, the_first_error_stays)
