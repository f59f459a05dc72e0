/* The pages of reports: which there are, and their rows. */
#include "server/http/reports_page.h"

#include "tests/unit/server/http/http_lab.h"
#include "view/report_query.h"

#include <string.h>

static const char yaml[] =
    "fields: {flight: form.flight, client: {from: form.client, type: int}}\n"
    "reports:\n"
    "  - {name: billing, by: [flight, client], windows: [1s, 1min], show: [count, last]}\n"
    "  - {name: all, windows: 1min, show: count}\n";

static struct page page;
static char *text;

/* Puts the reports into the lab's server; freed by take_down. */
static void put_up(void) {
    static char path[PATH_MAX_TEST];
    state_path("reports.yaml", path);
    FILE *out = fopen(path, "w");
    ck_assert(out && fputs(yaml, out) > 0 && fclose(out) == 0);
    server.report_sets = (struct report_sets){
        .path = path, .span = {.workers = 1, .horizon_us = US_PER_S, .future_us = US_PER_S}};
    ck_assert(report_sets_load(&server.report_sets));
    ck_assert(report_sets_open(&server.report_sets, server.counters));
    report_sets_join(&server.report_sets, &worker.report_view);
    report_sets_refresh_owner(&server.report_sets, &worker.report_view, 0);
    ck_assert_ptr_nonnull(worker.report_view.adder);
    adder_set_now_owner(worker.report_view.adder, NOW_US);
}

static void take_down(void) {
    free(text);
    text = NULL;
    report_sets_close(&server.report_sets);
}

static void count(int64_t us, const char *flight, const char *number) {
    struct record record = {.timed = true, .us = us};
    const struct fields *fields = worker.report_view.set->definitions->compiled;
    uint64_t unfit = 0;
    record_begin(&record);
    record.timed = true;
    record.us = us;
    record_take(&record, fields, 0, 0, flight, strlen(flight));
    record_take(&record, fields, 1, 0, number, strlen(number));
    ck_assert_int_eq(adder_add_owner(worker.report_view.adder, worker.shard, &record, &unfit),
                     SHARD_COUNTED);
}

/* Asks with up to three arguments, "name=value". */
static const char *ask(const char *url, const char *one, const char *two, const char *three) {
    static char names[3][16], values[3][64];
    const char *const argument[] = {one, two, three};
    client.fields = 0;
    for (int i = 0; i < 3 && argument[i]; i++) {
        sscanf(argument[i], "%15[^=]=%63[^\n]", names[i], values[i]);
        set_field(MHD_GET_ARGUMENT_KIND, names[i], values[i]);
    }
    page = (struct page){0};
    reports_page_make(&worker, NULL, url, &page);
    free(text);
    text = NULL;
    if (page.why[0]) {
        ck_assert_ptr_null(page.response);
        return page.why;
    }
    ck_assert_ptr_nonnull(page.response);
    text = read_response(page.response);
    MHD_destroy_response(page.response);
    return text;
}

START_TEST(without_reports) {
    ck_assert_str_eq(ask("/reports", NULL, NULL, NULL),
                     "this server has no reports; start it with --reports FILE");
    ck_assert_uint_eq(page.status, 404);
    ask("/reports/billing/1s", NULL, NULL, NULL);
    ck_assert_uint_eq(page.status, 404);
}
END_TEST

START_TEST(the_list) {
    put_up();
    count(T0, "AA1", "7");
    count(T0, "AA1", "x");
    const char *list = ask("/reports", NULL, NULL, NULL);
    ck_assert_uint_eq(page.status, 200);
    ck_assert_str_eq(page.type, "application/json");
    ck_assert_ptr_nonnull(strstr(list, "{\"name\":\"billing\",\"digest\":\""));
    ck_assert_ptr_nonnull(strstr(list, "\"unfit\":{\"client\":1}}"));
    ck_assert_ptr_nonnull(strstr(list, "{\"name\":\"all\","));
    ck_assert_int_eq(strncmp(ask("/reports/", "format=text", NULL, NULL), "REPORT ", 7), 0);
    ck_assert_str_eq(page.type, "text/plain; charset=utf-8");
    ck_assert_str_eq(ask("/reports", "format=csv", NULL, NULL), "format: must be text or json");
    ck_assert_uint_eq(page.status, 400);
    take_down();
}
END_TEST

#define ROW(flight, client)                                                                        \
    "2016-05-28 11:11:11.000, flight=" flight " client=" client                                    \
    ", count=1 last=2016-05-28 11:11:11.000000\n"

