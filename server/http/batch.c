#define _GNU_SOURCE /* memrchr */
#include "server/http/batch.h"

#include "common/json.h"
#include "counters/counters.h"
#include "ingest/lines.h"
#include "ingest/span.h"
#include "server/http/answers.h"
#include "server/http/batch_records.h"
#include "server/http/count.h"
#include "server/http/event.h"
#include "server/http/keep.h"
#include "server/http/tally.h"
#include "server/process/log.h"
#include "server/refusals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_MAX 10 /* refused lines that a report names */
#define REASON_MAX SPAN_WHY_MAX
#define REPORT_BYTES                                                                               \
    (256 + REPORT_MAX * (32 + 2 * REASON_MAX) +                                                    \
     REPORT_MAX * (64 + FIELD_NAME_MAX + 2 * LEFT_OUT_WHY_MAX))
#define WARN_EVERY_US (60 * US_PER_S)
#define TOO_LARGE "the body is larger than --max-body"

struct refused_line {
    uint64_t line;
    char reason[REASON_MAX];
};

/* Names are copied, since the definitions may be reloaded before the answer. */
struct unfit_line {
    uint64_t line;
    char field[FIELD_NAME_MAX];
    char reason[LEFT_OUT_WHY_MAX];
};

void batch_begin(struct connection *connection) {
    struct batch *batch = &connection->request.batch;
    batch->content = connection->request.content;
    if (batch->content == CONTENT_USUAL) {
        lines_begin(&batch->lines, &connection->worker->record.habits.times);
    }
    batch->items = (struct json_items){0};
    batch->line = 1;
    batch->broken = false;
    batch->accepted = batch->rejected = 0;
    batch->unfits = 0;
}

void batch_release(struct batch *batch) {
    free(batch->refused);
    free(batch->unfit);
    batch->refused = NULL;
    batch->unfit = NULL;
}

