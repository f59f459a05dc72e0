#include "server/http/counts_page.h"

#include "tests/unit/server/http/http_lab.h"
#include "view/windows.h"

#include <string.h>

static struct page page;

/* Makes the page with up to two arguments, "name=value". */
static void make(enum resolution r, const char *first, const char *second) {
    static char text[2][128];
    const char *const arguments[] = {first, second};
    client.fields = 0;
    for (int i = 0; i < 2; i++) {
        if (arguments[i]) {
            snprintf(text[i], sizeof text[i], "%s", arguments[i]);
            char *equals = strchr(text[i], '=');
            *equals = '\0';
            set_field(MHD_GET_ARGUMENT_KIND, text[i], equals + 1);
        }
    }
    page = (struct page){0};
    counts_page_make(&worker, NULL, r, &page);
}

/* The rows of the page; valid until the next call. */
static const char *rows_of(enum resolution r, const char *first, const char *second) {
    static char *text;
    make(r, first, second);
    ck_assert_uint_eq(page.status, 200);
    ck_assert_str_eq(page.why, "");
    ck_assert_ptr_nonnull(page.response);
    free(text);
    text = read_response(page.response);
    MHD_destroy_response(page.response);
    return text;
}

/* One event at each of two times, 4 and 2 windows of 10 ms before now; one more is now. */
static void count_some(void) {
    worker.now_us = T0 + 45000;
    shard_set_now_owner(worker.shard, worker.now_us);
    ck_assert_int_eq(shard_add_owner(worker.shard, T0), SHARD_COUNTED);
    ck_assert_int_eq(shard_add_owner(worker.shard, T0 + 20000), SHARD_COUNTED);
    ck_assert_int_eq(shard_add_owner(worker.shard, T0 + 29999), SHARD_COUNTED);
    ck_assert_int_eq(shard_add_owner(worker.shard, T0 + 40000), SHARD_COUNTED);
}

#define AT "2016-05-28 11:11:11."
#define MIDDLE AT "000, 1\n" AT "010, 0\n" AT "020, 2\n"

START_TEST(which_windows_are_asked) {
    static const struct {
        const char *first, *second, *rows;
    } rows[] = {
        {"last=1", NULL, AT "020, 2\n"},
        {"last=2", NULL, AT "010, 0\n" AT "020, 2\n"},
        {"last=1", "partial=1", AT "040, 1\n"},
        {"last=1", "partial=0", AT "020, 2\n"},
        {"last=1", "partial=yes", AT "040, 1\n"},
        {"last=1", "partial=no", AT "020, 2\n"},
        {"from=2016-05-28T11:11:11", NULL, MIDDLE},
        {"from=0", NULL, MIDDLE}, /* a bound all the same: not the last 60 */
        {"to=2016-05-28T11:11:11.02", NULL, AT "000, 1\n"},
        {"from=2016-05-28T11:11:11.01", "to=2016-05-28T11:11:11.03", AT "020, 2\n"},
        {"from=2016-05-28T11:11:11.02", "to=2016-05-28T11:11:11.02", ""},
        {"from=2016-05-28T11:11:11", "last=1", AT "020, 2\n"},
        {"from=2016-05-28T11:11:12", NULL, ""},
        {"to=2016-05-28T11:11:11", NULL, ""},
    };
    count_some();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = rows_of(RESOLUTION_10MS, rows[i].first, rows[i].second);
        ck_assert_msg(strcmp(text, rows[i].rows) == 0, "%zu: %s", i, text);
    }
}
END_TEST

START_TEST(without_arguments_the_last_sixty) {
    count_some();
    const char *text = rows_of(RESOLUTION_10MS, NULL, NULL);
    size_t rows = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++) {
        rows++;
    }
    ck_assert_uint_eq(rows, 60);
    ck_assert_str_eq(text + strlen(text) - strlen(MIDDLE), MIDDLE);
}
END_TEST

