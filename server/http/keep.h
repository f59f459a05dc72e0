/* What the event log keeps of the current event. Without --event-log, worker->keep.writer is NULL
 * and only keep_is_on is called. By the worker's thread. */
#ifndef AFORO_SERVER_HTTP_KEEP_H
#define AFORO_SERVER_HTTP_KEEP_H

#include "counters/counters.h"
#include "server/http/connection.h"
#include "server/refusals.h"

/* Whether events are kept. */
static inline bool keep_is_on(const struct worker *worker) {
    return __builtin_expect(worker->keep.writer != NULL, 0);
}

/* Notes what the request contributes to all of its events: query and headers. In each call of the
 * library, before its events. */
void keep_begin(struct connection *connection);

enum keep_body { KEEP_TIME, KEEP_FORM, KEEP_JSON, KEEP_LINE, KEEP_TEXT };

/* Notes the text[0..len) from which the next event was read, or could not be read; it must stay
 * valid until the event is kept. KEEP_TIME: the event is a time alone. */
void keep_read(struct worker *worker, enum keep_body body, const char *text, size_t len);

/* Whether the next event, announced by keep_read, may be counted: false only with
 * --event-log-when-full refuse, when there is no room for it. */
bool keep_has_room(struct worker *worker);

/* Writes the record of an event that will be counted at time_us, in the place that `next` names.
 * False: there is no room, and nothing is kept. */
bool keep_put(struct worker *worker, int64_t time_us, int64_t arrival_us,
              const struct shard_next *next);

/* Commits the record: its event was counted. */
void keep_commit(struct worker *worker);

/* Keep an event that was not counted, with the reason: one with a time, or one that could not be
 * read. */
void keep_refused(struct worker *worker, enum refusal refusal, int64_t event_us);
void keep_malformed(struct worker *worker, const char *why);

#endif