char *batch_refuse(struct batch *batch, struct shard_tally *tally, uint64_t line,
                   enum refusal refusal) {
    tally->received++;
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

void batch_note_unfit(struct worker *worker, struct batch *batch, uint64_t line, uint64_t unfit) {
    if (!batch->unfit) {
        batch->unfit = calloc(REPORT_MAX, sizeof *batch->unfit);
    }
    for (; unfit && batch->unfit && batch->unfits < REPORT_MAX; unfit &= unfit - 1) {
        const unsigned i = (unsigned)__builtin_ctzll(unfit);
        struct unfit_line *noted = &batch->unfit[batch->unfits++];
        noted->line = line;
        count_explain_field(worker, i, noted->reason);
        snprintf(noted->field, sizeof noted->field, "%s", fields_at(count_fields(worker), i)->name);
    }
}

/* Counts one by one the lines that entry i of those read last stands for; `line` is the number of
 * the first. */
static void count_each(struct worker *worker, struct batch *batch, struct shard_tally *tally,
                       size_t i, uint64_t line) {
    const struct lines_batch *read = &worker->batch;
    const char *text = read->text[i];
    int64_t us = read->us[i];
    for (const uint64_t end = line + read->times[i]; line < end; line++) {
        const enum shard_verdict verdict = shard_add_owner(worker->shard, us);
        if (verdict == SHARD_COUNTED) {
            tally->counted++;
            tally_note_counted(worker, us);
        } else {
            char *reason =
                batch_refuse(batch, tally, line,
                             verdict == SHARD_TOO_LATE ? REFUSAL_TOO_LATE : REFUSAL_TOO_FAR_AHEAD);
            if (reason) {
                event_explain_time(worker, us, reason);
            }
        }
        if (line + 1 < end) {
            text = lines_next_time(text, &us);
        }
    }
}

/* Counts the entries read last, from entry i up to one that must be examined line by line. Returns
 * how many entries it counted; *events: how many lines these stand for. */
static size_t add_times(struct worker *worker, size_t i, uint64_t *events) {
    const struct lines_batch *read = &worker->batch;
    const int64_t *us = read->us + i;
    enum shard_verdict verdict;
    return read->has_windows
               ? shard_add_windows_owner(worker->shard, us, read->times + i, read->n - i, events)
               : (*events = shard_add_batch_owner(worker->shard, us, read->n - i, &verdict));
}

/* Counts times that the parser has read into worker->batch, while there are no reports. */
static void count_windows(struct worker *worker, struct batch *batch, struct shard_tally *tally) {
    const struct lines_batch *read = &worker->batch;
    uint64_t line = read->first_line;
    for (size_t done = 0; done < read->n; done++) {
        uint64_t events = 0;
        done += add_times(worker, done, &events);
        if (events > 0) {
            tally->counted += events;
            line += events;
            tally_note_counted(worker, read->us[done - 1]);
        }
        if (done < read->n) {
            count_each(worker, batch, tally, done, line);
            line += read->times[done];
        }
    }
    tally->received += tally->counted;
}

/* The same if events are counted at their arrival. */
static void count_arrivals(struct worker *worker, struct shard_tally *tally) {
    for (; tally->counted < worker->batch.n; tally->counted++) {
        shard_add_arrival_owner(worker->shard, worker->now_us);
    }
    if (tally->counted > 0) {
        tally_note_counted(worker, worker->now_us);
    }
    tally->received += tally->counted;
}

/* The same with reports, or an event log. */
static void count_records(struct worker *worker, struct batch *batch, struct shard_tally *tally) {
    const struct lines_batch *read = &worker->batch;
    for (size_t i = 0; i < read->n; i++) {
        struct record *record = count_next(worker);
        record->timed = true;
        record->us = read->us[i];
        if (keep_is_on(worker)) {
            keep_read(worker, KEEP_TIME, NULL, 0);
        }
        batch_count_record(worker, batch, tally, read->first_line + i);
    }
}

/* Whether only the windows of the times are needed, so that the parser may leave out the rest. */
static bool counts_windows(const struct worker *worker) {
    return !worker->report_view.adder && !keep_is_on(worker) && !worker->server->clock_is_arrival;
}

/* Counts what the parser has read into worker->batch; `whole` is the text of the line that it
 * refused, if it did. */
static void count_lines(struct connection *connection, const struct batch_line *whole) {
    struct worker *worker = connection->worker;
    struct batch *batch = &connection->request.batch;
    const struct lines_batch *read = &worker->batch;
    struct shard_tally tally = {0};
    if (batch->lines.by_window) {
        count_windows(worker, batch, &tally);
    } else if (worker->report_view.adder || keep_is_on(worker)) {
        count_records(worker, batch, &tally);
    } else {
        count_arrivals(worker, &tally);
    }
    if (tally.counted && read->n) { /* one per read is enough: a batch's lines arrive together */
        tally_add_lag(worker, read->us[read->n - 1]);
    }
    if (read->malformed) {
        batch_read_line(connection, &tally, whole);
    }
    batch->accepted += tally.counted;
    shard_tally_owner(worker->shard, &tally);
}

/* Finds the line that the parser has refused. It ends at data[used] or with the body; if an earlier
 * read cut it off, its beginning is in what was gathered. */
static struct batch_line find_line(struct connection *connection, const char *data, size_t used) {
    struct gather *gather = &connection->gather;
    const size_t len = used > 0 && data[used - 1] == '\n' ? used - 1 : used;
    const char *before = memrchr(data, '\n', len);
    if (before || !gather_holds(gather)) {
        const char *text = before ? before + 1 : data;
        const size_t n = (size_t)(data + len - text);
        return (struct batch_line){n <= GATHER_MAX ? text : NULL, n};
    }
    gather_add(gather, data, len);
    return (struct batch_line){gather->overlong ? NULL : gather_text(gather), gather->len};
}

/* Keeps the beginning of a line that the piece cuts off, since the parser keeps no line longer than
 * a timestamp. */
static void gather_rest(struct connection *connection, const char *data, size_t len) {
    const char *end = memrchr(data, '\n', len);
    if (end) {
        gather_clear(&connection->gather);
    }
    const char *rest = end ? end + 1 : data;
    gather_add(&connection->gather, rest, (size_t)(data + len - rest));
}

static void read_lines(struct connection *connection, const char *data, size_t len) {
    struct worker *worker = connection->worker;
    struct batch *batch = &connection->request.batch;
    const uint64_t before = batch->accepted;
    const char *from = data;
    size_t left = len;
    batch->lines.by_window = counts_windows(worker);
    while (left) {
        const size_t used = lines_feed(&batch->lines, from, left, &worker->batch);
        struct batch_line line = {NULL, 0};
        if (worker->batch.malformed) {
            line = find_line(connection, from, used);
        }
        count_lines(connection, &line);
        if (gather_holds(&connection->gather) && memchr(from, '\n', used)) {
            gather_clear(&connection->gather); /* what it held was part of these lines */
        }
        from += used;
        left -= used;
    }
    gather_rest(connection, data, len);
    if (batch->accepted > before && worker->batch.n == 0 && worker->record.timed) {
        tally_add_lag(worker, worker->record.us); /* a line with fields */
    }
}

void batch_read_body(struct connection *connection, const char *data, size_t len) {
    connection->worker->batch_read = true;
    count_begin(connection);
    switch (connection->request.batch.content) {
    case CONTENT_JSON:
        batch_read_array(connection, data, len);
        break;
    case CONTENT_JSON_LINES:
        batch_read_objects(connection, data, len);
        break;
    default:
        read_lines(connection, data, len);
    }
}

/* ---- the report ---- */

/* The line that would have been counted next. */
static uint64_t find_next_line(const struct batch *batch) {
    return batch->content == CONTENT_USUAL ? batch->lines.line : batch->line;
}

/* Such a batch is answered with 200, since after a refusal its sender would drop it or repeat it
 * for ever. A sender that checks only the status would never notice, so the log says it. */
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
        metric_add_owner(&connection->worker->metrics, METRIC_batches_refused, 1);
        warn_of_refused_batch(connection);
    }
    if (!log_is_on(LOG_DEBUG)) {
        return;
    }
    if (batch->rejected > 0 && batch->refused) {
        snprintf(text, sizeof text, "%llu of %llu lines, the first is line %llu: %s",
                 (unsigned long long)batch->rejected,
                 (unsigned long long)batch->accepted + (unsigned long long)batch->rejected,
                 (unsigned long long)batch->refused[0].line, batch->refused[0].reason);
        answers_log_refusal(connection, MHD_HTTP_UNPROCESSABLE_CONTENT, text);
    }
    /* if nothing was accepted, the answer is a refusal and is logged as one */
    if (request->too_large && batch->accepted > 0) {
        snprintf(text, sizeof text, TOO_LARGE ": not counted from line %llu on",
                 (unsigned long long)find_next_line(batch));
        answers_log_refusal(connection, refusal_table[REFUSAL_TOO_LARGE].status, text);
    }
}