START_TEST(each_format) {
    count_some();
    ck_assert_str_eq(rows_of(RESOLUTION_10MS, "last=1", "format=text"), AT "020, 2\n");
    ck_assert_str_eq(page.type, "text/plain; charset=utf-8");
    ck_assert_str_eq(rows_of(RESOLUTION_10MS, "last=1", "format=csv"),
                     "start (UTC),count,state\n2016-05-28T11:11:11.020Z,2,closed\n");
    ck_assert_str_eq(page.type, "text/csv");
    ck_assert_str_eq(rows_of(RESOLUTION_10MS, "last=2", "format=json"),
                     "{\"resolution\":\"10ms\",\"zone\":\"UTC\",\"windows\":[\n"
                     "{\"start\":\"2016-05-28T11:11:11.010Z\",\"count\":0,\"state\":\"closed\"},\n"
                     "{\"start\":\"2016-05-28T11:11:11.020Z\",\"count\":2,\"state\":\"closed\"}\n"
                     "]}\n");
    ck_assert_str_eq(page.type, "application/json");
    worker.now_us += US_PER_S; /* the horizon */
    ck_assert_str_eq(rows_of(RESOLUTION_10MS, "last=1", "format=csv"),
                     "start (UTC),count,state\n2016-05-28T11:11:11.040Z,1,closed\n");
    worker.now_us += US_PER_S;
    ck_assert_str_eq(rows_of(RESOLUTION_10MS, "last=1", "format=csv"),
                     "start (UTC),count,state\n2016-05-28T11:11:11.040Z,1,final\n");
}
END_TEST

START_TEST(the_other_resolutions) {
    count_some();
    ck_assert_str_eq(rows_of(RESOLUTION_1S, "last=1", "partial=1"), AT "000, 4\n");
    ck_assert_str_eq(rows_of(RESOLUTION_1MIN, "last=1", "partial=1"),
                     "2016-05-28 11:11:00.000, 4\n");
    ck_assert_str_eq(rows_of(RESOLUTION_1S, "last=1", NULL), ""); /* not over yet */
}
END_TEST

START_TEST(without_events_there_are_no_rows) {
    ck_assert_str_eq(rows_of(RESOLUTION_1S, NULL, NULL), "");
    ck_assert_str_eq(rows_of(RESOLUTION_1S, "format=csv", NULL), "start (UTC),count,state\n");
    ck_assert_str_eq(rows_of(RESOLUTION_1S, "format=json", NULL),
                     "{\"resolution\":\"1s\",\"zone\":\"UTC\",\"windows\":[\n]}\n");
}
END_TEST

/* 101 rows and more do not fit one block of the answer. */
START_TEST(a_long_answer_comes_in_blocks) {
    static const char *const formats[] = {"format=text", "format=csv", "format=json"};
    const int64_t first = window_at(RESOLUTION_10MS, T0);
    for (int i = 0; i < 350; i++) {
        worker.now_us = T0 + i * 10000;
        shard_set_now_owner(worker.shard, worker.now_us);
        ck_assert_int_eq(shard_add_owner(worker.shard, worker.now_us), SHARD_COUNTED);
    }
    worker.now_us += 10000;
    for (int f = 0; f < 3; f++) {
        static char expected[350 * ROWS_ROW_MAX];
        for (int n = 95; n <= 350; n++) {
            const struct rows_form form = {(enum rows_format)f, RESOLUTION_10MS, NULL};
            char last[32];
            size_t len = rows_begin(&form, expected);
            for (int i = 350 - n; i < 350; i++) {
                const struct row row = {
                    first + i, 1,
                    window_state_at(RESOLUTION_10MS, first + i, worker.now_us, US_PER_S)};
                len += rows_row(&form, &row, i == 350 - n, expected + len);
            }
            expected[len + rows_end(&form, expected + len)] = '\0';
            snprintf(last, sizeof last, "last=%d", n);
            ck_assert_str_eq(rows_of(RESOLUTION_10MS, last, formats[f]), expected);
        }
    }
}
END_TEST

