#include "server/http/event.h"

#include "counters/counters.h"
#include "ingest/form.h"
#include "ingest/span.h"
#include "server/http/answers.h"
#include "server/http/tally.h"
#include "server/process/clock.h"
#include "server/refusals.h"

#include <stdio.h>
#include <string.h>

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

void event_begin(struct request *request) {
    form_begin(&request->form);
}

void event_read_body(struct connection *connection, const char *data, size_t len, bool whole) {
    struct request *request = &connection->request;
    if (whole && connection->query.outcome == FORM_EMPTY) {
        request->outcome = form_parse(data, len, &request->event_us, connection->why);
        request->parsed = true;
    } else {
        form_feed(&request->form, data, len);
    }
}

/* The time of the event, from the query or from the body. With a time in both it is not clear which
 * one is meant, and the event is refused. */
static enum form_outcome read_time(struct connection *connection, int64_t *event_us) {
    struct request *request = &connection->request;
    const struct request_query *query = &connection->query;
    if (request->parsed) {
        *event_us = request->event_us;
        return request->outcome;
    }
    if (query->outcome == FORM_EMPTY) {
        return form_end(&request->form, event_us, connection->why);
    }
    if (query->outcome == FORM_MALFORMED) {
        return FORM_MALFORMED;
    }
    const enum form_outcome body =
        form_end_optional(&request->form, FORM_BODY, event_us, connection->why);
    if (body == FORM_EVENT) {
        snprintf(connection->why, sizeof connection->why,
                 "value: given in the query and in the body, send one");
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
    event_explain_time(connection->worker, event_us, why + strlen(why));
    return refuse_event(connection,
                        verdict == SHARD_TOO_LATE ? REFUSAL_TOO_LATE : REFUSAL_TOO_FAR_AHEAD, why);
}

enum MHD_Result event_finish(struct connection *connection) {
    struct worker *worker = connection->worker;
    int64_t event_us = 0;
    const enum form_outcome outcome = read_time(connection, &event_us);
    if (outcome == FORM_MALFORMED) {
        return refuse_event(connection, REFUSAL_MALFORMED, connection->why);
    }
    if (outcome == FORM_EMPTY || worker->server->clock_is_arrival) {
        shard_add_arrival_owner(worker->shard, clock_wall_us());
    } else {
        const enum shard_verdict verdict = shard_add_owner(worker->shard, event_us);
        if (verdict != SHARD_COUNTED) {
            return refuse_time(connection, event_us, verdict);
        }
    }
    if (outcome == FORM_EVENT) {
        tally_add_lag(worker, event_us);
    }
    shard_tally_counted_owner(worker->shard);
    return answers_queue(connection, ANSWER_COUNTED);
}
