/* Counts a record, which is an event as it came, in its windows and in the rows of the reports in
 * force. By the worker's thread. */
#ifndef AFORO_SERVER_HTTP_COUNT_H
#define AFORO_SERVER_HTTP_COUNT_H

#include "counters/counters.h"
#include "ingest/fields.h"
#include "reports/left_out.h"
#include "server/http/answers.h"
#include "server/http/connection.h"

/* The fields that are read from events now. */
const struct fields *count_fields(const struct worker *worker);

/* Keeps the query of a request that begins. Only with --reports or --event-log. */
void count_keep_query(struct connection *connection);

/* Reads into worker->shared what the request contributes to all of its events: fields of its query
 * and headers. To be called before events are read, in each call of the library. */
void count_begin(struct connection *connection);

/* Empties worker->record and returns it, for the next event to be read into. */
static inline struct record *count_next(struct worker *worker) {
    record_begin(&worker->record);
    worker->record.timeless = worker->server->clock_is_arrival;
    return &worker->record;
}

/* Counts worker->record at its time, or at arrival_us (wall clock) when it has none or --clock says
 * so. Bit i of *unfit: field i kept it out of a report. */
enum shard_verdict count_record(struct worker *worker, int64_t arrival_us, uint64_t *unfit);

/* Writes in a few words why field i kept worker->record, the event counted last, out of a
 * report. */
void count_explain_field(const struct worker *worker, unsigned i, char reason[LEFT_OUT_WHY_MAX]);

/* Writes a sentence about the event counted last: which fields kept it out of which reports, and
 * why. */
void count_explain_unfit(const struct worker *worker, uint64_t unfit,
                         char text[ANSWERS_SENTENCE_MAX]);

#endif
