#include "server/http/batch.h"

#include "common/json.h"
#include "counters/counters.h"
#include "ingest/lines.h"
#include "ingest/span.h"
#include "server/http/answers.h"
#include "server/http/event.h"
#include "server/http/tally.h"
#include "server/process/log.h"
#include "server/refusals.h"

#include <stdio.h>
#include <stdlib.h>

#define REPORT_MAX 10 /* refused lines that a report names */
#define REASON_MAX SPAN_WHY_MAX
#define REPORT_BYTES (256 + REPORT_MAX * (32 + 2 * REASON_MAX))
#define WARN_EVERY_US (60 * US_PER_S)
#define TOO_LARGE "the body is larger than --max-body"

struct refused_line {
    uint64_t line;
    char reason[REASON_MAX];
};

void batch_begin(struct batch *batch) {
    lines_begin(&batch->lines);
    batch->accepted = batch->rejected = 0;
}

void batch_release(struct batch *batch) {
    free(batch->refused);
    batch->refused = NULL;
}

/* Where to write why the line is refused; NULL when the report names enough lines already. */
static char *refuse_line(struct batch *batch, struct shard_tally *tally, uint64_t line,
                         enum refusal refusal) {
    tally->refused[refusal]++;
    if (!batch->refused) {
        batch->refused = calloc(REPORT_MAX, sizeof *batch->refused);
    }
    const uint64_t nth = batch->rejected++;
    if (nth >= REPORT_MAX || !batch->refused) {
        return NULL;
    }
    batch->refused[nth].line = line;
    return batch->refused[nth].reason;
}

/* Refuses the i-th event of those read last. */
static void refuse_time(const struct worker *worker, struct batch *batch, struct shard_tally *tally,
                        size_t i, enum shard_verdict verdict) {
    const struct lines_batch *read = &worker->batch;
    char *reason =
        refuse_line(batch, tally, read->first_line + i,
                    verdict == SHARD_TOO_LATE ? REFUSAL_TOO_LATE : REFUSAL_TOO_FAR_AHEAD);
    if (reason) {
        event_explain_time(worker, read->us[i], reason);
    }
}

/* Counts what the parser has read into worker->batch. */
static void count_lines(struct worker *worker, struct batch *batch) {
    const struct lines_batch *read = &worker->batch;
    struct shard_tally tally = {.received = read->n + (read->malformed ? 1 : 0)};
    size_t done = 0;
    if (worker->server->clock_is_arrival) {
        for (; done < read->n; done++) {
            shard_add_arrival_owner(worker->shard, worker->now_us);
        }
        tally.counted = done;
    }
    while (done < read->n) {
        enum shard_verdict verdict;
        const size_t counted =
            shard_add_batch_owner(worker->shard, read->us + done, read->n - done, &verdict);
        tally.counted += counted;
        done += counted;
        if (done < read->n) {
            refuse_time(worker, batch, &tally, done++, verdict);
        }
    }
    if (tally.counted) { /* one a read is enough: a batch's lines are of one moment */
        tally_add_lag(worker, read->us[read->n - 1]);
    }
    if (read->malformed) {
        char *reason = refuse_line(batch, &tally, read->bad_line, REFUSAL_MALFORMED);
        if (reason) {
            lines_explain(&read->error, reason, REASON_MAX);
        }
    }
    batch->accepted += tally.counted;
    shard_tally_owner(worker->shard, &tally);
}

void batch_read_body(struct connection *connection, const char *data, size_t len) {
    struct worker *worker = connection->worker;
    struct batch *batch = &connection->request.batch;
    while (len) {
        const size_t used = lines_feed(&batch->lines, data, len, &worker->batch);
        count_lines(worker, batch);
        data += used;
        len -= used;
    }
}

/* ---- what is told of it ---- */

/* Such a batch is answered with 200, since after a refusal its sender would drop it, or repeat it
 * for ever. A sender that looks at nothing but the status would never learn of it: so the log says
 * it. */
