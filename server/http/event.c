#include "server/http/event.h"

#include "counters/counters.h"
#include "ingest/form.h"
#include "ingest/span.h"
#include "server/http/answers.h"
#include "server/http/count.h"
#include "server/http/keep.h"
#include "server/http/tally.h"
#include "server/process/clock.h"
#include "server/refusals.h"

#include <stdio.h>
#include <string.h>

#define ONE_TIME "value: given in the query and in the body, send one"

void event_read_query(struct connection *connection) {
    const char *text = connection->target.query;
    struct request_query *query = &connection->query;
    struct form form;
    form_begin(&form);
    form_feed(&form, text, strlen(text));
    query->given = true;
    query->outcome = form_end_optional(&form, FORM_QUERY, &query->event_us, connection->why);
    query->has_value = form_has_value(&form);
}

void event_begin(struct connection *connection) {
    struct request *request = &connection->request;
    form_begin(&request->form);
    /* even while no report asks for fields, since one may before the event is counted */
    const struct server *server = connection->worker->server;
    request->gathers =
        request->content != CONTENT_USUAL || server->report_sets.path || server->event_log;
}

static void read_form_body(struct connection *connection, const char *data, size_t len,
                           bool whole) {
    struct request *request = &connection->request;
    if (whole && connection->query.outcome == FORM_EMPTY) {
        request->outcome = form_parse(data, len, &request->event_us, connection->why);
        request->parsed =
            request->outcome != FORM_MALFORMED || !connection->worker->server->clock_is_arrival;
    }
    if (!request->parsed) {
        form_feed(&request->form, data, len);
    }
}

void event_read_body(struct connection *connection, const char *data, size_t len, bool whole) {
    const struct request *request = &connection->request;
    if (__builtin_expect(request->gathers, 0)) {
        gather_add(&connection->gather, data, len);
    }
    if (request->content == CONTENT_USUAL) {
        read_form_body(connection, data, len, whole);
    }
}

/* Reads the event's time from the query or from the body. With a time in both, it is unclear which
 * one is meant, and the event is refused. */
static enum form_outcome read_time(struct connection *connection, int64_t *event_us) {
    struct request *request = &connection->request;
    const struct request_query *query = &connection->query;
    if (request->parsed) {
        *event_us = request->event_us;
        return request->outcome;
    }
    if (query->outcome == FORM_EMPTY) {
        return connection->worker->server->clock_is_arrival
                   ? form_end_timeless(&request->form, event_us, connection->why)
                   : form_end(&request->form, event_us, connection->why);
    }
    if (query->outcome == FORM_MALFORMED) {
        return FORM_MALFORMED;
    }
    const enum form_outcome body =
        form_end_optional(&request->form, FORM_BODY, event_us, connection->why);
    if (body == FORM_EVENT) {
        snprintf(connection->why, sizeof connection->why, ONE_TIME);
        return FORM_MALFORMED;
    }
    *event_us = query->event_us;
    return body == FORM_EMPTY ? FORM_EVENT : FORM_MALFORMED;
}

void event_explain_time(const struct worker *worker, int64_t event_us, char *why) {
    const struct counters *counters = worker->server->counters;
    const struct span span = {worker->now_us, counters_horizon_us(counters),
                              counters_future_us(counters)};
    span_explain(&span, event_us, why, SPAN_WHY_MAX);
}

static enum MHD_Result refuse_event(struct connection *connection, enum refusal refusal,
                                    const char *why) {
    tally_add_refusal(connection->worker, refusal);
    return answers_queue_sentence(connection, refusal_table[refusal].status, why);
}

static enum MHD_Result refuse_time(struct connection *connection, int64_t event_us,
                                   enum shard_verdict verdict) {
    char why[FORM_WHY_MAX + SPAN_WHY_MAX] = "value: ";
    const enum refusal refusal =
        verdict == SHARD_TOO_LATE ? REFUSAL_TOO_LATE : REFUSAL_TOO_FAR_AHEAD;
    event_explain_time(connection->worker, event_us, why + strlen(why));
    if (keep_is_on(connection->worker)) {
        keep_refused(connection->worker, refusal, event_us);
    }
    return refuse_event(connection, refusal, why);
}

/* ---- with fields ---- */

#define TOO_LONG "body: an event is longer than 64 KiB"

/* Reads a JSON object into worker->record; the time may be in the query instead. */
static enum form_outcome read_json(struct connection *connection) {
    struct worker *worker = connection->worker;
    const struct gather *body = &connection->gather;
    const struct request_query *query = &connection->query;
    struct record *record = &worker->record;
    if (query->outcome == FORM_MALFORMED) {
        return FORM_MALFORMED;
    }
    record->timeless |= query->outcome == FORM_EVENT;
    const enum record_outcome outcome = record_read_json(
        record, count_fields(worker), gather_text(body), body->len, connection->why);
    if (outcome == RECORD_MALFORMED) {
        return FORM_MALFORMED;
    }
    if (record->timed && query->outcome == FORM_EVENT) {
        snprintf(connection->why, sizeof connection->why, ONE_TIME);
        return FORM_MALFORMED;
    }
    if (query->outcome == FORM_EVENT) {
        record->timed = true;
        record->us = query->event_us;
    }
    return record->timed ? FORM_EVENT : FORM_EMPTY;
}

