#include "replay/event.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct replay_event *replay_event_new(const struct fields *fields) {
    struct replay_event *event = calloc(1, sizeof *event);
    if (event) {
        event->fields = fields;
        event->record.room = event->room;
        event->record.room_len = sizeof event->room;
        event->shared.room = event->shared_room;
        event->shared.room_len = sizeof event->shared_room;
    }
    return event;
}

void replay_event_free(struct replay_event *event) {
    if (event) {
        free(event->parts_room);
    }
    free(event);
}

static bool make_room(struct replay_event *event, size_t bytes) {
    if (bytes > event->parts_cap) {
        free(event->parts_room);
        event->parts_room = malloc(bytes);
        event->parts_cap = event->parts_room ? bytes : 0;
    }
    return event->parts_room != NULL;
}

/* Reads what the request gave to all of its events, as in server/http/count.c. */
static void read_shared(struct replay_event *event) {
    const struct line_parts *parts = &event->parts;
    struct record *shared = &event->shared;
    const char *name;
    record_begin(shared);
    if (parts->query.text) {
        record_read_form(shared, event->fields, FIELD_QUERY, parts->query.text, parts->query.len);
    }
    for (unsigned i = 0; parts->headers > 0 && (name = fields_header(event->fields, i)); i++) {
        for (unsigned h = 0; h < parts->headers; h++) {
            const struct line_part_header *header = &parts->header[h];
            /* the log has the spelling of the definitions of then */
            if (strlen(name) == header->name.len &&
                strncasecmp(name, header->name.text, header->name.len) == 0) {
                record_take_header(shared, event->fields, i, header->value.text, header->value.len);
            }
        }
    }
    if (shared->present) {
        record_inherit(&event->record, shared);
    }
}

static bool read_body(struct replay_event *event) {
    const struct line_parts *parts = &event->parts;
    struct record *record = &event->record;
    char why[RECORD_WHY_MAX];
    if (parts->json.text) {
        return record_read_json(record, event->fields, parts->json.text, parts->json.len, why) ==
               RECORD_EVENT;
    }
    if (parts->line.text) {
        return record_read_line(record, event->fields, parts->line.text, parts->line.len, why) ==
               RECORD_EVENT;
    }
    if (parts->form.text) { /* a broken escape was accepted then, too */
        record_read_form(record, event->fields, FIELD_FORM, parts->form.text, parts->form.len);
    }
    return true;
}

bool replay_event_read(struct replay_event *event, const char *text,
                       const struct line_found *found) {
    struct record *record = &event->record;
    bool ok = true;
    record_begin(record);
    record->timeless = true; /* its time is known */
    if (found->kind != LINE_TIME) {
        ok = make_room(event, found->len) &&
             line_read_parts(text, found->len, found->at, event->parts_room, &event->parts) &&
             read_body(event);
        if (!ok) {
            record_begin(record);
        } else if (event->parts.query.text || event->parts.headers > 0) {
            read_shared(event);
        }
    }
    record->timed = true;
    record->us = found->time_us;
    return ok;
}

size_t replay_event_read_object(struct replay_event *event, const char *text,
                                const struct line_found *found) {
    struct record *record = &event->record;
    record_begin(record);
    record->timeless = true;
    const char *end =
        json_lines_read_object(&event->objects, record, event->fields, text + found->at);
    if (!end || event->objects.reader.source.scan.end - end < 2 || end[0] != '}' ||
        end[1] != '\n') {
        return 0;
    }
    record->timed = true;
    record->us = found->time_us;
    return (size_t)(end + 2 - text);
}