START_TEST(rows_of_a_report) {
    put_up();
    count(T0, "AA1", "7");
    count(T0, "AA2", "8");
    worker.now_us = T0 + US_PER_S;
    ck_assert_str_eq(ask("/reports/billing/1s", NULL, NULL, NULL), ROW("AA1", "7") ROW("AA2", "8"));
    ck_assert_uint_eq(page.status, 200);
    ck_assert_str_eq(page.type, "text/plain; charset=utf-8");
    ck_assert_str_eq(ask("/reports/billing", NULL, NULL, NULL), ROW("AA1", "7") ROW("AA2", "8"));
    ck_assert_str_eq(ask("/reports/billing/1s", "where=client=8", NULL, NULL), ROW("AA2", "8"));
    ck_assert_str_eq(ask("/reports/billing/1s", "top=1", "by=count", NULL), ROW("AA1", "7"));
    ck_assert_str_eq(ask("/reports/billing/1min", NULL, NULL, NULL), "");
    ck_assert_str_eq(ask("/reports/all/1min", "partial=1", "format=csv", NULL),
                     "start,state,count\n2016-05-28T11:11:00.000Z,open,2\n");
    ck_assert_str_eq(page.type, "text/csv");
    ck_assert_str_eq(ask("/reports/all/1min", "partial=1", "format=json", NULL),
                     "{\"report\":\"all\",\"window\":\"1min\",\"rows\":[\n"
                     "{\"start\":\"2016-05-28T11:11:00.000Z\",\"state\":\"open\",\"key\":{},"
                     "\"values\":{\"count\":2}}\n]}\n");
    take_down();
}
END_TEST

START_TEST(many_rows_come_in_pieces) {
    put_up();
    char flight[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(flight, sizeof flight, "flight-%05d", i);
        count(T0, flight, "7");
    }
    const char *all = ask("/reports/billing/1s", "partial=1", "format=csv", NULL);
    for (int i = 0; i < 3000; i++) {
        snprintf(flight, sizeof flight, ",flight-%05d,7,1,", i);
        all = strstr(all, flight);
        ck_assert_msg(all != NULL, "row %d", i);
    }
    take_down();
}
END_TEST

START_TEST(what_is_wrong_is_named) {
    static const struct {
        const char *url, *argument, *why;
        unsigned status;
    } rows[] = {
        {"/reports/bill/1s", NULL, "no report bill; there are: billing, all", 404},
        {"/reports/billing/1h", NULL, "report billing has no window 1h; there are: 1s, 1min", 404},
        {"/reports/billing/", NULL, "report billing has no window ; there are: 1s, 1min", 404},
        {"/reports/billing/1s/x", NULL, "report billing has no window 1s/x; there are: 1s, 1min",
         404},
        {"/reports/billing/1s", "where=seat=1",
         "where: report billing is not told apart by seat; it is by: flight, client", 400},
        {"/reports/billing/1s", "where=flight", "where: is written FIELD=VALUE", 400},
        {"/reports/billing/1s", "top=0", "top: must be a whole number from 1 to 1000000000", 400},
        {"/reports/billing/1s", "by=count", "by: goes with top, which says how many rows", 400},
        {"/reports/billing/1s", "last=x", "last: must be a whole number from 1 to 1000000000", 400},
        {"/reports/billing/1s", "format=xml", "format: must be text, csv or json", 400},
    };
    put_up();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_str_eq(ask(rows[i].url, rows[i].argument, NULL, NULL), rows[i].why);
        ck_assert_uint_eq(page.status, rows[i].status);
    }
    ck_assert_str_eq(ask("/reports/billing/1s", "top=1", "by=flight", NULL),
                     "by: report billing shows no flight to be largest; there are: count, last");
    take_down();
}
END_TEST

START_TEST(out_of_memory) {
    put_up();
    lab_out_of_memory = true;
    page = (struct page){0};
    client.fields = 0;
    reports_page_make(&worker, NULL, "/reports/all/1min", &page);
    ck_assert_ptr_null(page.response);
    ck_assert_str_eq(page.why, "");
    reports_page_make(&worker, NULL, "/reports", &page);
    ck_assert_ptr_null(page.response);
    take_down();
}
END_TEST

HTTP_LAB_MAIN("reports_page", without_reports, the_list, rows_of_a_report, many_rows_come_in_pieces,
              what_is_wrong_is_named, out_of_memory)