static void write_unfit(const struct batch *batch, struct json *json) {
    json_array(json, "unfit");
    for (unsigned i = 0; i < batch->unfits; i++) {
        json_object(json, NULL);
        json_count(json, "line", batch->unfit[i].line);
        json_text(json, "field", batch->unfit[i].field);
        json_text(json, "reason", batch->unfit[i].reason);
        json_object_end(json);
    }
    json_array_end(json);
}

/* The lines of a too large batch are counted up to the limit; `truncated` says from which line on
 * they are not, so that the sender can continue there. */
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
    if (batch->unfits > 0) {
        write_unfit(batch, &json);
    }
    if (request->too_large) {
        json_object(&json, "truncated");
        json_count(&json, "from_line", find_next_line(batch));
        json_text(&json, "reason", TOO_LARGE);
        json_object_end(&json);
    }
    json_object_end(&json);
    json_end(&json);
}

/* Counts the last line or object, at the end of the body. */
static void end_body(struct connection *connection) {
    struct worker *worker = connection->worker;
    struct batch *batch = &connection->request.batch;
    count_begin(connection);
    if (batch->content != CONTENT_USUAL) {
        batch_end_records(connection);
        return;
    }
    batch->lines.by_window = counts_windows(worker);
    lines_end(&batch->lines, &worker->batch);
    const struct gather *gather = &connection->gather;
    const struct batch_line line = {gather->overlong ? NULL : gather_text(gather), gather->len};
    count_lines(connection, &line);
}

enum MHD_Result batch_finish(struct connection *connection, bool at_end) {
    struct worker *worker = connection->worker;
    struct request *request = &connection->request;
    struct batch *batch = &request->batch;
    if (request->too_large) {
        tally_add_refusal(worker, REFUSAL_TOO_LARGE);
    } else {
        end_body(connection);
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