/* The same for a form. */
static enum form_outcome read_form(struct connection *connection) {
    struct worker *worker = connection->worker;
    const struct gather *body = &connection->gather;
    struct record *record = &worker->record;
    const enum form_outcome outcome = read_time(connection, &record->us);
    record->timed = outcome == FORM_EVENT;
    if (outcome != FORM_MALFORMED && worker->report_view.adder) {
        record_read_form(record, count_fields(worker), FIELD_FORM, gather_text(body), body->len);
    }
    return outcome;
}

static enum MHD_Result answer_unfit(struct connection *connection, uint64_t unfit) {
    char text[ANSWERS_SENTENCE_MAX];
    count_explain_unfit(connection->worker, unfit, text);
    return answers_queue_sentence(connection, MHD_HTTP_OK, text);
}

/* Notes what the event log keeps of the body; if it is a form with a time alone, only that time,
 * unless a report reads the time's text as a field. */
static void keep_body(struct connection *connection, enum form_outcome outcome) {
    const struct gather *body = &connection->gather;
    const char *text = gather_text(body);
    if (connection->request.content != CONTENT_USUAL) {
        keep_read(connection->worker, outcome == FORM_MALFORMED ? KEEP_TEXT : KEEP_JSON, text,
                  body->len);
        return;
    }
    const bool is_time = outcome == FORM_EVENT && connection->query.outcome == FORM_EMPTY &&
                         !memchr(text, '&', body->len) &&
                         !fields_use_name(count_fields(connection->worker), FIELD_FORM, "value");
    keep_read(connection->worker, is_time || body->len == 0 ? KEEP_TIME : KEEP_FORM, text,
              body->len);
}

static enum MHD_Result refuse_malformed(struct connection *connection, const char *why) {
    if (keep_is_on(connection->worker)) {
        keep_malformed(connection->worker, why);
    }
    return refuse_event(connection, REFUSAL_MALFORMED, why);
}

enum MHD_Result event_refuse_query(struct connection *connection) {
    count_begin(connection);
    if (keep_is_on(connection->worker)) {
        keep_read(connection->worker, KEEP_TIME, NULL, 0);
    }
    return refuse_malformed(connection, connection->why);
}

static enum MHD_Result finish_record(struct connection *connection) {
    struct worker *worker = connection->worker;
    const struct record *record = count_next(worker);
    count_begin(connection);
    if (connection->gather.overlong) {
        return refuse_malformed(connection, TOO_LONG);
    }
    const enum form_outcome outcome = connection->request.content == CONTENT_USUAL
                                          ? read_form(connection)
                                          : read_json(connection);
    if (keep_is_on(worker)) {
        keep_body(connection, outcome);
    }
    if (outcome == FORM_MALFORMED) {
        return refuse_malformed(connection, connection->why);
    }
    if (keep_is_on(worker) && !keep_has_room(worker)) {
        tally_add_refusal(worker, REFUSAL_NOT_KEPT);
        return answers_queue(connection, ANSWER_NOT_KEPT);
    }
    const int64_t event_us = record->us;
    uint64_t unfit;
    const int64_t arrival_us = clock_wall_us();
    const enum shard_verdict verdict = count_record(worker, arrival_us, &unfit);
    if (verdict != SHARD_COUNTED) {
        return refuse_time(connection, event_us, verdict);
    }
    const bool at_arrival = worker->server->clock_is_arrival || outcome != FORM_EVENT;
    tally_note_counted(worker, at_arrival ? arrival_us : event_us);
    if (outcome == FORM_EVENT) {
        tally_add_lag(worker, event_us);
    }
    shard_tally_counted_owner(worker->shard);
    return unfit ? answer_unfit(connection, unfit) : answers_queue(connection, ANSWER_COUNTED);
}

enum MHD_Result event_finish(struct connection *connection) {
    struct worker *worker = connection->worker;
    if (__builtin_expect(connection->request.gathers, 0)) {
        return finish_record(connection);
    }
    int64_t event_us = 0;
    const enum form_outcome outcome = read_time(connection, &event_us);
    if (outcome == FORM_MALFORMED) {
        return refuse_event(connection, REFUSAL_MALFORMED, connection->why);
    }
    if (outcome == FORM_EMPTY || worker->server->clock_is_arrival) {
        const int64_t arrival_us = clock_wall_us();
        shard_add_arrival_owner(worker->shard, arrival_us);
        tally_note_counted(worker, arrival_us);
    } else {
        const enum shard_verdict verdict = shard_add_owner(worker->shard, event_us);
        if (verdict != SHARD_COUNTED) {
            return refuse_time(connection, event_us, verdict);
        }
        tally_note_counted(worker, event_us);
    }
    if (outcome == FORM_EVENT) {
        tally_add_lag(worker, event_us);
    }
    shard_tally_counted_owner(worker->shard);
    return answers_queue(connection, ANSWER_COUNTED);
}
