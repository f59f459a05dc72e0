/* Events of a batch that are more than a timestamp: JSON objects, and lines with fields. By the
 * worker's thread. */
#ifndef AFORO_SERVER_HTTP_BATCH_RECORDS_H
#define AFORO_SERVER_HTTP_BATCH_RECORDS_H

#include "counters/counters.h"
#include "server/http/connection.h"
#include "server/refusals.h"

#include <stddef.h>
#include <stdint.h>

/* A whole line, without its end; text NULL: it is longer than GATHER_MAX. */
struct batch_line {
    const char *text;
    size_t len;
};

/* Counts the events of a piece of a body: of an object a line, or of an array of objects. */
void batch_read_objects(struct connection *connection, const char *data, size_t len);
void batch_read_array(struct connection *connection, const char *data, size_t len);

/* Counts the object that either ends with. */
void batch_end_records(struct connection *connection);

/* Reads the line that ingest/lines.h has just refused (worker->batch says why) as one with fields,
 * and counts it, or refuses it. Adds to *tally. */
void batch_read_line(struct connection *connection, struct shard_tally *tally,
                     const struct batch_line *line);

/* ---- of batch.c ---- */

/* Counts worker->record, or refuses it for its time, as a line of the batch. Adds to *tally. */
void batch_count_record(struct worker *worker, struct batch *batch, struct shard_tally *tally,
                        uint64_t line);

/* Counts a refused line in *tally. Where to write why (REASON_MAX bytes); NULL when the report
 * names enough lines already. */
char *batch_refuse(struct batch *batch, struct shard_tally *tally, uint64_t line,
                   enum refusal refusal);

/* Notes for the report which fields of worker->record, a line that was counted, are unfit. */
void batch_note_unfit(struct worker *worker, struct batch *batch, uint64_t line, uint64_t unfit);

#endif
