#include "server/http/batch_records.h"

#include "ingest/json_lines.h"
#include "ingest/lines.h"
#include "ingest/span.h"
#include "server/http/count.h"
#include "server/http/event.h"
#include "server/http/keep.h"
#include "server/http/tally.h"

#include <stdio.h>
#include <string.h>

#define REASON_MAX RECORD_WHY_MAX
_Static_assert(RECORD_WHY_MAX <= SPAN_WHY_MAX, "a reason has room for either sentence");

/* ---- one event ---- */

void batch_count_record(struct worker *worker, struct batch *batch, struct shard_tally *tally,
                        uint64_t line) {
    const int64_t event_us = worker->record.us;
    uint64_t unfit;
    if (keep_is_on(worker) && !keep_has_room(worker)) {
        char *reason = batch_refuse(batch, tally, line, REFUSAL_NOT_KEPT);
        if (reason) {
            snprintf(reason, REASON_MAX, "%s", refusal_table[REFUSAL_NOT_KEPT].sentence);
        }
        return;
    }
    const enum shard_verdict verdict = count_record(worker, worker->now_us, &unfit);
    if (__builtin_expect(verdict != SHARD_COUNTED, 0)) {
        const enum refusal refusal =
            verdict == SHARD_TOO_LATE ? REFUSAL_TOO_LATE : REFUSAL_TOO_FAR_AHEAD;
        char *reason = batch_refuse(batch, tally, line, refusal);
        if (keep_is_on(worker)) {
            keep_refused(worker, refusal, event_us);
        }
        if (reason) {
            event_explain_time(worker, event_us, reason);
        }
        return;
    }
    const bool at_arrival = worker->server->clock_is_arrival || !worker->record.timed;
    tally_note_counted(worker, at_arrival ? worker->now_us : event_us);
    tally->received++;
    tally->counted++;
    if (__builtin_expect(unfit != 0, 0)) {
        batch_note_unfit(worker, batch, line, unfit);
    }
}

/* What should have been an event but could not be read; text NULL: it is not available. */
struct unread {
    const char *text;
    size_t len;
};

static void refuse_malformed(struct connection *connection, struct shard_tally *tally,
                             uint64_t line, const char *why, const struct unread *unread) {
    struct batch *batch = &connection->request.batch;
    if (keep_is_on(connection->worker)) {
        keep_read(connection->worker, unread->text ? KEEP_TEXT : KEEP_TIME, unread->text,
                  unread->len);
        keep_malformed(connection->worker, why);
    }
    char *reason = batch_refuse(batch, tally, line, REFUSAL_MALFORMED);
    if (reason) {
        snprintf(reason, REASON_MAX, "%s", why);
    }
}

/* Counts the JSON object text[0..len) that was read into worker->record. */
static void count_object(struct connection *connection, struct shard_tally *tally, const char *text,
                         size_t len) {
    struct worker *worker = connection->worker;
    struct batch *batch = &connection->request.batch;
    if (keep_is_on(worker)) {
        keep_read(worker, KEEP_JSON, text, len);
    }
    batch_count_record(worker, batch, tally, batch->line);
}

/* Counts one whole JSON object; text NULL: it was too long. */
static void take_object(struct connection *connection, struct shard_tally *tally, const char *text,
                        size_t len) {
    struct worker *worker = connection->worker;
    struct batch *batch = &connection->request.batch;
    struct record *record = count_next(worker);
    char why[RECORD_WHY_MAX] = "longer than 64 KiB";
    const enum record_outcome outcome =
        text ? record_read_json(record, count_fields(worker), text, len, why) : RECORD_MALFORMED;
    if (outcome == RECORD_EVENT) {
        count_object(connection, tally, text, len);
    } else if (outcome == RECORD_MALFORMED) {
        refuse_malformed(connection, tally, batch->line, why, &(const struct unread){text, len});
    }
    batch->line++;
}

/* The same for one that the previous read cut off. */
static void take_gathered(struct connection *connection, struct shard_tally *tally) {
    struct gather *gather = &connection->gather;
    take_object(connection, tally, gather->overlong ? NULL : gather_text(gather), gather->len);
    gather_clear(gather);
}

/* Adds what a read counted, once per read. The lag is that of its last event. */
static void add_tally(struct connection *connection, const struct shard_tally *tally) {
    struct worker *worker = connection->worker;
    if (tally->counted && worker->record.timed) {
        tally_add_lag(worker, worker->record.us);
    }
    connection->request.batch.accepted += tally->counted;
    shard_tally_owner(worker->shard, tally);
}

/* ---- an object a line ---- */

/* Counts, from the front of the text, the objects that have a line each, as all usually have.
 * Returns where it stopped: at one that is malformed or incomplete, or at the end of the text. */
static const char *take_lines(struct connection *connection, struct shard_tally *tally,
                              struct json_lines *lines, const char *at) {
    struct worker *worker = connection->worker;
    const struct fields *fields = count_fields(worker);
    const char *end;
    while ((end = json_lines_read(lines, count_next(worker), fields, at)) &&
           end - at <= GATHER_MAX) {
        count_object(connection, tally, at, (size_t)(end - at));
        connection->request.batch.line++;
        at = end + 1;
    }
    return at;
}