START_TEST(no_more_is_written_than_there_is_room) {
    static const char guard[] = "unwritten";
    char buf[3 * ROWS_ROW_MAX + sizeof guard];
    count_some();
    for (size_t room = 0; room <= 3 * ROWS_ROW_MAX; room++) {
        ssize_t n;
        size_t len = 0;
        make(RESOLUTION_10MS, "from=0", "format=json");
        do {
            memcpy(buf + room, guard, sizeof guard);
            n = page.response->read(page.response->cls, len, buf, room);
            ck_assert_str_eq(buf + room, guard);
            ck_assert_int_le(n, (ssize_t)room);
            len += n > 0 ? (size_t)n : 0;
        } while (n > 0);
        if (room < 2 * ROWS_ROW_MAX) {
            ck_assert_int_eq(n, 0); /* called again with more room */
        } else {
            ck_assert_int_eq(n, MHD_CONTENT_READER_END_OF_STREAM);
            ck_assert_uint_gt(len, 0);
        }
        MHD_destroy_response(page.response);
    }
}
END_TEST

START_TEST(which_argument_is_wrong) {
    static const struct {
        const char *first, *second, *why;
    } rows[] = {
        {"last=", NULL, "last: must be a whole number from 1 to 1000000000"},
        {"partial=2", NULL, "partial: must be 1 or yes, or 0 or no"},
        {"partial=", NULL, "partial: must be 1 or yes, or 0 or no"},
        {"last=0", NULL, "last: must be a whole number from 1 to 1000000000"},
        {"last=-1", NULL, "last: must be a whole number from 1 to 1000000000"},
        {"last=+1", NULL, "last: must be a whole number from 1 to 1000000000"},
        {"last= 1", NULL, "last: must be a whole number from 1 to 1000000000"},
        {"last=1x", NULL, "last: must be a whole number from 1 to 1000000000"},
        {"last=:", NULL, "last: must be a whole number from 1 to 1000000000"},
        {"last=1000000001", NULL, "last: must be a whole number from 1 to 1000000000"},
        {"last=99999999999999999999", NULL, "last: must be a whole number from 1 to 1000000000"},
        {"from=x", NULL, "from: expected a digit at character 1, found 'x'"},
        {"to=", NULL, "to: empty, expected a timestamp"},
        {"from=x", "to=y", "from: expected a digit at character 1, found 'x'"},
        {"from=2016-05-28T11:11:11 02:00", NULL,
         "from: expected '.', 'Z', an offset or the end at character 20, found ' '; send %2B for "
         "the '+' of an offset"},
        {"to=2016-05-28T11:11:11 x", NULL,
         "to: expected '.', 'Z', an offset or the end at character 20, found ' '"},
        {"to=2016-05-28 11:11 02", NULL, "to: expected ':' at character 17, found ' '"},
        {"from=2016-05-28T11:11:11", "to=2016-05-28T11:11:10.999999", "to: is before from"},
        {"format=xml", NULL, "format: must be text, csv or json"},
        {"format=", NULL, "format: must be text, csv or json"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make(RESOLUTION_1S, rows[i].first, rows[i].second);
        ck_assert_uint_eq(page.status, 400);
        ck_assert_ptr_null(page.response);
        ck_assert_msg(strcmp(page.why, rows[i].why) == 0, "%zu: %s", i, page.why);
    }
    ck_assert_str_eq(rows_of(RESOLUTION_1S, "last=1000000000", NULL), "");
    /* no span is before 1970, and to alone has no from */
    ck_assert_str_eq(rows_of(RESOLUTION_1S, "to=1969-01-01 00:00:00", NULL), "");
}
END_TEST

START_TEST(out_of_memory_nothing_is_kept) {
    lab_out_of_memory = true;
    make(RESOLUTION_1S, NULL, NULL);
    ck_assert_ptr_null(page.response);
    ck_assert_str_eq(page.why, "");
}
END_TEST

HTTP_LAB_MAIN("counts_page", which_windows_are_asked, without_arguments_the_last_sixty, each_format,
              the_other_resolutions, without_events_there_are_no_rows,
              a_long_answer_comes_in_blocks, no_more_is_written_than_there_is_room,
              which_argument_is_wrong, out_of_memory_nothing_is_kept)
