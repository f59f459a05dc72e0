/* Restores an event from its line in the log: its fields as they were when it was counted, read by
 * the same functions. One thread each. */
#ifndef AFORO_REPLAY_EVENT_H
#define AFORO_REPLAY_EVENT_H

#include "eventlog/parts.h"
#include "ingest/fields.h"
#include "ingest/json_lines.h"

/* the sizes that the server uses: for one event, and for its request */
#define REPLAY_ROOM (64 << 10)
#define REPLAY_SHARED_ROOM (8 << 10)

struct replay_event {
    const struct fields *fields; /* NULL: no fields are wanted */
    struct record record;        /* the event that was read last */
    struct record shared;        /* what it shares with its request */
    struct json_lines objects;   /* the lines that it is part of */
    struct line_parts parts;
    char *parts_room; /* [parts_cap] */
    size_t parts_cap;
    char room[REPLAY_ROOM], shared_room[REPLAY_SHARED_ROOM];
};

/* NULL when memory runs out. Free it with replay_event_free. `fields` must outlive the result. */
struct replay_event *replay_event_new(const struct fields *fields);
void replay_event_free(struct replay_event *event);

/* Reads a line that line_scan has found into event->record, with the time that it was counted at.
 * False when its body can no longer be read; the record then has the time only. */
bool replay_event_read(struct replay_event *event, const char *text,
                       const struct line_found *found);

/* The same for a line that line_scan_object has found; event->objects must have been begun with the
 * lines that it is part of. Returns the line's length, or 0 when the object is followed by more or
 * cannot be read: then use replay_event_read. */
size_t replay_event_read_object(struct replay_event *event, const char *text,
                                const struct line_found *found);

#endif
