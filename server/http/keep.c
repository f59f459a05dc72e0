#include "server/http/keep.h"

#include "eventlog/writer.h"
#include "server/http/count.h"

#include <string.h>

_Static_assert(FIELDS_MAX *FIELD_PLACES_MAX <= LINE_HEADERS_MAX,
               "there is room for every header that definitions name");

static void keep_headers(struct connection *connection) {
    struct worker *worker = connection->worker;
    struct keep *keep = &worker->keep;
    const struct fields *fields = count_fields(worker);
    const char *name;
    keep->event.headers = 0;
    keep->event.header = keep->header;
    for (unsigned i = 0; (name = fields_header(fields, i)); i++) {
        const char *value = MHD_lookup_connection_value(connection->mhd, MHD_HEADER_KIND, name);
        if (value) {
            keep->header[keep->event.headers++] =
                (struct line_header){name, {value, strlen(value)}};
        }
    }
}

void keep_begin(struct connection *connection) {
    struct line_event *event = &connection->worker->keep.event;
    const struct gather *query = &connection->query_text;
    *event = (struct line_event){.query = {query->len > 0 ? query->text : NULL, query->len}};
    keep_headers(connection);
}

void keep_read(struct worker *worker, enum keep_body body, const char *text, size_t len) {
    struct line_event *event = &worker->keep.event;
    const struct line_text none = {NULL, 0}, its = {text, len};
    event->form = body == KEEP_FORM ? its : none;
    /* blanks alone are not an object */
    event->json = body == KEEP_JSON && memchr(text, '{', len) ? its : none;
    event->line = body == KEEP_LINE ? its : none;
    event->text = body == KEEP_TEXT ? its : none;
}

bool keep_has_room(struct worker *worker) {
    struct eventlog_writer *writer = worker->keep.writer;
    struct line_event *event = &worker->keep.event;
    event->refused = event->why = NULL;
    return !writer->refuses || eventlog_reserve_owner(writer, line_max(event), 1);
}

bool keep_put(struct worker *worker, int64_t time_us, int64_t arrival_us,
              const struct shard_next *next) {
    struct eventlog_writer *writer = worker->keep.writer;
    struct line_event *event = &worker->keep.event;
    event->refused = event->why = NULL;
    event->timed = true;
    event->time_us = time_us;
    event->arrival_us = arrival_us;
    event->carries = worker->record.timed && worker->record.us != time_us;
    event->carried_us = worker->record.us;
    if (!eventlog_reserve_owner(writer, line_max(event), 1)) {
        return false;
    }
    eventlog_put_owner(writer, event);
    eventlog_note_owner(writer,
                        &(const struct eventlog_place){next->shard, next->window, next->count});
    return true;
}

void keep_commit(struct worker *worker) {
    eventlog_commit_owner(worker->keep.writer);
}

static void put_refused(struct worker *worker) {
    struct eventlog_writer *writer = worker->keep.writer;
    struct line_event *event = &worker->keep.event;
    event->arrival_us = worker->now_us;
    event->carries = false;
    if (eventlog_reserve_owner(writer, line_max(event), 1)) {
        eventlog_put_owner(writer, event);
        eventlog_commit_owner(writer);
    }
}

void keep_refused(struct worker *worker, enum refusal refusal, int64_t event_us) {
    struct line_event *event = &worker->keep.event;
    event->refused = refusal_table[refusal].name;
    event->why = NULL;
    event->timed = true;
    event->time_us = event_us;
    put_refused(worker);
}

void keep_malformed(struct worker *worker, const char *why) {
    struct line_event *event = &worker->keep.event;
    event->refused = refusal_table[REFUSAL_MALFORMED].name;
    event->why = why;
    event->timed = false;
    put_refused(worker);
}
