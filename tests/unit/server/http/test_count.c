/* Events with fields into the rows of reports: from forms, queries, headers, objects and lines. */
#include "server/http/count.h"

#include "reports/read.h"
#include "server/http/batch.h"
#include "server/http/event.h"
#include "tests/unit/server/http/http_lab.h"

#include <string.h>

static const char definitions[] =
    "fields:\n"
    "  who: {from: [form.who, query.who, json.who, line.who, header.X-Who], type: int}\n"
    "  note: [json.note, line.note, form.note]\n"
    "reports:\n"
    "  - {name: whos, by: [who], windows: [1s], show: [count], memory: 1MiB}\n"
    "  - {name: notes, when: note, windows: [1s], show: [count], memory: 1MiB}\n"
    "  - {name: all, windows: [1s], show: [count], memory: 1MiB}\n";

/* After the lab's own. */
static void begin_with(const char *text) {
    static char path[PATH_MAX_TEST];
    state_path("reports.yaml", path);
    FILE *file = fopen(path, "w");
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    server.report_sets.path = path;
    server.report_sets.span = (struct table_span){.workers = 1, .horizon_us = US_PER_S};
    ck_assert(report_sets_load(&server.report_sets));
    ck_assert(report_sets_open(&server.report_sets, server.counters));
    report_sets_join(&server.report_sets, &worker.report_view);
    report_sets_refresh_owner(&server.report_sets, &worker.report_view, 0);
    adder_set_now_owner(worker.report_view.adder, NOW_US);
}

static void begin(void) {
    begin_with(definitions);
}

/* "7=2 8=1 " of a report's rows in the window of TIME. */
static const char *rows_of(unsigned r) {
    static char text[1024];
    const struct report_set *set = worker.report_view.set;
    struct report_rows rows;
    size_t n = 0;
    text[0] = '\0';
    ck_assert(
        report_read(&set->definitions->report[r], set->reports.table[r], 0, T0 / US_PER_S, &rows));
    for (size_t i = 0; i < rows.n; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s=%llu ", (int)rows.row[i].key_len,
                              rows.row[i].key ? rows.row[i].key : "",
                              (unsigned long long)rows.row[i].state[0]);
    }
    report_rows_free(&rows);
    return text;
}

static void end(void) {
    char expected[32];
    const uint64_t counted = read_one(server.counters, RESOLUTION_1S, T0);
    snprintf(expected, sizeof expected, counted ? "=%llu " : "", (unsigned long long)counted);
    ck_assert_str_eq(rows_of(2), expected); /* a report without a condition has all events */
    report_sets_close(&server.report_sets);
}

struct sent {
    enum content content;
    const char *query, *body, *header;
};

static void begin_request(const struct sent *sent) {
    struct connection *connection = &client.connection;
    connection->request = (struct request){.content = sent->content};
    connection->query = (struct request_query){.outcome = FORM_EMPTY};
    connection->target.query = sent->query;
    client.fields = 0;
    if (sent->header) {
        set_field(MHD_HEADER_KIND, "x-who", sent->header);
    }
    if (sent->query) {
        event_read_query(connection);
    }
    count_keep_query(connection);
    gather_clear(&connection->gather);
    client.status = 0;
}

static unsigned send_event(const struct sent *sent, size_t piece) {
    struct connection *connection = &client.connection;
    const size_t len = strlen(sent->body);
    begin_request(sent);
    event_begin(connection);
    for (size_t at = 0; at < len; at += piece) {
        const size_t n = len - at < piece ? len - at : piece;
        event_read_body(connection, sent->body + at, n, n == len);
    }
    ck_assert_int_eq(event_finish(connection), MHD_YES);
    return client.status;
}

static unsigned send_batch(const struct sent *sent, size_t piece) {
    struct connection *connection = &client.connection;
    const size_t len = strlen(sent->body);
    begin_request(sent);
    batch_begin(connection);
    for (size_t at = 0; at < len; at += piece) {
        const size_t n = len - at < piece ? len - at : piece;
        connection->request.body_bytes += n;
        batch_read_body(connection, sent->body + at, n);
    }
    ck_assert_int_eq(batch_finish(connection, true), MHD_YES);
    batch_release(&connection->request.batch);
    return client.status;
}

