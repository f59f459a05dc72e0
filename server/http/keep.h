/* What the event log keeps of the event under way. With --event-log; without it worker->keep.writer
 * is NULL, and nothing here is called. By the worker's thread. */
#ifndef AFORO_SERVER_HTTP_KEEP_H
#define AFORO_SERVER_HTTP_KEEP_H

#include "counters/counters.h"
#include "server/http/connection.h"
#include "server/refusals.h"

/* Whether events are kept. */
static inline bool keep_is_on(const struct worker *worker) {
    return __builtin_expect(worker->keep.writer != NULL, 0);
}

/* What the request gives to all of its events: query and headers. In each call of the library,
 * before its events. */
void keep_begin(struct connection *connection);

enum keep_body { KEEP_TIME, KEEP_FORM, KEEP_JSON, KEEP_LINE, KEEP_TEXT };

/* What the next event was read from, or could not be read from: text[0..len), which stays until it
 * is kept. KEEP_TIME: a time alone. */
void keep_read(struct worker *worker, enum keep_body body, const char *text, size_t len);

/* Whether the next event, which keep_read has told of, may be counted: false only with
 * --event-log-when-full refuse, when there is no room for it. */
bool keep_has_room(struct worker *worker);

/* Puts a record of the event that will be counted at time_us, there: worker->record. False: the
 * disk is full, and nothing is kept. */
bool keep_put(struct worker *worker, int64_t time_us, int64_t arrival_us,
              const struct shard_next *next);

/* It was counted. */
void keep_commit(struct worker *worker);

/* An event that was not counted, with the time that it carries, or that has none, and why. */
void keep_refused(struct worker *worker, enum refusal refusal, int64_t event_us);
void keep_malformed(struct worker *worker, const char *why);

#endif