void batch_read_objects(struct connection *connection, const char *data, size_t len) {
    struct gather *gather = &connection->gather;
    struct shard_tally tally = {0};
    struct json_lines lines;
    const char *end;
    json_lines_begin(&lines, data, len);
    for (const char *const last = data + len; data < last; data = end + 1) {
        if (!gather_holds(gather) &&
            (data = take_lines(connection, &tally, &lines, data)) == last) {
            break;
        }
        const size_t left = (size_t)(last - data);
        end = memchr(data, '\n', left);
        if (!end) {
            gather_add(gather, data, left);
            break;
        }
        if (gather_holds(gather)) {
            gather_add(gather, data, (size_t)(end - data));
            take_gathered(connection, &tally);
        } else {
            const size_t n = (size_t)(end - data);
            take_object(connection, &tally, n <= GATHER_MAX ? data : NULL, n);
        }
    }
    add_tally(connection, &tally);
}

/* ---- an array ---- */

static void break_off(struct connection *connection, struct shard_tally *tally) {
    struct batch *batch = &connection->request.batch;
    char why[RECORD_WHY_MAX];
    const char *expected = json_items_expected(&batch->items); /* NULL: the end */
    snprintf(why, sizeof why, "%s; nothing is counted from here on",
             expected ? expected : "something follows the array's ']'");
    refuse_malformed(connection, tally, batch->line, why, &(const struct unread){NULL, 0});
    batch->broken = true;
}

void batch_read_array(struct connection *connection, const char *data, size_t len) {
    struct batch *batch = &connection->request.batch;
    struct gather *gather = &connection->gather;
    struct shard_tally tally = {0};
    while (len > 0 && !batch->broken) {
        size_t used, n = 0;
        const char *at = data;
        const enum json_items_found found =
            json_items_next(&batch->items, data, len, &used, &at, &n);
        if (found == JSON_ITEMS_BROKEN) {
            break_off(connection, &tally);
        } else if (found == JSON_ITEMS_PIECE ||
                   (found == JSON_ITEMS_ITEM && gather_holds(gather))) {
            gather_add(gather, at, n);
        }
        if (found == JSON_ITEMS_ITEM && gather_holds(gather)) {
            take_gathered(connection, &tally);
        } else if (found == JSON_ITEMS_ITEM) {
            take_object(connection, &tally, n <= GATHER_MAX ? at : NULL, n);
        }
        data += used;
        len -= used;
    }
    add_tally(connection, &tally);
}

void batch_end_records(struct connection *connection) {
    struct batch *batch = &connection->request.batch;
    struct shard_tally tally = {0};
    if (batch->content == CONTENT_JSON_LINES) {
        if (gather_holds(&connection->gather)) {
            take_gathered(connection, &tally);
        }
    } else if (!batch->broken && connection->request.body_bytes > 0 &&
               json_items_expected(&batch->items)) {
        break_off(connection, &tally);
    }
    add_tally(connection, &tally);
}

/* ---- a line with fields ---- */

/* Whether the line has fields and, if it needs a timestamp, begins like one. Otherwise it was meant
 * to be a timestamp alone, and the timestamp parser's reason applies. */
static bool has_fields(const struct worker *worker, const char *text, size_t len) {
    const bool begins = len > 0 && text[0] >= '0' && text[0] <= '9';
    return (begins || worker->server->clock_is_arrival) && memchr(text, '=', len);
}

/* Reads a line into worker->record; false fills why (RECORD_WHY_MAX). */
static bool read_line(struct worker *worker, const struct batch_line *line, char *why) {
    if (!line->text) {
        snprintf(why, RECORD_WHY_MAX,
                 "longer than 64 KiB; are the line ends lost? (curl: --data-binary @FILE, not "
                 "--data)");
        return false;
    }
    const size_t len = line->len - (line->len > 0 && line->text[line->len - 1] == '\r');
    if (!has_fields(worker, line->text, len)) {
        lines_explain(&worker->batch.error, why, RECORD_WHY_MAX);
        return false;
    }
    return record_read_line(count_next(worker), count_fields(worker), line->text, len, why) ==
           RECORD_EVENT;
}

void batch_read_line(struct connection *connection, struct shard_tally *tally,
                     const struct batch_line *line) {
    struct worker *worker = connection->worker;
    struct batch *batch = &connection->request.batch;
    const uint64_t number = worker->batch.bad_line;
    char why[RECORD_WHY_MAX];
    if (read_line(worker, line, why)) {
        if (keep_is_on(worker)) {
            keep_read(worker, KEEP_LINE, line->text,
                      line->len - (line->text[line->len - 1] == '\r'));
        }
        batch_count_record(worker, batch, tally, number);
    } else {
        refuse_malformed(connection, tally, number, why,
                         &(const struct unread){line->text, line->len});
    }
}