START_TEST(single_events) {
    static const struct sent sent[] = {
        {CONTENT_USUAL, NULL, "value=" TIME "&who=1", NULL},
        {CONTENT_USUAL, NULL, "who=%31&value=" TIME "\r\n", NULL},
        {CONTENT_USUAL, "who=2", "value=" TIME, NULL},
        {CONTENT_USUAL, "value=" IN_QUERY "&who=2", "", NULL},
        {CONTENT_USUAL, "value=" IN_QUERY, "who=2", NULL},
        {CONTENT_USUAL, NULL, "value=" TIME, "3"},
        {CONTENT_JSON, NULL, "{\"who\":4,\"time\":\"" TIME "\",\"note\":\"a\\tb\"}", NULL},
        {CONTENT_JSON, "who=5", "{\"time\":\"" TIME "\"}", NULL},
        {CONTENT_JSON, "value=" IN_QUERY, "{\"who\":\"5\"}", NULL},
        {CONTENT_USUAL, "who=9", "value=" TIME "&who=1", "9"}, /* the first place counts */
    };
    begin();
    for (size_t piece = 1; piece <= 100; piece += 99) {
        for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
            ck_assert_msg(send_event(&sent[i], piece) == 204, "%zu: %s", i, client.body);
        }
    }
    ck_assert_str_eq(rows_of(0), "1=6 2=6 3=2 4=2 5=4 ");
    ck_assert_str_eq(rows_of(1), "=2 ");
    ck_assert_uint_eq(tally().counted, 20);
    end();
}
END_TEST

START_TEST(batches) {
    static const struct sent sent[] = {
        {CONTENT_USUAL, NULL, TIME " who=1 note=\"x y\"\n" TIME " who=2\r\n" TIME " who=1", NULL},
        {CONTENT_JSON_LINES, NULL,
         "{\"time\":\"" TIME "\",\"who\":1}\n{\"who\":2,\"time\":\"" TIME "\"}\n\n"
         "{\"who\":\"1\",\"time\":\"" TIME "\",\"note\":\"\\u00e4\"}",
         NULL},
        {CONTENT_JSON, NULL,
         "[{\"time\":\"" TIME "\",\"who\":1} , {\"who\":2,\"time\":\"" TIME "\"},"
         "{\"who\":\"1\",\"time\":\"" TIME "\",\"note\":\"]\"}]",
         NULL},
        {CONTENT_USUAL, "who=3", TIME "\n" TIME "\n" TIME "\n", NULL},
        {CONTENT_JSON_LINES, NULL,
         "{\"time\":\"" TIME "\"}\n{\"time\":\"" TIME "\"}\n{\"time\":\"" TIME "\"}\n", "4"},
    };
    unsigned rounds = 0;
    begin();
    for (size_t piece = 1; piece <= 200; piece += piece < 20 ? 1 : 60) {
        rounds++;
        for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
            ck_assert_uint_eq(send_batch(&sent[i], piece), 200);
            ck_assert_str_eq(client.body, "{\"accepted\":3,\"rejected\":0,\"errors\":[]}\n");
        }
    }
    char expected[128];
    snprintf(expected, sizeof expected, "1=%u 2=%u 3=%u 4=%u ", 6 * rounds, 3 * rounds, 3 * rounds,
             3 * rounds);
    ck_assert_str_eq(rows_of(0), expected);
    snprintf(expected, sizeof expected, "=%u ", 3 * rounds);
    ck_assert_str_eq(rows_of(1), expected);
    end();
}
END_TEST

