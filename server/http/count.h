/* A record, which is an event as it came, into the windows and the rows of the reports in force. By
 * the worker's thread. */
#ifndef AFORO_SERVER_HTTP_COUNT_H
#define AFORO_SERVER_HTTP_COUNT_H

#include "counters/counters.h"
#include "ingest/fields.h"
#include "reports/left_out.h"
#include "server/http/answers.h"
#include "server/http/connection.h"

/* What is looked for in events now. */
const struct fields *count_fields(const struct worker *worker);

/* Keeps the query of the request that begins. With --reports, or --event-log. */
void count_keep_query(struct connection *connection);

/* Reads into worker->shared what the request gives to all of its events: query and headers. Before
 * its events are read, in each call of the library. */
void count_begin(struct connection *connection);

/* Empties worker->record and returns it, for the next event to be read into. */
static inline struct record *count_next(struct worker *worker) {
    record_begin(&worker->record);
    worker->record.timeless = worker->server->clock_is_arrival;
    return &worker->record;
}

/* Counts worker->record, at its time, or at arrival_us when it has none or --clock says so.
 * *unfit: bit i: field i kept it out of a report. */
enum shard_verdict count_record(struct worker *worker, int64_t arrival_us, uint64_t *unfit);

/* Why field i kept worker->record, which was counted last, out of a report, in a few words. */
void count_explain_field(const struct worker *worker, unsigned i, char reason[LEFT_OUT_WHY_MAX]);

/* Writes a sentence for the event that was counted last: which fields kept it out of which reports,
 * and why. */
void count_explain_unfit(const struct worker *worker, uint64_t unfit,
                         char text[ANSWERS_SENTENCE_MAX]);

#endif
