/* Several answers read as one, wherever they are cut. */
#include "tools/console/report_writer.h"

#include "tests/unit/check_main.h"

#include <string.h>

static char *printed;
static size_t printed_len;

/* Writes the answers in pieces of `piece` bytes. */
static const char *write_all(enum rows_format format, const char *const *answer, size_t n,
                             size_t piece) {
    free(printed);
    struct report_writer writer = {.out = open_memstream(&printed, &printed_len), .format = format};
    for (size_t i = 0; i < n; i++) {
        report_writer_begin(&writer);
        for (size_t at = 0, len = strlen(answer[i]); at < len; at += piece)
            ck_assert(
                report_writer_take(&writer, answer[i] + at, len - at < piece ? len - at : piece));
    }
    ck_assert(report_writer_end(&writer));
    fclose(writer.out);
    return printed;
}

static void demand(enum rows_format format, const char *const *answer, size_t n,
                   const char *expected) {
    for (size_t piece = 1; piece < 40; piece++)
        ck_assert_str_eq(write_all(format, answer, n, piece), expected);
}

START_TEST(lines_are_put_together) {
    static const char *const answers[] = {"a, 1\nb, 2\n", "", "c, 3\n"};
    demand(ROWS_TEXT, answers, 3, "a, 1\nb, 2\nc, 3\n");
    demand(ROWS_TEXT, answers, 0, "");
}
END_TEST

START_TEST(one_header_is_enough) {
    static const char *const answers[] = {"start,state\n", "start,state\na,1\nb,2\n",
                                          "start,state\nc,3\n"};
    demand(ROWS_CSV, answers, 3, "start,state\na,1\nb,2\nc,3\n");
    demand(ROWS_CSV, answers, 1, "start,state\n");
}
END_TEST

START_TEST(json_is_one_object) {
    static const char *const answers[] = {
        "{\"rows\":[\n]}\n",
        "{\"rows\":[\n{\"a\":1},\n{\"b\":2}\n]}\n",
        "{\"rows\":[\n]}\n",
        "{\"rows\":[\n{\"c\":3}\n]}\n",
    };
    demand(ROWS_JSON, answers, 4, "{\"rows\":[\n{\"a\":1},\n{\"b\":2},\n{\"c\":3}\n]}\n");
    demand(ROWS_JSON, answers, 1, answers[0]);
    demand(ROWS_JSON, answers + 1, 1, answers[1]);
    demand(ROWS_JSON, answers, 0, "");
}
END_TEST

START_TEST(a_disk_that_is_full) {
    FILE *out = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(out);
    struct report_writer writer = {.out = out, .format = ROWS_TEXT};
    report_writer_begin(&writer);
    report_writer_take(&writer, "a\n", 2);
    ck_assert(!report_writer_flush(&writer));
    ck_assert_int_ne(writer.error, 0);
    ck_assert(!report_writer_take(&writer, "a\n", 2));
    fclose(out);
}
END_TEST

CHECK_MAIN("report_writer", lines_are_put_together, one_header_is_enough, json_is_one_object,
           a_disk_that_is_full)