START_TEST(what_is_unfit_is_counted_and_told) {
    static const struct sent letter = {CONTENT_USUAL, NULL, "value=" TIME "&who=x", NULL};
    static const struct sent none = {CONTENT_JSON, NULL, "{\"time\":\"" TIME "\"}", NULL};
    static const struct sent late = {CONTENT_USUAL, NULL, "value=" LATE "&who=x", NULL};
    static const struct sent lines = {CONTENT_USUAL, NULL,
                                      TIME " who=1\n" TIME "\n" LATE "\n" TIME " who=x\n", NULL};
    begin();
    ck_assert_uint_eq(send_event(&letter, 100), 200);
    ck_assert_str_eq(client.body, "counted; who: not an int, left out of report whos\n");
    ck_assert_uint_eq(send_event(&none, 100), 200);
    ck_assert_str_eq(client.body, "counted; who: missing, left out of report whos\n");
    ck_assert_uint_eq(send_event(&late, 100), 422);
    ck_assert_uint_eq(send_batch(&lines, 10), 200);
    ck_assert_str_eq(client.body,
                     "{\"accepted\":3,\"rejected\":1,\"errors\":[{\"line\":3,\"reason\":\"too late "
                     "by 9 s: it is 10 s ago, the horizon is 1 s\"}],\"unfit\":[{\"line\":2,"
                     "\"field\":\"who\",\"reason\":\"missing\"},{\"line\":4,\"field\":\"who\","
                     "\"reason\":\"not an int\"}]}\n");
    ck_assert_str_eq(rows_of(0), "1=1 ");
    ck_assert_uint_eq(report_set_unfit(worker.report_view.set, 0, 0), 4);
    ck_assert_uint_eq(report_set_unfit(worker.report_view.set, 2, 0), 0);
    const struct shard_tally sum = tally();
    ck_assert_uint_eq(sum.counted, 5);
    ck_assert_uint_eq(sum.received, 7);
    end();
}
END_TEST

START_TEST(all_reports_are_named_with_their_reasons) {
    static const char more[] =
        "fields: {ms: {type: int}, who: , d: {type: decimal2}}\n"
        "reports:\n"
        "  - {name: fast, windows: 1s, show: 'p50(ms)', memory: 1MiB}\n"
        "  - {name: big, when: ms > 5, windows: 1s, show: count, memory: 1MiB}\n"
        "  - {name: total, windows: 1s, show: 'sum(ms)', memory: 1MiB}\n"
        "  - {name: names, by: who, windows: 1s, show: count, memory: 1MiB}\n";
    static const struct {
        const char *fields, *said;
    } sent[] = {
        {"\"ms\":-1,\"who\":1", "ms: negative, and quantiles(ms) takes 0 and more, left out of "
                                "report fast"},
        {"\"ms\":\"abc\",\"who\":1", "ms: not an int, left out of reports fast, big, total"},
        {"\"who\":1", "ms: missing, left out of reports fast, total"},
        {"\"ms\":[1]", "ms: not an int: an array, left out of reports fast, big, total; "
                       "who: missing, left out of report names"},
        {"\"ms\":1,\"who\":{}", "who: not a text: an object, left out of report names"},
        {"\"ms\":1,\"who\":[1]", "who: not a text: an array, left out of report names"},
    };
    begin_with(more);
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        char body[256], said[512];
        snprintf(body, sizeof body, "{\"time\":\"" TIME "\",%s}", sent[i].fields);
        snprintf(said, sizeof said, "counted; %s\n", sent[i].said);
        ck_assert_uint_eq(send_event(&(struct sent){CONTENT_JSON, NULL, body, NULL}, 1000), 200);
        ck_assert_str_eq(client.body, said);
    }
    static const struct sent batch = {CONTENT_USUAL, NULL, TIME " ms=-1 who=a\n", NULL};
    ck_assert_uint_eq(send_batch(&batch, 1000), 200);
    ck_assert_ptr_nonnull(strstr(client.body, "\"reason\":\"negative, and quantiles(ms) takes 0"));
    report_sets_close(&server.report_sets);
}
END_TEST

/* As many reports as there can be, with names as long as can be. */
START_TEST(what_has_no_room_is_numbered) {
    static char many[16384];
    size_t n = (size_t)sprintf(many, "fields: {a: {type: int}, b: }\nreports:\n");
    for (int i = 0; i < REPORTS_MAX; i++) {
        n += (size_t)sprintf(
            many + n, "  - {name: r%02d_%s, windows: 1s, show: '%s', memory: 1MiB}\n", i,
            "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq", i % 2 ? "distinct(b)" : "sum(a)");
    }
    static const struct sent none = {CONTENT_JSON, NULL, "{\"time\":\"" TIME "\"}", NULL};
    begin_with(many);
    ck_assert_uint_eq(send_event(&none, 1000), 200);
    ck_assert_uint_le(strlen(client.body), ANSWERS_SENTENCE_MAX);
    ck_assert_ptr_nonnull(strstr(client.body, "counted; a: missing, left out of reports r00_abc"));
    ck_assert_ptr_nonnull(strstr(client.body, " more; and 1 more field\n"));
    report_sets_close(&server.report_sets);
}
END_TEST