static void warn_of_refused_batch(struct connection *connection) {
    struct worker *worker = connection->worker;
    const struct batch *batch = &connection->request.batch;
    const uint64_t n =
        log_digest_add(&worker->server->batches_refused, 1, worker_woke_us(worker), WARN_EVERY_US);
    char client[LOG_ADDRESS_MAX], quoted[2 * REASON_MAX];
    if (n && batch->refused) {
        const struct sockaddr *address =
            MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
                ->client_addr;
        log_line(LOG_WARN, "every line of a batch was refused",
                 "client=%s lines=%llu first_line=%llu reason=%s batches=%llu",
                 log_address(address, client), (unsigned long long)batch->rejected,
                 (unsigned long long)batch->refused[0].line,
                 log_quote(batch->refused[0].reason, quoted, sizeof quoted), (unsigned long long)n);
    }
}

static void log_batch(struct connection *connection) {
    const struct request *request = &connection->request;
    const struct batch *batch = &request->batch;
    char text[64 + REASON_MAX];
    if (batch->accepted == 0 && batch->rejected > 0) {
        warn_of_refused_batch(connection);
    }
    if (!log_is_on(LOG_DEBUG)) {
        return;
    }
    if (batch->rejected > 0 && batch->refused) {
        snprintf(text, sizeof text, "%llu of %llu lines, the first is line %llu: %s",
                 (unsigned long long)batch->rejected,
                 (unsigned long long)(batch->accepted + batch->rejected),
                 (unsigned long long)batch->refused[0].line, batch->refused[0].reason);
        answers_log_refusal(connection, MHD_HTTP_UNPROCESSABLE_CONTENT, text);
    }
    /* when nothing was accepted, its answer is a refusal and logged as one */
    if (request->too_large && batch->accepted > 0) {
        snprintf(text, sizeof text, TOO_LARGE ": not counted from line %llu on",
                 (unsigned long long)batch->lines.line);
        answers_log_refusal(connection, refusal_table[REFUSAL_TOO_LARGE].status, text);
    }
}

/* Of a batch that was too large the lines before the limit are counted; `truncated` says from which
 * line on they are not, so that its sender can go on there. */
static void write_report(const struct request *request, char *text) {
    const struct batch *batch = &request->batch;
    struct json json = json_begin(text, REPORT_BYTES);
    json_object(&json, NULL);
    json_count(&json, "accepted", batch->accepted);
    json_count(&json, "rejected", batch->rejected);
    json_array(&json, "errors");
    for (uint64_t i = 0; batch->refused && i < batch->rejected && i < REPORT_MAX; i++) {
        json_object(&json, NULL);
        json_count(&json, "line", batch->refused[i].line);
        json_text(&json, "reason", batch->refused[i].reason);
        json_object_end(&json);
    }
    json_array_end(&json);
    if (request->too_large) {
        json_object(&json, "truncated");
        json_count(&json, "from_line", batch->lines.line);
        json_text(&json, "reason", TOO_LARGE);
        json_object_end(&json);
    }
    json_object_end(&json);
    json_end(&json);
}

enum MHD_Result batch_finish(struct connection *connection, bool at_end) {
    struct worker *worker = connection->worker;
    struct request *request = &connection->request;
    struct batch *batch = &request->batch;
    if (request->too_large) {
        tally_add_refusal(worker, REFUSAL_TOO_LARGE);
    } else {
        lines_end(&batch->lines, &worker->batch);
        count_lines(worker, batch);
    }
    const unsigned status = request->too_large && batch->accepted == 0
                                ? refusal_table[REFUSAL_TOO_LARGE].status
                                : MHD_HTTP_OK;
    char text[REPORT_BYTES];
    write_report(request, text);
    log_batch(connection);
    const struct farewell farewell = {status, ANSWERS_TYPE_JSON, text, NULL, NULL};
    return at_end ? answers_queue_text(connection, status, text, ANSWERS_TYPE_JSON)
                  : answers_send_farewell(connection, &farewell);
}
