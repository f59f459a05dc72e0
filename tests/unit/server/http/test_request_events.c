/* What a request counts: single events and batches, in whatever pieces they come. */
#include "server/refusals.h"
#include "tests/unit/server/http/request_lab.h"

#include <check.h>
#include <string.h>
#include <sys/socket.h>

START_TEST(single_events) {
    static const struct {
        const char *target, *body;
        unsigned status;
        int refusal; /* -1: counted */
    } rows[] = {
        {"/", "value=" TIME, 204, -1},
        {"/", "", 204, -1},
        {"/?value=" IN_QUERY, "", 204, -1},
        {"/?a=b", "value=" TIME, 204, -1},
        {"/?value=" IN_QUERY, "a=b", 204, -1},
        {"/?value=" IN_QUERY, "value=" TIME, 400, REFUSAL_MALFORMED},
        {"/?value=x", "", 400, REFUSAL_MALFORMED},
        {"/?value=" IN_QUERY, "a=%zz", 400, REFUSAL_MALFORMED},
        {"/", "value=x", 400, REFUSAL_MALFORMED},
        {"/", "other=" TIME, 400, REFUSAL_MALFORMED},
        {"/", "value=" LATE, 422, REFUSAL_TOO_LATE},
        {"/", "value=" AHEAD, 422, REFUSAL_TOO_FAR_AHEAD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 1; piece <= 64; piece += 63) { /* byte by byte, and at once */
            const struct shard_tally before = tally();
            ck_assert_msg(post(rows[i].target, rows[i].body, piece, NULL) == rows[i].status,
                          "%zu: %u %s", i, client.status, client.body);
            const struct shard_tally after = tally();
            ck_assert_uint_eq(after.received, before.received + 1);
            ck_assert_uint_eq(after.counted, before.counted + (rows[i].refusal < 0));
            if (rows[i].refusal >= 0) {
                ck_assert_uint_eq(after.refused[rows[i].refusal],
                                  before.refused[rows[i].refusal] + 1);
            }
        }
    }
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_requests),
                      2 * sizeof rows / sizeof *rows);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_responses_2xx), 10);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_responses_4xx), 14);
    /* those with a time, of which each is 500 us old */
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_events), 8);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_lag_us_max), 500);
}
END_TEST

START_TEST(batches) {
    static const char body[] = TIME "\nx\n" TIME "\n\n" LATE "\n" AHEAD "\n" TIME;
    for (size_t piece = 1; piece <= sizeof body; piece++) {
        const struct shard_tally before = tally();
        ck_assert_uint_eq(post("/events", body, piece, NULL), 200);
        ck_assert_ptr_nonnull(
            strstr(client.body, "{\"accepted\":3,\"rejected\":3,\"errors\":[{\"line\":2,"));
        ck_assert_ptr_nonnull(strstr(client.body, "{\"line\":5,"));
        ck_assert_ptr_nonnull(strstr(client.body, "{\"line\":6,"));
        ck_assert_ptr_null(strstr(client.body, "truncated"));
        const struct shard_tally after = tally();
        ck_assert_uint_eq(after.received - before.received, 6);
        ck_assert_uint_eq(after.counted - before.counted, 3);
        ck_assert_uint_eq(after.refused[REFUSAL_MALFORMED] - before.refused[REFUSAL_MALFORMED], 1);
        ck_assert_uint_eq(after.refused[REFUSAL_TOO_LATE] - before.refused[REFUSAL_TOO_LATE], 1);
    }
    ck_assert_uint_eq(post("/events", "", 1, NULL), 200);
    ck_assert_str_eq(client.body, "{\"accepted\":0,\"rejected\":0,\"errors\":[]}\n");
    ck_assert_uint_eq(post("/events", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n", 1000, NULL), 200);
    ck_assert_ptr_nonnull(strstr(client.body, "\"rejected\":12"));
    ck_assert_ptr_nonnull(strstr(client.body, "\"line\":10,")); /* ten are named, and no more */
    ck_assert_ptr_null(strstr(client.body, "\"line\":11,"));
}
END_TEST

START_TEST(a_batch_in_chunks_beyond_the_limit) {
    char body[20 * 21 + 1] = "";
    for (int i = 0; i < 20; i++) {
        strcat(body, TIME "\n");
    }
    set_headers((const char *const[]){"Transfer-Encoding: chunked"}, 1);
    ck_assert_uint_eq(request("POST", "/events", body, 7), 200);
    /* 200 bytes are ten lines of 20 */
    ck_assert_str_eq(
        client.body,
        "{\"accepted\":10,\"rejected\":0,\"errors\":[],\"truncated\":{\"from_line\":11,"
        "\"reason\":\"the body is larger than --max-body\"}}\n");
    ck_assert(worker.answers_last);
    const struct shard_tally sum = tally();
    ck_assert_uint_eq(sum.counted, 10);
    ck_assert_uint_eq(sum.refused[REFUSAL_TOO_LARGE], 1);
    ck_assert_uint_eq(sum.received, 11);
    set_headers((const char *const[]){"Transfer-Encoding: chunked"}, 1);
    ck_assert_uint_eq(request("POST", "/", body, 7), 413);
    ck_assert_uint_eq(tally().refused[REFUSAL_TOO_LARGE], 2);
    /* the LF of the tenth line is byte 201, and in the first piece: it is not read */
    memmove(body + 1, body, sizeof body - 1);
    body[0] = '\n';
    body[sizeof body - 1] = '\0';
    ck_assert_uint_eq(request("POST", "/events", body, 201), 200);
    ck_assert_ptr_nonnull(strstr(client.body, "{\"accepted\":9,\"rejected\":0,\"errors\":[],"));
    ck_assert_ptr_nonnull(strstr(client.body, "\"from_line\":11,"));
}
END_TEST

START_TEST(a_large_body_is_answered_by_a_farewell) {
    char got[512] = "";
    set_headers((const char *const[]){"Content-Length: 70000"}, 1);
    void *con_cls = NULL;
    size_t none = 0;
    request_read_target(&worker, "/", NULL);
    ck_assert_int_eq(request_handle(&worker, NULL, "/", "POST", "HTTP/1.1", NULL, &none, &con_cls),
                     MHD_YES);
    ck_assert_uint_eq(client.answers, 0); /* not by the library */
    ck_assert_int_gt(recv(client.other_end, got, sizeof got - 1, 0), 0);
    ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 413 "));
    ck_assert_ptr_nonnull(
        strstr(got, "\r\n\r\nthe body is larger than --max-body; send less at once\n"));
    ck_assert_int_eq(connected->deadline.phase, PHASE_FAREWELL);
    ck_assert_uint_eq(tally().refused[REFUSAL_TOO_LARGE], 1);
    static char piece[65536];
    enum MHD_Result result = MHD_YES;
    size_t read = 0;
    while (result == MHD_YES && read < 2 * (size_t)FAREWELL_BYTES) {
        size_t n = sizeof piece;
        result = request_handle(&worker, NULL, "/", "POST", "HTTP/1.1", piece, &n, &con_cls);
        read += sizeof piece;
    }
    ck_assert_uint_eq(read, FAREWELL_BYTES + sizeof piece);
    request_complete(&worker, NULL, &con_cls, MHD_REQUEST_TERMINATED_COMPLETED_OK);
    ck_assert_uint_eq(metric_read(&worker.metrics, METRIC_responses_4xx), 1);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {single_events, batches, a_batch_in_chunks_beyond_the_limit,
                                  a_large_body_is_answered_by_a_farewell};
    return request_lab_run("request_events", tests, sizeof tests / sizeof *tests);
}