START_TEST(ten_are_told) {
    static char body[20 * 64];
    const struct sent sent = {CONTENT_USUAL, NULL, body, NULL};
    begin();
    body[0] = '\0';
    for (int i = 0; i < 20; i++) {
        strcat(body, TIME "\n");
    }
    ck_assert_uint_eq(send_batch(&sent, 1000), 200);
    ck_assert_ptr_nonnull(strstr(client.body, "\"accepted\":20,\"rejected\":0,\"errors\":[],"));
    ck_assert_ptr_nonnull(strstr(client.body, "{\"line\":10,"));
    ck_assert_ptr_null(strstr(client.body, "{\"line\":11,"));
    end();
}
END_TEST

/* The worker's clock is NOW_US, the machine's of today: beyond the span, so it is held at the
 * wake-up's. */
START_TEST(at_arrival) {
    static const struct sent form = {CONTENT_USUAL, NULL, "who=1", NULL};
    static const struct sent object = {CONTENT_JSON, NULL, "{\"who\":1}", NULL};
    static const struct sent late = {CONTENT_USUAL, NULL, "value=" LATE "&who=1", NULL};
    static const struct sent lines = {CONTENT_JSON_LINES, NULL, "{\"who\":1}\n{\"who\":1}\n", NULL};
    static const struct sent empty = {CONTENT_JSON, "who=1", "", NULL};
    static const struct sent times = {CONTENT_USUAL, NULL, "2016-05-28 11:11:11", NULL};
    static const struct sent text = {CONTENT_USUAL, NULL, "who=1\n" LATE " who=1\nwho\n", NULL};
    begin();
    ck_assert_uint_eq(send_event(&form, 100), 400);
    ck_assert_uint_eq(send_event(&object, 100), 400);
    ck_assert_str_eq(client.body, "no time: one of value, timestamp, @timestamp, time, date "
                                  "(--time-field names others); --clock arrival needs none\n");
    ck_assert_uint_eq(send_batch(&lines, 100), 200);
    ck_assert_ptr_nonnull(strstr(client.body, "{\"accepted\":0,\"rejected\":2,"));
    ck_assert_uint_eq(tally().refused[REFUSAL_MALFORMED], 4);
    ck_assert_str_eq(rows_of(0), "");
    ck_assert_uint_eq(send_event(&empty, 100), 204);
    ck_assert_str_eq(rows_of(0), "1=1 ");
    server.clock_is_arrival = true;
    ck_assert_uint_eq(send_event(&late, 100), 204);
    ck_assert_uint_eq(send_event(&form, 100), 204);
    ck_assert_uint_eq(send_event(&form, 1), 204);
    ck_assert_uint_eq(send_event(&object, 100), 204);
    ck_assert_uint_eq(send_event(&empty, 100), 204);
    ck_assert_uint_eq(send_batch(&lines, 100), 200);
    ck_assert_str_eq(client.body, "{\"accepted\":2,\"rejected\":0,\"errors\":[]}\n");
    ck_assert_str_eq(rows_of(0), "1=8 ");
    ck_assert_uint_eq(send_event(&times, 100), 400); /* a file of them, sent to the wrong path */
    ck_assert_uint_eq(send_batch(&text, 7), 200);
    ck_assert_ptr_nonnull(strstr(client.body, "{\"accepted\":2,\"rejected\":1,"));
    ck_assert_str_eq(rows_of(0), "1=10 ");
    end();
}
END_TEST

HTTP_LAB_MAIN("count", single_events, batches, what_is_unfit_is_counted_and_told,
              all_reports_are_named_with_their_reasons, what_has_no_room_is_numbered, ten_are_told,
              at_arrival)
