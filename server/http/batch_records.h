/* Events of a batch that are more than a timestamp: JSON objects and lines with fields. By the
 * worker's thread. */
#ifndef AFORO_SERVER_HTTP_BATCH_RECORDS_H
#define AFORO_SERVER_HTTP_BATCH_RECORDS_H

#include "counters/counters.h"
#include "server/http/connection.h"
#include "server/refusals.h"

#include <stddef.h>
#include <stdint.h>

/* A whole line without its line end; text NULL: it is longer than GATHER_MAX. */
struct batch_line {
    const char *text;
    size_t len;
};

/* Count the events of a piece of a body that has one object per line, or an array of objects. */
void batch_read_objects(struct connection *connection, const char *data, size_t len);
void batch_read_array(struct connection *connection, const char *data, size_t len);

/* Counts the last object of either kind of body, at its end. */
void batch_end_records(struct connection *connection);

/* Reads a line that ingest/lines.h has just refused (worker->batch says why) as one with fields,
 * and counts or refuses it. Adds to *tally. */
void batch_read_line(struct connection *connection, struct shard_tally *tally,
                     const struct batch_line *line);

/* ---- of batch.c ---- */

/* Counts worker->record, or refuses it for its time, as a line of the batch. Adds to *tally. */
void batch_count_record(struct worker *worker, struct batch *batch, struct shard_tally *tally,
                        uint64_t line);

/* Counts a refused line in *tally. Returns where to write the reason (REASON_MAX bytes), or NULL
 * when the report already names enough lines. */
char *batch_refuse(struct batch *batch, struct shard_tally *tally, uint64_t line,
                   enum refusal refusal);

/* Notes for the report which fields of worker->record, a line that was counted, are unfit. */
void batch_note_unfit(struct worker *worker, struct batch *batch, uint64_t line, uint64_t unfit);

#endif
